"""service/chat/commands.py: what each command does after the login, over a real connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import PASSWORD, Wire, running_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.helpers import Line
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_the_two_step_form(wires: Wires) -> None:
    """`pm` and `dm` without a text are answered with `ready`, `dm` with who is online."""
    alice, _ = wires.enter("alice"), wires.enter("bob")
    assert alice.ask("pm") == {"type": "ready", "command": "pm"}
    assert alice.ask("dm") == {"type": "ready", "command": "dm", "users": ["alice", "bob"]}
    assert alice.ask("dm", to="bob") == {"type": "ready", "command": "dm", "users": ["alice", "bob"]}


REFUSED_MESSAGES: list[tuple[Line, str]] = [
    ({"command": "pm", "message": ""}, "empty_message"),
    ({"command": "pm", "message": "x" * 4097}, "message_too_long"),
    ({"command": "pm", "message": "a\0b"}, "bad_request"),
    ({"command": "pm", "message": None}, "bad_request"),
    ({"command": "pm", "message": "x", "nonce": "n" * 65}, "bad_request"),
    ({"command": "pm", "message": "x", "nonce": 5}, "bad_request"),
    ({"command": "dm", "message": "x"}, "bad_request"),
    ({"command": "dm", "to": "zoe", "message": "x"}, "unknown_user"),
    ({"command": "dm", "to": "no such name", "message": "x"}, "unknown_user"),
    ({"command": "dm", "to": "bob", "message": ""}, "empty_message"),
    ({"command": "history", "limit": 0}, "bad_request"),
    ({"command": "history", "limit": 201}, "bad_request"),
    ({"command": "history", "before": -1}, "bad_request"),
    ({"command": "history", "after": 2**63}, "bad_request"),
    ({"command": "history", "with": "zoe"}, "unknown_user"),
    ({"command": "missed", "limit": 10**9}, "bad_request"),
    ({"command": "search"}, "bad_request"),
    ({"command": "search", "query": "x", "with": "zoe"}, "unknown_user"),
    ({"command": "seen"}, "bad_request"),
    ({"command": "seen", "id": 1, "ids": [1]}, "bad_request"),
    ({"command": "seen", "ids": []}, "bad_request"),
    ({"command": "seen", "ids": [1] * 201}, "bad_request"),
    ({"command": "seen", "id": 2**63}, "bad_request"),
    ({"command": "password", "old": "wrong one", "new": "long enough"}, "bad_credentials"),
    ({"command": "password", "old": PASSWORD, "new": "short"}, "weak_password"),
]


@pytest.mark.parametrize(("command", "code"), REFUSED_MESSAGES)
def test_what_cannot_be_done_is_told_and_changes_nothing(wires: Wires, command: Line, code: str) -> None:
    """The error has its code, the command and its ref; nothing is stored or sent, and the connection goes on."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.send({"ref": "r", **command})
    error = alice.read_type("error")
    assert (error["code"], error["command"], error["ref"]) == (code, command["command"], "r")
    assert alice.ask("history")["messages"] == []
    assert bob.read_until_pong() == []


def test_the_longest_text_in_its_longest_form_fits(wires: Wires) -> None:
    """4,096 characters arrive as they were sent, also when each was escaped or takes four bytes."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    text = "😀" * 4096
    assert alice.ask("pm", message=text)["type"] == "ack"
    assert bob.read_type("broadcast")["message"] == text
    assert bob.ask("history")["messages"][0]["message"] == text


def test_text_is_sent_as_it_came(wires: Wires) -> None:
    """Line ends, control and bidi characters, quotes: each in one line of the wire, unchanged."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    text = ' \n\r\t\x1b[31m\x85\u2028\u202e"\\\x7f\U000e0041e\u0301 '
    alice.ask("pm", message=text)
    alice.ask("dm", to="bob", message=text)
    assert [line["message"] for line in bob.read_until_pong()] == [text, text]
    assert bob.ask("missed")["messages"] == []


def test_a_password_change_ends_what_the_old_one_opened(wires: Wires) -> None:
    """Other sessions get `bye password_changed`, tokens are void, the new password works and the old does not."""
    alice, other, bob = wires.enter("alice"), wires.enter("alice"), wires.enter("bob")
    assert alice.ask("password", old=PASSWORD, new="battery staple") == {"type": "ack", "command": "password"}
    assert other.read_to_end()[-1] == {"type": "bye", "reason": "password_changed"}
    assert alice.ask("pm", message="still here")["type"] == "ack"
    assert bob.read_type("broadcast")["message"] == "still here"
    door = wires.connect()
    for token in (alice.hello["token"], other.hello["token"]):
        assert door.ask("resume", token=token)["code"] == "bad_token"
    assert door.ask("login", username="alice", password=PASSWORD)["code"] == "bad_credentials"
    assert door.ask("login", username="alice", password="battery staple")["type"] == "login_ok"


def test_the_limits_are_settings(tmp_path: Path) -> None:
    """Message, line and password lengths hold at their edges, and the greeting tells the first two."""
    with running_server(tmp_path, max_message=5, max_line=600, min_password=3) as server, Wire(server.port) as wire:
        assert (wire.hello["max_message"], wire.hello["max_line"]) == (5, 600)
        assert wire.ask("register", username="alice", password="12")["code"] == "weak_password"
        assert wire.ask("register", username="alice", password="123")["type"] == "login_ok"
        assert wire.ask("pm", message="12345")["type"] == "ack"
        assert wire.ask("pm", message="123456")["code"] == "message_too_long"
        ping = b'{"command":"ping"}'
        wire.send_bytes(ping.ljust(600) + b"\n" + ping.ljust(600) + b"\r\n" + ping.ljust(601) + b"\n")
        assert [line["type"] for line in wire.read_until_pong()] == ["pong", "pong", "error"]


def test_a_kind_comes_with_the_message(wires: Wires) -> None:
    """Live, in pages and in missed ones; a text has none, whether it says so or not."""
    alice, bob = wires.enter("alice"), wires.enter("bob", confirm=True)
    for kind in ("action", "notice"):
        alice.ask("pm", message="waves", kind=kind)
        assert bob.read_type("broadcast")["kind"] == kind
        alice.ask("dm", to="bob", message="waves", kind=kind)
        assert bob.read_type("direct")["kind"] == kind
    alice.ask("pm", message="hi", kind="text")
    assert "kind" not in bob.read_type("broadcast")
    public, direct = bob.ask("history")["messages"], bob.ask("missed")["messages"]
    assert [row.get("kind") for row in public] == ["action", "notice", None]
    assert [row.get("kind") for row in direct] == ["action", "notice"]
    assert bob.ask("search", query="waves")["messages"][0]["kind"] == "notice"


def test_a_retry_has_the_same_kind(wires: Wires) -> None:
    """Another one is another message; `text` is as none."""
    alice = wires.enter("alice")
    first = alice.ask("pm", message="waves", kind="action", nonce="n")
    assert alice.ask("pm", message="waves", kind="action", nonce="n") == first
    assert alice.ask("pm", message="waves", nonce="n")["code"] == "nonce_reused"
    plain = alice.ask("pm", message="hi", nonce="m")
    assert alice.ask("pm", message="hi", kind="text", nonce="m") == plain


def test_a_quiet_session_announces_nobody(wires: Wires) -> None:
    """It sends and receives; what goes to it is stored for the account, and missed until it is confirmed."""
    alice, cron = wires.enter("alice"), wires.enter("cron", quiet=True)
    assert alice.ask("users")["users"] == ["alice"]
    cron.ask("pm", message="the disk is full")
    assert alice.read_type("broadcast")["from"] == "cron"
    assert alice.ask("dm", to="cron", message="thanks")["status"] == "stored"
    assert cron.read_type("direct")["message"] == "thanks"
    wires.enter("alice", quiet=True)
    assert alice.ask("dm", to="alice", message="milk")["status"] == "stored"
    assert cron.ask("dm", to="alice", message="hi")["status"] == "delivered"
    assert [row["message"] for row in cron.ask("missed")["messages"]] == ["thanks"]
    assert alice.ask("users")["users"] == ["alice"]


def test_a_logout_ends_the_token_and_all_that_came_by_it(wires: Wires) -> None:
    """Sessions of another token go on."""
    alice, other = wires.enter("alice"), wires.enter("alice")
    token = alice.hello["token"]
    resumed = wires.connect()
    assert resumed.ask("resume", token=token)["type"] == "login_ok"
    alice.send({"command": "logout", "ref": "r"})
    assert alice.read_to_end()[-1] == {"type": "bye", "reason": "logout", "ref": "r"}
    assert resumed.read_to_end()[-1] == {"type": "bye", "reason": "logout"}
    assert wires.connect().ask("resume", token=token)["code"] == "bad_token"
    assert other.ask("pm", message="still here")["type"] == "ack"


def test_a_logout_without_a_token_ends_this_session(wires: Wires) -> None:
    """Others without one go on; what was sent before is stored."""
    wires.enter("alice")
    one, another = wires.enter("alice", lifetime=0), wires.enter("alice", lifetime=0)
    one.send({"command": "pm", "message": "last"}, {"command": "logout"})
    assert [line["type"] for line in one.read_to_end() if line["type"] != "users"] == ["ack", "bye"]
    assert another.ask("history")["messages"][0]["message"] == "last"


def test_a_message_for_a_room_that_was_made_anew_is_not_said(wires: Wires) -> None:
    """Nor one for a room whose name is now the main room's, or that forgot its room: each could be meant elsewhere."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    created = alice.ask("create", room="ops")["created"]
    assert alice.ask("pm", room="ops", created=created, message="hi")["type"] == "ack"
    for where in ({"room": "ops", "created": "another"}, {"room": "all", "created": created}, {"created": created}):
        assert alice.ask("pm", **where, message="secret")["code"] == "unknown_room"
    assert bob.read_until_pong() == []
    assert alice.ask("pm", room="ops") == {"type": "ready", "command": "pm"}
