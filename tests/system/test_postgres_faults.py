"""As test_faults.py, over PostgreSQL: what was acknowledged survives all that becomes of the server; so do retries."""

from __future__ import annotations

import signal
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.support.helpers import Process, enter
from tests.support.pg_proxy import PgProxy
from tests.support.storage import message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.helpers import Line, Wire
    from tests.support.postgres import Cluster

    Fault = Callable[[Cluster, str, PgProxy], AbstractContextManager[None]]

NONCES = {
    when: [f"{kind} {when} {n}" for n in range(10) for kind in ("pm", "dm")] for when in ("before", "in", "after")
}


def name_of(url: str) -> str:
    return urlsplit(url).path[1:]


@contextmanager
def away(cluster: Cluster, _url: str, _proxy: PgProxy) -> Iterator[None]:
    """A machine that has ended, and is back later."""
    cluster.kill()
    yield
    cluster.start()


@contextmanager
def silent(_cluster: Cluster, _url: str, proxy: PgProxy) -> Iterator[None]:
    """A machine that acknowledges what comes, and answers nothing."""
    proxy.hold()
    yield
    proxy.release()


@contextmanager
def locked(_cluster: Cluster, url: str, _proxy: PgProxy) -> Iterator[None]:
    """Another program's lock on the messages."""
    import psycopg

    with closing(psycopg.connect(url)) as other:
        other.execute("LOCK TABLE chat.message IN EXCLUSIVE MODE")
        yield
        other.rollback()


@contextmanager
def full(cluster: Cluster, url: str, _proxy: PgProxy) -> Iterator[None]:
    """What PostgreSQL says then of each message."""
    cluster.execute(
        "CREATE FUNCTION chat.fail() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;"
        "CREATE TRIGGER fail BEFORE INSERT ON chat.message FOR EACH STATEMENT EXECUTE FUNCTION chat.fail()",
        name_of(url),
    )
    yield
    cluster.execute("DROP FUNCTION chat.fail CASCADE", name_of(url))


FAULTS = [pytest.param(fault, id=fault.__name__) for fault in (away, silent, locked, full)]


@contextmanager
def serving(folder: Path, cluster: Cluster, url: str) -> Iterator[tuple[Process, PgProxy]]:
    """A service that comes to the database by a proxy."""
    with PgProxy("127.0.0.1", cluster.port) as proxy:
        there = url.replace(f":{cluster.port}/", f":{proxy.port}/")
        with Process(folder, "--db", there) as service:
            yield service, proxy


def post(wire: Wire, nonces: list[str]) -> list[Line]:
    """The answers, in order."""
    wire.send(*(message(nonce) | {"ref": nonce} for nonce in nonces))
    answers: list[Line] = []
    while len(answers) < len(nonces):
        line = wire.read()
        if "ref" in line:
            answers.append(line)
    return answers


def ids(answers: list[Line]) -> dict[str, int]:
    return {answer["nonce"]: answer["id"] for answer in answers if answer["type"] == "ack"}


def retry_all(service: Process, acked: dict[str, int], cluster: Cluster, url: str) -> None:
    """Each message, sent again, is stored once, and under the id that was acknowledged."""
    with enter(service.port, "alice") as alice:
        every = [nonce for nonces in NONCES.values() for nonce in nonces]
        again = ids(post(alice, every))
    assert acked.items() <= again.items()
    assert len(again) == len(every)
    stored = cluster.execute("SELECT nonce, id FROM chat.message ORDER BY nonce", name_of(url))
    assert stored == sorted(again.items())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_answer_and_passes(tmp_path: Path, cluster: Cluster, database: str, fault: Fault) -> None:
    """What comes meanwhile is refused, the clients stay; then all works by itself."""
    with serving(tmp_path, cluster, database) as (service, proxy):
        enter(service.port, "away").close()
        with enter(service.port, "alice") as alice, enter(service.port, "bob") as bob:
            acked = ids(post(alice, NONCES["before"]))
            with fault(cluster, database, proxy):
                codes = {answer.get("code") for answer in post(alice, NONCES["in"])}
                assert codes == {"storage_unavailable"}
                assert bob.ask("ping")["type"] == "pong"
            acked |= ids(post(alice, NONCES["after"]))
            assert len(acked) == len(NONCES["before"]) + len(NONCES["after"])
        retry_all(service, acked, cluster, database)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_kill_in_the_midst_of_a_fault_loses_nothing(
    tmp_path: Path, cluster: Cluster, database: str, fault: Fault
) -> None:
    """The next service has what was acknowledged."""
    with serving(tmp_path, cluster, database) as (service, proxy):
        enter(service.port, "away").close()
        with enter(service.port, "alice") as alice:
            acked = ids(post(alice, NONCES["before"]))
            with fault(cluster, database, proxy):
                alice.send(*map(message, NONCES["in"]))
                service.stop(signal.SIGKILL)
    with Process(tmp_path, "--db", database) as another:
        retry_all(another, acked, cluster, database)


def test_sessions_that_are_ended_are_opened_again(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """Between any two statements: each message gets its ack, as if nothing had been."""
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name_of(database)}'"
    with serving(tmp_path, cluster, database) as (service, _):
        enter(service.port, "away").close()
        with enter(service.port, "alice") as alice:
            acked: dict[str, int] = {}
            for nonces in NONCES.values():
                alice.send(*map(message, nonces))
                cluster.execute(end)
                acked |= {ack["nonce"]: ack["id"] for ack in (alice.read_type("ack") for _ in nonces)}
                assert len(alice.ask("history")["messages"]) > 0
        retry_all(service, acked, cluster, database)
