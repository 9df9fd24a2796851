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
from client.terminal.keyboard import Words, key_bindings, prompt_session, switching_keys, unechoed

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyPressEvent

    from client.deeds import Tabs
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


class Places:
    """Three conversations; the second is held."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on

    def number(self, number: int) -> str | None:
        return f"number {number}" if number <= 3 else None

    def neighbour(self, step: int) -> str | None:
        return f"step {step}"

    def unread(self) -> str | None:
        return "unread"


def switch(typed: str, *, is_on: bool) -> tuple[str, list[str]]:
    """The answer to a question, and where keys turned to meanwhile."""
    turned: list[str] = []
    with create_pipe_input() as keyboard, create_app_session(keyboard, DummyOutput()):
        keys = switching_keys(cast("Tabs", Places(is_on=is_on)), lambda _, target: turned.append(target))
        history = InMemoryHistory(["before"])
        session = prompt_session(words(), keys, Style([]), history)
        return asyncio.run(answer(session, keyboard.send_text, typed)), turned


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ("\x1b1", ["number 1"]),
        ("\x1b3", ["number 3"]),
        ("\x1b9", []),
        ("\x1b[1;3D", ["step -1"]),
        ("\x1b[1;3C", ["step 1"]),
        ("\x10", ["step -1"]),
        ("\x0e", ["step 1"]),
        ("\x1ba", ["unread"]),
    ],
)
def test_keys_turn_to_another_conversation(typed: str, target: list[str]) -> None:
    """The line stays as it is; where there is nothing to turn to they are readline's."""
    assert switch(f"hi{typed} you\r", is_on=True) == ("hi you", target)
    assert switch(f"hi{typed}\r", is_on=False)[1] == []


@pytest.mark.parametrize("key", ["-", "0", "3", "9"])
@pytest.mark.parametrize("is_on", [True, False])
def test_alt_and_a_number_never_repeat_a_key(key: str, is_on: bool) -> None:
    """Also where no conversation has that number, or there is none."""
    assert switch(f"\x1b{key}/me waves\r", is_on=is_on)[0] == "/me waves"


def test_without_rooms_the_keys_are_as_ever() -> None:
    """Ctrl-P brings back what was typed, Alt-Left goes a word back."""
    assert switch("\x10!\r", is_on=False)[0] == "before!"
    assert switch("one two\x1b[1;3Dx\r", is_on=False)[0] == "one xtwo"
