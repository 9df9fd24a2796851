"""The service under soak: started, ended in several ways and started again on the same port; and what it takes up."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.helpers import FAST, ROOT, free_port, until

PATIENCE: Final = 30.0  # seconds to end
MIB: Final = 1 << 20


class Level(NamedTuple):
    """What the program takes up at one moment: bytes, counts, bytes."""

    memory: int
    threads: int
    descriptors: int
    wal: int
    database: int


class Program:
    """The service as its own program. Linux only: it is measured by /proc."""

    def __init__(self, folder: Path) -> None:
        self.port, self.web_port = free_port(), free_port()
        self.path = folder / "chat.db"
        self.log = folder / "service.log"
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it listens. Raises RuntimeError."""
        options = [str(self.port), "--web-port", str(self.web_port), "--db", str(self.path), *FAST]
        with self.log.open("ab") as log:
            told = log.tell()
            self._program = subprocess.Popen([sys.executable, "-m", "service", *options], cwd=ROOT, stderr=log)
            program = self._program
        until(lambda: program.poll() is not None or b"listening on" in self._read_log(told))
        if program.poll() is not None:
            raise RuntimeError(f"the service does not listen; see {self.log}")

    def _read_log(self, start: int) -> bytes:
        """What the log has from that byte on: all of it, at a run of hours, is long."""
        with self.log.open("rb") as log:
            log.seek(start)
            return log.read()

    def end(self, number: signal.Signals) -> int:
        """Sends a signal and waits for the end; gives the exit status."""
        assert self._program is not None
        self._program.send_signal(number)
        try:
            return self._program.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._program.kill()
            return self._program.wait()

    def close(self) -> None:
        """Ends what still runs."""
        if self._program is not None and self._program.poll() is None:
            self.end(signal.SIGKILL)

    def measure(self) -> Level:
        """What it takes up now. Raises RuntimeError if it has ended by itself."""
        assert self._program is not None
        if self._program.poll() is not None:
            raise RuntimeError(f"the service ended with status {self._program.returncode}; see {self.log}")
        process = Path(f"/proc/{self._program.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        wal = self.path.with_name(self.path.name + "-wal")
        return Level(
            memory=int(status["VmRSS"].split()[0]) << 10,
            threads=int(status["Threads"]),
            descriptors=len(list((process / "fd").iterdir())),
            wal=wal.stat().st_size if wal.exists() else 0,
            database=self.path.stat().st_size,
        )
