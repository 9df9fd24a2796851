"""The places of --max-connections: for users that are logged in, and otherwise fair between addresses."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import bcrypt
from freezegun import freeze_time

from service.listeners.places import LEAVING_AT_ONCE, Places
from tests.support.doors import at
from tests.support.helpers import PASSWORD, PATIENCE, Wire, enter, running_server, until

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from service.server import Server
    from tests.support.doors import Door

ONE, TWO, THREE = (f"127.0.0.{number}" for number in (2, 3, 4))
PLACES: Final = 6


def last_words(wire: Wire) -> list[str]:
    """What a connection is told at its end."""
    return [str(line.get("code", line.get("reason"))) for line in wire.read_to_end()]


def for_good(wire: Wire) -> Wire:
    """A client that has logged in is no stranger any more: login_ok comes a moment before that."""
    assert wire.ask("ping")["type"] == "pong"
    return wire


@at("ports")
def test_a_client_that_says_nothing_gives_up_its_place(door: Door, tmp_path: Path) -> None:
    """The oldest of the address with the most gives up its place, and is told why; a newcomer comes in and logs in."""
    with running_server(tmp_path, max_connections=PLACES, **door.settings) as server, ExitStack() as wires:
        few = [wires.enter_context(door.connect(server, source=ONE)) for _ in range(2)]
        many = [wires.enter_context(door.connect(server, source=TWO)) for _ in range(PLACES - 2)]
        alice = wires.enter_context(door.enter(server, "alice", source=THREE))
        assert last_words(many[0]) == ["too_many_connections", "kicked"]
        bob = wires.enter_context(door.enter(server, "bob", source=THREE))
        assert last_words(many[1]) == ["too_many_connections", "kicked"]
        for wire in (*few, *many[2:], alice, bob):
            assert wire.ask("ping")["type"] == "pong"


@at("ports")
def test_who_is_logged_in_keeps_the_place(door: Door, tmp_path: Path) -> None:
    """With all places taken by users that are logged in, a newcomer is refused; when one goes there is a place."""
    with running_server(tmp_path, max_connections=PLACES, **door.settings) as server, ExitStack() as wires:
        all_in = [wires.enter_context(for_good(door.enter(server, f"user{n}", source=TWO))) for n in range(PLACES)]
        with door.connect(server, greet=False, source=ONE) as late:
            assert last_words(late) == ["too_many_connections", "kicked"]
        for wire in all_in:
            assert wire.ask("ping")["type"] == "pong"
        all_in[0].close()
        until(lambda: len(server.places.connections()) < PLACES)
        door.enter(server, "late", source=ONE).close()


@at("web")
def test_doors_share_the_places(door: Door, tmp_path: Path) -> None:
    """A stranger at one door gives up its place to a newcomer at another; who is logged in keeps it, at each."""
    with running_server(tmp_path, max_connections=3, **door.settings) as server, ExitStack() as wires:
        silent = [wires.enter_context(kind(server, source=TWO)) for kind in (door.connect, lines_at, door.connect)]
        alice = wires.enter_context(for_good(enter(server.port, "alice", source=ONE)))
        bob = wires.enter_context(for_good(door.enter(server, "bob", source=ONE)))
        carol = wires.enter_context(for_good(door.enter(server, "carol", source=THREE)))
        for wire in silent:
            assert last_words(wire) == ["too_many_connections", "kicked"]
        for late in (door.connect, lines_at):
            with late(server, greet=False, source=TWO) as wire:
                assert last_words(wire) == ["too_many_connections", "kicked"]
        for wire in (alice, bob, carol):
            assert wire.ask("ping")["type"] == "pong"


def lines_at(server: Server, **more: Any) -> Wire:
    """A client at the port for lines of JSON."""
    return Wire(server.port, **more)


def test_who_comes_with_a_password_keeps_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a password is checked nobody takes the place of the client that gave it."""
    check, may_go, checking = bcrypt.checkpw, Event(), Event()

    def check_later(password: bytes, hashed: bytes) -> bool:
        checking.set()
        may_go.wait(PATIENCE)
        return check(password, hashed)

    with running_server(tmp_path, max_connections=2) as server, ExitStack() as wires:
        enter(server.port, "alice").close()
        until(lambda: not server.places.connections())
        monkeypatch.setattr(bcrypt, "checkpw", check_later)
        alice = wires.enter_context(Wire(server.port, source=ONE))
        alice.send({"command": "login", "username": "alice", "password": PASSWORD})
        assert checking.wait(PATIENCE)
        for _ in range(5):
            wires.enter_context(Wire(server.port, source=ONE))
        may_go.set()
        assert alice.read()["type"] == "login_ok"


def test_a_client_spared_for_a_login_that_fails_goes_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that began to log in when its place was needed keeps it while the password is checked, and no longer."""
    may_drop, may_go, checking = Event(), Event(), Event()

    def hold_up(_: object) -> None:
        may_drop.wait(PATIENCE)

    def check_in_vain(*_: bytes) -> bool:
        checking.set()
        may_go.wait(PATIENCE)
        return False

    with running_server(tmp_path, max_connections=1) as server, ExitStack() as wires:
        enter(server.port, "alice").close()
        until(lambda: not server.places.connections())
        monkeypatch.setattr(bcrypt, "checkpw", check_in_vain)
        mallory = wires.enter_context(Wire(server.port))
        server.delivery.post(hold_up)
        first = wires.enter_context(Wire(server.port, greet=False))
        until(lambda: len(server.places.connections()) > 1)  # mallory is to go
        mallory.send({"command": "login", "username": "alice", "password": PASSWORD})
        assert checking.wait(PATIENCE)
        may_drop.set()
        assert first.read()["type"] == "hello"  # so mallory was spared
        may_go.set()
        assert mallory.read()["code"] == "bad_credentials"
        assert mallory.ask("ping")["type"] == "pong"  # so the login is over
        for _ in range(2):
            wires.enter_context(Wire(server.port))
        assert last_words(mallory) == ["too_many_connections", "kicked"]


def test_a_flood_replaces_its_own_only_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address with most is refused beyond that; another one comes in, and so does the first one some time later."""
    monkeypatch.setattr("service.server.Places", partial(Places, own_burst=2))
    start = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    with (
        freeze_time(start) as clock,
        running_server(tmp_path, max_connections=2) as server,
        ExitStack() as wires,
    ):
        first = [wires.enter_context(Wire(server.port, source=ONE)) for _ in range(2)]
        second = [wires.enter_context(Wire(server.port, source=ONE)) for _ in range(2)]
        for wire in first:
            assert last_words(wire) == ["too_many_connections", "kicked"]
        for _ in range(20):
            with Wire(server.port, greet=False, source=ONE) as late:
                assert last_words(late) == ["too_many_connections", "kicked"]
        for wire in second:
            assert wire.ask("ping")["type"] == "pong"
        wires.enter_context(enter(server.port, "alice", source=TWO))
        assert last_words(second[0]) == ["too_many_connections", "kicked"]
        clock.move_to(start + timedelta(seconds=1))
        assert wires.enter_context(Wire(server.port, source=ONE)).hello["type"] == "hello"
        assert last_words(second[1]) == ["too_many_connections", "kicked"]


def test_an_account_in_many_places_gives_some_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody else can go its oldest sessions do, and are told why; those that an account may have all stay."""
    monkeypatch.setattr("service.server.Places", partial(Places, account_places=2))
    with running_server(tmp_path, max_connections=PLACES) as server, ExitStack() as wires:
        many = [wires.enter_context(for_good(enter(server.port, "mallory", source=TWO))) for _ in range(PLACES - 2)]
        few = [wires.enter_context(for_good(enter(server.port, "alice", source=THREE))) for _ in range(2)]
        for number, name in enumerate(("bob", "carol")):
            few.append(wires.enter_context(for_good(enter(server.port, name, source=ONE))))
            assert last_words(many[number])[-2:] == ["too_many_connections", "kicked"]
        until(lambda: len(server.places.connections()) == PLACES)
        with Wire(server.port, greet=False, source=ONE) as late:
            assert last_words(late) == ["too_many_connections", "kicked"]
        for wire in (*many[2:], *few):
            assert wire.ask("ping")["type"] == "pong"


def test_a_stranger_goes_before_an_account_in_many_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is logged in gives up nothing while another is not."""
    monkeypatch.setattr("service.server.Places", partial(Places, account_places=2))
    with running_server(tmp_path, max_connections=PLACES) as server, ExitStack() as wires:
        many = [wires.enter_context(for_good(enter(server.port, "mallory", source=TWO))) for _ in range(PLACES - 1)]
        stranger = wires.enter_context(Wire(server.port, source=THREE))
        wires.enter_context(enter(server.port, "bob", source=ONE))
        assert last_words(stranger) == ["too_many_connections", "kicked"]
        for wire in many:
            assert wire.ask("ping")["type"] == "pong"


def test_only_so_many_are_on_their_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that give up a place are there for a moment; beyond so many a newcomer is refused."""
    with running_server(tmp_path, max_connections=1) as server, ExitStack() as wires:
        monkeypatch.setattr(server.delivery, "post", lambda *_: None)  # so that nobody goes
        comers: list[Wire] = []
        for _ in range(1 + LEAVING_AT_ONCE):
            comers.append(wires.enter_context(Wire(server.port, greet=False, source=ONE)))
            until(lambda: len(server.places.connections()) == len(comers))
        with Wire(server.port, greet=False, source=ONE) as late:
            assert last_words(late) == ["too_many_connections", "kicked"]
        monkeypatch.undo()
