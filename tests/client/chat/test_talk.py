"""Where lines go that are no operations."""

from __future__ import annotations

import pytest

from client.chat.actions import Mistake, Notice
from client.chat.addressing import EVERYONE
from client.chat.talk import Talk


@pytest.fixture(name="kept")
def what_was_kept() -> list[str]:
    return []


@pytest.fixture(name="talk")
def new_talk(kept: list[str]) -> Talk:
    return Talk(kept.append)


@pytest.mark.parametrize(
    ("before", "target", "may_offer"), [("all", EVERYONE, False), ("off", "", False), ("", "", True)]
)
def test_what_was_kept_holds(talk: Talk, before: str, target: str, may_offer: bool) -> None:
    """Plain typing is on, or off; if nothing was said yet, it may be offered."""
    talk.recall(before)
    assert (talk.target, talk.may_offer) == (target, may_offer)


def test_a_talk_stands_above_plain_typing(talk: Talk, kept: list[str]) -> None:
    """Its end leads back there, and only plain typing is kept for the next start."""
    talk.turn_to_everyone()
    talk.begin("bob")
    assert (talk.target, talk.is_plain) == ("bob", True)
    ended = talk.end()
    assert isinstance(ended, Notice)
    assert ended.lines[0].startswith("You talk to bob no longer. What is no operation goes to everyone.")
    assert (talk.target, kept) == (EVERYONE, ["all"])
    assert isinstance(talk.end(), Notice)
    assert (talk.target, kept) == ("", ["all", "off"])
    assert isinstance(talk.end(), Mistake)


def test_how_it_goes_is_said_once(talk: Talk) -> None:
    """A person called all is no room; a hostile name is harmless, and cut."""
    first, second = talk.begin("all"), talk.begin("b\x1b" + "o" * 40)
    assert isinstance(first, Notice)
    assert isinstance(second, Notice)
    assert first.lines[0] == "What you type goes to @all now, until /talk off."
    assert (len(first.lines), len(second.lines)) == (2, 1)
    assert second.lines[0] == f"What you type goes to b\u241b{'o' * 14}… now, until /talk off."
    assert talk.where().startswith("What you type goes to b\u241b")
