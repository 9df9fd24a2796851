"""The log: what is written, and what happens when nobody reads it."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import re
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from service.logs import Log
from tests.support.helpers import PATIENCE, Process, enter, until

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
        log.handle(logging.makeLogRecord({"msg": text, "levelno": logging.INFO, "levelname": "INFO"}))


def test_a_stopped_terminal_holds_up_nobody() -> None:
    """Lines wait, up to the limit; those beyond are dropped and counted, and the log goes on."""
    terminal = Terminal()
    log = Log(terminal, queue_lines=3)
    emit(log, "under way")
    assert terminal.stuck.wait(PATIENCE)
    emit(log, "1", "2", "3", "dropped", "dropped")
    terminal.going.set()
    until(lambda: not log._lines.qsize())
    emit(log, "on")
    log.close()
    shown = re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", terminal.getvalue(), flags=re.MULTILINE)
    assert shown.splitlines() == [
        *("INFO under way", "INFO 1", "INFO 2", "INFO 3"),
        "WARNING 2 lines of the log were dropped here, as nothing read them",
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


def shown_of(stream: io.StringIO) -> list[str]:
    """The lines without their times, and without how long lines were counted."""
    return [re.sub(r"more in \d+ s", "more", line.split(" ", 2)[2]) for line in stream.getvalue().splitlines()]


def test_lines_that_repeat_are_counted() -> None:
    """The first is written, and at the end of its time how many more there were, whatever ports they name."""
    stream = io.StringIO()
    log = Log(stream)
    emit(log, *(f"refused resume 127.0.0.2:{port}: bad_token" for port in range(1, 1_002)))
    emit(
        log,
        "login alice 127.0.0.2:7",
        "refused resume 127.0.0.3:1: bad_token",
        "refused x [::1]:70",
        "refused x [::1]:9",
    )
    log.close()
    assert shown_of(stream) == [
        "INFO refused resume 127.0.0.2:1: bad_token",
        "INFO login alice 127.0.0.2:7",
        "INFO refused resume 127.0.0.3:1: bad_token",
        "INFO refused x [::1]:70",
        "INFO \u2026 1,000 more: refused resume 127.0.0.2: bad_token",
        "INFO \u2026 1 more: refused x [::1]",
    ]


def test_other_addresses_are_other_lines() -> None:
    """Only a port is left out: groups of an IPv6 address look like one."""
    stream = io.StringIO()
    log = Log(stream)
    lines = [
        "refused [2a01:4f8:10:20::1]:4711: x",
        "refused [2a01:4f8:30:40::1]:9: x",
        "login a 127.0.0.1:5",
        "at 9:30 x",
    ]
    emit(log, *lines)
    log.close()
    assert shown_of(stream) == [f"INFO {line}" for line in lines]


def test_a_line_is_written_anew_after_its_time() -> None:
    """What repeats now and then stays in the log; the count comes without another line that calls for it."""
    stream = io.StringIO()
    log = Log(stream, merge=0.0, tick=0.01)
    assert log.lock is not None
    with log.lock:  # so that its time is not over between the two
        emit(log, "again", "again")
    until(lambda: not log._kinds)
    emit(log, "again")
    log.close()
    assert shown_of(stream) == ["INFO again", "INFO \u2026 1 more: again", "INFO again"]


def test_only_so_many_kinds_of_lines_are_remembered() -> None:
    """Memory is bounded: the oldest kind is counted up first."""
    stream = io.StringIO()
    log = Log(stream, kinds=2)
    emit(log, "a", "a", "b", "c", "a")
    log.close()
    assert shown_of(stream) == ["INFO a", "INFO b", "INFO \u2026 1 more: a", "INFO c", "INFO a"]


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


def test_json_has_an_object_in_each_line() -> None:
    """Time, level, logger and message, made safe, and what was raised; also for what is counted."""
    stream = io.StringIO()
    log = Log(stream, as_json=True)
    emit(log, "a\x1b[2J\nzo\u00eb", "a\x1b[2J\nzo\u00eb")
    try:
        raise FileNotFoundError("no \x1b[2J")
    except FileNotFoundError as error:
        failure = (type(error), error, error.__traceback__)
    values = {"name": "chat.x", "created": 1.5, "msg": "b", "levelname": "ERROR", "exc_info": failure}
    log.handle(logging.makeLogRecord(values))
    log.close()
    assert stream.getvalue().isascii()
    first, second, summary = map(json.loads, stream.getvalue().splitlines())
    assert list(first) == ["time", "level", "logger", "message"]
    assert (first["level"], first["message"]) == ("INFO", "a\u241b[2J\u240azo\u00eb")
    exception = second.pop("exception")
    assert exception.startswith("Traceback")
    assert exception.endswith("\nFileNotFoundError: no \u241b[2J")
    assert second == {"time": "1970-01-01T00:00:01.500Z", "level": "ERROR", "logger": "chat.x", "message": "b"}
    assert "1 more" in summary["message"]


def test_a_chat_whose_log_is_not_read(tmp_path: Path) -> None:
    """With its pipe full the service lets clients in, hands messages on, and stops when told to."""
    with Process(tmp_path) as service:
        assert service.program.stderr is not None
        room = fcntl.fcntl(service.program.stderr, fcntl.F_SETPIPE_SZ, 4_096)
        with enter(service.port, "alice") as alice:
            for number in range(room // 50):  # each leaves three lines of more than that
                enter(service.port, f"user{number}").close()
            assert alice.ask("pm", message="still here")["type"] == "ack"
        service.program.send_signal(signal.SIGTERM)
        assert service.program.wait(PATIENCE) == 0
        service.program.stderr.close()
