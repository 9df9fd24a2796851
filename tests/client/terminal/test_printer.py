"""Lines on the screen, from any thread."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Final

from prompt_toolkit.output import DummyOutput

from client.terminal.notify import Notifier
from client.terminal.printer import MOST_WAITING, Printer, styled
from client.terminal.themes import styles
from client.text import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

PATIENCE: Final = 10.0  # seconds
FLOOD: Final = Line(("", "x" * (MOST_WAITING // 4)))


def in_loop(do: Callable[[Printer], None]) -> None:
    async def run() -> None:
        do(Printer(DummyOutput(), styles(), Notifier("", lambda _: None)))

    asyncio.run(run())


def test_what_waits_for_the_screen_is_bounded() -> None:
    """The listener waits while there is much to show; it goes on once it is shown, or nobody looks any more."""

    def chat(printer: Printer) -> None:
        showed = threading.Semaphore(0)

        def flood() -> None:
            for _ in range(12):
                printer.show([FLOOD])
                showed.release()

        listener = threading.Thread(target=flood)
        listener.start()
        for end in (printer.print, printer.close):
            assert all(showed.acquire(timeout=PATIENCE) for _ in range(4))
            assert not showed.acquire(timeout=0.1)  # it waits; how long it is watched decides nothing
            end()
        listener.join(PATIENCE)
        assert not listener.is_alive()

    in_loop(chat)


def test_the_main_thread_never_waits() -> None:
    """It is the one that shows."""

    def chat(printer: Printer) -> None:
        for _ in range(6):
            printer.show([FLOOD])

    in_loop(chat)


def test_styles_are_classes() -> None:
    """But for a sequence that the terminal gets as it is."""
    assert styled([("own", "a"), ("", "b"), ("[ZeroWidthEscape]", "c")]) == [
        ("class:own", "a"),
        ("", "b"),
        ("[ZeroWidthEscape]", "c"),
    ]


def test_what_has_no_lines_queues_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the bar is to be drawn anew before the main thread comes to it."""
    calls: list[object] = []

    def chat(printer: Printer) -> None:
        monkeypatch.setattr(printer._loop, "call_soon_threadsafe", calls.append)
        for _ in range(9):
            printer.show(())

    in_loop(chat)
    assert len(calls) == 1
