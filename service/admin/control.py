"""The service's side of the socket beside its database, where operators' orders come in.

Only the writer of a running service may write, so `python3 -m service.admin` asks it. An order is one line of JSON, the
answer a stream of such lines; the last one says `done` or `error`. Only the database's owner can reach the socket.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from service.admin.desk import Done, Failed
from service.admin.handlers import ORDERS, carry_out
from service.errors import ChatError, StorageUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from service.admin.desk import Desk, Order, Told

_log: Final = logging.getLogger("chat.control")
PATIENCE: Final = 5.0  # seconds for a connected program to send its order
AT_ONCE: Final = 8  # orders at once; each has a thread
MAX_ORDER: Final = 65_536  # bytes of an order: an announcement of 4,096 characters, each as an escape
_SUFFIX: Final = "-control"
_MODE: Final = 0o600
_PAUSE: Final = 0.1  # seconds to wait when accepting fails: descriptors run out and come back
_RECEIVE_BYTES: Final = 65_536


def socket_path(db: Path) -> Path:
    """Returns where the socket of that database's service is."""
    whole = db.resolve()
    return whole.with_name(whole.name + _SUFFIX)


class Control:
    """Owns the thread `chat-control`, the socket for operators, and the threads `chat-admin-<n>`."""

    def __init__(self, db: Path, desk: Desk, *, patience: float = PATIENCE, at_once: int = AT_ONCE) -> None:
        """If no socket can be made, all else still works. The named arguments are as the constants say."""
        self._desk = desk
        self._patience = patience
        self._at_once = at_once
        self._path = socket_path(db)
        self._clerks: set[_Clerk] = set()  # only the own thread uses it, and `stop` after that
        self._listener: socket.socket | None = socket.socket(socket.AF_UNIX)
        try:
            self._path.unlink(missing_ok=True)  # a killed service may have left it
            self._listener.bind(str(self._path))
            self._path.chmod(_MODE)  # before `listen`, so that no other user can connect
            self._listener.listen()
        except OSError as error:
            _log.warning("operators cannot reach this service while it runs: %s: %s", self._path, error)
            self._listener.close()
            self._listener = None
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="chat-control")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends all orders, each after its present piece of work, and the threads; removes the socket."""
        self._end.send(b"\0")
        self._thread.join()
        for clerk in self._clerks:
            clerk.stop()
        for clerk in self._clerks:
            clerk.thread.join()
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):  # it is gone already
                self._path.unlink()
        self._end.close()
        self._ended.close()

    def _run(self) -> None:
        waiting = [self._ended] if self._listener is None else [self._ended, self._listener]
        number = 0
        while self._ended not in (ready := select.select(waiting, [], [])[0]):
            for listener in ready:
                number += 1
                try:
                    self._serve(listener, number)
                except (OSError, RuntimeError) as error:  # no descriptor or no thread is left, for a moment
                    _log.error("cannot take an operator's order: %s", error)
                    select.select([self._ended], [], [], _PAUSE)

    def _serve(self, listener: socket.socket, number: int) -> None:
        connected, _ = listener.accept()
        self._clerks = {clerk for clerk in self._clerks if clerk.thread.is_alive()}
        if len(self._clerks) >= self._at_once:
            busy = Failed(f"the service carries out {self._at_once} orders already; try again later")
            with connected, suppress(OSError):
                connected.send(_encode(busy), socket.MSG_DONTWAIT)
            return
        clerk = _Clerk(connected, self._desk, self._patience, number)
        try:
            clerk.thread.start()
        except RuntimeError:
            connected.close()
            raise
        self._clerks.add(clerk)


class _GoneError(Exception):
    """The operator has closed the connection, or the service stops: the order ends."""


class _Clerk:
    """Takes one order and carries it out. Owns its thread and the connection."""

    def __init__(self, connected: socket.socket, desk: Desk, patience: float, number: int) -> None:
        self._connected = connected
        self._desk = desk
        self._patience = patience
        self.thread = threading.Thread(target=self._run, name=f"chat-admin-{number}")

    def stop(self) -> None:
        """Ends the order after its present piece of work. From another thread."""
        with suppress(OSError):  # closed already
            self._connected.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with self._connected:
            try:
                self._send(self._answer(self._read_line()))
            except _GoneError:
                _log.debug("an operator's program has gone")

    def _answer(self, line: bytes) -> Done | Failed:
        """Carries an order out; returns the last line of the answer. Raises _GoneError."""
        try:
            order: Order = msgspec.json.decode(line, type=ORDERS)
        except (ValueError, RecursionError) as error:
            return Failed(f"this is no order: {error}")
        level = logging.INFO if order.changes else logging.DEBUG
        try:
            with closing(carry_out(order, self._desk)) as work:
                for told in work:
                    self._send(told)
        except StorageUnavailable as error:
            return Failed(f"the database cannot be used just now ({error}); try again")
        except ChatError as error:
            return Failed(str(error))
        except _GoneError:
            _log.log(level, "%s was broken off by the operator", order)
            raise
        except Exception:  # noqa: BLE001 (logged; the next order may fare better)
            _log.exception("an operator's order failed: %s", order)
            return Failed("the running service cannot do that; look into its log")
        finally:
            self._desk.storage.release()
        _log.log(level, "%s by the operator", order)
        return Done()

    def _read_line(self) -> bytes:
        """Returns the order's line, or what came in its place. Raises _GoneError if it does not come in time."""
        received = b""
        deadline = time.monotonic() + self._patience
        try:
            while b"\n" not in received and len(received) <= MAX_ORDER:
                self._connected.settimeout(max(0.001, deadline - time.monotonic()))
                data = self._connected.recv(_RECEIVE_BYTES)
                if not data:
                    raise _GoneError
                received += data
                if time.monotonic() > deadline:
                    raise _GoneError
            self._connected.settimeout(None)
        except OSError as error:
            raise _GoneError from error
        return received.partition(b"\n")[0]

    def _send(self, told: Told | Done | Failed) -> None:
        """Sends a line; waits while the operator's program reads none. Raises _GoneError, also if that is gone."""
        try:
            self._connected.sendall(_encode(told))
        except OSError as error:
            raise _GoneError from error


def _encode(told: Told | Done | Failed) -> bytes:
    return msgspec.json.encode(told) + b"\n"
