"""The table of operations, HELP, and how long a message may be."""

from __future__ import annotations

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from client.chat.interpreter import Interpreter
from client.chat.operations import (
    _ID,
    EVERYONE,
    OPERATIONS,
    Argument,
    Operation,
    compose,
    excess,
    first_texts,
    help_texts,
    whom_to_ask,
)
from client.net.connection import new_nonce
from service.wire.json_lines import encode
from service.wire.protocol import Dm, HelloEvent, Pm

HELLO = HelloEvent(protocol=1, server="", version="", registration="open", max_line=1000, max_message=500)


def test_help_has_every_operation() -> None:
    """HELP is made from the table, and fits a screen of 80x24 above the prompt and the bar."""
    texts = help_texts()
    assert [text.split()[0] for text in texts[: len(OPERATIONS)]] == [operation.name for operation in OPERATIONS]
    assert max(map(len, texts)) <= 80
    assert len(help_texts(80, "Ask carol.")) <= 24 - 2


def test_the_first_run_shows_five_operations() -> None:
    """In five lines, and on a narrow screen in rows that fit."""
    assert [text.split()[0] for text in first_texts()] == ["PM", "DM", "MISSED", "HELP", "EX"]
    assert max(map(len, first_texts(40))) <= 40
    assert " ".join(" ".join(first_texts(40)).split()) == " ".join(" ".join(first_texts()).split())


def test_an_operation_is_one_row() -> None:
    """A row that is added to the table is parsed, asked for, completed and explained; nothing else has to know it."""
    toy = Operation(
        "SHOUT", "SHOUT [words]", "write in capitals", (Argument("What: "),), lambda words: Pm(message=words.upper())
    )
    operations = (*OPERATIONS, toy)
    interpreter = Interpreter(operations=operations)
    assert interpreter.take("shout hi") == Pm(message="HI")
    assert interpreter.take("Shout") is None
    assert interpreter.prompt == "What: "
    assert interpreter.take("hi") == Pm(message="HI")
    assert interpreter.message("shout a\nb") == Pm(message="A\nB")
    assert interpreter.completions("sh", []) == ["shout"]
    assert any(
        text.split(maxsplit=2) == ["SHOUT", "[words]", "write in capitals"]
        for text in help_texts(operations=operations)
    )


@pytest.mark.parametrize("width", [1, 40, 64])
def test_help_on_a_narrow_screen(width: int) -> None:
    """HELP fits a phone's terminal, and still has every operation at the beginning of a line."""
    texts = help_texts(width, "Ask carol.")
    assert max(map(len, texts)) <= max(width, 20)
    assert {operation.name for operation in OPERATIONS} <= {text.split()[0] for text in texts}
    assert "Ask carol." in " ".join(" ".join(texts).split())


@pytest.mark.parametrize(
    ("contact", "said"),
    [
        ("carol, room 12", "Ask carol, room 12."),
        ("ca\x1b[2Jrol", "Ask ca\u241b[2Jrol."),
        (" ", "Ask who runs the server."),
        (UNSET, "Ask who runs the server."),
    ],
)
def test_whom_to_ask(contact: str, said: str) -> None:
    """A forgotten password leads to the contact that the server names, in harmless words, or to its operator."""
    assert whom_to_ask(replace(HELLO, contact=contact)) == said


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
