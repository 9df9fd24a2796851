"""Where the examples of the papers run: a user with an empty home, a clone, the programs installed. Holds no test."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pexpect

from tests.support.clone import make_clone
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server
    from tests.support.tls import Authority

PROGRAMS: Final = {"chat": "client", "chat-service": "service", "chat-admin": "service.admin"}
SYSTEM: Final = "/usr/bin:/bin"  # the PATH that cron gives


class Stage:
    """Three folders: `home`, `clone`, and `elsewhere`, where the user is. Nothing of the tester's own environment."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        """`authority` signs the certificate of a service in TLS."""
        pair, self.authority = authority.issue(), authority.file
        self.certificate = {"tls_cert": pair.cert, "tls_key": pair.key}
        self.home, self.elsewhere, self.clone = (folder / name for name in ("home", "elsewhere", "clone"))
        for made in (self.home, self.elsewhere, self.clone):
            made.mkdir()
        make_clone(self.clone)
        programs = self.home / ".local" / "bin"
        programs.mkdir(parents=True)
        for name, module in PROGRAMS.items():
            (programs / name).write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m {module} "$@"\n')
            (programs / name).chmod(0o755)
        # CHAT_PASSWORD stands for the login that a script needs; the service's own variable makes passwords cheap.
        self.cron = {"HOME": str(self.home), "SHELL": "/bin/sh", "PATH": SYSTEM} | {
            "CHAT_PASSWORD": PASSWORD,
            "CHAT_BCRYPT_COST": "4",
        }
        self.user = self.cron | {"PATH": f"{programs}:{SYSTEM}", "TERM": "xterm"}
        self.port = 0

    @contextmanager
    def serving(self, **settings: object) -> Iterator[Server]:
        """A service on a free port, with the clone's chat.db; the examples mean it by 12000."""
        with running_server(self.clone, **settings) as server:
            self.port = server.port
            yield server

    def fit(self, lines: str) -> str:
        """The lines, but for what a test cannot have: the port 12000, another machine, the folder /srv."""
        for there, here in (
            ("12000", str(self.port)),
            ("chat.example", "localhost"),
            ("<its address>", "127.0.0.1"),
            ("/srv/chat", str(self.clone)),
        ):
            lines = lines.replace(there, here)
        return lines

    @contextmanager
    def started(
        self, lines: str, folder: Path | None = None, *, by_cron: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        """The shell does them there (`elsewhere`), without a terminal; cron does them in the home. Ended at the end."""
        program = subprocess.Popen(
            ["sh", "-ec", self.fit(lines)],
            cwd=self.home if by_cron else folder or self.elsewhere,
            env=self.cron if by_cron else self.user,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield program
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGTERM)
            program.communicate(timeout=PATIENCE)

    def run(self, lines: str, folder: Path | None = None, typed: str = "", *, by_cron: bool = False) -> str:
        """What they say, once they have ended; they must succeed."""
        with self.started(lines, folder, by_cron=by_cron) as program:
            out, err = program.communicate(typed, timeout=PATIENCE)
            assert program.returncode == 0, (lines, out, err)
        return out + err

    def at_terminal(self, line: str, folder: Path) -> str:
        """What a new user sees who types it, answers what is asked, and leaves as soon as they are in."""
        shell = pexpect.spawn(
            "sh", ["-c", self.fit(line)], cwd=str(folder), env=self.user, encoding="utf-8", timeout=PATIENCE
        )
        answers = {"Type yes": "yes", "Your name:": "alice", "New password:": PASSWORD, "The same again:": PASSWORD}
        shown, is_in = "", False
        while not is_in:
            asked = shell.expect([*answers, "[0-9] online"])  # the last one is the status bar
            shown += f"{shell.before}{shell.after}"
            is_in = asked == len(answers)
            if not is_in:
                shell.send(answers.pop(list(answers)[asked]) + "\r")
        shell.send("/ex\r")
        shown += shell.read()
        shell.close()
        assert shell.exitstatus == 0, shown
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
