"""When descriptors, threads, memory or places run out: clients go on, newcomers are told, and it passes."""

from __future__ import annotations

import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from service.accounts import authentication
from service.config import READERS, cores
from service.errors import ConfigError
from service.listeners.admission import Admission
from service.listeners.descriptors import DESCRIPTORS_OF_VISITORS, DESCRIPTORS_OWN, DESCRIPTORS_PER_READER
from service.net.transport import listen
from service.origin import origin_of
from service.server import Server
from tests.support.doors import at
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, Wire, enter, make_settings, running_server, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.doors import Door
    from tests.support.helpers import Line

OWN: Final = DESCRIPTORS_OWN + READERS * DESCRIPTORS_PER_READER
STREAMS: Final = {  # what the thread of a client of that door waits in
    "json": "service.net.transport.Stream._receive_some",
    "tls": "service.net.transport.TlsStream._receive_some",
    "web": "service.net.websocket.WebSocketStream.receive",
}
FULL: Final = [{"type": "error", "code": "too_many_connections", "fatal": True}, {"type": "bye", "reason": "kicked"}]


def limited(files: int) -> str:
    """What a program runs first that may open so many files."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}))"


def refused(door: Door, service: Server | Process) -> list[Line]:
    """What a new client is told, without the text for a person."""
    with door.connect(service, greet=False) as wire:
        lines = wire.read_to_end()
    lines[0].pop("message", None)
    return lines


# -- descriptors ------------------------------------------------------------------------------------------------------
@at("ports")
def test_the_descriptors_there_are_say_how_many_may_come(door: Door, tmp_path: Path) -> None:
    """With few open files allowed it says how many clients that is; these can do all, and one more is refused."""
    clients = 6
    own = OWN + (DESCRIPTORS_OF_VISITORS if door.name == "web" else 0)
    with Process(tmp_path, *door.options, prelude=limited(own + clients)) as service:
        assert f"at most {clients} clients at once, not 2000" in "".join(service.log)
        wires = [door.enter(service, f"user{n}") for n in range(clients - 1)]
        wires.append(door.enter(service, "user0"))
        assert [refused(door, service) for _ in range(20)] == [FULL] * 20
        wires[0].ask("pm", message="hello")
        with ThreadPoolExecutor(clients) as pool:
            assert list(pool.map(lambda wire: read_much(wire, 20), wires)) == [20] * clients
        wires[-1].close()
        until(lambda: try_enter(door, service))
        for wire in wires:
            wire.close()


def read_much(wire: Wire, count: int) -> int:
    """How often pages of all kinds came."""
    kinds = {"history", "search", "missed"}
    return sum(
        {wire.ask("history")["type"], wire.ask("search", query="hello")["type"], wire.ask("missed")["type"]} == kinds
        for _ in range(count)
    )


def try_enter(door: Door, service: Server | Process) -> bool:
    """Whether a new client is let in."""
    with door.connect(service) as wire:
        return bool(wire.hello["type"] == "hello")


def test_too_few_descriptors_for_anyone_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not start, says what to raise, and makes no file."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (OWN, OWN))
    with pytest.raises(ConfigError, match=f"allows {OWN} open files and this needs {OWN + 1}; raise it: ulimit -n"):
        Server(make_settings(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_the_papers_say_how_many_the_service_needs() -> None:
    """An operator can count by it."""
    assert f"the service {OWN} for itself" in " ".join((ROOT / "docs" / "operating.txt").read_text().split())


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Nobody in this process can open anything."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken: list[int] = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_without_a_descriptor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When even accepting fails, a spare descriptor serves to say so, again and again; the others talk on."""
    accepted, may_go = threading.Event(), threading.Event()
    admit = Admission.admit

    def admit_later(*arguments: Any) -> str | None:
        accepted.set()
        may_go.wait(PATIENCE)
        return admit(*arguments)

    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        monkeypatch.setattr(Admission, "admit", admit_later)
        late = [Wire(server.port, greet=False) for _ in range(6)]
        assert accepted.wait(PATIENCE)
        with no_descriptor_left():
            may_go.set()
            assert late[0].read()["type"] == "hello"
            for wire in late[1:]:
                lines = wire.read_to_end()
                assert [line.get("code", line.get("reason")) for line in lines] == ["too_many_connections", "kicked"]
            alice.ask("pm", message="still here")
            assert bob.read_type("broadcast")["message"] == "still here"
        for wire in late:
            wire.close()
        Wire(server.port).close()


# -- threads and memory -----------------------------------------------------------------------------------------------
@at("ports")
def test_a_client_without_a_thread_is_refused(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no thread can be started newcomers are told so and the others talk on; then it passes."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("chat-conn"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with (
        running_server(tmp_path, **door.settings) as server,
        door.enter(server, "alice") as alice,
        door.enter(server, "bob") as bob,
    ):
        with monkeypatch.context() as exhausted:
            exhausted.setattr(threading.Thread, "start", refuse)
            assert [refused(door, server) for _ in range(30)] == [FULL] * 30
            alice.ask("pm", message="hi")
            assert bob.read_type("broadcast")["message"] == "hi"
        assert try_enter(door, server)
        until(lambda: len(server.places.connections()) == 2)


@pytest.mark.parametrize("place", ["service.storage.sqlite.messages.history_page", "service.wire.json_lines.decode"])
def test_out_of_memory_in_a_command_is_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
) -> None:
    """The client gets `internal` with the incident of the log, and its connection goes on, as do the others."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        alice.ask("ping")
        with monkeypatch.context() as exhausted:
            exhausted.setattr(place, fail)
            alice.send({"command": "history"})
            error = alice.read_type("error")
        assert error["code"] == "internal"
        assert error["message"].split()[-1] in caplog.text
        assert alice.ask("pm", message="hi")["type"] == "ack"
        assert bob.read_type("broadcast")["message"] == "hi"


@at("streams")
@pytest.mark.parametrize("place", ["receive", "service.wire.framing.LineDecoder.feed"])
def test_out_of_memory_outside_a_command_ends_that_connection(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """It ends with a word, nothing of it is left, and the others go on."""
    with running_server(tmp_path, **door.settings) as server, door.enter(server, "alice") as alice:
        with monkeypatch.context() as exhausted, door.connect(server) as victim:
            exhausted.setattr(STREAMS[door.name] if place == "receive" else place, fail)
            victim.send({"command": "ping"}, {"command": "ping"})
            victim.read_to_end()
            until(lambda: len(server.places.connections()) < 2)
        with suppress(EOFError):  # alice may have waited in the very function that failed
            assert alice.ask("ping")["type"] == "pong"
        assert try_enter(door, server)


def fail(*_: object, **__: object) -> None:
    raise MemoryError


# -- places -----------------------------------------------------------------------------------------------------------
def test_hundreds_of_logins_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those for whom there is no place to wait are told when to try again; the chat goes on; then all get in."""
    waiting, count = 64, 300
    monkeypatch.setattr(authentication, "BCRYPT_WAITING", waiting)
    login = {"command": "login", "username": "many", "password": PASSWORD}
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "many") as many:
        hashing = server.services.accounts._hashing
        with ExitStack() as places:
            for _ in range(cores()):
                places.enter_context(hashing.turn(origin_of("192.0.2.1"), "first"))
            wires = [Wire(server.port) for _ in range(count)]
            for wire in wires:
                wire.send(login)
            until(lambda: hashing._queue.length == waiting)
            alice.ask("pm", message="what a crowd")
            assert many.read_type("broadcast")["message"] == "what a crowd"
        outcomes = [read_outcome(wire) for wire in wires]
        sent_away = [wire for wire, outcome in zip(wires, outcomes, strict=True) if outcome["type"] == "error"]
        assert {(o["code"], o["retry_after"]) for o in outcomes if o["type"] == "error"} == {("rate_limited", 5)}
        assert len(sent_away) <= count - waiting
        for wire in sent_away:
            assert wire.ask(**login)["type"] == "login_ok"
        assert alice.ask("users")["users"] == ["alice", "many"]
        for wire in wires:
            wire.close()


def read_outcome(wire: Wire) -> Line:
    """What became of a login."""
    while (line := wire.read())["type"] not in {"login_ok", "error"}:
        pass
    return line


def test_a_full_backlog_is_worked_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More connects at once than the kernel keeps waiting: none is lost, they come in when it is their turn."""
    monkeypatch.setattr("service.server.listen", partial(listen, backlog=8))
    with running_server(tmp_path) as server, ThreadPoolExecutor(16) as pool:
        with server.places._lock:
            coming = [pool.submit(Wire, server.port) for _ in range(16)]
            until(lambda: all(future.running() for future in coming))
        for future in coming:
            with future.result(PATIENCE) as wire:
                assert wire.hello["type"] == "hello"


@at("streams")
def test_connects_during_a_stop_do_not_hang(door: Door, tmp_path: Path) -> None:
    """Clients that come while it stops are greeted and told, or get no connection; nothing is left behind."""
    with running_server(tmp_path, **door.settings) as server:
        coming, ended = threading.Event(), list[str]()

        def come() -> None:
            while True:
                try:
                    with door.connect(server, greet=False) as wire:
                        wire.read()
                        coming.set()
                        wire.read_to_end()
                except (OSError, EOFError) as error:
                    if isinstance(error, ConnectionRefusedError):
                        ended.append("refused")
                        return

        clients = [threading.Thread(target=come) for _ in range(8)]
        for client in clients:
            client.start()
        assert coming.wait(PATIENCE)
        server.stop()
        for client in clients:
            client.join(PATIENCE)
        assert ended == ["refused"] * len(clients)
