"""service/storage/common.py: a write that is done at once is told as any other."""

from __future__ import annotations

from service.storage.common import do_at_once
from service.storage.records import UnknownUser


def test_a_write_that_is_done_at_once_has_ended() -> None:
    """With its result."""
    told: list[object] = []
    write = do_at_once(lambda: 7, told.append, told.append)
    assert (write.ended, write.error, write.result, told) == (True, None, 7, [7])


def test_a_refusal_is_its_error() -> None:
    """And is told as such."""
    told: list[object] = []

    def refuse() -> int:
        raise UnknownUser("bob")

    write = do_at_once(refuse, None, told.append)
    assert isinstance(write.error, UnknownUser)
    assert told == [write.error]
