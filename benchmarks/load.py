"""The load generator: puts a load on a peer and measures; it counts lines in large reads, so as not to be the limit."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.peers import TEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.peers import Client, Peer

WARM_UP, DURATION = 1.0, 4.0  # seconds
READ: Final = 1 << 20  # bytes


class Result(NamedTuple):
    """Of one cell. Rates are for a second; times in seconds."""

    messages: float
    deliveries: float
    cpu_per_million: float  # of the peer, for a million deliveries
    generator: float  # its share of a core
    p50: float = 0.0
    p99: float = 0.0


class Meter:
    """Counts from the end of the warm-up on."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
        self.messages = self.deliveries = 0
        self._end = time.perf_counter() + WARM_UP + DURATION
        self._warm_at: float | None = self._end - DURATION
        self._from = self._cpu = self._own = 0.0

    def goes_on(self) -> bool:
        """False once the time is over."""
        now = time.perf_counter()
        if self._warm_at is not None and now >= self._warm_at:
            self._warm_at = None
            self.messages = self.deliveries = 0
            self._from, self._cpu, self._own = now, self._peer.cpu_seconds(), time.process_time()
        return now < self._end

    def result(self, times: Sequence[float] = ()) -> Result:
        """What was measured; `times` are those of single deliveries, in seconds."""
        elapsed = time.perf_counter() - self._from
        cpu, own = self._peer.cpu_seconds() - self._cpu, time.process_time() - self._own
        ordered = sorted(times)
        return Result(
            self.messages / elapsed,
            self.deliveries / elapsed,
            cpu / max(self.deliveries, 1) * 1e6,
            own / elapsed,
            ordered[len(ordered) // 2] if ordered else 0.0,
            ordered[len(ordered) * 99 // 100] if ordered else 0.0,
        )


def _poll(clients: Sequence[Client]) -> tuple[select.epoll, dict[int, Client]]:
    poll = select.epoll()
    for client in clients:
        client.socket.settimeout(0)
        poll.register(client.socket, select.EPOLLIN)
    return poll, {client.socket.fileno(): client for client in clients}


def fan_out(peer: Peer, count: int, senders: int, in_flight: int) -> Result:
    """`senders` of `count` clients send public messages, each with `in_flight` unacknowledged."""
    clients = peer.log_in(count)
    poll, by_descriptor = _poll(clients)
    sending = {client.socket.fileno() for client in clients[:senders]}
    message, ack = peer.public("x" * TEXT), peer.ack
    buffer = bytearray(READ)
    meter = Meter(peer)
    for client in clients[:senders]:
        client.socket.send(message * in_flight)
    while meter.goes_on():
        for descriptor, _ in poll.poll(1.0):
            client = by_descriptor[descriptor]
            size = client.socket.recv_into(buffer)
            if descriptor not in sending:
                meter.deliveries += buffer.count(b"\n", 0, size)
                continue
            whole, _, client.rest = (client.rest + buffer[:size]).rpartition(b"\n")
            acks = whole.count(ack)
            meter.messages += acks
            meter.deliveries += whole.count(b"\n") + 1 - acks if whole else 0
            if acks:
                client.socket.send(message * acks)
    return _finish(meter, poll, clients)


def ping_pong(peer: Peer, pairs: int) -> Result:
    """Pairs of clients write to each other directly, each as soon as the other's message is there."""
    clients = peer.log_in(2 * pairs)
    poll, by_descriptor = _poll(clients)
    answers = {
        client.socket.fileno(): peer.private(clients[number ^ 1].name, "x" * TEXT)
        for number, client in enumerate(clients)
    }
    meter = Meter(peer)
    for client in clients[::2]:
        client.socket.send(answers[client.socket.fileno()])
    while meter.goes_on():
        for descriptor, _ in poll.poll(1.0):
            client = by_descriptor[descriptor]
            whole, _, client.rest = (client.rest + client.socket.recv(READ)).rpartition(b"\n")
            if directs := whole.count(peer.direct):
                meter.messages += directs
                meter.deliveries += directs
                client.socket.send(answers[descriptor] * directs)
    return _finish(meter, poll, clients)


def paced(peer: Peer, count: int, rate: float) -> Result:
    """One client sends `rate` messages a second to `count`; measured is the time from sending to receiving."""
    clients = peer.log_in(count)
    poll, by_descriptor = _poll(clients)
    sender = clients[0].socket.fileno()
    times: list[float] = []
    meter = Meter(peer)
    sent_at = time.perf_counter()
    while meter.goes_on():
        if (now := time.perf_counter()) >= sent_at + 1 / rate:
            clients[0].socket.send(peer.public("x" * TEXT))
            sent_at = now
            meter.messages += 1
        for descriptor, _ in poll.poll(max(0.0, sent_at + 1 / rate - time.perf_counter())):
            lines = by_descriptor[descriptor].socket.recv(READ).count(b"\n")
            if descriptor != sender:
                meter.deliveries += lines
                times += [time.perf_counter() - sent_at] * lines
    return _finish(meter, poll, clients, times)


def _finish(meter: Meter, poll: select.epoll, clients: Sequence[Client], times: Sequence[float] = ()) -> Result:
    result = meter.result(times)
    poll.close()
    for client in clients:
        client.socket.close()
    return result


CELLS: Final[dict[str, tuple[str, Callable[[Peer], Result]]]] = {
    "fan10": ("10 clients, all send, 16 in flight each", lambda peer: fan_out(peer, 10, 10, 16)),
    "fan100": ("100 clients, 10 send, 16 in flight each", lambda peer: fan_out(peer, 100, 10, 16)),
    "fan1000": ("1,000 clients, 10 send, 16 in flight each", lambda peer: fan_out(peer, 1000, 10, 16)),
    "one100": ("100 clients, 1 sends, 1 in flight", lambda peer: fan_out(peer, 100, 1, 1)),
    "paced100": ("100 clients, 50 messages a second", lambda peer: paced(peer, 100, 50)),
    "direct50": ("50 pairs, direct messages back and forth", lambda peer: ping_pong(peer, 50)),
}
