"""client/chat/deletions.py: which messages are on show, and how to delete one. test_model.py has the events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.chat import deletions
from client.chat.deletions import Deletions

if TYPE_CHECKING:
    import pytest

TIME = "2026-11-21T09:30:00.123Z"


def test_a_message_on_show_is_taken_once() -> None:
    """What was never on show has no time; nor has what is deleted a second time."""
    known = Deletions()
    known.show(11, TIME)
    assert [known.take(number) for number in (12, 11, 11)] == [None, TIME, None]


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that runs for long holds so many, and no more."""
    monkeypatch.setattr(deletions, "_MOST", 2)
    known = Deletions()
    for number in range(3):
        known.show(number, TIME)
    assert [known.take(number) for number in range(3)] == [None, TIME, TIME]


def test_the_last_own_message_is_offered() -> None:
    """With its number and the begin of its text, made harmless; not once it is deleted."""
    known = Deletions()
    assert "Which one?" in known.offer().text
    known.send(11, TIME, "first")
    known.send(12, TIME, "\x1b[2J" + "x" * 40)
    offered = known.offer().text
    assert "DELETE 12 deletes your last message" in offered
    assert "\x1b" not in offered
    assert "x" * 31 not in offered
    known.take(12)
    assert "Which one?" in known.offer().text
