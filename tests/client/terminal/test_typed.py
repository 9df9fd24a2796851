"""What was typed outlives a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from client.terminal.typed import _LONGEST, MOST_LINES, Typed

if TYPE_CHECKING:
    from pathlib import Path


def typed(path: Path) -> Typed:
    history = Typed()
    history.open(path)
    return history


def test_lines_come_back_the_newest_first(tmp_path: Path) -> None:
    """Whatever is in them, and in turn from two clients; only the user can read the file."""
    path = tmp_path / "new" / "messages"
    one, other = typed(path), typed(path)
    for history, line in ((one, "pm hi"), (other, "two\nlines"), (one, "\udcff \u4f60 \x1b")):
        history.store_string(line)
    assert list(typed(path).load_history_strings()) == ["? \u4f60 \x1b", "two\nlines", "pm hi"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("line", ["password hunter2", "/PASSWORD hunter2", "x" * (_LONGEST + 1)])
def test_what_is_not_kept(tmp_path: Path, line: str) -> None:
    """A password that was typed behind PASSWORD, and a line longer than anyone looks for."""
    history = typed(tmp_path / "messages")
    history.store_string(line)
    assert list(history.load_history_strings()) == []
    history.store_string("x" * _LONGEST)
    history.store_string("password")
    assert len(list(history.load_history_strings())) == 2


def test_the_file_stays_small(tmp_path: Path) -> None:
    """A start keeps the newest lines, at the edge all of them."""
    path = tmp_path / "messages"
    path.write_text("".join(f'"{number}"\n' for number in range(MOST_LINES)))
    assert list(typed(path).load_history_strings())[-1] == "0"
    path.write_text("".join(f'"{number}"\n' for number in range(MOST_LINES + 1)))
    assert list(typed(path).load_history_strings())[-1] == "1"
    assert path.read_text().startswith('"1"\n')


def test_a_damaged_file_gives_what_it_has(tmp_path: Path) -> None:
    """A line that is cut, or no text, is left out; a file that cannot be read or written costs nothing else."""
    path = tmp_path / "messages"
    path.write_bytes(b'"a"\n{"x": 1}\n\xff\n"b')
    assert list(typed(path).load_history_strings()) == ["a"]
    away = typed(tmp_path / "messages" / "x")
    away.store_string("lost")
    assert list(away.load_history_strings()) == []
