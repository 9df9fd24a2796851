"""A database that is lost just after a commit: nobody knows at first what is stored; in the end all have it, once."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from client.net.connection import connect
from client.net.link import Limits, Link
from service.storage.postgres import link as way
from service.wire.protocol import AckReply, Login, Pm
from tests.support.helpers import PASSWORD, PATIENCE, running_server, until
from tests.support.link import Witness
from tests.support.pg_proxy import Fate, PgProxy
from tests.support.wires import Wires

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server
    from tests.support.helpers import Line, Wire


class Way:
    """A way to a database that can be lost at a commit, and found again."""

    def __init__(self, url: str) -> None:
        there = urlsplit(url)
        self.proxy = PgProxy(there.hostname or "", there.port or 0)
        self.url = url.replace(there.netloc, f"{there.username}@127.0.0.1:{self.proxy.port}")
        self._there = self.proxy._there
        self.is_armed = False
        self.proxy.decide = self._decide

    def _decide(self) -> Fate:
        if not self.is_armed:
            return Fate.PASS
        self.is_armed = False
        self.proxy._there = ("127.0.0.1", 1)  # where nobody listens
        return Fate.CUT_AFTER

    def come_back(self) -> None:
        self.proxy._there = self._there


@pytest.fixture
def lossy(database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """Given up after a tenth of a second, not after six."""
    monkeypatch.setattr(way, "RECONNECT", 0.1)
    monkeypatch.setattr(way, "RETRY", 0.1)
    made = Way(database)
    with made.proxy:
        yield made


@pytest.fixture
def servers(database: str, lossy: Way, tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """The first one comes to the database by that way."""
    with running_server(tmp_path, db=lossy.url) as first, running_server(tmp_path, db=database) as second:
        yield first, second


@pytest.fixture
def here(servers: tuple[Server, Server]) -> Iterator[Wires]:
    """Clients of the first one."""
    with closing(Wires(servers[0].port)) as wires:
        yield wires


@pytest.fixture
def there(servers: tuple[Server, Server]) -> Iterator[Wires]:
    """Clients of the other one."""
    with closing(Wires(servers[1].port)) as wires:
        yield wires


def hear(wire: Wire) -> Line:
    """What is said next."""
    line = wire.read_type("broadcast")
    return {key: line[key] for key in ("from", "message")}


def test_what_may_be_stored_comes_to_all_once(lossy: Way, here: Wires, there: Wires) -> None:
    """To the sender, too, as nothing else tells her; a retry gets the ack, and is told to nobody."""
    # All confirm, and their presence is stored before what is said: nothing but the message is stored then.
    carol, bob = here.enter("carol", confirm=True), there.enter("bob", confirm=True)
    alice = here.enter("alice", confirm=True)
    alice.ask("pm", message="before")
    assert [hear(wire)["message"] for wire in (carol, bob)] == ["before", "before"]
    post = {"command": "pm", "message": "hi", "nonce": "n"}
    lossy.is_armed = True
    alice.send(post)
    error = alice.read_type("error")
    assert (error["code"], error["maybe"]) == ("storage_unavailable", True)
    assert "maybe" not in alice.ask("pm", message="not stored")
    lossy.come_back()
    said = {"from": "alice", "message": "hi"}
    assert [hear(wire) for wire in (alice, carol, bob)] == [said, said, said]
    assert alice.ask("pm", message="hi", nonce="n")["type"] == "ack"
    there.enter("dave").ask("pm", message="the end")
    assert [hear(wire)["message"] for wire in (carol, bob)] == ["the end", "the end"]


def test_a_client_needs_nobody_to_send_it_again(lossy: Way, here: Wires, there: Wires) -> None:
    """It keeps the message until its ack comes."""
    witness, bob = Witness(), there.enter("bob", confirm=True)
    link = Link(witness, connect("127.0.0.1", here.port), limits=Limits(again=0.05))
    link.start()
    try:
        name = here.enter("alice", confirm=True).hello["username"]
        link.send(Login(username=name, password=PASSWORD, confirm=True)).result(PATIENCE)
        link.send(Pm(message="before")).result(PATIENCE)
        lossy.is_armed = True
        reply = link.send(Pm(message="hi"))
        until(lambda: "storage_unavailable" in witness.told)
        assert len(link.pending()) == 1
        lossy.come_back()
        assert isinstance(reply.result(PATIENCE), AckReply)
    finally:
        link.leave()
    there.enter("dave").ask("pm", message="the end")
    assert [hear(bob)["message"] for _ in range(3)] == ["before", "hi", "the end"]
