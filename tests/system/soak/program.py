"""The services under soak: started, ended in several ways, started again on the same ports; and what they take up."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.helpers import FAST, ROOT, free_port, until
from tests.system.soak.world import Door

PATIENCE: Final = 30.0  # seconds to end
MIB: Final = 1 << 20


class Level(NamedTuple):
    """What is taken up at one moment: bytes, counts, bytes."""

    memory: int
    threads: int
    descriptors: int
    wal: int
    database: int


class Program:
    """A service as its own program. Linux only: it is measured by /proc."""

    def __init__(self, folder: Path, db: str, number: int = 1) -> None:
        self.door = Door(free_port(), free_port())
        self.log = folder / f"service{number}.log"
        self._db = db
        self._program: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it listens. Raises RuntimeError."""
        options = [str(self.door.port), "--web-port", str(self.door.web_port), "--db", self._db, *FAST]
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

    def pause(self, seconds: float) -> None:
        """Stops it dead for so long, as a machine does that hangs."""
        assert self._program is not None
        self._program.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._program.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends what still runs."""
        if self._program is not None and self._program.poll() is None:
            self.end(signal.SIGKILL)

    def measure(self) -> tuple[int, int, int]:
        """Its memory in bytes, threads and descriptors. Raises RuntimeError if it has ended by itself."""
        assert self._program is not None
        if self._program.poll() is not None:
            raise RuntimeError(f"the service ended with status {self._program.returncode}; see {self.log}")
        process = Path(f"/proc/{self._program.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) << 10, int(status["Threads"]), len(list((process / "fd").iterdir()))

    def complaints(self) -> list[str]:
        """Lines of its log that no fault from outside explains."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if "incident" in line]
