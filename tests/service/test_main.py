"""``python3 -m service`` and ``python3 -m service.admin`` as programs: options, signals, exit statuses, errors."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import pytest

from service.storage.sqlite.schema import revisions
from tests.support.helpers import PATIENCE, ROOT, Process, Wire, enter, free_port

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of ours to its end."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_service_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Clients are told, the status is 0, and the log has a line for start, coming, going and end."""
    with Process(tmp_path) as service, enter(service.port, "alice") as alice:
        alice.ask("pm", message="private words")
        assert service.stop(number) == 0
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}
    log = "\n".join(service.log)
    for word in ("listening on 127.0.0.1:", "chat.db", f"SQLite {sqlite3.sqlite_version}", "registered alice"):
        assert word in log
    for word in ("login alice", "logout alice", "stopped"):
        assert word in log
    assert "private words" not in log
    assert "Traceback" not in log


def test_a_service_that_drains_serves_on(tmp_path: Path) -> None:
    """From SIGTERM on it is not well, for whoever sends it clients; another signal ends it before its time."""
    port = free_port()
    with Process(tmp_path, "--metrics", str(port), "--drain", "3600") as service, enter(service.port, "alice") as alice:
        service.program.send_signal(signal.SIGTERM)
        service.read_log("status 503")
        with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (503, b"the service is stopping\n")
        with enter(service.port, "bob") as bob:
            bob.ask("pm", message="still here")
        assert alice.read_type("broadcast")["message"] == "still here"
        assert service.stop() == 0
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}


def test_a_drain_ends_by_itself(tmp_path: Path) -> None:
    """After its seconds, as a stop without one."""
    with Process(tmp_path, "--drain", "0.2") as service:
        assert service.stop() == 0
        assert "stopped" in service.log[-1]


def test_sighup_never_ends_the_service(tmp_path: Path) -> None:
    """It reads the motd again, and keeps the old one of a bad file; with nothing to read it says so and goes on."""
    motd = tmp_path / "motd"
    motd.write_text("one")
    with Process(tmp_path, "--motd", str(motd)) as service:
        for text, words in (("second", "6 characters"), ("x" * 5_000, "stays as it was"), ("third", "5 characters")):
            motd.write_text(text)
            service.program.send_signal(signal.SIGHUP)
            service.read_log(words)
        with enter(service.port, "alice") as alice:
            assert alice.hello["motd"] == "third"
    with Process(tmp_path) as service, enter(service.port, "alice") as alice:
        service.program.send_signal(signal.SIGHUP)
        service.read_log("SIGHUP: there is neither a --tls-cert nor a --motd to read again")
        assert alice.ask("pm", message="still here")["type"] == "ack"
        assert service.stop() == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--db", "{}/chat.db"),
        ("--db", "{}"),
        ("--tls-cert", "{}", "--tls-key", "key"),
        ("--tls-cert", str(ROOT / "README.txt"), "--tls-key", "{}"),
        ("--host", "{}"),
        ("--log-level", "{}"),
        ("--motd", "{}"),
        ("--{}",),
    ],
)
def test_no_option_is_told_as_it_came(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A control character in a file's name is visible in what is said of it."""
    name = "a\x1b[2J\nb\u202e"
    (tmp_path / name).mkdir()
    (tmp_path / name / "chat.db").write_text("Dear reader")
    ended = run("service", "0", *(text.format(name) for text in arguments), cwd=tmp_path)
    assert ended.returncode in {1, 2}
    assert ended.stdout == ""
    assert re.fullmatch(r"[^\x00-\x09\x0b-\x1f\u202e]*\n", ended.stderr)
    assert "\nb" not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["notaport"], 2, "port must be a whole number from 0 to 65535, not 'notaport'"),
        (["--bcrypt-cost", "3"], 2, "--bcrypt-cost must be a whole number from 4 to 16"),
        (["--dance"], 2, "unrecognized arguments: --dance"),
        (["0", "--host", "no such host"], 1, "cannot listen on 'no such host'"),
        (["0", "--db", "/nowhere/chat.db"], 1, "cannot make the database /nowhere/chat.db: No such file or directory"),
        (["0", "--db", "/"], 1, "/ is a folder"),
    ],
)
def test_a_bad_start_is_one_clear_line(tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    """What is wrong is said on stderr without a traceback; 2 is for options, 1 for the rest."""
    ended = run("service", *arguments, cwd=tmp_path)
    assert ended.returncode == status
    assert words in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    """It names the port, and no database is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run("service", str(port), cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"chat service: cannot listen on 127.0.0.1 port {port}: Address already in use")
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_environment_sets_what_options_do_not(tmp_path: Path) -> None:
    """A CHAT_ variable counts, and a bad one is named."""
    ended = run("service", "0", CHAT_MAX_LINE="7")
    assert (ended.returncode, "CHAT_MAX_LINE must be" in ended.stderr) == (2, True)


def test_init_db_makes_keeps_and_refuses(tmp_path: Path) -> None:
    """It makes a database, finds it current the second time, and refuses another program's with one line."""
    path = tmp_path / "chat.db"
    first, second = run("service.admin", "init-db", str(path)), run("service.admin", "init-db", str(path))
    assert (first.returncode, first.stdout) == (0, f"{path}: created, schema {revisions()[-1]}\n")
    assert (second.returncode, second.stdout) == (0, f"{path}: current, schema {revisions()[-1]}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE recipe (name TEXT)")
    refused = run("service.admin", "init-db", str(other))
    assert refused.returncode == 1
    assert (
        refused.stderr
        == f"chat admin: {other} is another program's database; it was left as it is. Name another file\n"
    )


BREAK_DOWN = """
import signal, sys
from service.{module} import {owner}
working, is_broken = {owner}.{method}, []
signal.signal(signal.SIGUSR1, lambda *_: (is_broken.append(True), print("broken now", file=sys.stderr, flush=True)))
def work(*arguments):
    if is_broken:
        raise MemoryError("no more")
    return working(*arguments)
{owner}.{method} = work
"""


@pytest.mark.parametrize(
    ("thread", "module", "owner", "method"),
    [
        ("chat-writer", "storage.sqlite.writer", "Writer", "_commit"),
        ("chat-delivery", "delivery.loop", "Delivery", "_run_actions"),
        ("chat-ticker", "ticker", "Ticker", "run_due"),
        ("chat-accept", "listeners.acceptor", "Acceptor", "_take_client"),
    ],
)
def test_a_worker_that_cannot_go_on_ends_the_service(
    tmp_path: Path, thread: str, module: str, owner: str, method: str
) -> None:
    """If a thread breaks down its waiters get an answer, clients are told, the log says why, and the status is 1."""
    prelude = BREAK_DOWN.format(module=module, owner=owner, method=method)
    with Process(tmp_path, prelude=prelude) as service, enter(service.port, "alice") as alice:
        service.program.send_signal(signal.SIGUSR1)
        service.read_log("broken now")
        alice.send({"command": "pm", "message": "are you there?"})
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", service.port)).close()
        lines = alice.read_to_end()
        assert lines[-1] == {"type": "bye", "reason": "shutdown"}
        if thread == "chat-writer":
            assert "storage_unavailable" in [line.get("code") for line in lines]
        assert service.wait() == 1
    assert f"{thread} cannot go on" in "\n".join(service.log)


START_BADLY = """
import sys
from service import __main__, server
def fail(*_):
    raise ValueError("no such page")
server.Server._accept = fail
sys.argv = ["service", "0", "--db", "chat.db"]
sys.exit(__main__.main())
"""


def test_a_bug_at_the_start_ends_the_service(tmp_path: Path) -> None:
    """Threads that run by then do not keep a process that serves nobody."""
    ended = subprocess.run(
        [sys.executable, "-c", START_BADLY],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    assert "the service cannot start" in ended.stderr
    assert "no such page" in ended.stderr


def test_the_log_as_json(tmp_path: Path) -> None:
    """Each line is an object; so is the reason why there is no start."""
    with Process(tmp_path, "--log-format", "json") as service:
        enter(service.port, "alice").close()
        assert service.stop() == 0
        messages = [json.loads(line)["message"] for line in service.log]
        assert any(message.startswith("login alice 127.0.0.1:") for message in messages)
    ended = run("service", "0", "--log-format", "json", "--host", "no such host", cwd=tmp_path)
    (line,) = map(json.loads, ended.stderr.splitlines())
    assert (ended.returncode, line["level"], "cannot listen on" in line["message"]) == (1, "CRITICAL", True)


def test_what_debug_adds_to_the_log(tmp_path: Path) -> None:
    """Who connects and goes, commands that are no messages, and refusals; never a text or what was asked for."""
    with Process(tmp_path, "--log-level", "debug") as service, Wire(service.port) as stranger:
        stranger.send_bytes(b"not JSON\n")
        assert stranger.read()["code"] == "bad_json"
        with enter(service.port, "alice") as alice:
            alice.ask("search", query="private words")
            alice.ask("pm", message="private words")
        service.read_log("gone 127.0.0.1:")
        assert service.stop() == 0
    log = "\n".join(service.log)
    for words in ("connected 127.0.0.1:", "refused connection 127.0.0.1:", ": bad_json", "DEBUG search 127.0.0.1:"):
        assert words in log
    assert "private" not in log


def test_a_session_by_hand(tmp_path: Path) -> None:
    """Lines typed into a plain TCP connection, CR LF and all, are a usable client."""
    with Process(tmp_path) as service, Wire(service.port) as wire:
        wire.send_bytes(b'{"command":"register","username":"alice","password":"securepassword"}\r\n\r\n')
        assert wire.read()["type"] == "login_ok"
        wire.send_bytes(b'{"command": "pm", "message": "hi"}\r\n')
        assert wire.read_type("ack")["id"] == 1
        wire.send_bytes(b'{"command":"ex"}\r\n')
        assert wire.read_to_end()[-1] == {"type": "bye", "reason": "exit"}
