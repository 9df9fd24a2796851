"""``make profile``: shows where this service spends its time under the load of a cell.

It makes three recordings with py-spy in one run of the cell: of threads that run, or are ready to; of those that hold
Python's lock (GIL); and a flame graph. The kernel reports the CPU time of each thread.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks import load, suite
from benchmarks.peers import Chat
from benchmarks.suite import CELLS

if TYPE_CHECKING:
    from benchmarks.peers import Client

SECONDS: Final = 5  # of each recording
OVERHEAD: Final = 4  # seconds that py-spy may take to start and end a recording
RATE: Final = 100  # samples a second
SHOWN: Final = 25  # functions
FLAME_GRAPH: Final = Path(__file__).with_name("profile.svg")


class Sample(NamedTuple):
    """Where a thread was seen."""

    thread: str
    function: str


class ProfiledChat(Chat):
    """This service, recorded once all clients are logged in."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.running, self.locked = folder / "running.txt", folder / "locked.txt"
        self.cpu: Counter[int] = Counter()  # nanoseconds by thread id, in the first recording
        self._recorder = threading.Thread(target=self._record, name="recorder")

    def log_in(self, count: int) -> list[Client]:
        """Logs the clients in, and starts the recordings."""
        clients = super().log_in(count)
        self._recorder.start()
        return clients

    def stop(self) -> None:
        """Stops the service after the last recording."""
        if self._recorder.ident is not None:
            self._recorder.join()
        super().stop()

    def _record(self) -> None:
        before = self._cpu_by_thread()
        self._spy(self.running, "--format", "raw", "--threads")
        self.cpu = self._cpu_by_thread() - before
        self._spy(self.locked, "--format", "raw", "--threads", "--gil")
        self._spy(FLAME_GRAPH, "--format", "flamegraph")

    def _spy(self, output: Path, *options: str) -> None:
        command = [str(Path(sys.executable).with_name("py-spy")), "record", "--nonblocking", *options]
        command += ["--rate", str(RATE), "--duration", str(SECONDS), "--output", str(output)]
        ended = subprocess.run([*command, "--pid", str(self.program.pid)], capture_output=True, text=True, check=False)
        if ended.returncode:
            sys.stderr.write(ended.stdout + ended.stderr)

    def _cpu_by_thread(self) -> Counter[int]:
        tasks = Path(f"/proc/{self.program.pid}/task").iterdir()
        return Counter({int(task.name): int((task / "schedstat").read_text().split()[0]) for task in tasks})


def parse(stacks: str) -> tuple[Counter[Sample], dict[int, str]]:
    """Returns the samples by the running function, and the threads' names, from py-spy's raw lines.

    Such a line is ``thread (4711): chat-conn-12;outer (file.py:1);inner (file.py:2) 17``.
    """
    samples: Counter[Sample] = Counter()
    names: dict[int, str] = {}
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        thread, *_, innermost = frames.split(";")
        if found := re.fullmatch(r"thread \((\w+)\): (.*)", thread):
            name = re.sub(r"\d+$", "<n>", found[2])
            names[int(found[1], 0)] = name
            samples[Sample(name, re.sub(r":\d+\)$", ")", innermost))] += int(count)
    return samples, names


def render(running: Counter[Sample], locked: Counter[Sample], cpu: Counter[str]) -> str:
    """Returns two tables, of threads and of functions by their own time; 100 % is one thread all the time."""
    total = sum(cpu.values())
    lines = [f"{'thread':16} {'share of the CPU':>16} {'with GIL':>9}"]
    for thread, nanoseconds in cpu.most_common():
        with_lock = sum(count for sample, count in locked.items() if sample.thread == thread)
        lines.append(f"{thread:16} {nanoseconds / total:16.1%} {with_lock / SECONDS / RATE:9.1%}")
    lines += ["", f"{'thread':16} {'running':>9} {'with GIL':>9}  function"]
    for sample, count in running.most_common(SHOWN):
        shares = f"{count / SECONDS / RATE:9.1%} {locked[sample] / SECONDS / RATE:9.1%}"
        lines.append(f"{sample.thread:16} {shares}  {sample.function}")
    return "\n".join(lines)


def main(name: str) -> int:
    """Profiles one cell; returns the exit status."""
    known = [name for name, cell in CELLS.items() if "chat" in cell.peers]
    if name not in known:
        sys.stderr.write(f"CELL is one of {', '.join(known)}\n")
        return 2
    suite.prepare_machine()
    cells = load.make_cells(load.Span(duration=3 * (SECONDS + OVERHEAD)))
    with tempfile.TemporaryDirectory() as folder:
        peer = ProfiledChat(Path(folder))
        try:
            (CELLS | cells)[name].measure(peer)
        finally:
            peer.stop()
        if not peer.running.exists() or not peer.locked.exists():
            return 1
        running, names = parse(peer.running.read_text())
        locked, more_names = parse(peer.locked.read_text())
    cpu: Counter[str] = Counter()
    for thread, nanoseconds in peer.cpu.items():
        cpu[(names | more_names).get(thread, "(others)")] += nanoseconds
    print(render(running, locked, cpu))
    print(f"\nThe flame graph: {FLAME_GRAPH.relative_to(FLAME_GRAPH.parents[1])}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
