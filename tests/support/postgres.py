"""A PostgreSQL of the tests' own: a cluster in a temporary folder, with databases that cost 20 ms each. Holds no test.

It runs on a loopback port and a Unix socket, lets everybody in, and never outlives the process that started it: a shell
waits for the end of a pipe from here, which comes also with a Ctrl-C or a kill -9, and then stops and removes it.
"""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, Self

from tests.support.helpers import free_port, until

NEED: Final = "Debian, Ubuntu: apt install postgresql"
ROLE: Final = "chat"  # the service's: no superuser; it owns the databases
_PLACES: Final = "/usr/lib/postgresql"  # Debian keeps them there, by version, and not on PATH
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a file system in memory: an fsync costs nothing there)
_SPACE: Final = 1_000_000_000  # bytes to be free there: some containers have 64 MB
_TRIES: Final = 5  # other workers look for a free port, too
# The service wants fsync and its kind left on. Nobody copies this cluster, and no database of it grows old.
_SETTINGS: Final = {
    "autovacuum": "off",  # it would be in a template while that is copied
    "checkpoint_timeout": "1h",
    "dynamic_shared_memory_type": "mmap",  # in the cluster's folder, which is removed
    "full_page_writes": "off",
    "jit": "off",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
    "wal_level": "minimal",
}
# Time in these databases: that of the clock, until `chat.stop_time` is told one.
_STOPPABLE: Final = f"""
CREATE TABLE chat.stopped (now text);
ALTER FUNCTION chat.chat_now() RENAME TO moving_now;
CREATE FUNCTION chat.chat_now() RETURNS text LANGUAGE sql VOLATILE SET search_path = chat, pg_temp
    AS $$ SELECT coalesce((SELECT now FROM stopped), moving_now()) $$;
CREATE FUNCTION chat.stop_time(moment text) RETURNS void LANGUAGE sql VOLATILE SET search_path = chat, pg_temp
    AS $$ DELETE FROM stopped; INSERT INTO stopped SELECT moment WHERE moment IS NOT NULL $$;
ALTER TABLE chat.stopped OWNER TO {ROLE};
ALTER FUNCTION chat.chat_now() OWNER TO {ROLE};
ALTER FUNCTION chat.stop_time(text) OWNER TO {ROLE};
"""
_GUARD: Final = 'read -r _; "$1" stop -s -D "$2/data" -m "$3"; if [ "$3" = immediate ]; then rm -rf "$2"; fi'
_STANDING_PORT: Final = 54_320  # of `make postgres`: always the same, so that its URL stays good


class MissingError(Exception):
    """This machine has no PostgreSQL, or no psycopg; the text says how to get it."""


class ProgramError(Exception):
    """One of its programs has failed; the text is what it said."""


class Cluster:
    """A server with its folder, running until `close`."""

    def __init__(self, place: Path | None = None, *, keep: Path | None = None, **settings: str) -> None:
        """Makes and starts it, with these settings of postgresql.conf beside those for tests.

        Its folder is made in `place`: figures need a disk, tests are quicker in memory. With `keep` it is that one,
        which stays, and may be there already; nothing is set then. Raises MissingError, ProgramError.
        """
        self._programs = find_programs()
        self._as_user = _find_user()
        self.folder = keep or Path(tempfile.mkdtemp(prefix="chat-pg-", dir=place or _find_place()))
        self.folder.mkdir(exist_ok=True)
        self._numbers = itertools.count(1)
        self.port = _STANDING_PORT
        self._has_template = False
        if self._as_user:
            shutil.chown(self.folder, self._as_user["user"], self._as_user["group"])
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", self._programs / "pg_ctl", self.folder, "fast" if keep else "immediate"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C at the terminal is not for it
            cwd="/",
            **self._as_user,
        )
        try:
            if keep is None:
                self._make({**_SETTINGS, **settings, "unix_socket_directories": str(self.folder)})
                self._start_somewhere()
            else:
                if not (self.folder / "data").exists():
                    self._make({"unix_socket_directories": ""})  # a path that is too long for a socket is no matter
                self.start()
            if not self.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
                self.execute(f"CREATE ROLE {ROLE} LOGIN")
        except BaseException:
            self.close()
            raise

    def _make(self, settings: dict[str, str]) -> None:
        self.run("initdb", "-D", "data", "-E", "UTF8", "--locale=C", "-A", "trust", "-U", "postgres", "--no-sync")
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def _start_somewhere(self) -> None:
        for attempt in range(_TRIES):
            self.port = free_port()
            try:
                self.start()
                break
            except ProgramError:
                if attempt == _TRIES - 1:
                    raise

    def run(self, program: str, *arguments: str) -> str:
        """Runs one of PostgreSQL's programs in the cluster's folder; returns what it says. Raises ProgramError."""
        environment = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [self._programs / program, *arguments],
            check=False,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **self._as_user,
        )
        if done.returncode:
            raise ProgramError(f"{program} {' '.join(arguments)}: {done.stdout}")
        return done.stdout

    def start(self) -> None:
        """Starts the server, again after a `stop`, and waits until it lets clients in."""
        self.run("pg_ctl", "start", "-w", "-s", "-D", "data", "-l", "log", "-o", f"-p {self.port}")

    def stop(self, mode: str = "fast") -> None:
        """Stops the server: "fast" ends what is under way, "immediate" is as a crash."""
        self.run("pg_ctl", "stop", "-s", "-D", "data", "-m", mode)

    def kill(self) -> None:
        """Ends all processes of the server with kill -9, as a machine's end does; `start` has it recover."""
        children = [pid for (pid,) in self.execute("SELECT pid FROM pg_stat_activity")]
        processes = [self.pid, *children]
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: all(_has_ended(pid) for pid in processes))
        # The system may keep the number of the ended process for a second, and the next server would take it for alive.
        for lock in (self.folder / "data" / "postmaster.pid", self.folder / f".s.PGSQL.{self.port}.lock"):
            lock.unlink()

    @property
    def pid(self) -> int:
        """The server's first process."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def log(self) -> str:
        """Returns what the server has logged."""
        return (self.folder / "log").read_text()

    def close(self) -> None:
        """Stops the server and removes the folder. It may have been stopped already."""
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- databases ----------------------------------------------------------------------------------------------------
    def url(self, database: str = "postgres", role: str = ROLE) -> str:
        """Returns the URL of a database by the loopback port."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        """Executes a statement as the superuser, in a transaction of its own; returns its rows."""
        import psycopg

        with closing(psycopg.connect(self.url(database, "postgres"), autocommit=True)) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, *, empty: bool = False) -> str:
        """Makes a database with the chat's schema, or with nothing at all; returns its URL."""
        name = f"test_{next(self._numbers)}"
        if empty:
            self.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
            return self.url(name)
        if not self._has_template:
            self._make_template()
        # The files are copied, which is twice as fast as through the WAL.
        self.execute(f"CREATE DATABASE {name} TEMPLATE chat_template STRATEGY FILE_COPY OWNER {ROLE}")
        return self.url(name)

    def _make_template(self) -> None:
        from service import storage

        self.execute(f"CREATE DATABASE chat_template OWNER {ROLE}")
        storage.init_db(self.url("chat_template"))
        self.execute(_STOPPABLE, "chat_template")
        self._has_template = True

    def drop(self, url: str) -> None:
        """Drops a database, also under those that are connected."""
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")


def find_programs() -> Path:
    """Returns the folder of PostgreSQL's programs: the newest of Debian's, or that of the PATH. Raises MissingError."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    versions = sorted(Path(_PLACES).glob("*/bin/initdb"), key=lambda program: float(program.parts[-3]))
    if not versions:
        raise MissingError(f"there is no PostgreSQL here ({NEED})")
    return versions[-1].parent


def _has_ended(pid: int) -> bool:
    """Whether it does nothing any more, though nobody may have asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


def _find_user() -> dict[str, Any]:
    """Returns as whom its programs run, for subprocess: they refuse to run as root. Raises MissingError."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return {"user": name, "group": pwd.getpwnam(name).pw_gid, "extra_groups": []}
    raise MissingError("PostgreSQL does not run as root, and there is no user postgres or nobody here")


def _find_place() -> Path:
    """Returns where clusters go: into memory, where there is space."""
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _SPACE
    return _MEMORY if roomy else Path(tempfile.gettempdir())


def serve(folder: Path) -> None:
    """Runs a cluster for a developer until Ctrl-C, with a database for the chat. It stays in the folder."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})  # for the wait below
    with Cluster(keep=folder) as cluster:
        if not cluster.execute("SELECT 1 FROM pg_database WHERE datname = 'chat'"):
            cluster.execute(f"CREATE DATABASE chat OWNER {ROLE}")
        line = f"PostgreSQL runs; Ctrl-C stops it. For example: make run_server DB={cluster.url('chat')}"
        print(line, flush=True)  # noqa: T201
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    try:
        serve(Path(".postgres").resolve())
    except PermissionError as error:
        sys.exit(f"PostgreSQL does not run as root, and its own user cannot use this folder ({error}); be another user")
    except (MissingError, ProgramError) as error:
        sys.exit(f"{error}")
