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
    """For who reads `path`, changes it and writes it: others who do so wait meanwhile, in any process. Raises OSError.

    The lock is a file beside it, as `path` itself is replaced. That file stays: removing it would let two lock two
    files of one name. On Windows, and on a file system that cannot lock, two who write at once may lose a change.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f"{path.name}-lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if sys.platform != "win32":
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)  # the system drops it when the descriptor is closed
        yield
    finally:
        os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Writes `path`, mode 0600, all or nothing; makes a missing folder, mode 0700. Raises OSError."""
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
