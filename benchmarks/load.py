"""The load generator: puts a load on a peer and measures. It counts lines in large reads, to be no bottleneck.

It reads a sender at once, because the next message waits for that. It reads a mere listener at intervals, and then all
that has come: the kernel holds it meanwhile, as it would on the listeners' own machines. (Reading each line as it comes
would keep this process's core busy, and would make the peer wake it up for each line.) For the times of single
deliveries it reads all clients at once.
"""

from __future__ import annotations

import select
import socket
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.cells import Cell, Target
from benchmarks.peers import CellError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.peers import Client, Peer

PATIENCE: Final = 20.0  # seconds to wait for a first delivery once the time is over
GATHER: Final = 0.001, 10  # seconds between reads; and a factor for the time between two reads of one listener
READ: Final = 1 << 20  # bytes
TEXT: Final = "x" * 100  # of every message


class Span(NamedTuple):
    """How long a cell is measured, in seconds."""

    warm_up: float = 0.8
    duration: float = 2.5


class Meter:
    """Counts after the end of the warm-up."""

    def __init__(self, peer: Peer, span: Span) -> None:
        self._peer = peer
        self.messages = self.deliveries = 0
        self.times: list[float] = []  # seconds of single deliveries
        self._warm_at: float | None = time.perf_counter() + span.warm_up
        self._end = self._warm_at + span.duration
        self._from = self._cpu = self._own = 0.0

    def goes_on(self) -> bool:
        """Returns False once the time is over and something was delivered: a slow disk may need half a second to sync.

        Raises CellError if nothing is delivered.
        """
        now = time.perf_counter()
        if self._warm_at is not None and now >= self._warm_at:
            self._warm_at = None
            self.messages = self.deliveries = 0
            self.times.clear()
            self._from, self._cpu, self._own = now, self._peer.cpu_seconds(), time.process_time()
        if now < self._end:
            return True
        if now > self._end + PATIENCE:
            raise CellError(f"nothing was delivered within {PATIENCE:g} s")
        return not (self.messages and self.deliveries)

    def metrics(self) -> dict[str, float]:
        """Returns the figures; the CPU is the peer's, the generator's share is that of one core."""
        elapsed = time.perf_counter() - self._from
        cpu, own = self._peer.cpu_seconds() - self._cpu, time.process_time() - self._own
        metrics = {"messages/s": self.messages / elapsed}
        if self.deliveries != self.messages:
            metrics["deliveries/s"] = self.deliveries / elapsed
        metrics["CPU s/million"] = cpu / max(self.deliveries, 1) * 1e6
        if self.times:
            ordered = sorted(self.times)
            metrics["p50 ms"] = ordered[len(ordered) // 2] * 1e3
            metrics["p99 ms"] = ordered[len(ordered) * 99 // 100] * 1e3
        return metrics | {"generator %": own / elapsed * 100}


class Reader:
    """Reads a client's input into one buffer for all clients."""

    def __init__(self) -> None:
        self._buffer = bytearray(READ)
        self._view = memoryview(self._buffer)

    def count_lines(self, client: Client) -> int:
        """Returns how many line ends have come."""
        return self._buffer.count(b"\n", 0, client.socket.recv_into(self._buffer))

    def count_marked(self, client: Client, mark: bytes) -> tuple[int, int]:
        """Returns how many whole lines have come, and how many of them hold the mark."""
        size = len(client.rest)
        if size:
            self._view[:size] = client.rest
            client.rest = b""
        size += client.socket.recv_into(self._view[size:] if size else self._buffer)
        whole = self._buffer.rfind(b"\n", 0, size) + 1
        if whole < size:
            client.rest = bytes(self._view[whole:size])
        return self._buffer.count(b"\n", 0, whole), self._buffer.count(mark, 0, whole)


class Crowd:
    """Clients that are read together."""

    def __init__(self, clients: Sequence[Client]) -> None:
        self._poll = select.epoll()
        self._clients = {client.socket.fileno(): client for client in clients}
        for client in clients:
            client.socket.settimeout(0)
            self._poll.register(client.socket, select.EPOLLIN)

    def ready(self, timeout: float, most: int = -1) -> list[Client]:
        """Returns clients with pending input, in turn; waits up to `timeout` seconds for the first."""
        return [self._clients[descriptor] for descriptor, _ in self._poll.poll(timeout, most)]

    def close(self) -> None:
        self._poll.close()
        for client in self._clients.values():
            client.socket.close()


def fan_out(peer: Peer | None, count: int, senders: int, in_flight: int, span: Span) -> dict[str, float]:
    """Measures public messages of `senders` among `count` clients, each with `in_flight` unacknowledged messages."""
    assert peer is not None
    clients, message = peer.log_in(count), peer.public(TEXT)
    return talk(peer, clients, senders, in_flight, span, lambda _, number: message * number)


def talk(
    peer: Peer,
    clients: Sequence[Client],
    senders: int,
    in_flight: int,
    span: Span,
    say: Callable[[Client, int], bytes],
) -> dict[str, float]:
    """Measures what the first `senders` of the clients say: `say` gives so many messages of a client."""
    sending, listening = Crowd(clients[:senders]), Crowd(clients[senders:])
    reader, meter, count = Reader(), Meter(peer, span), len(clients)
    pause, rounds = GATHER
    gather_at = 0.0
    for client in clients[:senders]:
        client.socket.send(say(client, in_flight))
    while meter.goes_on():
        for client in sending.ready(pause):
            lines, acks = reader.count_marked(client, peer.ack)
            meter.messages += acks
            meter.deliveries += lines - acks
            if acks:
                client.socket.send(say(client, acks))
            elif senders < count:
                # ngircd leaves TCP_NODELAY off: without this its PONG would wait 40 ms for the kernel's
                # acknowledgement.
                client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if (now := time.perf_counter()) >= gather_at:
            gather_at = now + pause
            for client in listening.ready(0, count // rounds + 1):
                meter.deliveries += reader.count_lines(client)
    metrics = meter.metrics()
    sending.close()
    listening.close()
    return metrics


def ping_pong(peer: Peer | None, pairs: int, span: Span) -> dict[str, float]:
    """Measures pairs of clients that write to each other, each after the other's message."""
    assert peer is not None
    clients = peer.log_in(2 * pairs)
    crowd, reader, meter = Crowd(clients), Reader(), Meter(peer, span)
    answers = {client: peer.private(clients[number ^ 1].name, TEXT) for number, client in enumerate(clients)}
    for client in clients[::2]:
        client.socket.send(answers[client])
    while meter.goes_on():
        for client in crowd.ready(1.0):
            _, directs = reader.count_marked(client, peer.direct)
            if directs:
                meter.messages += directs
                client.socket.send(answers[client] * directs)
        meter.deliveries = meter.messages
    metrics = meter.metrics()
    crowd.close()
    return metrics


def paced(peer: Peer | None, count: int, rate: float, span: Span) -> dict[str, float]:
    """Measures the time from sending to receiving: one client sends `rate` messages a second to `count`."""
    assert peer is not None
    clients = peer.log_in(count)
    crowd, reader, meter = Crowd(clients), Reader(), Meter(peer, span)
    sender, message = clients[0], peer.public(TEXT)
    sent_at = due = time.perf_counter()
    while meter.goes_on():
        if (now := time.perf_counter()) >= due:
            sender.socket.send(message)
            sent_at, due = now, due + 1 / rate
            meter.messages += 1
        for client in crowd.ready(max(0.0, due - time.perf_counter())):
            lines = reader.count_lines(client)
            if client is not sender:
                meter.deliveries += lines
                meter.times += [time.perf_counter() - sent_at] * lines
    metrics = meter.metrics()
    crowd.close()
    return metrics


_BOTH: Final = ("chat", "ngircd")


def make_cells(span: Span) -> dict[str, Cell]:
    """Returns all cells; each measures for the time of `span`."""
    return {
        "fan10": Cell(
            "10 clients, all send, 16 in flight each",
            lambda peer: fan_out(peer, 10, 10, 16, span),
            _BOTH,
            (Target("messages/s", ">=", 0.35, "ngircd"),),
        ),
        "fan100": Cell(
            "100 clients, 10 send, 16 in flight each",
            lambda peer: fan_out(peer, 100, 10, 16, span),
            _BOTH,
            (Target("deliveries/s", ">=", 1.2, "ngircd"), Target("CPU s/million", "<=", 0.8, "ngircd")),
        ),
        "fan1000": Cell(
            "1,000 clients, 10 send, 16 in flight each",
            lambda peer: fan_out(peer, 1000, 10, 16, span),
            _BOTH,
            (Target("deliveries/s", ">=", 1.8, "ngircd"), Target("CPU s/million", "<=", 0.5, "ngircd")),
        ),
        "one100": Cell(
            "100 clients, 1 sends, 1 in flight",
            lambda peer: fan_out(peer, 100, 1, 1, span),
            _BOTH,
            (Target("messages/s", ">=", 0.55, "ngircd"),),
        ),
        "paced100": Cell(
            "100 clients, 1 sends 50 messages a second",
            lambda peer: paced(peer, 100, 50, span),
            _BOTH,
            (Target("p50 ms", "<=", 2, "ngircd"), Target("p99 ms", "<=", 5)),
        ),
        "direct50": Cell(
            "50 pairs, direct messages back and forth, each stored",
            lambda peer: ping_pong(peer, 50, span),
            _BOTH,
            (Target("messages/s", ">=", 35_000),),
        ),
    }


CELLS: Final = make_cells(Span())
