"""service/storage/postgres/node.py: who takes part, who is present, and who is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.news import Absent, HistoryCut, NodeGone, PresenceKnown, Present
from service.storage.postgres import node
from tests.support.pg_proxy import Fate, PgProxy
from tests.support.writers import Service, select, serving

if TYPE_CHECKING:
    from tests.support.postgres import Cluster


def test_who_comes_and_leaves_is_told_to_the_others(pair: list[Service]) -> None:
    """With the name; and to a service that comes later all at once."""
    one, two = pair
    one.writer.set_present(1, present=True)
    here = Present(one.writer.node_id, 1, "alice")
    two.wait_for(lambda told: here in told)
    one.writer.set_present(1, present=False)
    two.wait_for(lambda told: Absent(one.writer.node_id, 1) in told)
    assert not [item for item in one.told if isinstance(item, Present | Absent)]


def test_a_service_that_comes_later_is_told_all_at_once(service: Service, url: str) -> None:
    """Before anything else."""
    service.writer.set_present(1, present=True)
    service.call(lambda _: None)
    with serving(url) as (late,):
        assert late.told[0] == PresenceKnown([Present(service.writer.node_id, 1, "alice")])


def test_a_service_that_ends_is_gone_at_once(pair: list[Service], cluster: Cluster, url: str) -> None:
    """With its row and all who were present there."""
    one, two = pair
    one.writer.set_present(1, present=True)
    one.call(lambda _: None)
    one.close()
    two.wait_for(lambda told: NodeGone(one.writer.node_id) in told)
    assert select(cluster, url, "SELECT id FROM chat.node") == [(two.writer.node_id,)]
    assert select(cluster, url, "SELECT * FROM chat.presence") == []


def test_a_silent_service_is_taken_for_dead(pair: list[Service], cluster: Cluster, url: str) -> None:
    """Once its lease has ended, by a service whose own signs of life were in time; all hear of it, also that one."""
    select(cluster, url, "INSERT INTO chat.node (id, name, lease) VALUES (99, 'x', clock_timestamp())")
    select(cluster, url, "INSERT INTO chat.presence VALUES (99, 1)")
    judge = pair[0].writer._node
    judge._in_time, judge.beat_at = node._TRUSTED, 0.0
    pair[0].call(lambda _: None)
    for service in pair:
        service.wait_for(lambda told: NodeGone(99) in told)
    assert select(cluster, url, "SELECT * FROM chat.presence") == []
    assert pair[0].writer.written == 1  # a service's own writes do not count


def test_a_late_service_judges_nobody(service: Service, cluster: Cluster, url: str) -> None:
    """It may have been the one that was held up: others get the time of a lease first."""
    select(cluster, url, "INSERT INTO chat.node (id, name, lease) VALUES (99, 'x', clock_timestamp())")
    held = service.writer._node
    held._in_time, held._beaten_at, held.beat_at = 9, 0.0, 0.0
    service.call(lambda _: None)
    service.call(lambda _: None)
    assert held._in_time == 0
    assert select(cluster, url, "SELECT count(*) FROM chat.node") == [(2,)]


def test_figures_are_written_with_each_sign_of_life(url: str, cluster: Cluster) -> None:
    """For whoever asks how all services do."""
    with serving(url, figures=lambda: {"sessions": 3}) as (service,):
        service.writer._node.beat_at = 0.0
        service.call(lambda _: None)
        service.call(lambda _: None)
        assert select(cluster, url, "SELECT name, figures FROM chat.node") == [("n0", {"sessions": 3})]


def test_who_was_present_is_told_again_after_a_death(pair: list[Service], cluster: Cluster, url: str) -> None:
    """The others hear of them as of another service's."""
    one, two = pair
    one.writer.set_present(1, present=True)
    two.wait_for(lambda told: Present(one.writer.node_id, 1, "alice") in told)
    select(cluster, url, f"DELETE FROM chat.node WHERE id = {one.writer.node_id}")
    one.call(lambda _: None)
    two.wait_for(lambda told: Present(one.writer.node_id, 1, "alice") in told)
    assert select(cluster, url, "SELECT node_id FROM chat.presence WHERE node_id IN (SELECT id FROM chat.node)")


def test_a_return_whose_answer_is_lost_is_done_anew(far: Service, proxy: PgProxy, cluster: Cluster, url: str) -> None:
    """Or the service would take the row that it has just made for the one that it has always had."""
    far.call(lambda _: None)
    select(cluster, url, "DELETE FROM chat.node")
    fates = iter([Fate.CUT_AFTER])
    proxy.decide = lambda: next(fates, Fate.PASS)
    proxy.cut()
    far.wait_for(lambda told: sum(isinstance(item, PresenceKnown) for item in told) == 2)
    assert proxy.counts[Fate.CUT_AFTER] == 1
    assert far.writer.node_id == select(cluster, url, "SELECT max(id) FROM chat.node")[0][0]


def test_missed_events_end_all_sessions(service: Service, cluster: Cluster, url: str) -> None:
    """A service that was away until events were removed that it had not read cannot know what it missed.

    Its own clock may not tell: a machine can be held up with its clocks.
    """
    service.call(lambda _: None)
    select(cluster, url, "SELECT setval('chat.event_id', 7)")
    select(cluster, url, "DELETE FROM chat.node")
    select(cluster, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'chat n0'")
    service.wait_for(lambda told: HistoryCut() in told)
    assert isinstance(service.told[-1], PresenceKnown)


def test_old_events_are_removed(service: Service, cluster: Cluster, url: str) -> None:
    """After a minute nobody needs them."""
    select(
        cluster, url, "INSERT INTO chat.event VALUES (1, 9, 0, '{}', now() - interval '61 s'), (2, 9, 0, '{}', now())"
    )
    service.call(service.writer._node.clear_away)
    assert select(cluster, url, "SELECT id FROM chat.event") == [(2,)]


def test_a_sign_of_life_has_old_events_removed(service: Service, cluster: Cluster, url: str) -> None:
    """What came less than a minute ago stays."""
    event = "INSERT INTO chat.event VALUES ({0}, 99, 0, '{{}}', clock_timestamp() - make_interval(secs => {1}))"
    for age, left in ((10, [(1,)]), (61, [])):
        select(cluster, url, f"DELETE FROM chat.event; {event.format(1, age)}")
        service.writer._node._in_time, service.writer._node.beat_at = node._TRUSTED, 0.0
        service.call(lambda _: None)
        service.call(lambda _: None)  # the sign of life follows the first
        assert select(cluster, url, "SELECT id FROM chat.event") == left
