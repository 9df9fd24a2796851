"""Clients whose first bytes have to be read before they can have a place: a request of HTTP, the header of a proxy.

They have a thread and a deadline, and are few. What they say is read by the port that serves them.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.config import RECEIVE_COST, RECEIVE_COST_BYTES, RECORD_COST
from service.net.tls import NotTlsError
from service.net.transport import Stream, TlsStream, format_address
from service.origin import origin_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from service.accounts.shares import Shares
    from service.listeners.proxies import Proxies

VISITORS: Final = 256  # at once, over all ports: 40 browsers that open the page in one moment, six connections each
LEAVING: Final = 32  # more than these, that have been cut off and are still there for a moment
VISIT_TIME: Final = 10.0  # seconds for TLS, request and answer: a phone far out needs two or three
STAY: Final = 1.0  # seconds that a visit has at least, whatever comes from its own network: most take a tenth of it
LINGER: Final = 1.0  # seconds for the peer to take the last bytes, and to go, before a reset could take them away
LINGER_BYTES: Final = 1_048_576  # that it may say meanwhile, to be dropped: more than any request has
ANSWERED_BY: Final = (
    1.0  # seconds at a stop for the answers to requests that are whole; a commit takes some milliseconds
)
VISIT_COST: Final = 0.25  # commands before the login that a visit counts as: a page with its files is some ten visits

_DRAIN_BYTES: Final = 65_536

_log: Final = logging.getLogger("chat.listener")


class Visit:
    """One client without a place. `serve` of its port runs on its thread and calls all that is here."""

    def __init__(self, visitors: Visitors, connected: socket.socket, address: tuple[object, ...]) -> None:
        self.socket = connected
        self.address = address  # of the socket's peer, which may be a proxy
        self.stream = Stream(connected, address)
        self.origin = origin_of(str(address[0]))  # for the limits
        self.begun_at = time.monotonic()
        self.deadline = self.begun_at + visitors.seconds  # for all of it, but for the leave
        self.is_handed_on = False
        self._visitors = visitors
        self._is_proxys = visitors.proxies.is_trusted(str(address[0]))  # until it is known who comes through it
        self._unpaid = 0.0  # commands, meanwhile: else what one client sends through it would hold up all others
        self._is_cut = threading.Event()

    # -- for the port that serves it ----------------------------------------------------------------------------------
    def receive(self) -> bytes:
        """Waits for bytes; empty at the end of the stream. Raises TimeoutError past the deadline."""
        self._set_timeout()
        data = self.stream.receive(self._charge_bytes)
        if not data:
            self._left()
        return data

    def receive_first(self, most: int) -> bytes:
        """Waits for at most so many bytes, before TLS; empty at the end. Raises TimeoutError and other OSErrors."""
        self._set_timeout()
        return self.socket.recv(most)

    def send(self, data: bytes) -> None:
        """Sends all of it. Raises TimeoutError past the deadline, and other OSErrors."""
        rest, poll = memoryview(data), select.poll()
        poll.register(self.socket, select.POLLOUT)
        while rest:
            poll.poll(self._left() * 1_000)
            rest = rest[self.stream.send(rest) :]

    def say_at_once(self, last_word: bytes) -> None:
        """Sends what the kernel takes without waiting, past the deadline, too."""
        with suppress(OSError):
            self._never_wait_to_send()
            self.stream.send(last_word)

    def comes_from(self, host: str) -> None:
        """Says from which address the client came to the proxy, and charges that for all. Raises TimeoutError."""
        self.origin = origin_of(host)
        self.stream.peer = f"[{host}]" if ":" in host else host  # its port is not known
        _log.debug("%s comes through the proxy %s", self.stream.peer, format_address(self.address))
        self._is_proxys = False
        self.charge(self._unpaid)

    def charge(self, cost: float) -> None:
        """Charges its address for so many commands, and waits until they are due. Raises TimeoutError then."""
        if self._is_proxys:
            self._unpaid += cost
            return
        shares = self._visitors.shares
        wait = shares.knock(self.origin, cost) if shares is not None else 0.0
        if wait:
            if self._is_cut.wait(min(wait, self._left())):
                raise ConnectionAbortedError("it is to go")
            self._left()

    def hand_on(self) -> Stream:
        """Returns the stream, which is somebody else's from now on: it is not closed when `serve` returns.

        Raises ConnectionError if it was cut off.
        """
        self._visitors.hand_on(self)
        self.socket.settimeout(None)
        return self.stream

    def take_back(self) -> None:
        """After `hand_on`, if the other did not want it: it is closed again when `serve` returns."""
        self._visitors.take_back(self)

    # -- for Visitors -------------------------------------------------------------------------------------------------
    def run(self, serve: Callable[[Visit], None], context: ssl.SSLContext | None, not_tls: bytes) -> None:
        """Is the thread."""
        try:
            self.charge(VISIT_COST)
            if context is None or self._shake_hands(context, not_tls):
                serve(self)
        except OSError as error:  # a time-out, too
            _log.debug("a visit of %s ended: %s", self.stream.peer, error)
        except Exception:  # noqa: BLE001 (logged; others may fare better)
            _log.exception("a visit of %s failed", self.stream.peer)
        finally:
            if not self.is_handed_on:
                self._leave()
            self._visitors.forget(self)

    def cut(self) -> None:
        """Ends it at once. From any thread."""
        self._is_cut.set()
        self.stream.cut()

    def hurry(self) -> None:
        """Ends it, but for the answer to a request that is whole. From any thread."""
        self._is_cut.set()
        with suppress(OSError):  # gone already
            self.socket.shutdown(socket.SHUT_RD)

    def _shake_hands(self, context: ssl.SSLContext, not_tls: bytes) -> bool:
        self.stream = TlsStream(self.socket, self.address, context, self._left())
        try:
            self.stream.handshake()
        except NotTlsError:
            self.say_at_once(not_tls)
            return False
        return True

    def _leave(self) -> None:
        """Closes the stream once the peer has had the time to read."""
        until, dropped = time.monotonic() + LINGER, 0
        with suppress(OSError):
            self._never_wait_to_send()
            self.stream.end_sending()
            while not self._is_cut.is_set() and dropped < LINGER_BYTES and (left := until - time.monotonic()) > 0:
                self.socket.settimeout(left)
                received = len(self.socket.recv(_DRAIN_BYTES))
                if not received:
                    break
                dropped += received
        self.stream.close()

    def _charge_bytes(self, size: int, records: int) -> None:
        self.charge(RECEIVE_COST + size / RECEIVE_COST_BYTES + records * RECORD_COST)
        self._set_timeout()  # the stream may receive again before it has something to return

    def _set_timeout(self) -> None:
        self.socket.settimeout(self._left())

    def _never_wait_to_send(self) -> None:
        """With a time-out Python waits for space before it sends, even where the send itself is not to wait."""
        self.socket.settimeout(None)

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("it took too long")
        return left


class Visitors:
    """All visits, for all ports. Owns their threads `chat-visit-<n>`, until `stop`."""

    def __init__(
        self,
        proxies: Proxies,
        shares: Shares | None,
        *,
        most: int = VISITORS,
        leaving: int = LEAVING,
        seconds: float = VISIT_TIME,
        stay: float = STAY,
    ) -> None:
        """The named arguments are as the constants say."""
        self.proxies = proxies
        self.shares = shares
        self.seconds = seconds
        self._most = most
        self._leaving = leaving
        self._stay = stay
        self._lock = threading.Lock()  # guards the next four
        self._number = 0
        self._stopping = False
        self._staying: dict[Visit, threading.Thread] = {}  # in the order in which they came
        self._cut: dict[Visit, threading.Thread] = {}  # those that have to go, and are still there

    def receive(
        self,
        connected: socket.socket,
        address: tuple[object, ...],
        serve: Callable[[Visit], None],
        context: ssl.SSLContext | None = None,
        not_tls: bytes = b"",
    ) -> bool:
        """Has `serve` called for a client, on a thread of its own, after TLS if there is a context.

        False: there is no room for it. A client that speaks no TLS gets `not_tls`. `serve` may raise OSError, which
        ends the visit as its return does.
        """
        visit = Visit(self, connected, address)
        leaver: Visit | None = None
        with self._lock:
            if len(self._staying) >= self._most:
                leaver = self._choose(visit)
                if leaver is None or len(self._cut) >= self._leaving:
                    return False
                self._cut[leaver] = self._staying.pop(leaver)
            self._number += 1
            thread = threading.Thread(
                target=visit.run, args=(serve, context, not_tls), name=f"chat-visit-{self._number}"
            )
            self._staying[visit] = thread
        if leaver is not None:
            _log.info("cut off a visit of %s: its place was needed", leaver.origin.address)
            leaver.cut()
        try:
            thread.start()
        except RuntimeError as error:
            _log.error("cannot start a thread: %s", error)
            self.forget(visit)
            return False
        return True

    def hand_on(self, visit: Visit) -> None:
        """Lets a visit's stream go. Raises ConnectionError if the visit was cut off."""
        with self._lock:
            if visit not in self._staying:
                raise ConnectionAbortedError("its place was needed")
            visit.is_handed_on = True  # `stop` and a newcomer's need of a place leave it alone from now on

    def take_back(self, visit: Visit) -> None:
        """Undoes that, but for one that has to go meanwhile."""
        with self._lock:
            visit.is_handed_on = False
            stopping = self._stopping
        if stopping:
            visit.cut()

    def stop(self) -> None:
        """Ends all visits and their threads, once no port receives any more.

        What a webhook brought may be on its way to the disk: who sent it gets an answer, or would send it again. A
        thread that waits for a disk which has stopped is left to end with the storage.
        """
        with self._lock:
            self._stopping = True
            threads = [*self._staying.values(), *self._cut.values()]
            for visit in [visit for visit in self._staying if not visit.is_handed_on]:
                self._cut[visit] = self._staying.pop(visit)
            leavers = list(self._cut)
        for visit in leavers:
            visit.hurry()
        _join(threads, ANSWERED_BY)
        for visit in leavers:
            visit.cut()
        _join(threads, LINGER)

    def forget(self, visit: Visit) -> None:
        """Its thread is at the end, or there is none."""
        with self._lock:
            self._staying.pop(visit, None)
            self._cut.pop(visit, None)

    def _choose(self, newcomer: Visit) -> Visit | None:
        """The visit that makes room: the oldest of the network that has most.

        Where no network has more than that of the newcomer, one of its own goes, and not before it had its time:
        else a flood from there would end each before it is done.
        """
        counts = Counter(visit.origin.network for visit in self._staying)
        network, own = max(counts, key=counts.__getitem__), newcomer.origin.network
        if counts[network] <= counts[own]:
            network = own
        for visit in self._staying:
            if visit.origin.network == network and not visit.is_handed_on:
                return None if network == own and newcomer.begun_at - visit.begun_at < self._stay else visit
        return None


def _join(threads: list[threading.Thread], seconds: float) -> None:
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
