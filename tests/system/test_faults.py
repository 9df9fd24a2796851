"""Every acknowledged message survives a failing disk, and a kill -9 on top of it; what was refused can be retried."""

from __future__ import annotations

import resource
import signal
import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.faults import FaultyProcess, can_inject
from tests.support.helpers import PATIENCE, Process, enter
from tests.support.storage import message, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.support.helpers import Line, Wire

    Fault = Callable[[FaultyProcess], AbstractContextManager[None]]

pytestmark = pytest.mark.skipif(
    not can_inject(), reason="needs seccomp's user notification: Linux 5.5, no other filter"
)


def failing(**faults: str) -> Fault:
    """System calls that fail so."""

    @contextmanager
    def fault(service: FaultyProcess) -> Iterator[None]:
        service.set_faults(**faults)
        yield
        service.set_faults()

    return fault


@contextmanager
def file_size_limit(service: FaultyProcess) -> Iterator[None]:
    """The kernel's own refusal to write, to any file of the whole process."""
    old = resource.prlimit(service.program.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.program.pid, resource.RLIMIT_FSIZE, (1, old[1]))
    yield
    with suppress(ProcessLookupError):  # killed meanwhile
        resource.prlimit(service.program.pid, resource.RLIMIT_FSIZE, old)


@contextmanager
def locked(service: FaultyProcess) -> Iterator[None]:
    """Another program's transaction."""
    with closing(sqlite3.connect(service.faults.with_name("chat.db"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


FAULTS = [
    pytest.param(failing(fdatasync="EIO", fsync="EIO"), id="fsync error"),
    pytest.param(failing(pwrite64="ENOSPC"), id="full"),
    pytest.param(failing(pwrite64="EROFS", ftruncate="EROFS"), id="read-only"),
    pytest.param(failing(pwrite64="EIO"), id="write error"),
    pytest.param(file_size_limit, id="file size limit"),
    pytest.param(locked, id="locked"),
]
NONCES = {
    when: [f"{kind} {when} {n}" for n in range(10) for kind in ("pm", "dm")] for when in ("before", "in", "after")
}


def post(wire: Wire, nonces: list[str]) -> list[Line]:
    """The answers, in order: as many writes as the service makes of it."""
    wire.send(*(message(nonce) | {"ref": nonce} for nonce in nonces))
    answers: list[Line] = []
    while len(answers) < len(nonces):
        line = wire.read()
        if "ref" in line:
            answers.append(line)
    return answers


def ids(answers: list[Line]) -> dict[str, int]:
    return {answer["nonce"]: answer["id"] for answer in answers if answer["type"] == "ack"}


def retry_all(folder: Path, acked: dict[str, int]) -> None:
    """After a restart each message, sent again, is stored once, and under the id that was acknowledged."""
    with Process(folder) as service, enter(service.port, "alice") as alice:
        every = [nonce for nonces in NONCES.values() for nonce in nonces]
        again = ids(post(alice, every))
    assert acked.items() <= again.items()
    assert sorted(stored(folder / "chat.db")) == sorted(again.items())
    assert len(again) == len(every)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_answer_and_passes(tmp_path: Path, fault: Fault) -> None:
    """What comes meanwhile is refused and not stored, others are served; then all works by itself."""
    with FaultyProcess(tmp_path, storage_timeout=0.01) as service:
        enter(service.port, "away").close()
        with enter(service.port, "alice") as alice, enter(service.port, "bob") as bob:
            acked = ids(post(alice, NONCES["before"]))
            for _ in range(3):
                with fault(service):
                    codes = {answer.get("code") for answer in post(alice, NONCES["in"])}
                    assert codes == {"storage_unavailable"}
                    assert bob.ask("ping")["type"] == "pong"
                    assert len(bob.ask("history")["messages"]) == len(NONCES["before"]) // 2
            acked |= ids(post(alice, NONCES["after"]))
        service.stop(signal.SIGKILL)
    assert dict(stored(tmp_path / "chat.db")) == acked
    assert len(acked) == len(NONCES["before"]) + len(NONCES["after"])
    retry_all(tmp_path, acked)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_kill_in_the_midst_of_a_fault_loses_nothing(tmp_path: Path, fault: Fault) -> None:
    """The file is sound, and has what was acknowledged."""
    with FaultyProcess(tmp_path, storage_timeout=0.01) as service:
        enter(service.port, "away").close()
        with enter(service.port, "alice") as alice:
            acked = ids(post(alice, NONCES["before"]))
            with fault(service):
                post(alice, NONCES["in"])
                service.stop(signal.SIGKILL)
    assert acked.items() <= dict(stored(tmp_path / "chat.db")).items()
    retry_all(tmp_path, acked)


def test_a_lock_of_a_second_is_waited_for(tmp_path: Path) -> None:
    """The message is stored and acknowledged, others are served meanwhile, and nothing is logged."""
    with FaultyProcess(tmp_path, storage_timeout=PATIENCE) as service:
        with enter(service.port, "alice") as alice, enter(service.port, "bob") as bob:
            with locked(service):
                alice.send({"command": "pm", "message": "hi"})
                for _ in range(3):
                    threading.Event().wait(0.3)
                    assert bob.ask("ping")["type"] == "pong"
            assert alice.read_type("ack")["id"] == 1
            assert bob.read_type("broadcast")["message"] == "hi"
        service.stop()
    assert not [line for line in service.log if "ERROR" in line or "refused" in line]
