"""Ensures one service per database by a lock on a file beside it, which also notes the newest ids given.

It never opens the database itself: closing it would drop SQLite's own locks.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.errors import FileError
from service.storage.sqlite import database

if TYPE_CHECKING:
    from pathlib import Path

_log: Final = logging.getLogger("chat.storage")
_MODE: Final = 0o600
_READ_BYTES: Final = 4_096
_CANNOT_LOCK: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # errors of some network file systems
_RECORD: Final = re.compile(rb"pid (\d+)\nfile (\d+)\n((?:[a-z]+ \d{1,18}\n)*)")


class FileLock:
    """The right to serve, upgrade or replace a database; held until `close`, or the end of the process.

    The file stays after that: removing it would let two programs lock two files of one name. Its lines are the pid of
    the last holder, the database's `identity`, and the newest id given in each table. The ids are written after each
    commit and never synced: if a start finds an older database, the disk has lost a commit.
    """

    def __init__(self, path: Path) -> None:
        """Locks the database at the resolved `path`. Raises FileError, also if another program holds the lock."""
        lock_path = path.with_name(f"{path.name}-lock")
        try:
            self._descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, _MODE)
            database.keep_owner(self._descriptor, path if path.exists() else path.parent)
        except OSError as error:
            raise FileError(f"cannot make {lock_path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _RECORD.match(self._read())
            self.close()
            pid = f" (process {int(holder[1])})" if holder else ""
            raise FileError(f"{path} is in use{pid}. Stop that service first, or name another file") from None
        except OSError as error:
            if error.errno not in _CANNOT_LOCK:
                self.close()
                raise FileError(f"cannot lock {lock_path}: {error.strerror}") from error
            _log.warning("cannot lock %s (%s): see that only one service uses it", lock_path, error.strerror)
        record = _RECORD.fullmatch(self._read())
        if record:
            self.adopt(int(record[2]), record[3].decode())
        else:
            self.adopt(0, "")

    def adopt(self, identity: int, newest: str) -> None:
        """From now on the ids belong to the database with that identity."""
        self.identity = identity
        self._head = f"pid {os.getpid()}\nfile {identity}\n"
        self._write(newest)
        with suppress(OSError):
            os.ftruncate(self._descriptor, len(self._head + newest))

    def note(self, newest: str) -> None:
        """Notes the newest ids, which only grow, in a microsecond. A failure is ignored: no message depends on it."""
        if newest != self.newest:
            self._write(newest)

    def _write(self, newest: str) -> None:
        self.newest = newest  # each line has a table's name and its newest id
        with suppress(OSError):
            os.pwrite(self._descriptor, (self._head + newest).encode(), 0)

    def close(self) -> None:
        """Releases the lock. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> bytes:
        return os.pread(self._descriptor, _READ_BYTES, 0)
