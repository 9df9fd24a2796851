"""Nobody waits for one address that keeps the service busy; and a class behind one router is no attack."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import bcrypt
import pytest

from benchmarks.idle import make_accounts
from service import server as server_module
from service.accounts import authentication, passwords
from service.accounts.shares import SHARE_BURST
from service.config import MESSAGE_BYTES, READERS, Settings
from service.delivery.outbox import OUTBOX_BYTES
from service.origin import origin_of
from service.storage.sqlite import messages
from tests.support.doors import at
from tests.support.helpers import PASSWORD, PATIENCE, Wire, enter, running_server, until
from tests.support.storage import count_readers

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from service.storage.records import Page
    from tests.support.doors import Door

ATTACKER, ELSEWHERE = "127.0.0.2", "127.0.0.3"
SOMEBODY: Final = origin_of("127.0.0.4")
DEFAULTS: Final[dict[str, Any]] = {"rate": 20, "login_rate": 10, "max_per_address": 200}


# -- passwords --------------------------------------------------------------------------------------------------------
def test_a_new_password_is_looked_at_before_the_old_one_is_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is too short costs no hash."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        monkeypatch.setattr(bcrypt, "checkpw", None)
        assert alice.ask("password", old=PASSWORD, new="short")["code"] == "weak_password"


def test_a_login_elsewhere_is_next_but_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many passwords one address has checked, somebody else waits for what is at work and one more."""
    turn, order = threading.Semaphore(0), list[str]()
    check = passwords.is_hash_of

    def check_in_order(password: str, password_hash: str) -> bool:
        order.append(password)
        turn.acquire()
        return check(password, password_hash)

    def end_one() -> None:
        """One ends, and so the next begins."""
        begun = len(order)
        turn.release()
        until(lambda: len(order) > begun)

    monkeypatch.setattr(authentication, "cores", lambda: 2)
    with running_server(tmp_path, **DEFAULTS) as server, ExitStack() as wires:
        hashing = server.services.accounts._hashing
        for name in ("alice", *(f"user{n}" for n in range(8))):
            enter(server.port, name, source=ATTACKER).close()
        monkeypatch.setattr(passwords, "is_hash_of", check_in_order)
        storm = [wires.enter_context(Wire(server.port, source=ATTACKER)) for _ in range(8)]
        for number, wire in enumerate(storm):
            wire.send({"command": "login", "username": f"user{number}", "password": PASSWORD})
        until(lambda: hashing._present[ATTACKER,] == len(storm) and not hashing._free)
        at_work = len(storm) - hashing._queue.length
        victim = wires.enter_context(Wire(server.port, source=ELSEWHERE))
        victim.send({"command": "login", "username": "alice", "password": PASSWORD + " "})
        until(lambda: hashing._queue.length + at_work > len(storm))
        while hashing._queue.length:
            end_one()
        for _ in range(at_work):
            turn.release()
        assert victim.read()["code"] == "bad_credentials"
        for wire in storm:
            assert wire.read()["type"] == "login_ok"
        assert order.index(PASSWORD + " ") == at_work + 1


# -- reading ----------------------------------------------------------------------------------------------------------
def test_pages_and_logins_never_wait_for_searches(tmp_path: Path) -> None:
    """Those who search wait for each other, hold no read connection meanwhile, and keep nobody else waiting."""
    with running_server(tmp_path, **DEFAULTS) as server, ExitStack() as wires:
        alice = wires.enter_context(enter(server.port, "alice"))
        alice.ask("pm", message="some words")
        searches = server.services.searches
        with ExitStack() as places:
            while searches._free:
                places.enter_context(searches.turn(SOMEBODY, "else"))
            crowd = [wires.enter_context(enter(server.port, "mallory", source=ATTACKER)) for _ in range(READERS + 2)]
            for wire in crowd:
                wire.send({"command": "search", "query": "words"})
            until(lambda: searches._queue.length == len(crowd))
            assert not count_readers(server.services.storage)
            assert len(alice.ask("history")["messages"]) == 1
            assert alice.ask("missed")["type"] == "missed"
            enter(server.port, "bob", source=ELSEWHERE).close()
            alice.send({"command": "search", "query": "some"})
            until(lambda: searches._queue.length > len(crowd))
        assert len(alice.read_type("search")["messages"]) == 1
        for wire in crowd:
            assert len(wire.read_type("search")["messages"]) == 1


def test_who_fills_the_index_keeps_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes minutes after an upgrade: one at a time does, and the places of those who search stay free."""
    with running_server(tmp_path, **DEFAULTS) as server, ExitStack() as wires:
        indexing, storage = server.services.indexing, server.services.storage
        alice = wires.enter_context(enter(server.port, "alice"))
        bob = wires.enter_context(enter(server.port, "bob", source=ELSEWHERE))
        alice.ask("pm", message="some words")
        fill, fillers, may_go = storage.index_search, list[int](), threading.Event()

        def fill_slowly() -> None:
            fillers.append(1)
            assert may_go.wait(PATIENCE)
            fill()

        monkeypatch.setattr(storage, "index_search", fill_slowly)
        for wire in (alice, bob):
            wire.send({"command": "search", "query": "words"})
        until(lambda: fillers and indexing._queue.length == 1)
        assert (len(fillers), server.services.searches._present) == (1, {})
        may_go.set()
        for wire in (alice, bob):
            assert len(wire.read_type("search")["messages"]) == 1


def test_pages_are_read_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pages one address waits for, and with no read connection meanwhile, another's is next but one."""
    monkeypatch.setattr(server_module, "PAGES_AT_ONCE", 1)
    with running_server(tmp_path, **DEFAULTS) as server, ExitStack() as wires:
        alice = wires.enter_context(enter(server.port, "alice", source=ELSEWHERE))
        alice.ask("pm", message="some words")
        crowd = [wires.enter_context(enter(server.port, "mallory", source=ATTACKER)) for _ in range(READERS + 2)]
        pages, order = server.services.pages, list[int]()
        read = messages.history_page

        def note_and_read(connection: sqlite3.Connection, *arguments: Any) -> Page:
            order.append(arguments[-1])
            return read(connection, *arguments)

        monkeypatch.setattr(messages, "history_page", note_and_read)
        with ExitStack() as places:
            while pages._free:
                places.enter_context(pages.turn(SOMEBODY, "else"))
            for wire in crowd:
                wire.send({"command": "history", "limit": 10})
            until(lambda: pages._queue.length == len(crowd))
            alice.send({"command": "history", "limit": 20})
            until(lambda: pages._queue.length > len(crowd))
            assert not count_readers(server.services.storage)
            places.close()
            for wire in (alice, *crowd):
                assert len(wire.read_type("history")["messages"]) == 1
        assert order[:2] == [10, 20]


def test_a_stop_lets_those_go_who_wait_to_search(tmp_path: Path) -> None:
    """They are told that nothing can be had just now, and then goodbye."""
    with running_server(tmp_path, **DEFAULTS) as server, enter(server.port, "alice") as alice:
        searches = server.services.searches
        with ExitStack() as places:
            while searches._free:
                places.enter_context(searches.turn(SOMEBODY, "else"))
            alice.send({"command": "search", "query": "words"})
            until(lambda: searches._queue.length)
            server.stop()
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}


# -- messages ---------------------------------------------------------------------------------------------------------
def test_one_address_fills_nobodys_outbox_at_once() -> None:
    """What an address may send at once is far less than what waits for a slow reader."""
    defaults = Settings()
    burst = SHARE_BURST * defaults.address_share * defaults.burst * MESSAGE_BYTES
    assert burst <= OUTBOX_BYTES / 2
    assert defaults.max_line / MESSAGE_BYTES <= defaults.burst


@at("streams")
def test_a_flood_cuts_off_no_honest_reader(door: Door, tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """One account sends all that it may over ten connections; who reads nothing meanwhile has it all waiting."""
    text = "\U0001f600" * 4_096
    with running_server(tmp_path, **DEFAULTS, **door.settings) as server, ExitStack() as wires:
        reader = wires.enter_context(door.enter(server, "reader", source=ELSEWHERE))
        flood = [wires.enter_context(door.enter(server, "mallory", source=ATTACKER)) for _ in range(10)]
        line = b'{"command":"pm","message":"' + text.encode() + b'"}\n'
        for wire in flood:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            wire.send_bytes(line * 26)  # the kernel has it all, also with the buffers that most systems allow
        sessions = [
            c.session for c in server.places.connections() if c.session.account and c.session.account.name == "mallory"
        ]
        until(lambda: all(session.delay() for session in sessions))
        bob = wires.enter_context(door.enter(server, "bob", source=ELSEWHERE))
        assert bob.ask("pm", message="I talk on")["type"] == "ack"
        while reader.read_type("broadcast")["from"] != "bob":
            pass
        assert reader.ask("ping")["type"] == "pong"


# -- a class behind one router ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("way", ["password", "register", "resume"])
def test_a_class_behind_one_router_comes_at_nine(tmp_path: Path, clock: FrozenDateTimeFactory, way: str) -> None:
    """200 people of one address are all let in at once, and then talk: nobody is refused or slowed, nor owes anything.

    The clock stands still, so all of it is within what may be taken at once.
    """
    names = [f"pupil{number}" for number in range(200)]
    tokens = dict(make_accounts(tmp_path, [] if way == "register" else names, bcrypt_cost=4))

    def come(name: str) -> Wire:
        wire = Wire(server.port)
        known = wire.ask("login", username=name)["registered"]
        if way == "resume":
            reply = wire.ask("resume", token=tokens[name])
        else:
            reply = wire.ask("login" if known else "register", username=name, password="password")
        assert reply["type"] == "login_ok", reply
        for command in ("missed", "history", "users"):
            assert wire.ask(command)["type"] == command
        return wire

    def talk(wire: Wire) -> None:
        for number in range(4):
            assert wire.ask("pm", message=f"good morning {number}")["type"] == "ack"

    with running_server(tmp_path, **DEFAULTS) as server, ThreadPoolExecutor(50) as pool, ExitStack() as wires:
        there = list(pool.map(come, names))
        for wire in there:
            wires.enter_context(wire)
        list(pool.map(talk, there))
        assert len(server.places.connections()) == len(names)
        assert {connection.session.delay() for connection in server.places.connections()} == {0.0}
