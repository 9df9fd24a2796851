"""service/storage/postgres/writer.py: group commit, order among services, and what a failure costs whom."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from service.errors import StorageUnavailable
from service.storage.records import UnknownUser
from tests.support.writers import Service, ids_of, insert, stored

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster


def refuse(connection: Connection) -> None:
    raise UnknownUser("no")


def outcomes(service: Service, kind: type | tuple[type, ...] = int) -> list[Any]:
    return [item for item in service.told if isinstance(item, kind)]


def test_outcomes_come_in_the_order_of_the_writes(service: Service, cluster: Cluster, url: str) -> None:
    """Whatever the batches, each write's outcome is handed on once, in order."""
    writes = [service.submit(insert, n) for n in range(1500)]
    service.writer.wait(writes[-1])
    assert outcomes(service) == list(range(1500)) == stored(cluster, url)


def test_messages_alone_are_one_statement(service: Service) -> None:
    """They are stored in order, with ids that follow each other."""
    released = service.hold()
    writes = [service.post(1, f"a{n}", f"b{n}") for n in range(3)]
    released.set()
    ids = [outcome.id for write in writes for outcome in service.result(write)]
    assert ids == [1, 2, 3, 4, 5, 6]
    assert service.say(1, "c") == 7


def test_a_refusal_concerns_only_its_own_write(service: Service, cluster: Cluster, url: str) -> None:
    """A write that is refused leaves the others of its batch alone."""
    released = service.hold()
    writes = [service.submit(insert, 1), service.submit(refuse), service.submit(insert, 2)]
    released.set()
    service.writer.wait(writes[-1])
    assert [type(write.error) for write in writes] == [type(None), UnknownUser, type(None)]
    assert stored(cluster, url) == [1, 2]


@pytest.mark.parametrize("bug", [lambda _: 1 / 0, lambda connection: insert(connection, 1)])
def test_a_bug_in_one_write_spares_the_others(
    service: Service, cluster: Cluster, url: str, bug: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that raises is logged and undone; its batch is stored without it, each once."""
    released = service.hold()
    writes = [service.submit(insert, 1), service.submit(bug), service.post(1, "a"), service.submit(insert, 2)]
    released.set()
    service.writer.wait(writes[-1])
    assert isinstance(writes[1].error, ZeroDivisionError | psycopg.errors.UniqueViolation)
    assert [write.error for write in writes if write is not writes[1]] == [None] * 3
    assert stored(cluster, url) == [1, 2]
    assert "a write failed" in caplog.text


def test_statements_stay_prepared_after_a_bug(service: Service) -> None:
    """A transaction that is rolled back costs its own writes only."""
    service.say(1, "a")
    with pytest.raises(ZeroDivisionError):
        service.call(lambda _: 1 / 0)
    assert service.say(1, "b") == 2


def test_each_service_hears_of_the_other_once_in_order(pair: list[Service]) -> None:
    """Under load each sees all messages, its own as outcomes and the other's as news, in the order of their ids."""

    def talk(service: Service, name: str) -> None:
        for n in range(150):
            service.post(1, f"{name}{n}")
            if n % 10 == 0:
                service.submit(lambda _: None)

    talkers = [threading.Thread(target=talk, args=(service, name)) for service, name in zip(pair, "ab", strict=True)]
    for talker in talkers:
        talker.start()
    for talker in talkers:
        talker.join()
    for service in pair:
        service.wait_for(lambda told: len(ids_of(told)) >= 300)
        assert ids_of(service.told) == list(range(1, 301))


def test_closing_stores_what_was_submitted_and_refuses_the_rest(url: str, cluster: Cluster) -> None:
    """The end drains the queue; a later write ends at once, and says that nothing was stored."""
    service = Service(url)
    for n in range(50):
        service.submit(insert, n)
    service.close()
    assert stored(cluster, url) == list(range(50))
    with pytest.raises(StorageUnavailable, match="stopping"):
        service.call(insert, 99)
