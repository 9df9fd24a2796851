"""Messages become lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec import UNSET, UnsetType

from client.render.formatting import Formatter, moment_of, search_words

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
TIME = "2026-11-21T09:30:00.123Z"


@pytest.fixture(name="formatter")
def formatter_of_alice() -> Formatter:
    formatter = Formatter(lambda: NOW, UTC)
    formatter.meet("alice")
    return formatter


@pytest.mark.parametrize(
    ("sender", "to", "shown"),
    [
        ("bob", UNSET, "09:30 bob: hi"),
        ("alice", UNSET, "09:30 > you: hi"),
        ("bob", "alice", "09:30 bob -> you: hi"),
        ("alice", "bob", "09:30 > you -> bob: hi"),
        ("you", UNSET, "09:30 @you: hi"),
        (">", UNSET, "09:30 @>: hi"),
        ("ALL", "alice", "09:30 @ALL -> you: hi"),
        ("b\nb", "\x1b", "09:30 b\u240ab -> \u241b: hi"),
    ],
)
def test_a_message(formatter: Formatter, sender: str, to: str | UnsetType, shown: str) -> None:
    """Time, sender, recipient of a direct message, text. The user is `you`, marked as the sender; nobody else can be.

    The head ends where the text begins.
    """
    line = formatter.line(TIME, sender, to, "hi")
    assert line.text == shown
    assert "".join(text for _, text in line.parts[line.head :]) == "hi"


@pytest.mark.parametrize(
    ("sender", "to", "kind", "shown"),
    [
        ("bob", UNSET, "action", "09:30 * bob waves"),
        ("alice", UNSET, "action", "09:30 > * alice waves"),
        ("you", UNSET, "action", "09:30 * @you waves"),
        ("bob", "alice", "action", "09:30 * bob -> you: waves"),
        ("alice", "bob", "action", "09:30 > * alice -> bob (sent): waves"),
        ("bob", UNSET, "notice", "09:30 -bob- waves"),
        ("bob", "alice", "notice", "09:30 -bob -> you- waves"),
        ("alice", UNSET, "notice", "09:30 > -you- waves"),
        ("server", UNSET, "notice", "09:30 -server- waves"),
        ("server", UNSET, UNSET, "09:30 @server: waves"),
        ("-", UNSET, "notice", "09:30 -@-- waves"),
        ("--", "alice", UNSET, "09:30 @-- -> you: waves"),
        ("bob", UNSET, "poem\x1b", "09:30 bob: waves"),
    ],
)
def test_the_kind_of_a_message(
    formatter: Formatter, sender: str, to: str | UnsetType, kind: str | UnsetType, shown: str
) -> None:
    """An action and a notice look like those of other chats; others are texts; only a notice is the service's."""
    status = " (sent)" if (sender, to) == ("alice", "bob") else ""
    line = formatter.line(TIME, sender, to, "waves", kind=kind, status=status)
    assert line.text == shown
    assert "".join(text for _, text in line.parts[line.head :]) == "waves"


@pytest.mark.parametrize("kind", [UNSET, "action", "notice"])
@pytest.mark.parametrize("to", [UNSET, "alice", "--", "bob"])
@pytest.mark.parametrize("sender", ["alice", "bob", "-", "--", "---", ">", "server"])
def test_no_message_passes_for_the_coming_and_going(
    formatter: Formatter, sender: str, to: str | UnsetType, kind: str | UnsetType
) -> None:
    """No message begins with the mark of those lines, and none by others with the mark of own ones."""
    text = formatter.line(TIME, sender, to, "is gone", kind=kind).text.removeprefix("09:30 ")
    assert not text.startswith("-- ")
    assert text.startswith("> ") == (sender == "alice")


@pytest.mark.parametrize(
    ("sender", "to", "text", "calls"),
    [
        ("bob", UNSET, "hi", False),
        ("bob", UNSET, "hi ALICE!", True),
        ("bob", UNSET, "hi alicent", False),
        ("alice", UNSET, "alice", False),
        ("bob", "alice", "hi", True),
        ("alice", "bob", "hi", False),
        ("alice", "alice", "hi alice", False),
    ],
)
def test_the_user_is_called(formatter: Formatter, sender: str, to: str | UnsetType, text: str, calls: bool) -> None:
    """By a direct message, and by their name as a word; not by their own messages."""
    assert formatter.line(TIME, sender, to, text).calls is calls


def test_words_are_set_off(formatter: Formatter) -> None:
    """What was searched for, with a note behind; else the user's name."""
    found = formatter.line(TIME, "bob", UNSET, "hello Alice, hello", search_words("hell"), "  #9")
    assert [text for style, text in found.parts if style == "match"] == ["hello", "hello"]
    assert found.parts[-1] == ("hint", "  #9")
    mention = formatter.line(TIME, "bob", UNSET, "hello Alice")
    assert [text for style, text in mention.parts if style == "match"] == ["Alice"]


@pytest.mark.parametrize(
    ("query", "text", "found"),
    [
        ("hell", "hello, Othello", ["hello"]),
        ("a ab", "abc a", ["abc", "a"]),
        (".*", "a .*b c", [".*b"]),
        ("caf\u00e9", "CAF\u00c9s", ["CAF\u00c9s"]),
    ],
)
def test_the_words_of_a_query(query: str, text: str, found: list[str]) -> None:
    """They are found at the beginning of words, in any case, and mean no pattern."""
    assert [match.group() for match in search_words(query).finditer(text)] == found


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-21T09:30:00.000Z", "14:30 "),
        ("2026-11-20T20:00:00.000Z", "01:00 "),
        ("2026-11-20T17:02:00.000Z", "22:02 "),
        ("yesterday", "--:-- "),
        ("", "--:-- "),
        (UNSET, "--:-- "),
        ("9999-12-31T23:59:59Z", "--:-- "),
        ("0001-01-01T00:00:00+09:00", "--:-- "),
    ],
)
def test_times_are_the_users(time: str | UnsetType, shown: str) -> None:
    """Times are shown in the user's zone; nonsense does no harm."""
    formatter = Formatter(lambda: NOW, timezone(timedelta(hours=5)))
    assert formatter.time(time) == ("time", shown)


def test_a_day_is_announced_once(formatter: Formatter) -> None:
    """Where the day changes a line says so, back and forth; an unknown time changes nothing."""
    times = (TIME, "2026-11-20T00:00:00Z", "nonsense", "2026-11-20T23:59:59Z", TIME)
    assert [[line.text for line in formatter.on_its_day(time, [])] for time in times] == [
        [],
        ["-- Friday, 20 November 2026 --"],
        [],
        [],
        ["-- Saturday, 21 November 2026 --"],
    ]


def test_a_moment_has_a_zone() -> None:
    """That of the caller."""
    moment = moment_of(TIME, timezone(timedelta(hours=-10)))
    assert moment is not None
    assert (moment.isoformat(timespec="minutes"), moment_of("")) == ("2026-11-20T23:30-10:00", None)


def test_the_conversation_is_said_where_it_has_to_be(formatter: Formatter) -> None:
    """Before the sender, and a longer text is wrapped below itself."""
    line = formatter.line(TIME, "bob", UNSET, "hi", where="#ops")
    assert (line.text, "".join(text for _, text in line.parts[: line.head])) == (
        "09:30 #ops bob: hi",
        "09:30 #ops bob: ",
    )


def test_conversations_that_stand_apart_have_days_of_their_own() -> None:
    """A day is announced in each."""
    formatter = Formatter(lambda: datetime(2026, 11, 20, tzinfo=UTC), UTC, is_split=True)
    days = [
        len(formatter.on_its_day(TIME, [formatter.line(TIME, "bob", UNSET, "hi")], conversation))
        for conversation in ("*", "#ops", "*", "#ops")
    ]
    assert days == [2, 2, 1, 1]
    assert len(formatter.anew().on_its_day(TIME, [])) == 1
