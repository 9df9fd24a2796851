"""service/chat/entering.py: login, register and resume, over a real connection."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from service.clock import format_time, utcnow
from service.origin import Origin
from service.server import LOGINS_AT_ONCE
from tests.support.cast import act
from tests.support.helpers import PASSWORD, Wire, enter, running_server, until
from tests.support.wires import away, read_users

if TYPE_CHECKING:
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from service.server import Server
    from tests.support.helpers import Line
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_the_way_in(wires: Wires) -> None:
    """Asking for a name, registering it, and logging in with it answer as the protocol has it."""
    wire = wires.connect()
    assert wire.ask("login", username="Alice") == {
        "type": "password_required",
        "username": "alice",
        "registered": False,
    }
    asked = wire.ask("login", username="alice", password="securepassword")
    assert asked == {"type": "password_required", "username": "alice", "registered": False}
    ok = wire.ask("register", username="Alice", password="securepassword")
    assert ok | {"token": "", "time": ""} == {
        "type": "login_ok",
        "username": "alice",
        "users": ["alice"],
        "missed": 0,
        "unread": 0,
        "last_id": 0,
        "token": "",
        "time": "",
    }
    other = wires.connect()
    assert other.ask("login", username="alice") == {
        "type": "password_required",
        "username": "alice",
        "registered": True,
    }
    assert other.ask("login", username="ALICE", password="securepassword")["type"] == "login_ok"


REFUSED_ENTRIES: list[tuple[Line, str]] = [
    ({"command": "login", "username": "alice", "password": "wrong password"}, "bad_credentials"),
    ({"command": "login", "username": "alice", "password": ""}, "bad_credentials"),
    ({"command": "login", "username": "alice", "password": "x" * 1025}, "bad_credentials"),
    ({"command": "login", "username": "no spaces"}, "invalid_username"),
    ({"command": "login", "username": ""}, "invalid_username"),
    ({"command": "login"}, "bad_request"),
    ({"command": "login", "username": 7}, "bad_request"),
    ({"command": "login", "username": "alice", "password": None}, "bad_request"),
    ({"command": "login", "username": "alice", "confirm": "yes"}, "bad_request"),
    ({"command": "register", "username": "alice", "password": "another one"}, "username_taken"),
    ({"command": "register", "username": "a:b", "password": "another one"}, "invalid_username"),
    ({"command": "register", "username": "1st", "password": "another one"}, "invalid_username"),
    ({"command": "register", "username": "y0u", "password": "another one"}, "invalid_username"),
    ({"command": "register", "username": "a1l", "password": "another one"}, "invalid_username"),  # the main room
    ({"command": "register", "username": "carol", "password": "1234567"}, "weak_password"),
    ({"command": "register", "username": "carol", "password": "x" * 1025}, "weak_password"),
    ({"command": "register", "username": "carol"}, "bad_request"),
    ({"command": "resume", "token": "nonsense"}, "bad_token"),
    ({"command": "resume"}, "bad_request"),
]


@pytest.mark.parametrize(("command", "code"), REFUSED_ENTRIES)
def test_who_does_not_get_in_is_told_why(wires: Wires, command: Line, code: str) -> None:
    """Each refusal has its code and names the command, and the connection can try again."""
    wires.enter("alice")
    wire = wires.connect()
    wire.send(command)
    error = wire.read()
    assert (error["type"], error["code"], error["command"]) == ("error", code, command["command"])
    assert error["message"]
    assert wire.ask("login", username="alice", password=PASSWORD)["type"] == "login_ok"


def test_a_closed_registration_treats_all_names_alike(tmp_path: Path) -> None:
    """New names are refused, and nobody can find out which are known."""
    with running_server(tmp_path) as server, enter(server.port, "alice"):
        pass
    with running_server(tmp_path, registration="closed") as server, Wire(server.port) as wire:
        assert wire.hello["registration"] == "closed"
        for name in ("alice", "zoe"):
            assert wire.ask("login", username=name)["registered"] is True
            assert wire.ask("login", username=name, password="wrong one")["code"] == "bad_credentials"
        assert wire.ask("register", username="zoe", password=PASSWORD)["code"] == "registration_closed"
        assert wire.ask("login", username="alice", password=PASSWORD)["type"] == "login_ok"


def test_a_token_resumes(wires: Wires) -> None:
    """The token of a login lets in without the password, again and again, as itself."""
    token = wires.enter("alice").hello["token"]
    for _ in range(2):
        resumed = wires.connect().ask("resume", token=token)
        assert (resumed["type"], resumed["username"], resumed["token"]) == ("login_ok", "alice", token)


def test_the_seam_of_a_login(wires: Wires) -> None:
    """`last_id` is the newest id the user may see; later messages come live, earlier ones in missed and history."""
    alice = wires.enter("alice")
    away(wires, "bob")
    public = alice.ask("pm", message="public")["id"]
    direct = alice.ask("dm", to="bob", message="direct")["id"]
    alice.ask("dm", to="alice", message="not for bob")
    bob = wires.enter("bob")
    assert bob.hello["last_id"] == direct
    later = alice.ask("dm", to="bob", message="later")["id"]
    assert [message["id"] for message in bob.ask("missed")["messages"]] == [direct]
    assert [message["id"] for message in bob.ask("history")["messages"]] == [public]
    assert bob.ask("history", **{"with": "alice", "after": direct})["messages"][0]["id"] == later


@pytest.mark.parametrize("way", ["login", "resume"])
def test_a_login_waits_for_receipts_only_where_some_may_come(
    server: Server, wires: Wires, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """It waits once for its own joining, and once more while another session of the user does not confirm."""
    alice = wires.enter("alice", confirm=True)
    alice.read_until_pong()  # the connection thread is done with the login a moment after its reply
    waits: list[str] = []
    settle = server.delivery.settle

    def note_and_settle() -> None:
        waits.append(way)
        settle()

    monkeypatch.setattr(server.delivery, "settle", note_and_settle)

    def count() -> int:
        waits.clear()
        fields = {"login": {"username": "alice", "password": PASSWORD}, "resume": {"token": alice.hello["token"]}}[way]
        wire = wires.connect()
        assert wire.ask(way, **fields, confirm=True)["type"] == "login_ok"
        wire.read_until_pong()
        return len(waits)

    assert count() == 1
    other = wires.enter("alice")
    other.read_until_pong()
    assert count() == 2
    other.close()
    until(lambda: not server.services.receipts.are_expected(1))
    assert count() == 1


def test_a_command_behind_the_login_is_done_as_the_account(wires: Wires) -> None:
    """In one packet, the login is complete before the next command is looked at."""
    wires.enter("alice")
    wire = wires.connect()
    wire.send(
        {"command": "login", "username": "alice", "password": PASSWORD},
        {"command": "users", "ref": "u"},
        {"command": "pm", "message": "hi"},
    )
    assert [wire.read_type(kind)["type"] for kind in ("login_ok", "ack")] == ["login_ok", "ack"]


def test_a_client_keeps_its_place_only_while_its_password_is_looked_at(server: Server, wires: Wires) -> None:
    """A refused one is a stranger as before."""
    wire = wires.connect()
    assert wire.ask("login", username="alice")["type"] == "password_required"
    wires.enter("alice").read_until_pong()
    assert wire.ask("login", username="alice", password="wrong password")["code"] == "bad_credentials"
    until(lambda: not any(connection.session.is_entering for connection in server.places.connections()))


def test_a_login_has_the_message_of_the_day(tmp_path: Path) -> None:
    """Each of the three ways in; without a file there is no such field."""
    (tmp_path / "motd").write_text("Backups tonight.\n")
    with running_server(tmp_path, motd=str(tmp_path / "motd")) as server, enter(server.port, "alice") as alice:
        assert alice.hello["motd"] == "Backups tonight."
        with enter(server.port, "alice") as again, Wire(server.port) as resumed:
            assert again.hello["motd"] == "Backups tonight."
            assert resumed.ask("resume", token=alice.hello["token"])["motd"] == "Backups tonight."


def test_the_log_names_the_account_of_a_refused_login(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And no name without an account: that may be a password, typed at the wrong place."""
    caplog.set_level("INFO")
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        with Wire(server.port) as wire:
            wire.ask("login", username="Alice", password="guess")
        alice.ask("password", old="guess", new="a longer one")
    with running_server(tmp_path, registration="closed") as server, Wire(server.port) as wire:
        wire.ask("login", username="secret123", password="guess")
    refused = [text for text in caplog.messages if text.startswith("refused")]
    for text, words in zip(refused, ("login alice", "password alice", "login an unknown name"), strict=True):
        assert re.fullmatch(rf"refused {words} 127\.0\.0\.1:\d+: bad_credentials", text)
    assert "secret123" not in caplog.text


def test_a_login_with_rooms_has_what_the_account_has_there(wires: Wires) -> None:
    """Of the main room, then its rooms by name and its invitations; `last_id` is that of all of them."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob")
    for room in ("dev", "ops", "zoo"):
        alice.ask("create", room=room, topic=f"about {room}", private=room == "dev")
    alice.ask("moderate", room="dev", username="bob", action="invite")
    bob.ask("join", room="ops")
    bob.ask("pm", message="hi")
    newest = alice.ask("pm", room="ops", message="hi")["id"]
    alice.ask("pm", room="zoo", message="not for bob")
    alice.ask("moderate", room="ops", username="bob", action="mute", minutes=5)
    hello = wires.enter("bob", rooms=True).hello
    told = {key: hello[key] for key in ("role", "topic", "read_id", "last_id", "unread")}
    assert told == {"role": "member", "topic": "", "read_id": 0, "last_id": newest, "unread": 0}
    dev, ops = hello["rooms"]
    assert dev.pop("created") <= ops.pop("created")
    assert dev == {"room": "dev", "topic": "about dev", "private": True, "members": 1, "invited": True}
    ends = ops.pop("muted_until")
    assert ends > hello["time"]
    assert ops == {
        "room": "ops",
        "topic": "about ops",
        "private": False,
        "role": "member",
        "members": 2,
        "unread": 1,
        "read_id": 0,
        "muted": True,
    }


def test_a_login_without_rooms_is_as_ever(wires: Wires) -> None:
    """Nothing of rooms stands in it, and the seam is that of the main room and the talks."""
    alice = wires.enter("alice", rooms=True)
    alice.ask("create", room="ops")
    public = alice.ask("pm", message="hi")["id"]
    alice.ask("pm", room="ops", message="hi")
    hello = wires.enter("alice").hello
    assert hello.keys() == {"type", "username", "users", "missed", "unread", "last_id", "token", "time"}
    assert hello["last_id"] == public


def test_a_session_that_knows_rooms_confirms(wires: Wires) -> None:
    """What it was sent is not seen by that."""
    alice, bob = wires.enter("alice"), wires.enter("bob", rooms=True)
    alice.ask("dm", to="bob", message="hi")
    bob.read_type("direct")
    bob.ask("ex")
    bob.read_to_end()
    assert wires.enter("bob", rooms=True).hello["missed"] == 1


def test_a_session_is_told_of_its_rooms_from_its_login_on(wires: Wires) -> None:
    """Also of those that another session has entered before."""
    alice = wires.enter("alice", rooms=True)
    alice.ask("create", room="ops")
    other = wires.enter("alice", rooms=True)
    alice.ask("pm", room="ops", message="hi")
    assert other.read_type("broadcast")["room"] == "ops"


@pytest.mark.parametrize("way", ["register", "login"])
def test_a_token_lives_as_long_as_was_asked(wires: Wires, clock: FrozenDateTimeFactory, way: str) -> None:
    """Each resume gives it as long again; with 0 there is none."""
    if way == "login":
        wires.enter("alice")
    asked = {"username": "alice", "password": PASSWORD}
    token = wires.connect().ask(way, **asked, lifetime=60)["token"]
    for _ in range(3):
        clock.tick(59)
        assert wires.connect().ask("resume", token=token)["token"] == token
    clock.tick(60)
    assert wires.connect().ask("resume", token=token)["code"] == "bad_token"
    assert "token" not in wires.connect().ask("login", **asked, lifetime=0)


def test_who_is_banned_from_the_main_room_does_not_get_in(
    server: Server, wires: Wires, clock: FrozenDateTimeFactory
) -> None:
    """Told with the right password only, and until when; tokens have ended; nobody registers a banned name."""
    token = wires.enter("alice").hello["token"]
    storage = server.services.storage
    for name in ("alice", "zoe"):
        act(storage, None, name, "ban", until=format_time(utcnow() + timedelta(seconds=90)))
    door = wires.connect()
    for command, fields, code in (
        ("login", {"username": "alice", "password": PASSWORD}, "banned"),
        ("login", {"username": "alice", "password": "wrong password"}, "bad_credentials"),
        ("resume", {"token": token}, "bad_token"),
        ("register", {"username": "zoe", "password": PASSWORD}, "banned"),
    ):
        refused = door.ask(command, **fields)
        assert refused["code"] == code
        assert refused.get("retry_after") == (90 if code == "banned" else None)
    clock.tick(90)
    assert wires.enter("alice").hello["type"] == wires.enter("zoe").hello["type"] == "login_ok"
    act(storage, None, "alice", "ban")
    assert "retry_after" not in door.ask("login", username="alice", password=PASSWORD)


def test_a_session_may_ask_who_came_and_went_in_place_of_lists(wires: Wires) -> None:
    """It is told of changes, by the state that names have then; others get lists as ever."""
    alice, old = wires.enter("alice", presence="changes"), wires.enter("old")
    assert alice.hello["users"] == ["alice"]
    bob = wires.enter("bob")
    present: set[str] = set(alice.hello["users"])
    while present != {"alice", "bob", "old"}:
        event = alice.read()
        assert event["type"] == "presence"
        present = (present | set(event["arrived"])) - set(event["left"])
    assert event["online"] == 3
    bob.ask("ex")
    while "bob" not in (event := alice.read_type("presence"))["left"]:
        pass
    assert event["online"] == 2
    read_users(old, "alice", "old")


def test_logins_take_turns(server: Server, wires: Wires) -> None:
    """One that finds all places taken waits: it holds nothing that it is to be told yet."""
    services = server.services
    wire = wires.connect()
    with ExitStack() as others:
        for _ in range(LOGINS_AT_ONCE):
            others.enter_context(services.logins.turn(Origin("192.0.2.1", "192.0.2.1"), ""))
        wire.send({"command": "register", "username": "alice", "password": PASSWORD})
        until(lambda: services.logins.waiting)
        assert services.storage.find_user("alice") is None
    assert wire.read()["type"] == "login_ok"
