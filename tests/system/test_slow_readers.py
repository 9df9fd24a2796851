"""Clients that read slowly, not at all, or have vanished: they are dealt with, and nobody else waits for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from service.delivery.outbox import OUTBOX_BYTES
from service.delivery.send_buffer import SEND_BYTES
from service.net import keepalive
from tests.support.doors import at
from tests.support.helpers import PASSWORD, PATIENCE, Process, Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.delivery.outbox import Outbox
    from service.server import Server
    from tests.support.doors import Door

TEXT: Final = "x" * 4_000
OTHERS: Final = 20


def outbox_of(server: Server, name: str) -> Outbox:
    """The outbox of the one session of that name, which has had an answer after its login."""
    (connection,) = [c for c in server.places.connections() if c.session.account and c.session.account.name == name]
    return connection.session.outbox


def hold_up(server: Server, talker: Wire, slow: str, size: int) -> list[int]:
    """Says so much to all that `size` bytes wait for the slow one; gives the ids."""
    outbox, said = outbox_of(server, slow), list[int]()
    while outbox.waiting < size:
        said.append(talker.ask("pm", message=TEXT)["id"])
        assert not outbox.closing
    return said


def read_ids(wire: Wire, count: int) -> list[int]:
    """The ids of the next public messages."""
    return [wire.read_type("broadcast")["id"] for _ in range(count)]


def catch_up(wire: Wire, got: list[int]) -> list[int]:
    """What was said to all after what was got."""
    ids = list(got)
    while (page := wire.ask("history", after=ids[-1] if ids else 0, limit=200))["messages"]:
        ids += [message["id"] for message in page["messages"]]
    return ids


# -- who reads nothing ------------------------------------------------------------------------------------------------
@at("streams")
def test_nobody_waits_for_one_that_stops_reading(door: Door, tmp_path: Path) -> None:
    """While bytes wait for the slow one, twenty others have been given everything, in order, and are answered."""
    with running_server(tmp_path, **door.settings) as server, door.enter(server, "talker") as talker:
        others = [door.enter(server, "other") for _ in range(OTHERS)]
        with door.enter(server, "slow") as slow:
            slow.ask("ping")
            said = hold_up(server, talker, "slow", OUTBOX_BYTES // 2)
            assert outbox_of(server, "slow").waiting  # it holds still: nobody's delivery was behind it
            for other in others:
                assert read_ids(other, len(said)) == said
                assert other.ask("ping")["type"] == "pong"
                other.close()


@at("half sent")
def test_several_slow_ones_are_ended_and_have_everything_later(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gets `bye slow` as its last line; by token, `missed` and `history` it then has each message once."""
    names = ("slow1", "slow2", "slow3")
    with running_server(tmp_path, **door.settings) as server, door.enter(server, "talker") as talker:
        monkeypatch.setattr(server.delivery, "_linger", PATIENCE)  # they are read one after the other
        slow = [door.enter(server, name, confirm=True) for name in names]
        for wire in slow:
            wire.ask("ping")
        outboxes = [outbox_of(server, name) for name in names]
        first = {name: talker.ask("dm", to=name, message="first")["id"] for name in names}
        said: list[int] = []
        while not all(outbox.closing for outbox in outboxes):
            said.append(talker.ask("pm", message=TEXT)["id"])
        later = {name: talker.ask("dm", to=name, message="later")["id"] for name in names}
        for name, wire in zip(names, slow, strict=True):
            lines = wire.read_to_end()
            wire.close()
            assert lines[-1] == {"type": "bye", "reason": "slow"}
            got = [line["id"] for line in lines if line["type"] == "broadcast"]
            assert got == said[: len(got)]
            with door.connect(server) as back:
                assert back.ask("resume", token=wire.hello["token"], confirm=True)["missed"] == 2
                assert [message["id"] for message in back.ask("missed")["messages"]] == [first[name], later[name]]
                assert catch_up(back, got) == said


@at("half sent")
def test_one_that_reads_again_in_time_loses_nothing(door: Door, tmp_path: Path) -> None:
    """With less waiting than an outbox holds, the slow one goes on where it stopped, and stays."""
    with (
        running_server(tmp_path, **door.settings) as server,
        door.enter(server, "talker") as talker,
        door.enter(server, "slow") as slow,
    ):
        slow.ask("ping")
        said = hold_up(server, talker, "slow", OUTBOX_BYTES * 3 // 4)
        assert read_ids(slow, len(said)) == said
        assert slow.ask("ping")["type"] == "pong"


@at("streams")
def test_memory_stays_within_the_outboxes(door: Door, tmp_path: Path) -> None:
    """Ten clients that read nothing cost the program no more than their outboxes may hold, however much is said."""
    count, bound = 2_000, 10 * (OUTBOX_BYTES + SEND_BYTES) + (32 << 20)  # the last for SQLite's pages and the heap
    with Process(tmp_path, *door.options) as service, door.enter(service, "talker") as talker:
        slow = [door.enter(service, f"slow{n}") for n in range(10)]
        before = resident_bytes(service)
        peak = before
        for _ in range(10):
            talker.send(*[{"command": "pm", "message": TEXT}] * (count // 10))
            for _ in range(count // 10):
                talker.read_type("ack")
            peak = max(peak, resident_bytes(service))
        assert peak - before < bound
        for wire in slow:
            wire.close()


def resident_bytes(service: Process) -> int:
    """The resident memory of the program."""
    status = Path(f"/proc/{service.program.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) << 10


# -- vanished clients -------------------------------------------------------------------------------------------------
NEAR, FAR = "10.213.71.1", "10.213.71.2"  # addresses of a private network of the test's own (RFC 1918)
CLIENT: Final = """
import json, socket, sys
wire = socket.create_connection((sys.argv[1], int(sys.argv[2])))
lines = wire.makefile("rb")
wire.sendall(json.dumps({"command": "login", "username": "far", "password": sys.argv[3]}).encode() + b"\\n")
while b"login_ok" not in lines.readline():
    pass
print("in", flush=True)
sys.stdin.read()
"""


class Cable:
    """A network of two ends, the far one in a namespace of its own."""

    def __init__(self) -> None:
        self.namespace = f"chat{os.getpid()}"
        self._near, self._far = f"near{os.getpid()}"[:15], f"far{os.getpid()}"[:15]

    def lay(self) -> None:
        """Makes both ends. Raises CalledProcessError where that is not allowed."""
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.namespace)
        run("ip", "addr", "add", f"{NEAR}/30", "dev", self._near)
        run("ip", "link", "set", self._near, "up")
        run("ip", "-n", self.namespace, "addr", "add", f"{FAR}/30", "dev", self._far)
        run("ip", "-n", self.namespace, "link", "set", self._far, "up")

    def pull(self) -> None:
        """From now on nothing comes through, and nobody is told."""
        run("ip", "-n", self.namespace, "link", "set", self._far, "down")

    def remove(self) -> None:
        """Takes it all away; with the namespace goes its end, and so the other."""
        subprocess.run(["ip", "link", "del", self._near], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", self.namespace], capture_output=True, check=False)


def run(*command: str) -> None:
    subprocess.run(command, capture_output=True, check=True)


@pytest.fixture
def cable() -> Iterator[Cable]:
    """A cable to pull, where the machine lets us lay one."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("laying a network cable needs Linux, root and iproute2")
    laid = Cable()
    try:
        laid.lay()
    except subprocess.CalledProcessError as error:
        laid.remove()
        pytest.skip(f"cannot make a network namespace: {error.stderr.decode().strip()}")
    yield laid
    laid.remove()


@contextmanager
def far_client(cable: Cable, port: int) -> Iterator[None]:
    """A client at the far end, logged in as `far`, that says nothing."""
    command = ["ip", "netns", "exec", cable.namespace, sys.executable, "-c", CLIENT, NEAR, str(port), PASSWORD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == b"in\n"
            yield
        finally:
            program.kill()


@pytest.mark.parametrize("talks", [False, True], ids=["nothing under way", "something under way"])
def test_a_pulled_cable_is_noticed(
    cable: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, talks: bool
) -> None:
    """A client whose cable is pulled leaves the users list by itself; here with seconds in place of half minutes."""
    short = {"TCP_KEEPIDLE": 1, "TCP_KEEPINTVL": 1, "TCP_KEEPCNT": 1, "TCP_USER_TIMEOUT": 2_000}
    monkeypatch.setattr(keepalive, "OPTIONS", tuple(short.items()))
    with running_server(tmp_path, host="0.0.0.0", users_interval=3_600) as server:  # noqa: S104 (so both can reach it)
        enter(server.port, "far").close()
        with enter(server.port, "near") as near, far_client(cable, server.port):
            while near.read_type("users")["users"] != ["far", "near"]:
                pass
            cable.pull()
            if talks:
                near.ask("pm", message="is anyone there?")
            while near.read_type("users")["users"] != ["near"]:
                pass
