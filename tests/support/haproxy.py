"""HAProxy, where it is installed, with a configuration from the papers. Holds no test."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HAPROXY: Final = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin") or ""


@contextmanager
def running_haproxy(folder: Path, config: str, *descriptors: int) -> Iterator[None]:
    """Runs it with that, which may be indented; it gets these descriptors. What it says is in haproxy.log."""
    file = folder / "haproxy.cfg"
    file.write_text("\n".join(line.removeprefix("    ") for line in config.splitlines()) + "\n")
    with (folder / "haproxy.log").open("w") as log:
        program = subprocess.Popen(
            [HAPROXY, "-db", "-f", str(file)], pass_fds=descriptors, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield
    finally:
        program.terminate()
        program.wait(PATIENCE)
