"""Prometheus metrics and a health check, over HTTP for this machine only. Counts nothing itself, and names no user.

What others count anyway is read when somebody asks. A request is small, has a second, and waits for no other thread
longer than that. Needs the package prometheus_client, which the service does without where nobody asks for metrics.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from contextlib import suppress
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from service import __version__
from service.errors import ErrorCode
from service.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from service.chat.session import Services
    from service.health import Health
    from service.listeners.places import Places
    from service.tally import Histogram

REQUEST_TIME: Final = 1.0  # seconds for a request to come, and for its answer to be taken
REQUEST_BYTES: Final = 4_096  # of a request with its header fields; Prometheus sends some 300
WAITING: Final = 8  # connections that wait for their turn; each has a second

_ACCEPT_PAUSE: Final = 0.1  # seconds to wait when accepting fails: descriptors run out and come back
_TEXT: Final = "text/plain; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"  # the form that every Prometheus reads
_log: Final = logging.getLogger("chat.metrics")


class _Answer(NamedTuple):
    status: str
    body: bytes
    kind: str = _TEXT


class Metrics:
    """Owns the listening socket and the thread `chat-metrics`, which answers one request after the other."""

    def __init__(self, listening: socket.socket, services: Services, places: Places, health: Health) -> None:
        """Answers from now on, until `stop`. The socket is this object's."""
        self._listening = listening
        self._health = health
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(services, places))
        ProcessCollector(registry=self._registry)
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="chat-metrics")
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; a request under way is broken off."""
        self._end.send(b"\0")
        self._thread.join()
        for each in (self._listening, self._end, self._ended):
            each.close()

    # -- the thread ---------------------------------------------------------------------------------------------------
    def _run(self) -> None:
        while self._ended not in (select.select([self._listening, self._ended], [], [])[0]):
            try:
                connected, _ = self._listening.accept()
            except OSError as error:
                _log.error("cannot accept a request for metrics: %s", error)
                select.select([self._ended], [], [], _ACCEPT_PAUSE)
                continue
            with connected:
                try:
                    self._serve(connected)
                except OSError:
                    pass  # whoever asked has gone, or is too slow
                except Exception:  # noqa: BLE001 (logged; the next request may fare better)
                    _log.exception("a request for metrics failed")

    def _serve(self, connected: socket.socket) -> None:
        head = self._receive(connected)
        if head:
            method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
            answer = self._answer(method, rest.partition(b" ")[0].partition(b"?")[0])
            connected.settimeout(REQUEST_TIME)
            lines = (
                f"HTTP/1.1 {answer.status}",
                f"Content-Type: {answer.kind}",
                f"Content-Length: {len(answer.body)}",
                "Connection: close",
            )
            body = b"" if method == b"HEAD" else answer.body
            connected.sendall("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body)
            with suppress(OSError):
                connected.shutdown(socket.SHUT_WR)

    def _receive(self, connected: socket.socket) -> bytes:
        """Returns a request up to its empty line; nothing if it is too long or late, or if the service stops."""
        deadline, head = time.monotonic() + REQUEST_TIME, b""
        poll = select.poll()  # `select.select` fails where many clients have taken the first 1,024 descriptors
        for each in (connected, self._ended):
            poll.register(each, select.POLLIN)
        while b"\r\n\r\n" not in head:
            ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1_000)
            if [descriptor for descriptor, _ in ready] != [connected.fileno()] or len(head) >= REQUEST_BYTES:
                return b""
            data = connected.recv(REQUEST_BYTES - len(head))
            if not data:
                return b""
            head += data
        return head

    def _answer(self, method: bytes, path: bytes) -> _Answer:
        if method not in {b"GET", b"HEAD"}:
            return _Answer("405 Method Not Allowed\r\nAllow: GET, HEAD", b"only GET\n")
        if path == b"/metrics":
            return _Answer("200 OK", generate_latest(self._registry), _METRICS)
        if path == b"/healthz":
            trouble = self._health.look_for_trouble()
            status = "503 Service Unavailable" if trouble else "200 OK"
            return _Answer(status, f"{one_line(trouble) or 'ok'}\n".encode())
        return _Answer("404 Not Found", b"/metrics and /healthz are here\n")


class _Figures(Collector):
    """Reads what there is at this moment. On the thread `chat-metrics`; waits for no other."""

    def __init__(self, services: Services, places: Places) -> None:
        self._services = services
        self._places = places

    def collect(self) -> Iterator[Metric]:
        services = self._services
        yield InfoMetricFamily("chat_build", "The program", {"version": __version__, "engine": services.storage.engine})
        yield from self._clients()
        stored = CounterMetricFamily("chat_messages_stored", "Messages stored since the start", labels=["kind"])
        for kind, count in services.stored.copy().items():
            stored.add_metric([kind], count)
        yield stored
        yield CounterMetricFamily(
            "chat_deliveries", "Messages given to clients' outboxes since the start", services.delivery.delivered
        )
        counts = services.refused.counts()
        refusals = CounterMetricFamily("chat_refusals", "Refusals since the start", labels=["code"])
        for code in get_args(ErrorCode):
            refusals.add_metric([code], counts.get(code, 0))
        yield refusals
        yield from self._storage()

    def _clients(self) -> Iterator[Metric]:
        sessions = [connection.session for connection in self._places.connections()]
        accounts = [session.account for session in sessions if session.account is not None]
        waiting = sum(session.outbox.waiting for session in sessions)
        yield GaugeMetricFamily("chat_connections", "Clients that are connected", len(sessions))
        yield GaugeMetricFamily("chat_sessions", "Clients that are logged in", len(accounts))
        yield GaugeMetricFamily(
            "chat_users_online",
            "Users with a session at this service",
            len({account.id for account in accounts if not account.quiet}),
        )
        yield GaugeMetricFamily("chat_outbox_bytes", "Bytes that wait for clients to read", waiting)

    def _storage(self) -> Iterator[Metric]:
        services, figures = self._services, self._services.storage.figures()
        queues = GaugeMetricFamily("chat_queue_length", "What waits for its turn", labels=["queue"])
        for name, length in (
            ("writes", figures.queued),
            ("delivery", services.delivery.queued),
            ("bcrypt", services.accounts.waiting),
            ("logins", services.logins.waiting),
            ("pages", services.pages.waiting),
            ("searches", services.searches.waiting),
        ):
            queues.add_metric([name], length)
        yield queues
        yield CounterMetricFamily("chat_writes", "Writes stored since the start", figures.written)
        yield CounterMetricFamily("chat_batches", "Transactions stored since the start", sum(figures.commits.counts()))
        yield _histogram(
            "chat_commit_seconds", "From the beginning of a transaction to the end of its COMMIT", figures.commits
        )
        yield GaugeMetricFamily("chat_database_bytes", "Size of the database file", figures.database_bytes)
        yield GaugeMetricFamily("chat_wal_bytes", "Size of the write-ahead log beside it", figures.wal_bytes)


def _histogram(name: str, explain: str, histogram: Histogram) -> HistogramMetricFamily:
    bounds = [*(f"{bound:g}" for bound in histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, map(float, accumulate(histogram.counts())), strict=True))
    return HistogramMetricFamily(name, explain, buckets=buckets, sum_value=histogram.sum)
