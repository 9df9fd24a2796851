"""The Makefile: what a newcomer sees, and what is said on a machine that lacks something."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from shlex import split

import pexpect
import psycopg
import pytest

from service.storage.sqlite.schema import revisions
from tests.support.clone import environment, make_clone
from tests.support.helpers import PATIENCE, ROOT, free_port, running_server
from tests.support.postgres import MissingError, find_programs


def make(*arguments: str, cwd: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_make_alone_prints_the_help() -> None:
    """Every target has its line."""
    shown = make().stdout
    assert shown == make("help").stdout
    for target in (
        "run_server",
        "run_client",
        "init-db",
        "backup",
        "certs",
        "test",
        "lint",
        "attacks",
        "dist",
        "fuzz",
        "help",
        "clean",
    ):
        assert f"\n  {target} " in shown
    assert "make run_server [PORT=12000] [HOST=127.0.0.1] [DB=chat.db] [CERT=certs/cert.pem KEY=" in shown


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A folder with nothing but the Makefile and the requirements."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return f"PYTHON={path}"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ('case "$2" in *version_info*) exit 1;; esac', "is older than 3.11. Install Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "venv module is missing. Install it (Debian, Ubuntu: apt install"),
    ],
)
def test_an_unfit_python_is_explained(fresh: Path, script: str, message: str) -> None:
    """What to install is said in one line, and nothing is left behind."""
    ended = make("install", fake_python(fresh, script), cwd=fresh)
    assert ended.returncode != 0
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("make:")]
    assert message in line
    assert not (fresh / ".venv").exists()


def test_no_python_at_all_is_explained(fresh: Path) -> None:
    """So is its absence."""
    ended = make("install", "PYTHON=/nowhere/python3", cwd=fresh)
    assert "No /nowhere/python3 here. Install Python 3.11 or newer" in ended.stderr


def test_init_db_makes_the_database_and_explains_a_refusal(tmp_path: Path) -> None:
    """`make init-db DB=…` may be run again and again."""
    path = tmp_path / "my chat.db"
    assert make("init-db", f"DB={path}").stdout == f"{path}: created, schema {revisions()[-1]}\n"
    assert make("init-db", f"DB={path}").stdout == f"{path}: current, schema {revisions()[-1]}\n"
    path.write_text("a letter\n")
    ended = make("init-db", f"DB={path}")
    assert ended.returncode != 0
    assert f"{path} is no SQLite database" in ended.stderr
    assert path.read_text() == "a letter\n"


def test_a_url_brings_what_speaks_to_postgresql(fresh: Path) -> None:
    """To set up .venv for a file installs nothing of it."""
    for name in ("requirements-postgres.txt", ".venv/venv.stamp", ".venv/run.stamp"):
        (fresh / name).parent.mkdir(exist_ok=True)
        (fresh / name).touch()
    for target in ("run_server", "init-db"):
        assert "-r requirements-postgres.txt" in make("-n", target, "DB=postgresql://h/chat", cwd=fresh).stdout
        assert "postgres" not in make("-n", target, cwd=fresh).stdout


@pytest.mark.postgres
def test_postgres_for_a_developer_keeps_what_it_has() -> None:
    """From one start to the next; Ctrl-C ends it, with all its processes."""
    try:
        find_programs()
    except MissingError as missing:
        pytest.skip(str(missing))
    run = "import sys, tests.support.postgres as p; p._STANDING_PORT = int(sys.argv[2]); p.serve(p.Path(sys.argv[1]))"
    with tempfile.TemporaryDirectory() as folder:  # not pytest's, into which another user cannot look
        Path(folder).chmod(0o755)
        place, port = Path(folder) / ".postgres", free_port()
        for expected in ([], [("kept",)]):
            command = [sys.executable, "-c", run, str(place), str(port)]
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as program:
                assert program.stdout is not None
                url = program.stdout.readline().split("DB=")[1].strip()
                with psycopg.connect(url) as connection:
                    connection.execute("CREATE TABLE IF NOT EXISTS mine (word text)")
                    assert connection.execute("SELECT word FROM mine").fetchall() == expected
                    connection.execute("INSERT INTO mine VALUES ('kept')")
                program.send_signal(signal.SIGINT)
        assert not (place / "data" / "postmaster.pid").exists()


def test_backup_names_the_copy_by_the_time_or_as_asked(tmp_path: Path) -> None:
    """`make backup DB=… TO=…`; without TO it goes to the folder backups."""
    path, copy = tmp_path / "my chat.db", tmp_path / "folder" / "my copy.db"
    make("init-db", f"DB={path}")
    assert make("backup", f"DB={path}", f"TO={copy}").stdout.startswith(f"{copy}: ")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert make("-n", "backup").stdout.strip().endswith("-m service.admin backup --db 'chat.db'")


def test_tls_is_asked_for_by_variables(tmp_path: Path) -> None:
    """`make certs` makes a pair in the folder named; CERT and KEY have the service use it, TLS and CA the client."""
    made = make("certs", f"CERTS={tmp_path}/my certs", "NAMES=chat.example 192.0.2.1")
    assert f"{tmp_path}/my certs/cert.pem and {tmp_path}/my certs/key.pem made" in made.stdout
    assert "Names: chat.example, 192.0.2.1, " in made.stdout
    assert "certs/cert.pem is there already" in make("certs", f"CERTS={tmp_path}/my certs").stderr
    shown = make("-n", "run_server", "run_client", "CERT=c.pem", "KEY=k.pem", "TLS=1", "CA=ca.pem").stdout
    assert "--tls-cert 'c.pem' --tls-key 'k.pem'" in shown
    assert "--tls --tls-ca 'ca.pem'" in shown
    assert "--tls" not in make("-n", "run_server", "run_client").stdout


def test_a_port_for_browsers_is_asked_for_by_a_variable() -> None:
    """Without it there is none."""
    assert "--web-port '8080'" in make("-n", "run_server", "WEB_PORT=8080").stdout
    assert "--web-port" not in make("-n", "run_server", WEB_PORT="8080").stdout


@pytest.mark.parametrize("named", ["SERVER=127.0.0.1", "PORT=12000"])
def test_a_server_that_is_named_counts(named: str) -> None:
    """It is not that of the profile [default] then, also where it is the usual one."""
    assert "-m client '127.0.0.1' '12000'" in make("-n", "run_client", named).stdout


def test_the_service_is_described_by_variables() -> None:
    """NAME, CONTACT and REGISTRATION, whatever characters are in them; without them the service's settings count."""
    words = {"NAME": "O'Hara's chat", "CONTACT": "Carol, in room $$7", "REGISTRATION": "closed"}
    shown = make("-n", "run_server", *(f"{name}={value}" for name, value in words.items())).stdout
    asked = split(shown[shown.index("-m service") :])
    for name, value in words.items():
        assert asked[asked.index(f"--{name.lower()}") + 1] == value.replace("$$", "$")
    assert "--name" not in make("-n", "run_server", NAME="x", CONTACT="x", REGISTRATION="closed").stdout


def test_a_profile_takes_the_place_of_the_server() -> None:
    """`make run_client PROFILE=work`; a name still counts."""
    shown = make("-n", "run_client", "PROFILE=work", "USERNAME=alice").stdout
    assert "-m client --profile 'work' " in shown
    assert "'alice'" in shown
    assert "127.0.0.1" not in shown


def test_what_shells_export_does_not_steer_it(tmp_path: Path) -> None:
    """HOST and USERNAME are set on many machines for other purposes; only make's own command line counts."""
    shown = make("-n", "run_server", "run_client", HOST="machine", USERNAME="root", PORT="1").stdout
    assert "service '12000' --host '127.0.0.1' --db 'chat.db'" in shown
    assert "client --fallback '127.0.0.1' '12000'" in shown
    assert "root" not in shown.replace("/root", "")


def at_a_terminal(folder: Path, line: str) -> pexpect.spawn[str]:
    """A shell there does the line, between two looks at how the terminal is set, and says the exit status."""
    line = f"stty -g; {line}; echo status $?; stty -g"
    return pexpect.spawn("sh", ["-c", line], cwd=str(folder), env=environment(), encoding="utf-8", timeout=PATIENCE)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("make run_client PORT=1", "Nothing listens at 127.0.0.1, port 1"),
        ("make run_client PORT=x", "a port is a number"),
        ("make run_server HOST=192.0.2.1", "cannot listen on 192.0.2.1"),
        ("make run_server PORT=x", "'x'"),
    ],
)
def test_make_adds_nothing_to_a_refusal(tmp_path: Path, line: str, said: str) -> None:
    """At a terminal the program has said why, and that is all. A script gets a status that is not 0."""
    clone = make_clone(tmp_path)
    shown = at_a_terminal(clone, line).read()
    assert said in shown
    assert "status 0" in shown
    assert "make:" not in shown
    ended = make(*line.split()[1:], cwd=clone)
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith("make: ***")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_a_client_that_is_killed_leaves_the_terminal_as_it_was(tmp_path: Path, name: str) -> None:
    """What is typed is seen again, and what is pasted is plain. After kill -9 make does it, and says so."""
    is_killed = name == "SIGKILL"
    with running_server(tmp_path) as server:
        shell = at_a_terminal(make_clone(tmp_path), f"make run_client PORT={server.port}")
        shell.expect("Your name:")
        before = str(shell.before).split()[0]
        (maker,) = children(shell.pid or 0)
        (client,) = children(maker)
        os.kill(client, getattr(signal, name))
        shown = shell.read()
    assert shown.rstrip().endswith(before)
    assert shown.rfind("\x1b[?2004l") > shown.rfind("\x1b[?2004h")
    assert ("The client was killed." in shown, "status 0" in shown) == (is_killed, not is_killed)


def children(parent: int) -> list[int]:
    """The processes that it has started."""
    shown = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=True).stdout
    return [int(line) for line in shown.split()]


def test_a_fuzzer_that_does_not_install_is_explained(fresh: Path) -> None:
    """One line says where it can be had and where pip's own words are; the next try begins anew."""
    (fresh / ".venv" / "bin").mkdir(parents=True)
    fake_python(fresh / ".venv" / "bin", "echo no atheris >&2; exit 1")
    for name in ("requirements-fuzz.txt", ".venv/venv.stamp", ".venv/run.stamp"):
        (fresh / name).touch()
    ended = make("fuzz", cwd=fresh)
    (line,) = [line for line in ended.stderr.splitlines() if not line.startswith("make:")]
    assert line.startswith("atheris does not install here (.venv/fuzz.log says why)")
    assert (fresh / ".venv" / "fuzz.log").read_text() == "no atheris\n"
    assert not (fresh / ".venv" / "fuzz.stamp").exists()
