"""service/storage/sqlite/upkeep.py: what is done while the writer is idle, and while it never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.sqlite.writer import Limits
from tests.support.helpers import open_storage, until
from tests.support.storage import add, say

if TYPE_CHECKING:
    from pathlib import Path

NEVER = 1e6  # seconds


def test_a_restart_forgets_no_erasure_and_an_idle_writer_does_it(tmp_path: Path) -> None:
    """What a service that ended at once has left to erase, the next one does."""
    with open_storage(tmp_path / "chat.db", limits=Limits(quiet=NEVER, piece_pace=NEVER)) as storage:
        said = say(storage, add(storage, "alice"), "secret")
        storage.result(storage.delete_message(1, said, None))
        assert storage.erasure().pending == 3
    with open_storage(tmp_path / "chat.db") as storage:
        until(lambda: storage.erasure().pending == 0)


def test_a_writer_that_is_never_idle_erases_all_the_same(tmp_path: Path) -> None:
    """A piece is done between the writes, each so many seconds, though there is always another write."""
    with open_storage(tmp_path / "chat.db", limits=Limits(quiet=NEVER, piece_pace=0)) as storage:
        alice = add(storage, "alice")
        storage.result(storage.delete_message(alice, say(storage, alice, "secret"), None))
        writes = [storage.submit(lambda _: None) for _ in range(5000)]
        storage.wait(writes[-1])
        until(lambda: storage.erasure().pending == 0)
