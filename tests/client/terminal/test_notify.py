"""Desktop notifications."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from client.terminal.notify import Notifier, ring
from client.text import Line, hint

if TYPE_CHECKING:
    from pathlib import Path

    from prompt_toolkit.output import Output


@pytest.mark.parametrize(
    ("how", "tmux", "sequence"),
    [
        ("osc", False, "\x1b]9;Chat: bob: \u241b\\hi\x1b\\"),
        ("osc777", False, "\x1b]777;notify;Chat;Chat: bob: \u241b\\hi\x1b\\"),
        ("osc", True, "\x1bPtmux;\x1b\x1b]9;Chat: bob: \u241b\\hi\x1b\x1b\\\x1b\\"),
        ("", False, ""),
    ],
)
def test_by_the_terminal(monkeypatch: pytest.MonkeyPatch, how: str, tmux: bool, sequence: str) -> None:
    """The terminal gets one sequence, which the text cannot end; tmux hands it through."""
    monkeypatch.delenv("TMUX", raising=False)
    if tmux:
        monkeypatch.setenv("TMUX", "/tmp/tmux")  # noqa: S108  # only a name
    written: list[str] = []
    Notifier(how, written.append).notify("bob: \x1b\\hi")
    assert "".join(written) == sequence


def test_by_a_command(tmp_path: Path) -> None:
    """The command gets the text as one argument, filtered and cut; no shell sees it."""
    told = tmp_path / "told"
    program = "import sys; open(sys.argv[1], 'w').write(repr(sys.argv[2:]))"
    notifier = Notifier(f'{sys.executable} -c "{program}" {told}', lambda _: None)
    notifier.notify("bob: $(touch x); `y` \n" + "z" * 500)
    assert notifier._running is not None
    assert notifier._running.wait(20) == 0
    notifier.close()
    assert told.read_text() == repr([("Chat: bob: $(touch x); `y` \u240a" + "z" * 500)[:159] + "…"])


PAUSE = f"{sys.executable} -c 'import signal; signal.pause()'"


def test_a_command_that_runs_is_the_only_one() -> None:
    """While one runs no other starts."""
    notifier = Notifier(PAUSE, lambda _: None, stuck=3_600.0)
    notifier.notify("one")
    first = notifier._running
    assert first is not None
    notifier.notify("two")
    assert notifier._running is first
    notifier.close()
    assert first.returncode == -9


def test_a_stuck_command_holds_up_nothing() -> None:
    """It is killed for the next one, and that one at the end."""
    notifier = Notifier(PAUSE, lambda _: None, stuck=0.0)
    notifier.notify("one")
    first = notifier._running
    notifier.notify("two")
    second = notifier._running
    assert first is not None
    assert second is not None
    assert first.returncode == -9
    notifier.close()
    assert second.returncode == -9


def test_what_calls_rings_once() -> None:
    """The bell for all of it, and on the desktop the last; other lines disturb nobody."""
    told: list[str] = []
    output = cast("Output", SimpleNamespace(bell=lambda: told.append("bell")))
    lines = [hint("silence"), Line(("", "bob: you"), calls=True), Line(("", "bob: here?"), calls=True)]
    for _ in range(2):
        ring(lines, output, Notifier("osc", told.append))
    assert told == ["bell", "\x1b]9;Chat: bob: here?\x1b\\"]
