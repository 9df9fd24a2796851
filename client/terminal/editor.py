"""A text written in the user's own editor: in a file that only they can read, and that is gone afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from client.text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_USUAL: Final = ("editor", "nano", "vi")  # looked for when the variables name none
_LONGEST: Final = 1 << 20  # bytes; no service takes longer texts


class EditorError(Exception):
    """The editor failed; `str()` says why, and `text` is what the file holds all the same."""

    def __init__(self, reason: str, text: str = "") -> None:
        super().__init__(reason)
        self.text = text


def find_editor(variables: Mapping[str, str] = os.environ) -> list[str]:
    """The command to start, without the file. Raises EditorError."""
    named = variables.get("VISUAL", "").strip() or variables.get("EDITOR", "").strip()
    try:
        command = shlex.split(named)
    except ValueError as error:
        raise EditorError(f"EDITOR cannot be understood: {error}.") from error
    usual = [program for program in _USUAL if not command and shutil.which(program, path=variables.get("PATH"))]
    if not command and not usual:
        raise EditorError("There is no editor here. Set EDITOR to one, such as EDITOR=nano.")
    return command or usual[:1]


@contextmanager
def interrupts_left_out() -> Iterator[None]:
    """Leaves Ctrl-C to the editor. Only on the main thread."""
    handler = signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the editor would inherit
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def edit(text: str) -> str | None:
    """The text as it was saved, without the line ends at its end; None if it was not saved. Raises EditorError.

    The editor has the terminal; this waits until the editor ends.
    """
    command = find_editor()
    # The folder has the mode 0700: it hides the copies that an editor makes, too.
    with tempfile.TemporaryDirectory(prefix="chat-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "message.txt"
        file.touch(0o600)
        file.write_text(text and f"{text}\n", "utf-8")
        os.utime(file, (0, 0))  # so that saving shows, even what was there before
        try:
            status = subprocess.run([*command, str(file)], check=False).returncode  # noqa: S603  # the user chose it
            is_saved = file.stat().st_mtime != 0
            with file.open("rb") as saved:
                data = saved.read(_LONGEST + 1)
        except OSError as error:
            raise EditorError(f"The editor {one_line(command[0])} failed: {error.strerror or error}.") from error
    written = data[:_LONGEST].decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    if status:
        raise EditorError(f"The editor {one_line(command[0])} ended with status {status}.", written)
    if len(data) > _LONGEST:
        raise EditorError(f"The text is longer than {_LONGEST:,} bytes.", written)
    return written if is_saved else None
