"""service/storage/postgres/link.py: a connection that is lost is made anew, and nobody waits for it for ever."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from service.errors import StorageUnavailable
from service.storage.postgres import connection, link
from tests.support.writers import Service, ids_of, insert, select

if TYPE_CHECKING:
    from tests.support.pg_proxy import PgProxy
    from tests.support.postgres import Cluster


def test_a_connection_that_is_ended_between_writes_costs_nothing(service: Service, cluster: Cluster, url: str) -> None:
    """It is opened again by itself, and the service is still the same among the others."""
    node = service.writer.node_id
    select(cluster, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chat n0'")
    assert service.call(insert, 1) == 1
    assert service.writer.node_id == node


def test_a_server_that_acknowledges_and_does_not_answer_is_given_up(
    far: Service, proxy: PgProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it for longer than a statement can take; later it goes on."""
    monkeypatch.setattr(connection._Raw, "answer_timeout", 0.5)
    monkeypatch.setattr(link, "RECONNECT", 0.1)

    proxy.hold()
    write = far.post(1, "a")
    far.writer.wait(write)
    assert isinstance(write.error, StorageUnavailable)
    proxy.release()
    far.say(1, "b")


@pytest.mark.parametrize("is_busy", [True, False])
def test_a_stop_ends_whatever_the_server_does(far: Service, proxy: PgProxy, is_busy: bool) -> None:
    """Also while a write waits for an answer: hurried, it is given up after a second."""
    proxy.hold()
    write = far.post(1, "a") if is_busy else None
    began = time.monotonic()
    far.writer.hurry()
    far.close()
    assert write is None or isinstance(write.error, StorageUnavailable)
    assert time.monotonic() - began < 4  # a second for the answer, two for a connection


def test_a_database_that_was_restarted_is_found_again(service: Service, cluster: Cluster, url: str) -> None:
    """A crash in the middle of a talk costs nobody anything."""
    outcome: list[Any] = []

    def talk() -> None:
        outcome.extend(service.say(1, f"a{n}") for n in range(200))

    talker = threading.Thread(target=talk)
    talker.start()
    service.wait_for(lambda told: len(ids_of(told)) > 20)
    cluster.stop("immediate")
    cluster.start()
    talker.join()
    assert outcome == sorted(set(outcome))
    assert len(outcome) == 200
    assert select(cluster, url, "SELECT count(*), count(DISTINCT body) FROM chat.message") == [(200, 200)]
