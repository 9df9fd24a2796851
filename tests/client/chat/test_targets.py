"""What a typed word means."""

from __future__ import annotations

import pytest

from client.chat.actions import Mistake
from client.chat.addressing import EVERYONE
from client.chat.targets import Targets

TARGETS = Targets({"bob", "ops"}.__contains__, {"ops", "dev"}.__contains__, "lobby")


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("bob", "bob"),
        ("@bob", "bob"),
        ("zed", "zed"),
        ("dev", "#dev"),
        ("#Dev", "#dev"),
        ("#ops", "#ops"),
        ("@ops", "ops"),
        ("all", EVERYONE),
        ("ALL", EVERYONE),
        ("#lobby", EVERYONE),
        ("lobby", EVERYONE),
        ("@all", "all"),
    ],
)
def test_a_word_is_a_person_or_a_room(word: str, target: str) -> None:
    """A mark says which; without one it is what there is."""
    assert TARGETS.find(word) == target


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("ops", '"ops" is a room and a person. Type #ops or @ops.'),
        ("#", "Which room? ROOMS lists all."),
        ("#new", "You are not in #new. JOIN new joins it; ROOMS lists all."),
        ("#" + "x" * 50, "You are not in #xxxxxxxxxxxxxxxx…. JOIN xxxxxxxxxxxxxxxx… joins it; ROOMS lists all."),
    ],
)
def test_what_a_word_may_mean_is_asked(word: str, said: str) -> None:
    """Nothing goes to a room in place of a person, or nowhere."""
    assert TARGETS.find(word) == Mistake(said)


@pytest.mark.parametrize(
    ("word", "talk", "room"),
    [
        (None, "", "lobby"),
        (None, EVERYONE, "lobby"),
        (None, "#ops", "ops"),
        ("dev", "#ops", "dev"),
        ("#dev", "bob", "dev"),
        ("Dev", "bob", "dev"),
        ("All", "#ops", "lobby"),
    ],
)
def test_an_operation_acts_in_the_room_named_or_held(word: str | None, talk: str, room: str) -> None:
    """Without a room held it is the main one."""
    assert TARGETS.room(word, talk, "KICK") == room


def test_a_talk_with_one_person_is_no_room() -> None:
    """What is meant there has to be said."""
    assert isinstance(TARGETS.room(None, "bob", "KICK"), Mistake)
