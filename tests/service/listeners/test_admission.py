"""service/listeners/admission.py: who gets a place, and by when who has one must log in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tests.support.helpers import Wire, enter, running_server, until
from tests.support.ports import another_port, refusal_at
from tests.support.wires import read_users

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_one_connection_too_many_is_refused(tmp_path: Path) -> None:
    """At the limit a client gets a fatal error and the end; when another goes there is a place again."""
    with running_server(tmp_path, max_connections=2) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob"):
            late = Wire(server.port, greet=False)
            late.send({"command": "ping"})
            refusal, bye = late.read_to_end()
            assert (refusal["code"], refusal["fatal"]) == ("too_many_connections", True)
            assert bye == {"type": "bye", "reason": "kicked"}
            late.close()
        read_users(alice, "alice")
        with enter_when_there_is_a_place(server.port) as carol:
            assert carol.hello["type"] == "hello"


def enter_when_there_is_a_place(port: int) -> Wire:
    """A connection that was let in: a place is free a moment after its last client's name has left the list."""
    while True:
        wire = Wire(port)
        if wire.hello["type"] == "hello":
            return wire
        wire.close()


def test_zero_means_no_limit(tmp_path: Path) -> None:
    """With 0 nobody is refused for their number."""
    with running_server(tmp_path, max_connections=0) as server, Wire(server.port) as wire:
        assert wire.hello["type"] == "hello"


def test_one_of_an_address_too_many_is_refused(tmp_path: Path) -> None:
    """It is told what to do, and takes no place; another address comes in, and so does this one when one has gone."""
    with running_server(tmp_path, max_per_address=1) as server:
        with Wire(server.port):
            code, text = refusal_at(server.port)
            assert (code, text) == (
                "too_many_connections",
                "too many clients from your address; close one, or try again later",
            )
            with Wire(server.port, source="127.0.0.2") as other:
                assert other.hello["type"] == "hello"
        until(lambda: not server.places.connections())
        enter_when_there_is_a_place(server.port).close()


def test_a_refusal_for_want_of_a_place_does_not_count_for_the_address(tmp_path: Path) -> None:
    """Refused ten times, a client comes in as soon as there is a place."""
    with running_server(tmp_path, max_connections=1, max_per_address=2) as server:
        with enter(server.port, "alice") as alice:
            alice.read_until_pong()  # so no stranger any more
            for _ in range(10):
                assert refusal_at(server.port)[1] == "too many clients here just now; try again later"
        until(lambda: not server.places.connections())
        with Wire(server.port) as bob:
            assert bob.hello["type"] == "hello"


def test_who_could_not_be_served_takes_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the memory for it a client goes, and the place and its address are free for the next."""
    with running_server(tmp_path, max_connections=1, max_per_address=1) as server:
        with monkeypatch.context() as exhausted:
            exhausted.setattr(server.delivery, "open_outbox", lambda *_: (_ for _ in ()).throw(MemoryError))
            with Wire(server.port, greet=False) as victim:
                assert victim.read_to_end() == []
        with Wire(server.port) as wire:
            assert wire.hello["type"] == "hello"


def test_each_client_has_its_own_time_to_log_in(tmp_path: Path) -> None:
    """On whichever port: those that are late go, those that have logged in stay."""
    with (
        running_server(tmp_path, login_timeout=1) as server,
        another_port(server) as port,
        enter(server.port, "alice") as alice,
        enter(port, "bob") as bob,
        Wire(server.port) as one,
        Wire(port) as other,
    ):
        for late in (one, other):
            error, _ = late.read_to_end()
            assert (error["code"], error["message"]) == ("login_timeout", "no login within 1 seconds")
        assert [wire.ask("ping")["type"] for wire in (alice, bob)] == ["pong", "pong"]


def test_the_next_look_is_for_the_next_client_that_is_late(tmp_path: Path) -> None:
    """Where all have logged in there is no other look."""
    with running_server(tmp_path) as server, enter(server.port, "alice"):
        assert server.admission.end_late() == math.inf
        with Wire(server.port):
            (stranger,) = [each for each in server.places.connections() if each.session.account is None]
            assert server.admission.end_late() == stranger.login_by
