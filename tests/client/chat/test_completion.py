"""The words that Tab offers."""

from __future__ import annotations

import pytest

from client.chat.actions import Argument
from client.chat.completion import complete, complete_argument
from client.chat.operations import OPERATIONS

NAMES = ["bob", "Bea", "carol"]
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("h", ["history", "help"]), ("HI", ["HISTORY"]), ("talk a", ["all"]), ("/he", ["/help"]), ("hey @c", ["@carol"])],
)
def test_a_line_that_may_be_an_operation(typed: str, expected: list[str]) -> None:
    """Operations, names where they are due, and names behind an @."""
    assert complete(typed, NAMES, BY_NAME, needs_slash=False) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("join d", ["dev"]),
        ("leave #d", ["#dev"]),
        ("talk o", ["ops"]),
        ("talk #o", ["#ops"]),
        ("kick b", ["bob", "Bea"]),
        ("kick #", ["#dev", "#ops"]),
        ("kick #ops c", ["carol"]),
        ("kick bob c", []),
        ("invite bob d", ["dev"]),
        ("members d", ["dev"]),
    ],
)
def test_rooms_are_completed_where_one_is_due(typed: str, expected: list[str]) -> None:
    """With their mark or without; before a name only with it."""
    assert complete(typed, NAMES, BY_NAME, needs_slash=False, rooms=["dev", "ops"]) == expected


def test_a_line_of_a_talk() -> None:
    """Without its slash nothing is an operation."""
    assert complete("h", NAMES, BY_NAME, needs_slash=True) == []
    assert complete("/h", NAMES, BY_NAME, needs_slash=True) == ["/history", "/help"]


def test_an_answer() -> None:
    """A name where one is asked for, and only one; in a message those behind an @."""
    name = Argument("To: ", is_name=True)
    assert complete_argument("b", NAMES, name) == ["bob", "Bea"]
    assert complete_argument("bob c", NAMES, name) == []
    assert complete_argument("so @b", NAMES, None) == ["@bob", "@Bea"]
