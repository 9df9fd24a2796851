"""service/metrics.py: what Prometheus is told, whether the service is well, and how it takes bad requests."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import sys
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

import service
from service.errors import ConfigError, StorageUnavailable
from service.metrics import REQUEST_BYTES, Metrics
from service.server import Server
from service.storage.sqlite.engine import SqliteStorage
from tests.support.helpers import PATIENCE, Process, Wire, enter, free_port, make_settings, running_server, until
from tests.support.papers import PAPERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def measured(server: Server) -> Iterator[int]:
    """The port of its metrics."""
    listening = socket.create_server(("127.0.0.1", 0))
    metrics = Metrics(listening, server.services, server.places, server.health)
    try:
        yield listening.getsockname()[1]
    finally:
        metrics.stop()


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    """The status and the body of the answer."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode()


def wait_for_byte(end: socket.socket) -> None:
    end.recv(1)


def samples(port: int) -> dict[str, float]:
    """The figures by name, with a label in brackets."""
    status, text = get(port, "/metrics")
    assert status == 200
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_chat_in_figures(server: Server) -> None:
    """Who is there, what was stored, delivered and refused, and what it took; no figure names a user."""
    with measured(server) as port, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        before = samples(port)
        with enter(server.port, "bob"), Wire(server.port):
            for text in ("one", "two"):
                alice.ask("pm", message=text, nonce=text)
            alice.ask("pm", message="two", nonce="two")
            alice.ask("dm", to="bob", message="psst")
            assert alice.ask("dm", to="carol", message="psst")["code"] == "unknown_user"
            bob.read_type("direct")
            now = samples(port)
    assert [now[f"chat_{name}"] for name in ("connections", "sessions", "users_online")] == [4, 3, 2]
    grown = {name: value - before.get(name, 0) for name, value in now.items()}
    assert grown["chat_messages_stored_total public"] == 2
    assert grown["chat_messages_stored_total direct"] == 1
    assert (
        grown["chat_deliveries_total"] == 2 * 3 + 2
    )  # to three clients, the sender's acks among them, and to bob's two
    assert grown["chat_refusals_total unknown_user"] == 1
    assert grown["chat_batches_total"] == grown["chat_commit_seconds_count"] >= 5
    assert grown["chat_writes_total"] >= grown["chat_batches_total"]
    assert now["chat_commit_seconds_bucket +Inf"] == now["chat_commit_seconds_count"]
    assert now["chat_commit_seconds_sum"] > 0
    assert now["chat_database_bytes"] + now["chat_wal_bytes"] > 4_096
    for queue in ("writes", "delivery", "bcrypt", "logins", "pages", "searches"):
        assert now[f"chat_queue_length {queue}"] == 0
    assert not any("alice" in name or "127.0.0.1" in name for name in now)


def test_each_service_counts_its_own_refusals(server: Server, tmp_path: Path) -> None:
    """Two in one process do not share the figures."""
    (tmp_path / "other").mkdir()
    with running_server(tmp_path / "other") as other, Wire(other.port) as wire:
        assert wire.ask("pm", message="hi")["code"] == "not_logged_in"
        with measured(other) as port, measured(server) as port_of_server:
            name = "chat_refusals_total not_logged_in"
            assert (samples(port)[name], samples(port_of_server)[name]) == (1, 0)


def test_the_paper_lists_the_figures(server: Server) -> None:
    """All of them, and no other."""
    with measured(server) as port:
        names = {re.sub(r"_(bucket|sum|count)$", "", name.partition(" ")[0]) for name in samples(port)}
    listed = re.findall(r"^    (chat_\w+)  ", PAPERS["docs/operating.txt"], re.MULTILINE)
    assert set(listed) == {name for name in names if name.startswith("chat_")}


def test_more_than_a_thousand_open_files(server: Server) -> None:
    """As with so many clients: the figures and the health check are there all the same."""
    with measured(server) as port, ExitStack() as held:
        while (spare := os.dup(0)) < 1_024:
            held.callback(os.close, spare)
        held.callback(os.close, spare)
        assert samples(port)["chat_connections"] == 0
        assert get(port, "/healthz") == (200, "ok\n")


def test_what_waits_for_a_client_is_a_figure(server: Server) -> None:
    """The bytes in the outboxes."""
    with measured(server) as port, enter(server.port, "alice"):
        (connection,) = server.places.connections()
        connection.session.outbox._buffer.waiting += 1 << 20
        assert 0 <= samples(port)["chat_outbox_bytes"] - (1 << 20) < 1_000  # perhaps a users list is under way
        connection.session.outbox._buffer.waiting -= 1 << 20


def test_a_service_that_is_well_says_so(server: Server) -> None:
    """It has stored something for that, with nothing said to anybody."""
    with measured(server) as port, enter(server.port, "alice") as alice:
        before = samples(port)["chat_batches_total"]
        assert get(port, "/healthz") == (200, "ok\n")
        assert samples(port)["chat_batches_total"] == before + 1
        assert alice.read_until_pong() == []


def test_a_database_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Another program has locked it: not well within a second; and well again afterwards, by the same write."""
    with running_server(tmp_path) as server, measured(server) as port:
        with closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(2):
                assert get(port, "/healthz") == (503, "storing or delivering takes longer than a second\n")
            assert samples(port)["chat_queue_length writes"] == 0  # the second asked for no further write
        until(lambda: get(port, "/healthz")[0] == 200)


def test_a_delivery_that_stands_still_is_told(server: Server) -> None:
    """The metrics still come: they wait for no thread."""
    with measured(server) as port:
        go_on, waits = socket.socketpair()
        with go_on, waits:
            server.delivery.post(wait_for_byte, waits)
            assert get(port, "/healthz")[0] == 503
            assert samples(port)["chat_queue_length delivery"] >= 1
            go_on.send(b"\0")
        until(lambda: get(port, "/healthz")[0] == 200)


@pytest.mark.parametrize("limit", ["keep_free", "max_db"])
def test_a_service_without_space_is_not_well(tmp_path: Path, limit: str) -> None:
    """It says which limit it is."""
    size = {"keep_free": 10**15, "max_db": 1_000}[limit]
    with running_server(tmp_path, **{limit: size}) as server, measured(server) as port:
        status, text = get(port, "/healthz")
        assert (status, f"--{limit.replace('_', '-')}" in text) == (503, True)


def test_a_full_queue_is_told_at_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who asks does not wait for a place in it."""

    def refuse(*_: object, **__: object) -> None:
        raise StorageUnavailable("too much waits to be stored")

    monkeypatch.setattr(SqliteStorage, "probe", refuse)
    with measured(server) as port:
        assert get(port, "/healthz") == (503, "too much waits to be stored\n")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/", 404),
        ("GET", "/metrics?name[]=x", 200),
        ("HEAD", "/healthz", 200),
        ("POST", "/metrics", 405),
    ],
)
def test_other_requests(server: Server, method: str, path: str, status: int) -> None:
    """Only the two pages are there, and only to be read."""
    with measured(server) as port:
        assert get(port, path, method)[0] == status


@pytest.mark.parametrize(
    "data", [b"", b"GET /metrics HTTP/1.1\r\n", b"x" * (REQUEST_BYTES + 1), b"\r\n\r\n", b"\xff \xff\r\n\r\n"]
)
def test_bad_requests_hold_nobody_up(server: Server, data: bytes) -> None:
    """Whoever is silent, says half of it, too much, or nonsense loses the connection; the next one is served."""
    with measured(server) as port, socket.create_connection(("127.0.0.1", port), PATIENCE) as bad:
        bad.sendall(data)
        assert get(port, "/healthz") == (200, "ok\n")
        try:
            assert b"200 OK" not in bad.recv(1_000)
        except ConnectionResetError:
            assert data


def test_metrics_as_an_option(tmp_path: Path) -> None:
    """The service serves them on 127.0.0.1, and stops in order while a request is under way."""
    port = free_port()
    with Process(tmp_path, "--metrics", str(port)) as program:
        assert f"http://127.0.0.1:{port}/metrics" in "".join(program.log)
        assert samples(port)["process_start_time_seconds"] > 0
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as silent:
            silent.sendall(b"GET /metrics")
            assert program.stop() == 0


def test_without_the_package_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, before anything is made; a port in use is told as well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = make_settings(tmp_path, metrics=taken.getsockname()[1])
        with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1 port \d+: Address already in use"):
            Server(settings)
    monkeypatch.delitem(sys.modules, "service.metrics")
    monkeypatch.delattr(service, "metrics")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=re.escape("-m pip install prometheus_client")):
        Server(settings)
    assert list(tmp_path.iterdir()) == []
