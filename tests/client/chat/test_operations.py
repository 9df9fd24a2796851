"""The table of operations."""

from __future__ import annotations

from client.chat.actions import Argument, Operation
from client.chat.help import help_texts
from client.chat.interpreter import Interpreter
from client.chat.operations import OPERATIONS
from service.wire.protocol import Pm


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
