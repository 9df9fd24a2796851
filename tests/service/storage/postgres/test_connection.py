"""service/storage/postgres/connection.py: which servers are refused, what is set, and that every wait ends."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from service.errors import ConfigError, PeerError, StorageUnavailable
from service.storage.postgres import address, connection
from service.storage.postgres.connection import connect, translated_errors
from tests.support.pg_proxy import PgProxy
from tests.support.postgres import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection


@pytest.fixture
def open_one(database: str) -> Iterator[Connection]:
    """A connection to a chat's database."""
    with closing(connect(address.parse(database))) as opened:
        yield opened


def show(opened: Connection, name: str) -> Any:
    return opened.run("SELECT current_setting(%s)", (name,)).fetchall()[0][0]


def test_what_the_promises_need_is_set(open_one: Connection, cluster: Cluster, database: str) -> None:
    """Whatever the server, the database or the role would have it be."""
    name = database.rpartition("/")[2]
    for setting in (
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
        "search_path = pg_temp",
    ):
        cluster.execute(f"ALTER DATABASE {name} SET {setting}")
    with closing(connect(address.parse(database))) as opened:
        assert show(opened, "synchronous_commit") == "on"
        assert show(opened, "transaction_isolation") == "read committed"
        assert show(opened, "search_path") == '"chat", pg_temp'
        assert show(opened, "idle_in_transaction_session_timeout") == "1500ms"
        assert [show(opened, f"{kind}_timeout") for kind in ("lock", "statement")] == ["3s", "4s"]


def test_the_server_too_notices_a_host_that_is_gone(open_one: Connection) -> None:
    """Else its session holds what it holds, and its place among the connections, for hours."""
    assert [show(open_one, f"tcp_{name}") for name in ("user_timeout", "keepalives_idle")] == ["6000", "5"]
    assert [show(open_one, f"tcp_keepalives_{name}") for name in ("interval", "count")] == ["2", "3"]


def test_a_reader_cannot_write(database: str) -> None:
    """Not even by a mistake in a statement."""
    opened = connect(address.parse(database), read_only=True)
    with closing(opened), pytest.raises(StorageUnavailable, match="read-only"), translated_errors():
        opened.run("DELETE FROM message")


def test_another_encoding_is_refused(cluster: Cluster) -> None:
    """Text would come back as something else, or not be stored."""
    cluster.execute("CREATE DATABASE latin ENCODING 'SQL_ASCII' TEMPLATE template0")
    with pytest.raises(ConfigError, match="must be UTF8, not SQL_ASCII"):
        connect(address.parse(cluster.url("latin")))
    cluster.execute("DROP DATABASE latin")


def test_a_server_that_does_not_sync_is_refused() -> None:
    """Its crash would lose what was acknowledged."""
    with Cluster(fsync="off") as careless, pytest.raises(ConfigError, match="fsync=off"):
        connect(address.parse(careless.url()))


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((140_005, "UTF8", "on", False, 0), "version 15 or newer, not 14"),
        ((170_000, "UTF8", "on", True, 0), "standby"),
        ((170_000, "UTF8", "on", False, -1), "pooler"),
    ],
)
def test_others_are_refused(database: str, row: tuple[Any, ...], reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older server, one that takes no writes, and one that keeps notices back."""
    values = ", ".join(repr(value) for value in row).replace(", 0", ", pg_backend_pid()")
    monkeypatch.setattr(connection, "_CHECK", f"SELECT {values}")
    with pytest.raises(ConfigError, match=reason):
        connect(address.parse(database))


def test_a_host_that_the_service_file_names_needs_a_word_on_tls(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only libpq reads that file, so it is looked at once the connection is there."""
    place = address.parse(database)._replace(is_bare=True)
    connect(place).close()
    monkeypatch.setattr(address, "is_near", lambda _: False)
    with pytest.raises(ConfigError, match="sslmode=verify-full"):
        connect(place)


def test_no_server_is_told_as_such(cluster: Cluster) -> None:
    """It may come back."""
    with pytest.raises(StorageUnavailable, match="refused"):
        connect(address.parse("postgresql://chat@127.0.0.1:1/chat"))


def test_numbers_are_of_eight_bytes(open_one: Connection) -> None:
    """However small, so that each statement is prepared once."""
    rows = open_one.run("SELECT pg_typeof(%s)::text, pg_typeof(%s)::text", (1, [1])).fetchall()
    assert rows == [("bigint", "bigint[]")]


def test_shared_statements_are_translated(open_one: Connection) -> None:
    """They run as on SQLite, one by one or for many rows."""
    open_one.execute("CREATE TEMPORARY TABLE seen_by (id bigint, name text)")
    open_one.executemany("INSERT INTO seen_by VALUES (?, ?)", [(1, "50%"), (2, "it's")])
    open_one.executemany("INSERT INTO seen_by VALUES (?, ?)", [])
    found = open_one.execute("SELECT id, name FROM seen_by WHERE id <= :most ORDER BY id", {"most": 2}).fetchall()
    assert found == [(1, "50%"), (2, "it's")]


@pytest.mark.parametrize("way", ["execute", "run", "call"])
def test_text_with_nul_is_the_peers_fault(open_one: Connection, way: str) -> None:
    """PostgreSQL cannot hold it, and nothing was asked of it."""
    place = {"execute": "?", "run": "%s", "call": "$1"}[way]
    with pytest.raises(PeerError, match="NUL"):
        getattr(open_one, way)(f"SELECT {place}::text", ("a\0b",))
    assert open_one.call("SELECT $1::text", ("ok",)) == ["ok"]


def test_calls_are_text_both_ways(open_one: Connection) -> None:
    """A value may be missing; an error is the one that `run` would raise."""
    assert open_one.call("SELECT $1::bigint + 1, $2::text, $3::bigint[]", ("1", None, "{1,2}")) == ["2", None, "{1,2}"]
    with pytest.raises(psycopg.errors.DivisionByZero):
        open_one.call("SELECT 1 / $1::bigint", ("0",))
    assert open_one.is_idle


def test_several_statements_are_one_round_trip(open_one: Connection) -> None:
    """Each has its answer."""
    cursor = open_one.run_several("BEGIN; SELECT %s; COMMIT", (7,))
    assert cursor.nextset()
    assert cursor.fetchall() == [(7,)]
    assert open_one.is_idle


def test_a_wait_for_an_answer_ends(cluster: Cluster, database: str) -> None:
    """Also where the host acknowledges all that is sent."""
    with PgProxy("127.0.0.1", cluster.port) as proxy:
        url = f"postgresql://chat@127.0.0.1:{proxy.port}/{database.rpartition('/')[2]}"
        with closing(connect(address.parse(url))) as opened:
            opened.set_answer_timeout(0.3)
            proxy.hold()
            with pytest.raises(StorageUnavailable, match="does not answer"), translated_errors():
                opened.run("SELECT 1")
            assert opened.is_lost


def test_a_bug_is_no_trouble_of_the_server(open_one: Connection) -> None:
    """It is raised as it is; trouble is told in one line."""
    with pytest.raises(psycopg.errors.UndefinedTable), translated_errors():
        open_one.run("SELECT * FROM nowhere")
    open_one.raw.pgconn.finish()
    with pytest.raises(StorageUnavailable) as caught, translated_errors():
        open_one.run("SELECT 1")
    assert "\n" not in str(caught.value)
