"""Lines that wait for the screen, from any thread."""

from __future__ import annotations

import threading
from typing import Final

from client.terminal.inbox import MOST_WAITING, Inbox
from client.text import Line, hint

PATIENCE: Final = 10.0  # seconds
FLOOD: Final = Line(("", "x" * (MOST_WAITING // 4)))


def test_what_waits_for_the_screen_is_bounded() -> None:
    """The listener waits while there is much to show; it goes on once it is taken, or nobody looks any more."""
    inbox = Inbox(lambda: None)
    put = threading.Semaphore(0)

    def flood() -> None:
        for _ in range(12):
            inbox.put([FLOOD])
            put.release()

    listener = threading.Thread(target=flood)
    listener.start()
    for end in (inbox.take, inbox.close):
        assert all(put.acquire(timeout=PATIENCE) for _ in range(4))
        assert not put.acquire(timeout=0.1)  # it waits; how long it is watched decides nothing
        end()
    listener.join(PATIENCE)
    assert not listener.is_alive()


def test_the_main_thread_never_waits() -> None:
    """It is the one that shows."""
    inbox = Inbox(lambda: None)
    for _ in range(6):
        inbox.put([FLOOD])
    assert inbox.look() == ([FLOOD] * 6, True)


def test_one_call_until_somebody_looks() -> None:
    """However often there is something to look at, lines or not."""
    calls: list[int] = []
    inbox = Inbox(lambda: calls.append(1))
    for look in (inbox.look, inbox.take):
        for _ in range(9):
            inbox.put(())
        look()
    assert len(calls) == 2


def test_what_is_taken_is_gone() -> None:
    """What is only looked at is not."""
    inbox, line = Inbox(lambda: None), hint("a")
    inbox.put([line])
    assert (inbox.look(), inbox.take(), inbox.take()) == (([line], False), [line], [])
