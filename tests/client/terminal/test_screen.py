"""The screen: a real terminal, one that is gone, and a dumb one."""

from __future__ import annotations

import os
import pty
import sys
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.output import ColorDepth

from client.terminal.screen import DumbScreen, Screen, screen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from prompt_toolkit.output import Output


@pytest.fixture(name="ends")
def both_ends() -> Iterator[tuple[int, TextIO]]:
    """The end of a terminal emulator, which never waits, and a file at that terminal."""
    near, far = pty.openpty()
    os.set_blocking(near, False)
    with os.fdopen(far, "w") as file:
        yield near, file
    os.close(near)


def screen_at(monkeypatch: pytest.MonkeyPatch, file: TextIO, term: str) -> Output:
    """The screen of a client whose stdout is that file."""
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys, "stdout", file)  # not in a fixture: pytest sets its own before the test runs
    return screen()


@pytest.mark.parametrize(("term", "kind"), [("xterm", Screen), ("dumb", DumbScreen)])
def test_the_kind_of_terminal(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[int, TextIO], term: str, kind: type[object]
) -> None:
    """TERM decides; none is asked where its cursor is."""
    made = screen_at(monkeypatch, ends[1], term)
    assert isinstance(made, kind)
    assert not made.responds_to_cpr


@pytest.mark.parametrize(
    ("term", "colours"),
    [
        ("vt100", ColorDepth.DEPTH_1_BIT),
        ("xterm-mono", ColorDepth.DEPTH_1_BIT),
        ("linux", ColorDepth.DEPTH_4_BIT),
        ("xterm", ColorDepth.DEPTH_8_BIT),
    ],
)
def test_colours(monkeypatch: pytest.MonkeyPatch, ends: tuple[int, TextIO], term: str, colours: ColorDepth) -> None:
    """As many as the terminal has, and none on one that has none."""
    for variable in ("NO_COLOR", "PROMPT_TOOLKIT_COLOR_DEPTH"):
        monkeypatch.delenv(variable, raising=False)
    assert screen_at(monkeypatch, ends[1], term).get_default_color_depth() == colours


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_what_is_written_arrives_at_the_flush(
    monkeypatch: pytest.MonkeyPatch, ends: tuple[int, TextIO], term: str
) -> None:
    """Both kinds write text as it is."""
    made = screen_at(monkeypatch, ends[1], term)
    made.write("hello")
    made.flush()
    assert os.read(ends[0], 100) == b"hello"


def test_a_dumb_terminal_rings_too(monkeypatch: pytest.MonkeyPatch, ends: tuple[int, TextIO]) -> None:
    """The bell needs no escape sequence."""
    made = screen_at(monkeypatch, ends[1], "dumb")
    made.bell()
    made.flush()
    assert os.read(ends[0], 100) == b"\a"


def test_the_size_of_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch, ends: tuple[int, TextIO]) -> None:
    """What the system says of it."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "7")
    size = DumbScreen(ends[1]).get_size()
    assert (size.columns, size.rows) == (40, 7)


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_terminal_that_is_gone(monkeypatch: pytest.MonkeyPatch, term: str) -> None:
    """What is written from then on goes nowhere, and raises nothing: the hang-up ends the chat."""
    near, far = pty.openpty()
    with os.fdopen(far, "w") as stdout:
        made = screen_at(monkeypatch, stdout, term)
        os.close(near)
        for _ in range(2):
            made.write("hello")
            made.flush()
        assert os.path.samestat(os.fstat(stdout.fileno()), os.stat(os.devnull))  # noqa: PTH116
