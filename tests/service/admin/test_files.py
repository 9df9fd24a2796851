"""service/admin/files.py: long work in a thread. test_main.py has what the commands say."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.admin.desk import Progress
from service.admin.files import attend
from service.errors import StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Generator

    from service.storage import Task


def wait_for_stop(task: Task) -> int:
    task.doing = "waiting"
    while True:
        task.check()


def result_of(attending: Generator[Progress, None, int], results: list[int]) -> Generator[Progress, None, None]:
    """Does the rest of the work, and keeps its result."""
    results.append((yield from attending))


def test_its_progress_comes_while_it_works() -> None:
    """And its result at the end."""
    may_end = threading.Event()

    def work(task: Task) -> int:
        task.doing = "counting"
        may_end.wait()
        return 5

    attending = attend(work, 0.01)
    while next(attending) != Progress("counting"):
        pass
    may_end.set()
    results: list[int] = []
    list(result_of(attending, results))
    assert results == [5]


def test_who_closes_it_ends_the_work() -> None:
    """No thread is left."""
    before = threading.active_count()
    with closing(attend(wait_for_stop, 0.01)) as attending:
        next(attending)
    assert threading.active_count() == before


def test_ctrl_c_ends_the_work() -> None:
    """What was under way is given up; what has been finished meanwhile is a result."""
    attending = attend(wait_for_stop, 0.01)
    next(attending)
    with pytest.raises(KeyboardInterrupt):
        attending.throw(KeyboardInterrupt())
    may_end = threading.Event()

    def work(task: Task) -> int:
        may_end.wait()
        return 5

    attending = attend(work, 0.01)
    next(attending)
    may_end.set()
    with pytest.raises(StopIteration) as ended:
        attending.throw(KeyboardInterrupt())
    assert ended.value.value == 5


def test_its_error_is_raised() -> None:
    """As it is."""

    def work(task: Task) -> None:
        raise StorageUnavailable("disk I/O error")

    with pytest.raises(StorageUnavailable, match="disk I/O error"):
        list(attend(work))
