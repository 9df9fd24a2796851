"""service/storage/postgres/batches.py: each write is stored once, whenever a connection is lost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import psycopg
import pytest

from service.errors import PeerError, StorageUnavailable
from service.storage.postgres import address, connection, link, posting, transaction
from service.storage.postgres.transaction import FENCED
from service.storage.records import Post
from tests.support.pg_proxy import Fate, PgProxy
from tests.support.writers import Service, behind, ids_of, insert, select, serving, stored

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster


def once(proxy: PgProxy, fate: Fate) -> None:
    """Has the next commit meet that fate."""
    fates = iter([fate])
    proxy.decide = lambda: next(fates, Fate.PASS)


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
def test_messages_are_stored_once_whenever_the_connection_is_lost(
    far: Service, proxy: PgProxy, cluster: Cluster, url: str, fate: Fate
) -> None:
    """Without nonces, too; the sender hears of them as if nothing had happened."""
    assert far.say(1, "a") == 1
    once(proxy, fate)
    released = far.hold()
    writes = [far.post(1, "b", "c"), far.post(1, "d")]
    released.set()
    assert [each.id for write in writes for each in far.result(write)] == [2, 3, 4]
    assert proxy.counts[fate] == 1
    assert far.say(1, "e") == 5
    assert select(cluster, url, "SELECT body FROM chat.message ORDER BY id") == [(x,) for x in "abcde"]
    assert ids_of(far.told) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("fate", [Fate.CUT_BEFORE, Fate.CUT_AFTER])
def test_other_writes_are_done_once_whenever_the_connection_is_lost(
    far: Service, proxy: PgProxy, cluster: Cluster, url: str, fate: Fate
) -> None:
    """Their results are those of the transaction that was committed."""
    attempts: list[int] = []

    def count(connection: Connection) -> int:
        attempts.append(insert(connection, len(attempts)))
        return attempts[-1]

    once(proxy, fate)
    result = far.call(count)
    assert stored(cluster, url) == [result]
    assert len(attempts) == (1 if fate is Fate.CUT_AFTER else 2)
    assert far.say(1, "after") == 1


def test_a_session_that_is_ended_within_a_write_costs_nothing(service: Service, cluster: Cluster, url: str) -> None:
    """What it had done is undone, and done again by the next one."""
    ended: list[int] = []

    def work(connection: Connection) -> int:
        insert(connection, 1)
        if not ended:
            ended.append(connection.raw.info.backend_pid)
            select(cluster, url, f"SELECT pg_terminate_backend({ended[0]})")
        return insert(connection, 2)

    assert service.call(work) == 2
    assert stored(cluster, url) == [1, 2]


def test_many_losses_under_load_neither_lose_nor_double(proxy: PgProxy, cluster: Cluster, url: str) -> None:
    """Every fifth commit of one of two services is cut, before it or after it; both tell all messages in order."""
    chance = random.Random(7)
    fates = [Fate.PASS] * 8 + [Fate.CUT_BEFORE, Fate.CUT_AFTER]
    with serving(behind(url, proxy), url) as services:
        proxy.decide = lambda: chance.choice(fates)
        for n in range(60):
            for service in services:
                service.result(service.post(1, f"{service.writer.node_id}-{n}"))
        proxy.decide = lambda: Fate.PASS
        for service in services:
            service.wait_for(lambda told: len(ids_of(told)) >= 120)
            assert ids_of(service.told) == sorted(ids_of(service.told))
            assert len(ids_of(service.told)) == 120
    assert min(proxy.counts[Fate.CUT_BEFORE], proxy.counts[Fate.CUT_AFTER]) > 0
    ((count, distinct),) = select(cluster, url, "SELECT count(*), count(DISTINCT body) FROM chat.message")
    assert count == distinct == 120


def test_a_write_that_ends_every_connection_is_refused(service: Service, cluster: Cluster, url: str) -> None:
    """It is not tried for ever, and those after it are stored."""
    attempts: list[int] = []

    def end(connection: Connection) -> None:
        attempts.append(1)
        select(cluster, url, f"SELECT pg_terminate_backend({connection.raw.info.backend_pid}, 1000)")
        insert(connection, 1)

    write = service.submit(end)
    service.writer.wait(write)
    assert isinstance(write.error, StorageUnavailable)
    assert (write.error.maybe, len(attempts)) == (False, 5)
    assert service.call(insert, 2) == 2


def test_what_may_be_stored_is_told_as_such(
    far: Service, proxy: PgProxy, monkeypatch: pytest.MonkeyPatch, cluster: Cluster, url: str
) -> None:
    """A server that is away for longer: what was under way may be stored, what comes later is not."""
    monkeypatch.setattr(link, "RECONNECT", 0.3)
    monkeypatch.setattr(connection, "LEAST_VERSION", 9_999_999)  # no new connection is taken
    once(proxy, Fate.CUT_AFTER)
    unknown = far.post(1, "a")
    far.writer.wait(unknown)
    later = far.post(1, "b")
    far.writer.wait(later)
    assert isinstance(unknown.error, StorageUnavailable)
    assert isinstance(later.error, StorageUnavailable)
    assert (unknown.error.maybe, later.error.maybe) == (True, False)
    monkeypatch.undo()
    far.wait_for(lambda told: ids_of(told) == [1])  # heard as another's
    assert select(cluster, url, "SELECT body FROM chat.message") == [("a",)]


def test_an_older_try_of_a_batch_cannot_be_committed(service: Service, url: str) -> None:
    """A session of this service that is still at work in the server comes too late."""
    service.say(1, "a")
    older = connection.connect(address.parse(url))
    older.node, older.batch = service.writer.node_id, 1
    with pytest.raises(psycopg.DatabaseError) as caught:
        posting.store_posts(older, [(1, [Post(None, "b", None)])])
    assert caught.value.sqlstate == FENCED
    with pytest.raises(psycopg.DatabaseError) as caught, transaction.writing(older):
        insert(older, 1)
    assert caught.value.sqlstate == FENCED
    older.close()


def test_a_service_that_was_taken_for_dead_comes_back_as_another(service: Service, cluster: Cluster, url: str) -> None:
    """Its write is stored by the new row, once."""
    before = service.writer.node_id
    select(cluster, url, f"DELETE FROM chat.node WHERE id = {before}")
    service.say(1, "a")
    assert service.call(insert, 1) == 1
    assert service.writer.node_id != before
    assert select(cluster, url, "SELECT body FROM chat.message") == [("a",)]
    assert select(cluster, url, "SELECT id FROM chat.node") == [(service.writer.node_id,)]


def test_messages_that_cannot_be_sent_end_nothing(service: Service) -> None:
    """They are refused, and the writer goes on: also where there is no earlier answer, and where there is one."""
    for number in (1, 2):
        with pytest.raises(PeerError):
            service.say(1, "\0")
        assert service.say(1, "a") == number


def test_prepared_statements_that_are_gone_cost_nothing(service: Service) -> None:
    """Whatever has taken them away: messages are stored by another connection."""
    assert service.say(1, "a") == 1
    service.call(lambda connection: connection.raw.execute("DEALLOCATE ALL"))
    assert service.say(1, "b") == 2
