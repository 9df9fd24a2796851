"""A text from the user's editor: a script stands in for it."""

from __future__ import annotations

import signal
import tempfile
from typing import TYPE_CHECKING

import pytest

from client.terminal import editor
from client.terminal.editor import EditorError, edit, find_editor, interrupts_left_out

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(name="use")
def use_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes a shell script the editor; its file is "$1", and its temporary folder one of the test's."""
    (folder := tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    script = tmp_path / "an editor"

    def use(text: str) -> None:
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o700)
        monkeypatch.setenv("VISUAL", f"'{script}' --wait")

    return use


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (r"printf 'one\ntwo\n\n' > $2", "one\ntwo"),
        (r"printf ' more\r\nlines' >> $2", "before\n more\nlines"),
        (r"printf 'a\377b' > $2", "a\ufffdb"),
        ("touch $2", "before"),
        (": > $2", ""),
        ("true", None),
        ("echo new > $2.new; mv $2.new $2", "new"),
    ],
)
def test_what_was_saved(use: Callable[[str], None], tmp_path: Path, script: str, text: str | None) -> None:
    """The text is what was saved, without the line ends at its end; None if nothing was. No file is left."""
    use(script)
    assert edit("before") == text
    assert list((tmp_path / "temporary").iterdir()) == []


def test_only_the_user_can_read_it(use: Callable[[str], None]) -> None:
    """The file has the mode 0600, in a folder of 0700, and the first text in it."""
    use("stat -c %a $2 $(dirname $2) > seen; cat $2 seen; mv seen $2".replace("seen", "$2.seen"))
    assert edit("before") == "600\n700"


@pytest.mark.parametrize(
    ("script", "reason", "text"),
    [
        ("echo draft > $2; exit 3", "ended with status 3", "draft"),
        ("kill -9 $$", "ended with status -9", "before"),
        ("rm $2", "No such file", ""),
        ("head -c 1048577 /dev/zero | tr '\\0' x > $2", "longer than 1,048,576 bytes", "x" * (1 << 20)),
    ],
)
def test_a_failure_says_so(use: Callable[[str], None], tmp_path: Path, script: str, reason: str, text: str) -> None:
    """An editor that fails says why, and what it had written is not lost; no file is left."""
    use(script)
    with pytest.raises(EditorError, match=reason) as error:
        edit("before")
    assert error.value.text == text
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "command"),
    [
        ({"VISUAL": "code --wait", "EDITOR": "vi"}, ["code", "--wait"]),
        ({"VISUAL": " ", "EDITOR": "'my vi' -x"}, ["my vi", "-x"]),
    ],
)
def test_the_editor_is_the_one_that_is_set(variables: dict[str, str], command: list[str]) -> None:
    """VISUAL goes before EDITOR; each may have arguments."""
    assert find_editor(variables) == command


def test_without_a_variable_there_may_be_a_usual_one(tmp_path: Path) -> None:
    """The first of the usual editors that is installed is taken; without one it is said what to set."""
    with pytest.raises(EditorError, match="Set EDITOR"):
        find_editor({"PATH": str(tmp_path)})
    for program in editor._USUAL[::-1]:
        (tmp_path / program).touch(0o700)
        assert find_editor({"PATH": str(tmp_path)}) == [program]


@pytest.mark.parametrize("command", ["'half", "/no/such/editor"])
def test_an_editor_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """A variable that is no command, or no program's, is explained."""
    monkeypatch.setenv("VISUAL", command)
    with pytest.raises(EditorError, match=r"EDITOR|No such file"):
        edit("")


def test_an_interrupt_is_for_the_editor() -> None:
    """It ends nothing here meanwhile; later it does as before."""
    before = signal.getsignal(signal.SIGINT)
    with interrupts_left_out():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
