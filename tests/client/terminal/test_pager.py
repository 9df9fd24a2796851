"""Reading on the whole screen."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.styles import Style

from client.chat.paging import Page
from client.terminal.pager import Pager
from client.text import hint
from service.wire.protocol import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.text import Part


KEYS = {
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "home": "\x1b[H",
    "end": "\x1b[F",
}


class Small(DummyOutput):
    """A screen of five rows, one of them the bar."""

    def get_size(self) -> Size:
        return Size(rows=5, columns=80)


def read(*keys: str, pages: Sequence[Page | str], most: int = 1_000) -> list[list[str]]:
    """Gives the pages, one each time that one is asked for, and presses the keys; what the screen shows after each."""
    left = list(pages)
    screens: list[list[str]] = []

    async def run() -> None:
        pager: Pager
        loop = asyncio.get_running_loop()

        def give(_: Page | None) -> None:
            page = left.pop(0)
            loop.call_soon(lambda: pager.take(page))

        with create_pipe_input() as keyboard, create_app_session(keyboard, Small()):
            pager = Pager(give, plain, Style([]), keyboard, Small(), most=most)
            reading = asyncio.create_task(pager.run())
            for key in ("", *keys):
                keyboard.send_text(KEYS.get(key, ""))
                for _ in range(20):  # turns of the loop: the key is read, the page taken
                    await asyncio.sleep(0)
                screens.append(["".join(part[1] for part in pager._view()).replace("\n", " "), pager._bar()])
            keyboard.send_text("q")
            await reading

    asyncio.run(run())
    return screens


def plain(parts: Sequence[Part]) -> FormattedText:
    return FormattedText([("", text) for _, text in parts])


def page(*numbers: int, is_last: bool = False) -> Page:
    return Page([hint(str(number)) for number in numbers], None if is_last else History(before=numbers[0]))


TWO = [page(11, 12, 13, 14, 15, 16, 17, 18), page(5, 6, 7, 8, 9, 10, is_last=True)]


def views(*keys: str, pages: Sequence[Page | str], most: int = 1_000) -> list[str]:
    return [screen[0] for screen in read(*keys, pages=pages, most=most)]


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ((), "11 12 13 14"),
        (("pageup",), "8 9 10 11"),
        (("up",), "10 11 12 13"),
        (("pageup", "pagedown"), "11 12 13 14"),
        (("pageup", "down"), "9 10 11 12"),
        (("end",), "15 16 17 18"),
        (("home",), "8 9 10 11"),
        (("home", "home"), "-- the beginning -- 5 6 7"),
        (("home", "home", "pageup", "up"), "-- the beginning -- 5 6 7"),
        (("end", "pagedown"), "15 16 17 18"),
    ],
)
def test_keys(keys: tuple[str, ...], shown: str) -> None:
    """It begins a screenful up; keys move it by a row or a screenful, and older pages come above."""
    assert views(*keys, pages=TWO)[-1] == shown


def test_nothing_is_asked_for_before_it_is_wanted() -> None:
    """A page counts as shown, so none is fetched ahead; short ones are, until the screen is full."""
    assert views("end", pages=TWO[:1])[-1] == "15 16 17 18"
    assert views(pages=[page(9), page(7, 8), page(1, 2, 3, 4, 5, 6)])[-1] == "2 3 4 5"


def test_the_bar() -> None:
    """It names the keys, says why no page comes, and that one may be asked for again."""
    screens = read("pageup", "pageup", pages=[TWO[0], "not just now", TWO[1]])
    assert screens[0][1] == " Page Up older, Page Down newer, q back to the chat"
    assert screens[1] == ["11 12 13 14", " not just now | Page Up older, Page Down newer, q back to the chat"]
    assert screens[2][0] == "8 9 10 11"


def test_it_is_bounded() -> None:
    """Beyond so many characters it asks for no more, and says how to go on."""
    shown = views("home", "pageup", pages=[page(*range(10, 20)), page(1, 2)], most=20)
    assert shown[-1].startswith("-- there is more: SEARCH")


@pytest.mark.parametrize("key", ["q", "Q", "\x1b", "\x03", "\x04"])
def test_back(key: str) -> None:
    """q, Esc, Ctrl-C and Ctrl-D lead back to the chat; what has come meanwhile stands in the bar."""

    async def run() -> None:
        with create_pipe_input() as keyboard, create_app_session(keyboard, Small()):
            pager = Pager(lambda _: None, plain, Style([]), keyboard, Small())
            pager.tell("3 new")
            assert pager._bar().startswith(" 3 new | ")
            keyboard.send_text(key)
            await pager.run()
            pager.close()
            pager.take("too late")

    asyncio.run(run())
