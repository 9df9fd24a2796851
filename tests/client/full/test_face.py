"""The screen and the keyboard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.history import DummyHistory, InMemoryHistory
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.styles import Style

from client.full.face import PACE, Face
from client.full.keys import bind
from tests.support.glass import Glass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from client.full.picture import Row
    from client.render.layout import Size

WORDS = WordCompleter(["/help", "/history"], WORD=True)


def at_screen(do: Callable[[Face, Callable[[str], None]], Awaitable[None]], columns: int = 20, rows: int = 6) -> Glass:
    """Does something with a screen that says its own size, and a keyboard; what the screen showed at last."""
    glass = Glass(columns, rows)

    async def run() -> None:
        def draw(size: Size) -> Sequence[Row]:
            return [[("", f"{size.columns}x{size.rows} {face.text}")]]

        keys = bind({"enter": lambda _: face.enter(), "c-d": lambda _: face.fail(EOFError())})
        with create_pipe_input() as keyboard:
            face = Face(draw, keys, WORDS, Style([]), keyboard, glass)
            drawing = asyncio.create_task(face.run())
            await do(face, keyboard.send_text)
            face.exit()
            await drawing

    asyncio.run(run())
    return glass


async def until(shows: Callable[[], bool]) -> None:
    """Lets the loop turn until it is so."""
    async with asyncio.timeout(10):
        while not shows():
            await asyncio.sleep(0)


def test_a_line_is_asked_for() -> None:
    """It stands behind the question, below the picture; the arrow keys bring it back."""
    history = InMemoryHistory()

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        asked = asyncio.create_task(face.ask("all> ", history))
        send("hello")
        await until(lambda: glass_shows(face, "20x5 hello"))
        send("\r")
        assert await asked == "hello"
        asked = asyncio.create_task(face.ask("all> ", history, default="dra"))
        await until(lambda: face.text == "dra" and len(face._line.buffer._working_lines) > 1)  # what was typed is there
        send("ft\x1b[A\r")
        assert await asked == "hello"
        assert history.get_strings() == ["hello"]

    at_screen(chat)


def glass_shows(face: Face, text: str) -> bool:
    output = face._output
    return isinstance(output, Glass) and any(text in row for row in output.rows())


def test_a_password() -> None:
    """It is not shown, not kept, and no draft."""
    history = DummyHistory()

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        asked = asyncio.create_task(face.ask("Password: ", history, is_secret=True))
        send("secret")
        await until(lambda: glass_shows(face, "Password: ******"))
        assert face.text == ""
        send("\r")
        assert await asked == "secret"

    assert "secret" not in at_screen(chat).written


def test_what_is_typed_between_two_questions() -> None:
    """Whole lines answer the next questions, the rest begins the line of the last."""

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        send("one\rtwo\rthr")
        await until(lambda: face.text == "thr")
        history = InMemoryHistory()
        assert [await face.ask("> ", history), await face.ask("> ", history)] == ["one", "two"]
        asked = asyncio.create_task(face.ask("> ", history))
        send("ee\r")
        assert await asked == "three"

    at_screen(chat)


def test_a_question_fails() -> None:
    """The one that is open, or else the next."""

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        asked = asyncio.create_task(face.ask("> ", DummyHistory()))
        await asyncio.sleep(0)
        send("\x04")
        with pytest.raises(EOFError):
            await asked
        face.fail(ValueError("now"))
        with pytest.raises(ValueError, match="now"):
            await face.ask("> ", DummyHistory())

    at_screen(chat)


def test_another_question() -> None:
    """It takes the place of the open one, with another text in the line."""

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        asked = asyncio.create_task(face.ask("all> ", DummyHistory()))
        send("draft")
        await until(lambda: face.text == "draft")
        face.ask_otherwise("#ops> ", "other")
        await until(lambda: glass_shows(face, "#ops> other"))
        send("\r")
        assert await asked == "other"

    at_screen(chat)


def test_the_line_grows_with_its_text() -> None:
    """To a third of the screen at most."""

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        asked = asyncio.create_task(face.ask("> ", DummyHistory()))
        send("x" * 100)
        await until(lambda: glass_shows(face, "20x7"))
        send("\r")
        await asked

    at_screen(chat, rows=10)


def test_completion() -> None:
    """Tab offers the words; what they have in common is typed at once."""

    async def chat(face: Face, send: Callable[[str], None]) -> None:
        asked = asyncio.create_task(face.ask("> ", DummyHistory()))
        send("/h\t")
        await until(lambda: glass_shows(face, "/history"))
        send("\t\r")
        assert await asked == "/help"

    at_screen(chat)


def test_frames_are_paced() -> None:
    """However much arrives, there is one frame for it, and that a while after the last."""

    async def chat(face: Face, _: Callable[[str], None]) -> None:
        await until(lambda: face.frames > 0)
        face.changed()
        timer = face._frame
        for _number in range(99):
            face.changed()
        assert timer is not None
        assert face._frame is timer
        assert timer.when() >= face._last_frame + PACE - 0.01  # seconds; the loop's clock is read twice
        frames = face.frames
        await until(lambda: face.frames > frames)
        assert face._frame is None

    at_screen(chat)


def test_the_screen_is_given_back() -> None:
    """As it was before: the alternate one is left, the cursor is there."""

    async def chat(face: Face, _: Callable[[str], None]) -> None:
        await until(lambda: face.frames > 0)

    written = at_screen(chat).written
    for on, off in (("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?25l", "\x1b[?25h"), ("\x1b[?2004h", "\x1b[?2004l")):
        assert -1 < written.rfind(on) < written.rfind(off)
    assert "\x1b[?1000h" not in written  # the mouse is the terminal's
