"""service/storage/postgres/timeline.py: what follows when a standby has taken over that lacked the newest commits."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from service.storage.news import HistoryCut, Present
from service.storage.postgres.timeline import GAP, Timeline
from tests.support.helpers import free_port
from tests.support.postgres import Cluster, ProgramError
from tests.support.writers import Service, insert, select, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

_PASSED: Final = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= '{}'"


def lose(cluster: Cluster, url: str, services: list[Service], after: int) -> None:
    """Makes the database one that lacks the messages after that, of a timeline that none has seen before."""
    for service in services:
        service.writer._node._timeline = Timeline(77, 0, 0)
    select(cluster, url, f"DELETE FROM chat.message WHERE id > {after}")
    select(cluster, url, f"SELECT setval('chat.message_id', {after})")
    select(cluster, url, "UPDATE chat.timeline SET number = 77")
    select(cluster, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'chat n%'")


def test_no_id_is_given_twice_and_all_hear_of_the_loss(
    pair: list[Service], cluster: Cluster, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The first to see it leaves ids out, once. Whoever knows of more than there is says so and logs that."""
    for number in (1, 2, 3):
        pair[0].say(1, str(number))
    for service in pair:
        service.call(lambda _: None)
    lose(cluster, url, pair, 1)
    for service in pair:
        service.wait_for(lambda told: HistoryCut(2, 3) in told)
    assert pair[1].say(1, "4") == 1 + GAP + 1
    pair[0].wait_for(lambda told: any(getattr(item, "id", 0) == GAP + 2 for item in told))
    assert "lacks messages that were stored and sent: 2 to 3" in caplog.text


def test_a_change_without_a_loss_is_told_nobody(service: Service, cluster: Cluster, url: str) -> None:
    """A standby that had all: the talk goes on, with larger ids."""
    service.say(1, "a")
    lose(cluster, url, [service], 1)
    assert service.say(1, "b") == 1 + GAP + 1
    assert not [item for item in service.told if isinstance(item, HistoryCut)]


def test_writes_that_were_lost_without_a_message_end_all_sessions(
    service: Service, cluster: Cluster, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as an account's making: who was told of it is not in the database any more."""
    service.call(insert, 1)
    select(cluster, url, "UPDATE chat.batch SET number = number - 1")
    lose(cluster, url, [service], 0)
    service.wait_for(lambda told: HistoryCut() in told)
    assert "lack what was stored and answered" in caplog.text


def test_events_that_were_lost_end_all_sessions(pair: list[Service], cluster: Cluster, url: str) -> None:
    """Whoever heard of them knows more than the database."""
    pair[0].writer.set_present(1, present=True)
    pair[1].wait_for(lambda told: Present(pair[0].writer.node_id, 1, "alice") in told)
    select(cluster, url, "DELETE FROM chat.event")
    select(cluster, url, "SELECT setval('chat.event_id', 0)")
    lose(cluster, url, pair, 0)
    pair[1].wait_for(lambda told: HistoryCut() in told)


def test_no_account_gets_the_id_of_one_that_was_lost(service: Service, cluster: Cluster, url: str) -> None:
    """Its sessions may still be there."""
    lose(cluster, url, [service], 0)
    service.call(lambda _: None)
    added = (
        "INSERT INTO chat.\"user\" (name, look, password_hash, created_at) VALUES ('bob', 'bob', '', '') RETURNING id"
    )
    assert select(cluster, url, added)[0][0] > GAP


def test_a_start_leaves_no_ids_out(url: str, cluster: Cluster) -> None:
    """The first service notes the timeline; the next finds it."""
    for _ in range(2):
        with serving(url):
            pass
    assert select(cluster, url, "SELECT count(*) FROM chat.timeline") == [(1,)]
    assert select(cluster, url, "SELECT last_value FROM chat.message_id") == [(0,)]


@pytest.fixture
def primary() -> Iterator[Cluster]:
    """A server that others can follow."""
    with Cluster(wal_level="replica", max_wal_senders="4") as cluster:
        yield cluster
        with suppress(ProgramError):
            cluster.run("pg_ctl", "stop", "-s", "-D", "standby", "-m", "immediate")


def test_a_standby_that_lacks_commits_takes_over(primary: Cluster) -> None:
    """A true one, by a URL that names both: what it has not heard of is lost, and no id of it is given again."""
    port = free_port()
    follow = ("start", "-s", "-w", "-D", "standby", "-l", "log of standby", "-o", f"-p {port}")
    url = primary.create()
    select(primary, url, "INSERT INTO chat.\"user\" VALUES (1, 'alice', 'alice', 'x', '')")
    select(primary, url, "INSERT INTO chat.marker VALUES (1, 0, 0, 0, '')")
    primary.run("pg_basebackup", "-D", "standby", "-R", "-X", "stream", "-c", "fast")
    primary.run("pg_ctl", *follow)
    with serving(url.replace(f":{primary.port}/", f":{primary.port},127.0.0.1:{port}/")) as (service,):
        heard = service.say(1, "heard of")
        ((here,),) = primary.execute("SELECT pg_current_wal_lsn()")
        while not primary.execute(_PASSED.format(here)):
            pass
        primary.run("pg_ctl", "stop", "-s", "-D", "standby", "-m", "fast")
        lost = service.say(1, "lost")
        primary.stop("immediate")
        primary.run("pg_ctl", *follow)
        primary.run("pg_ctl", "promote", "-s", "-w", "-D", "standby")
        service.wait_for(lambda told: HistoryCut(heard + 1, lost) in told)
        assert service.say(1, "after") > lost + GAP // 2
