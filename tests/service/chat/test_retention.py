"""service/chat/retention.py: old messages go once a day, of each kind by its own setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from service.chat import retention
from service.chat.retention import Retention
from service.errors import StorageUnavailable
from service.storage.records import Purged
from tests.support.helpers import make_settings, open_storage
from tests.support.storage import add, ids_of, say

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.contract import Storage

pytestmark = pytest.mark.engines


def fill(storage: Storage) -> None:
    """A public and a direct message on each of five days."""
    add(storage, "alice")
    for day in range(1, 6):
        with freeze_time(f"2030-01-0{day} 12:00"):
            say(storage, 1, "public")
            say(storage, 1, "direct", "alice")


def left(storage: Storage) -> tuple[int, int]:
    """How many public and direct messages there are."""
    return tuple(len(ids_of(storage.history_page(talk, None, None, 99))) for talk in (None, (1, 1)))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("public", "direct", "kept"), [(0, 0, (5, 5)), (3, 0, (4, 5)), (0, 1, (5, 2)), (2, 4, (3, 5)), (36_500, 1, (5, 2))]
)
def test_each_kind_is_kept_for_its_days(tmp_path: Path, public: int, direct: int, kept: tuple[int, int]) -> None:
    """Whole days, with today beside them; 0 keeps all."""
    with open_storage(tmp_path / "chat.db") as storage:
        fill(storage)
        settings = make_settings(tmp_path, retention=public, retention_direct=direct)
        with freeze_time("2030-01-05 13:00"):
            Retention(storage, settings).run_some()
        assert left(storage) == kept


def test_once_a_day_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call does so many pieces; the next goes on; what is done is left alone till midnight."""
    monkeypatch.setattr(retention, "PIECES", 1)
    asked: list[tuple[str, int, bool]] = []

    def purge_some(before: str, after_id: int, *, public: bool, direct: bool) -> Purged:
        asked.append((before[:10], after_id, public))
        return Purged(1, after_id + 7, more=after_id < 7)

    with open_storage(tmp_path / "chat.db") as storage:
        monkeypatch.setattr(storage, "purge_some", purge_some)
        monkeypatch.setattr(storage, "result", lambda purged: purged)
        keeper = Retention(storage, make_settings(tmp_path, retention=2, retention_direct=3))
        for now in ["2030-01-05 01:00"] * 6 + ["2030-01-06"]:
            with freeze_time(now):
                keeper.run_some()
    day = ("2030-01-03", "2030-01-02", "2030-01-04")
    assert asked == [(day[0], 0, True), (day[0], 7, True), (day[1], 0, False), (day[1], 7, False), (day[2], 0, True)]


def test_a_failure_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database is locked nothing is removed; later it is, from where it stopped."""
    with open_storage(tmp_path / "chat.db") as storage, freeze_time("2030-01-05 13:00"):
        fill(storage)
        keeper = Retention(storage, make_settings(tmp_path, retention=1))
        with monkeypatch.context() as broken:

            def fail(_: object) -> Purged:
                raise StorageUnavailable("locked")

            broken.setattr(storage, "result", fail)
            keeper.run_some()
        keeper.run_some()
        assert left(storage) == (2, 5)
