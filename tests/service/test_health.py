"""service/health.py: what is told of the service's health, and how often it is looked at."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import pytest

from service.errors import StorageUnavailable
from service.health import HEALTH_KEPT, HEALTH_TIME, Health

if TYPE_CHECKING:
    from freezegun.api import FrozenDateTimeFactory

    from service.storage.contract import Storage


class Probed:
    """A storage of which only the write for trial is asked; `answer` gives it a result."""

    def __init__(self, answer: Any = None) -> None:
        self.asked = 0
        self.answer = answer or (lambda done, _refused: done(None))

    def probe(self, *, done: Any, refused: Any) -> None:
        self.asked += 1
        self.answer(done, refused)


def health_of(storage: Probed) -> Health:
    return Health(cast("Storage", storage))


def refuse(_done: Any, refused: Any) -> None:
    refused(StorageUnavailable("no space"))


def fail(_done: Any, _refused: Any) -> None:
    raise StorageUnavailable("too much waits")


@pytest.mark.parametrize(("answer", "trouble"), [(None, ""), (refuse, "no space"), (fail, "too much waits")])
def test_it_tells_what_a_write_for_trial_met(answer: Any, trouble: str) -> None:
    """Nothing if it was stored; else why not."""
    assert health_of(Probed(answer)).look_for_trouble() == trouble


def test_a_flood_of_questions_is_no_flood_of_writes(clock: FrozenDateTimeFactory) -> None:
    """An answer holds for a moment; then it is asked for again."""
    storage = Probed()
    health = health_of(storage)
    for _ in range(100):
        assert health.look_for_trouble() == ""
    assert storage.asked == 1
    clock.tick(HEALTH_KEPT)
    assert health.look_for_trouble() == ""
    assert storage.asked == 2


def test_all_wait_for_the_same_write() -> None:
    """As long as it has no answer, nobody starts another one; and nobody waits for it without end."""
    asked, storage = threading.Event(), Probed(lambda _done, _refused: asked.set())
    health = health_of(storage)
    with ThreadPoolExecutor(4) as threads:
        troubles = list(threads.map(lambda _: health.look_for_trouble(), range(4)))
    assert troubles == [f"storing or delivering takes longer than {['', 'a'][int(HEALTH_TIME)]} second"] * 4
    assert storage.asked == 1


def test_a_service_that_ends_says_so_and_stores_nothing() -> None:
    """Whatever the storage would say."""
    storage = Probed()
    health = health_of(storage)
    health.end()
    assert health.look_for_trouble() == "the service is stopping"
    assert storage.asked == 0
