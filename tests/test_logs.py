"""The log: what is written, and what happens when nobody reads it."""

from __future__ import annotations

import fcntl
import io
import logging
import os
import re
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from service import logs
from service.logs import Log
from tests.helpers import PATIENCE, Process, Wire, enter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


class Terminal(io.StringIO):
    """A stream that may be stopped, as by Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.going = threading.Event()
        self.stuck = threading.Event()

    def write(self, text: str) -> int:
        self.stuck.set()
        assert self.going.wait(PATIENCE)
        return super().write(text)


def emit(log: Log, *texts: str) -> None:
    for text in texts:
        log.handle(logging.makeLogRecord({"msg": text, "levelname": "INFO"}))


def test_a_stopped_terminal_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines wait, up to the limit; those beyond are dropped and counted, and the log goes on."""
    monkeypatch.setattr(logs, "LOG_QUEUE", 3)
    terminal = Terminal()
    log = Log(terminal)
    emit(log, "under way")
    assert terminal.stuck.wait(PATIENCE)
    emit(log, "1", "2", "3", "dropped", "dropped")
    terminal.going.set()
    while log._lines.qsize():
        pass
    emit(log, "on")
    log.close()
    shown = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", terminal.getvalue(), flags=re.MULTILINE)
    assert shown.splitlines() == [
        *("INFO under way", "INFO 1", "INFO 2", "INFO 3"),
        "(2 lines of the log were dropped here, as nothing read them)",
        "INFO on",
    ]


def test_whoever_read_the_log_is_gone() -> None:
    """A closed pipe ends neither the thread nor the service."""
    reader, writer = os.pipe()
    with suppress(BrokenPipeError), os.fdopen(writer, "w") as stream:
        log = Log(stream)
        os.close(reader)
        emit(log, "to nobody", "either")
        log.close()
        assert log._lines.empty()


def test_a_line_that_cannot_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever logs goes on; what was wrong is said."""
    stream = io.StringIO()
    log = Log(stream)
    log.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
    log.close()
    assert stream.getvalue() == ""
    assert "Logging error" in capsys.readouterr().err


def test_a_line_of_the_log_is_one_and_steers_no_terminal() -> None:
    """A file's name can neither begin a line of its own nor clear the screen; a traceback keeps its lines."""
    stream = io.StringIO()
    log = Log(stream)
    try:
        raise FileNotFoundError("no \x1b[2J")
    except FileNotFoundError as error:
        failure = (type(error), error, error.__traceback__)
    values = {"msg": "database %s", "args": ("a\x1b[2J\n2026 INFO b\udcff",), "levelname": "INFO", "exc_info": failure}
    log.handle(logging.makeLogRecord(values))
    log.close()
    first, *traceback = stream.getvalue().splitlines()
    assert first.endswith(" INFO database a\u241b[2J\u240a2026 INFO b<U+DCFF>")
    assert traceback[0] == "Traceback (most recent call last):"
    assert traceback[-1] == "FileNotFoundError: no \u241b[2J"


def test_a_chat_whose_log_is_not_read(tmp_path: Path) -> None:
    """With its pipe full the service lets clients in, hands messages on, and stops when told to."""
    with Process(tmp_path) as service:
        assert service.program.stderr is not None
        room = fcntl.fcntl(service.program.stderr, fcntl.F_SETPIPE_SZ, 4_096)
        with enter(service.port, "alice") as alice:
            with enter(service.port, "bob") as bob:
                token = bob.hello["token"]
            for _ in range(room // 50):  # each leaves two lines of more than that
                with Wire(service.port) as bob:
                    assert bob.ask("resume", token=token)["type"] == "login_ok"
            assert alice.ask("pm", message="still here")["type"] == "ack"
        service.program.send_signal(signal.SIGTERM)
        assert service.program.wait(PATIENCE) == 0
        service.program.stderr.close()
