"""Small files that only their owner can read, each replaced as a whole."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def reserved(path: Path) -> Iterator[None]:
    """Makes other users of `path` wait, in any process, while this one reads, changes and writes it. Raises OSError.

    The lock is a file beside it, as `path` itself is replaced. The lock file stays: removing it would let two processes
    lock two files of one name. On Windows, and on a file system without locks, a change may be lost if two processes
    write at once.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f"{path.name}-lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # the system unlocks it when the descriptor is closed
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Writes the file with mode 0600, completely or not at all; creates a missing folder with mode 0700.

    Raises OSError.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
