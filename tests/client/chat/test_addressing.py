"""Where a message goes, and how long it may be."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from client.chat.addressing import (
    _ID,
    EVERYONE,
    compose,
    excess,
    is_person,
    shown_target,
    target_of,
    target_of_message,
)
from client.net.connection import new_nonce
from service.wire.json_lines import encode
from service.wire.protocol import Dm, HelloEvent, Pm

HELLO = HelloEvent(protocol=1, server="", version="", registration="open", max_line=1000, max_message=500)


@pytest.mark.parametrize(
    ("typed", "target", "shown"),
    [("All", EVERYONE, "all"), ("@all", "all", "@all"), ("bob", "bob", "bob"), ("@bob", "bob", "bob")],
)
def test_a_target_is_a_name_or_everyone(typed: str, target: str, shown: str) -> None:
    """A person called all is not everyone, neither typed nor shown; a message goes where its target says."""
    assert (target_of(typed), shown_target(target), target_of_message(compose(target, "x"))) == (target, shown, target)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x" * 500, ""),
        ("x" * 501, "Not sent: 1 character too long, of 500."),
        ("x" * 1700, "Not sent: 1,200 characters too long, of 500."),
        ("\U0001f600" * 300, "Not sent: 316 bytes too long, of 1,000."),
    ],
)
def test_a_message_that_is_too_long_says_by_how_much(text: str, problem: str) -> None:
    """Characters are counted as the server counts them, and then the bytes of the line."""
    assert excess(compose("bob", text), HELLO) == problem


def test_the_line_is_as_long_as_the_one_that_is_sent() -> None:
    """The ref and the nonce, which come later, are counted: at the limit it is sent, one byte beyond it is not."""
    assert len(new_nonce()) == len(_ID)
    line = encode(Dm(to="bob", message="hi", nonce=new_nonce(), ref=new_nonce()))
    assert excess(compose("bob", "hi"), replace(HELLO, max_line=len(line) - 1)) == ""
    assert excess(compose("bob", "hi"), replace(HELLO, max_line=len(line) - 2)).startswith("Not sent: 1 byte ")
    assert compose(EVERYONE, "hi") == Pm(message="hi")


def test_what_is_no_room_is_a_person() -> None:
    """A name that begins as neither does."""
    assert [target for target in (EVERYONE, "#ops", "bob") if is_person(target)] == ["bob"]
