"""service/storage/statements/operators.py: statements for operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.statements import operators
from tests.support.helpers import open_storage
from tests.support.storage import add, explain, say, skip_ids

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


def say_at(storage: SqliteStorage, time: str) -> None:
    """Stores a message of that time."""
    message_id = say(storage, 1, "hi")
    storage.call(lambda c: c.execute("UPDATE message SET sent_at = ? WHERE id = ?", (time, message_id)))


@pytest.mark.parametrize(("since", "recent"), [("1", 6), ("2", 4), ("3", 3), ("4", 1), ("5", 0)])
def test_recent_messages_are_those_since_a_moment(tmp_path: Path, since: str, recent: int) -> None:
    """Times grow with the ids, and ids may be missing before and behind."""
    with open_storage(tmp_path / "chat.db") as storage:
        add(storage, "alice")
        say_at(storage, "0")
        skip_ids(storage, 100)
        for time in "112334":
            say_at(storage, time)
        skip_ids(storage, 50)
        assert storage.overview(since)[2:4] == (157, recent)


def test_an_empty_chat_has_no_newest_message(tmp_path: Path) -> None:
    """Nor recent ones."""
    with open_storage(tmp_path / "chat.db") as storage:
        assert storage.overview("")[:4] == (0, 0, 0, 0)


@pytest.mark.sqlite
def test_nothing_looks_at_all_messages(tmp_path: Path) -> None:
    """However many there are, a status takes no longer; and a page of users walks the index of names."""
    with open_storage(tmp_path / "chat.db") as storage:
        add(storage, "alice")
        say(storage, 1, "hi")
        plan = explain(storage, operators.overview, "2020")
        assert [step for step in plan if "SCAN" in step and "message" in step] == []
        assert any("SEARCH message USING INTEGER PRIMARY KEY" in step for step in plan)
        (step,) = explain(storage, lambda c: operators.users_page(c, "", 10, disabled=False))
        assert "SEARCH user USING INDEX" in step
        for step in explain(storage, operators.messages_of, 1, 0, 10):
            assert "SCAN" not in step or "message" not in step.replace("(subquery", ""), step


def test_few_texts_of_a_person_are_held_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of those looked at are theirs; the next piece goes on after the last."""
    monkeypatch.setattr(operators, "MOST_KEPT", 2)
    with open_storage(tmp_path / "chat.db") as storage:
        add(storage, "alice")
        for text in "abcde":
            say(storage, 1, text)
        pieces = [storage.messages_of(1, after, 10) for after in (0, 2, 4, 5)]
    assert [[kept.message.body for kept in piece.messages] for piece in pieces] == [["a", "b"], ["c", "d"], ["e"], []]
    assert [piece.up_to for piece in pieces] == [2, 4, 5, 0]
