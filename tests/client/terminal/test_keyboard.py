"""The keys: completion, what calls back, and the echo between two questions."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from typing import TYPE_CHECKING, cast

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.styles import Style

from client.chat.interpreter import Interpreter
from client.terminal.keyboard import Words, key_bindings, prompt_session, unechoed

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyPressEvent

    from client.session import Session


class People:
    """A session that knows some names."""

    def names(self) -> list[str]:
        return ["bob", "Bea", "carol"]

    def rooms(self) -> list[str]:
        return ["ops", "dev"]


def words() -> Words:
    return Words(Interpreter(), cast("Session", People()))


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("he", ["help"]),
        ("dm b", ["dm bob", "dm Bea"]),
        ("dm ", ["dm bob", "dm Bea", "dm carol"]),
        ("pm hi @c", ["pm hi @carol"]),
        ("pm hi", []),
        ("join o", ["join ops"]),
        ("kick #d", ["kick #dev"]),
    ],
)
def test_tab_completes_the_last_word(typed: str, line: list[str]) -> None:
    """The words take its place, and nothing else of the line changes."""
    completions = words().get_completions(Document(typed), CompleteEvent())
    assert [typed[: len(typed) + one.start_position] + one.text for one in completions] == line


async def answer(session: PromptSession[str], keys: Callable[[str], None], typed: str) -> str:
    asyncio.get_running_loop().call_soon(keys, typed)
    return await session.prompt_async("> ")


def ask(typed: str) -> tuple[str, list[str]]:
    """The answer to a question, and what was called meanwhile."""
    called: list[str] = []

    def interrupt(event: KeyPressEvent) -> None:
        called.append(f"interrupt {event.current_buffer.text}")
        event.current_buffer.reset()

    def paste(event: KeyPressEvent) -> None:
        called.append(f"paste {event.data!r}")

    with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
        bindings = key_bindings(
            interrupt,
            lambda event: called.append(f"page up {event.current_buffer.text}"),
            paste,
            lambda event: event.current_buffer.newline(),
        )
        session = prompt_session(words(), bindings, Style([]), InMemoryHistory(), lambda: "status")
        return asyncio.run(answer(session, keyboard.send_text, typed)), called


@pytest.mark.parametrize(
    ("typed", "line", "called"),
    [
        ("pm hi\r", "pm hi", []),
        ("his\t bo\t\r", "history bob", []),
        ("not this\x03pm hi\r", "pm hi", ["interrupt not this"]),
        ("pm\x1b[5~ hi\r", "pm hi", ["page up pm"]),
        ("pm one\x1b\rtwo\r", "pm one\ntwo", []),
        ("pm \x1b[200~a\nb\x1b[201~hi\r", "pm hi", ["paste 'a\\nb'"]),
    ],
)
def test_keys_call_back(typed: str, line: str, called: list[str]) -> None:
    """Ctrl-C, Page Up, Alt-Enter and pasting do what they are given to do; the rest is the line."""
    assert ask(typed) == (line, called)


def test_nothing_is_echoed_between_two_questions() -> None:
    """The terminal is as before afterwards; Ctrl-C is a signal all the while."""
    near, far = pty.openpty()
    before = termios.tcgetattr(far)
    with os.fdopen(far) as terminal:
        with unechoed(Vt100Input(terminal)):
            during = termios.tcgetattr(far)[3]
            assert not during & (termios.ECHO | termios.ICANON)
            assert during & termios.ISIG
        assert termios.tcgetattr(far) == before
        with unechoed(Vt100Input(terminal)):
            os.close(near)  # the terminal vanishes


def test_what_is_no_terminal_has_no_echo() -> None:
    """Such as a pipe."""
    with create_pipe_input() as keyboard, unechoed(keyboard):
        assert not os.isatty(keyboard.fileno())
