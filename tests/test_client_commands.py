"""What is typed becomes a command."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from client.commands import OPERATIONS, Action, Dialogue, Local, Mistake, completions, help_texts
from service.protocol import Dm, Ex, History, Missed, Pm, Search, Users

NAMES = ["bob", "Bea", "carol"]


@pytest.mark.parametrize(
    ("lines", "action"),
    [
        (["pm hi there"], Pm(message="hi there")),
        (["PM  a   b "], Pm(message="a   b")),
        (["pm", "hi"], Pm(message="hi")),
        (["pm", "  set in"], Pm(message="  set in")),
        (["pm", "EX"], Pm(message="EX")),
        (["Dm bob hello there"], Dm(to="bob", message="hello there")),
        (["dm", "bob", "hello there"], Dm(to="bob", message="hello there")),
        (["dm bob", "hello"], Dm(to="bob", message="hello")),
        (["dm bob one\ntwo"], Dm(to="bob", message="one\ntwo")),
        (["eX"], Ex()),
        (["users"], Users()),
        (["MISSED"], Missed()),
        (["history"], History(with_=UNSET)),
        (["history bob"], History(with_="bob")),
        (["search deploy friday"], Search(query="deploy friday")),
        (["search", "deploy"], Search(query="deploy")),
        (["older"], Local.OLDER),
        ([" Help "], Local.HELP),
        (["pm a\udcff"], Pm(message="a?")),
    ],
)
def test_lines_become_a_command(lines: list[str], action: Action) -> None:
    """An operation in any case, in one line or asked for step by step, gives its command with the last line."""
    dialogue = Dialogue()
    assert [dialogue.take(line) for line in lines] == [None] * (len(lines) - 1) + [action]
    assert dialogue.question is None


@pytest.mark.parametrize("line", ["hello everyone", "ex now", "users x", "history bob x", "\x1b[2J", "x" * 500])
def test_a_mistake_explains_itself_in_one_line(line: str) -> None:
    """What is no operation does nothing, and says what to type in one printable line."""
    action = Dialogue().take(line)
    assert isinstance(action, Mistake)
    assert action.text.isprintable()
    assert len(action.text) <= 80


def test_an_empty_line_does_nothing() -> None:
    """Enter alone asks for nothing."""
    dialogue = Dialogue()
    assert dialogue.take("") is None
    assert dialogue.take("  \t") is None
    assert dialogue.question is None


@pytest.mark.parametrize("lines", [["dm", ""], ["dm", "bob", " "], ["pm", ""], ["search", ""], ["dm", "bob smith"]])
def test_an_empty_answer_cancels(lines: list[str]) -> None:
    """An empty answer, or two words for a name, ends the questions and sends nothing; the next line is an operation."""
    dialogue = Dialogue()
    *_, last = [dialogue.take(line) for line in lines]
    assert isinstance(last, Mistake)
    assert dialogue.take("pm hi") == Pm(message="hi")


def test_questions_come_in_order() -> None:
    """DM asks for the name, then for the message, and says to whom it goes."""
    dialogue = Dialogue()
    asked = []
    for line in ("dm", "b{ob"):
        dialogue.take(line)
        asked.append(dialogue.prompt)
    assert asked == ["To: ", "Message to b{ob: "]


def test_help_has_every_operation() -> None:
    """HELP is made from the table, and fits 80 columns."""
    texts = help_texts()
    assert [text.split()[0] for text in texts[: len(OPERATIONS)]] == [operation.name for operation in OPERATIONS]
    assert max(map(len, texts)) <= 80


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("h", ["history", "help"]),
        ("HI", ["HISTORY"]),
        ("dm b", ["bob", "Bea"]),
        ("dm ", NAMES),
        ("DM bob h", []),
        ("pm b", []),
        ("history c", ["carol"]),
        ("nonsense b", []),
        ("zz", []),
    ],
)
def test_completion_of_an_operation(typed: str, expected: list[str]) -> None:
    """Tab completes operations in the case that is typed, and names only where a name is due."""
    assert completions(typed, None, NAMES) == expected


def test_completion_of_an_answer() -> None:
    """While a name is asked for, names are completed; while a message is, nothing."""
    dialogue = Dialogue()
    dialogue.take("dm")
    assert completions("c", dialogue.question, NAMES) == ["carol"]
    dialogue.take("bob")
    assert completions("c", dialogue.question, NAMES) == []
    assert completions("", None, NAMES) == [operation.name for operation in OPERATIONS]
