"""What is shown cannot steer a terminal."""

from __future__ import annotations

import pytest

from client.text import Line, body, is_sendable, listed, named, one_line, sendable, sentence


@pytest.mark.parametrize("raw", ["a\nb", "a\tb", "al\u200bice", "a\u200eb", "a\ufeffb", "a\u00adb"])
def test_a_name_hides_nothing(raw: str) -> None:
    """In a one-line text newlines, tabs and invisible characters are visible."""
    shown = one_line(raw)
    assert shown != raw
    assert shown.isprintable()


def test_a_second_line_cannot_pass_for_a_message() -> None:
    """Each further line of a message is set in behind a bar."""
    assert body("hi\r\n09:30 bob: I quit\n") == "hi\n    09:30 bob: I quit\n    "


@pytest.mark.parametrize(("said", "shown"), [("no such user", "No such user."), ("Ask bob.", "Ask bob.")])
def test_an_error_is_shown_as_a_sentence(said: str, shown: str) -> None:
    """Where nothing stands before it, it begins with a capital and ends with a full stop."""
    assert sentence(said) == shown


def test_a_line_is_a_filter_too() -> None:
    """A Line never holds a raw character, whatever its parts are."""
    assert Line(("own", "a\x1b"), ("", "b\x9b")).text == "a\u241bb<U+009B>"


def test_a_name_keeps_its_colour() -> None:
    """The same name has the same colour each time, in each run; different ones differ mostly."""
    assert [named(name)[0] for name in ("bob", "carol", "bob")] == ["name0", "name3", "name0"]
    assert len({named(f"user{number}")[0] for number in range(100)}) == 8


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["bob"], "bob"),
        (["bob", "carol"], "bob and carol"),
        (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 others"),
        (["a", "b", "c", "d"], "a, b, c and 1 other"),
        (["b\nob"], "b\u240aob"),
    ],
)
def test_names_in_a_sentence(names: list[str], text: str) -> None:
    """Names are listed as in a sentence; the surplus is counted."""
    assert listed(names, 3) == text


def test_bytes_that_are_no_text_are_not_sent() -> None:
    """A half character, as a terminal may give, is exchanged in a message and refused in a password."""
    assert sendable("a\udcffb") == "a?b"
    assert not is_sendable("a\udcffb")
    assert is_sendable("ä\U0001f600")
