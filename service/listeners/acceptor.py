"""The accept loop of a port: takes each client, or refuses it where descriptors run out.

Knows no session and reads nothing of what clients say.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import select
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.net.transport import format_address
from service.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSED_KEPT: Final = 16  # refused sockets that stay open a while, so that the error line arrives before a reset

_ACCEPT_PAUSE: Final = 0.1  # seconds to wait when accepting fails: descriptors run out and come back
_WAKINGS: Final = 4_096  # bytes of wakings taken at once; one is as good as many

_log: Final = logging.getLogger("chat.listener")


class Acceptor:
    """Owns a listening socket and the thread that accepts its clients, from `start` to `stop`."""

    def __init__(
        self,
        name: str,
        listening: socket.socket,
        take: Callable[[socket.socket, tuple[object, ...]], None],
        no_place: Callable[[], bytes],
        look: Callable[[], float],
        look_in: float,
    ) -> None:
        """On the thread `name`, `take` gets each client. `no_place` makes the last word where none can be taken.

        `look` is called `look_in` seconds after a client came. It says when to call it again (monotonic), or inf.
        """
        self._listening = listening
        self._take = take
        self._no_place = no_place
        self._look = look
        self._look_in = look_in
        self._refused: deque[socket.socket] = deque()
        self._spare = _open_spare()  # a descriptor to refuse with when there is no other
        self._wake, self._woken = socket.socketpair()
        self._wake.settimeout(0)
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, name=name)

    def start(self) -> None:
        self._thread.start()

    def look_again(self) -> None:
        """Has `look` called in time for a client that has just got its place. From any thread."""
        with suppress(OSError):  # so many wakings wait that one more changes nothing; or the port is closed
            self._wake.send(b"\0")

    def stop(self) -> None:
        """Accepts nobody any more. Those that were accepted are not touched."""
        self._stopping = True
        self.look_again()
        self._thread.join()
        self._listening.close()

    def close(self) -> None:
        """Gives all descriptors back, after `stop`. Clients that were just refused have had their time to read it."""
        for refused in self._refused:
            refused.close()
        if self._spare is not None:
            os.close(self._spare)
        self._wake.close()
        self._woken.close()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def refuse(
        self,
        connected: socket.socket,
        address: tuple[object, ...],
        last_word: bytes,
        fault: str = "too_many_connections",
    ) -> None:
        """Sends a client away with that last word; `fault` is for the log. The socket is this object's from now on."""
        # The log names what counts as one address: else each line of a flood out of an IPv6 network were another one.
        _log.info("refused %s: %s", origin_of(str(address[0])).address, fault)
        with suppress(OSError):
            connected.send(last_word, socket.MSG_DONTWAIT)
            connected.shutdown(socket.SHUT_WR)
        # Closing at once could reset the connection before the line is read, if the client has said something.
        self._refused.append(connected)
        if len(self._refused) > REFUSED_KEPT:
            self._refused.popleft().close()

    def _accept(self) -> None:
        look_at = math.inf
        while True:
            left = None if look_at == math.inf else max(0.0, look_at - time.monotonic())
            ready, _, _ = select.select([self._listening, self._woken], [], [], left)
            if self._woken in ready:
                self._woken.recv(_WAKINGS)
                if self._stopping:
                    return
            if self._listening in ready:
                self._take_client()
            if ready:
                look_at = min(look_at, time.monotonic() + self._look_in)
            if look_at <= time.monotonic():
                look_at = self._look()

    def _take_client(self) -> None:
        try:
            connected, address = self._listening.accept()
        except OSError as error:
            # Out of descriptors, or the client is gone already. Those that are in must not notice.
            _log.error("cannot accept a client: %s", error)
            if error.errno in {errno.EMFILE, errno.ENFILE} and self._refuse_on_spare():
                return
            select.select([self._woken], [], [], _ACCEPT_PAUSE)
            return
        try:
            self._take(connected, address)
        except Exception:  # noqa: BLE001 (logged; the next client may fare better)
            _log.exception("a client was not admitted: %s", format_address(address))
            connected.close()

    def _refuse_on_spare(self) -> bool:
        """Refuses a client that would else hang in the backlog until there are descriptors. False: it cannot."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
            with suppress(OSError):
                self.refuse(*self._listening.accept(), self._no_place())
        if self._refused:
            self._refused.popleft().close()  # its descriptor is the next spare one
        self._spare = _open_spare()
        return self._spare is not None


def _open_spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
