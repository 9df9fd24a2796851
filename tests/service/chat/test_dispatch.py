"""service/chat/dispatch.py: which command is done when, in which order, and how every failure becomes an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.chat.dispatch import COMMANDS, Dispatcher
from service.config import POSTS_AT_ONCE
from service.wire import protocol
from tests.support.helpers import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.server import Server
    from service.storage.contract import Write
    from service.storage.records import Post
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("name", ["pm", "dm", "users", "missed", "seen", "history", "search", "password"])
def test_most_commands_need_a_login(wires: Wires, name: str) -> None:
    """Before login they are refused, whatever their fields."""
    fields = {"query": "x", "old": "x", "new": "x", "message": "x", "to": "bob"}
    assert wires.connect().ask(name, **fields)["code"] == "not_logged_in"


@pytest.mark.parametrize("name", ["login", "register", "resume"])
def test_nobody_logs_in_twice_over_one_connection(wires: Wires, name: str) -> None:
    """A second login is refused and changes nothing."""
    alice = wires.enter("alice")
    assert alice.ask(name, username="bob", password=PASSWORD, token="x")["code"] == "already_logged_in"
    assert alice.ask("users")["users"] == ["alice"]


def test_ping_and_ex_work_before_login(wires: Wires) -> None:
    """Anyone may ask for a sign of life, and leave."""
    wire = wires.connect()
    assert wire.ask("ping")["type"] == "pong"
    assert wire.ask("ex") == {"type": "bye", "reason": "exit"}
    assert wire.read_to_end() == []


def test_replies_come_in_the_order_of_the_commands(wires: Wires) -> None:
    """Also when they are sent in one packet, messages and others mixed."""
    alice = wires.enter("alice")
    alice.read_until_pong()
    commands = [("pm", {"message": "1"}), ("ping", {}), ("pm", {"message": ""}), ("pm", {"message": "2"})]
    commands += [("history", {}), ("users", {}), ("dm", {}), ("dm", {"to": "alice", "message": "3"}), ("ex", {})]
    alice.send(*({"command": name, "ref": f"{n}", **fields} for n, (name, fields) in enumerate(commands)))
    replies = [line for line in alice.read_to_end() if "ref" in line]
    assert [line["ref"] for line in replies] == [f"{n}" for n in range(len(commands))]
    assert [message["message"] for message in replies[4]["messages"]] == ["1", "2"]


def test_a_failure_of_ours_is_answered_and_logged(
    server: Server, wires: Wires, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a command is `internal` with an incident id that the log has too; the connection goes on."""
    alice = wires.enter("alice")
    monkeypatch.setattr(server.services.storage, "history_page", lambda *_: 1 / 0)
    error = alice.ask("history")
    assert (error["code"], error["command"]) == ("internal", "history")
    assert error["message"].rpartition(" ")[2] in caplog.text
    assert alice.ask("ping")["type"] == "pong"


def test_no_secret_reaches_the_log(wires: Wires, caplog: pytest.LogCaptureFixture) -> None:
    """Logins, refusals, messages and password changes leave no password, token or text in it."""
    caplog.set_level("DEBUG")
    alice = wires.enter("alice", password="Secret-One")
    alice.ask("pm", message="Secret-Two")
    alice.ask("dm", to="zoe", message="Secret-Three")
    alice.ask("password", old="Secret-Four", new="Secret-Five")
    wires.connect().ask("resume", token="Secret-Six")
    alice.send_bytes(b'{"command":"pm","message":"Secret-Seven"\n')
    alice.read_until_pong()
    assert "login alice" in caplog.text
    assert "Secret" not in caplog.text
    assert alice.hello["token"] not in caplog.text


def test_every_command_of_the_protocol_is_in_the_table() -> None:
    """And no other."""
    assert set(COMMANDS) == set(protocol.AnyCommand.__args__)


@pytest.fixture
def dispatcher(server: Server, wires: Wires) -> Dispatcher:
    """That of a client that is logged in and says nothing, so that the test may speak for it."""
    wires.enter("alice").read_until_pong()
    (connection,) = server.places.connections()
    return connection._dispatcher


def test_messages_go_to_the_writer_together(
    server: Server, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end of a receive, as many as one insert takes, or before a command that is no message."""
    sizes: list[int] = []
    store = server.services.storage.store_posts

    def note_and_store(sender_id: int, posts: Sequence[Post], **callbacks: Any) -> Write[Any]:
        sizes.append(len(posts))
        return store(sender_id, posts, **callbacks)

    monkeypatch.setattr(server.services.storage, "store_posts", note_and_store)
    for _ in range(POSTS_AT_ONCE + 2):
        dispatcher.handle(protocol.Pm(message="hi"), 30)
    assert sizes == [POSTS_AT_ONCE]
    dispatcher.submit_posts()
    dispatcher.submit_posts()
    assert sizes == [POSTS_AT_ONCE, 2]
    for command in (protocol.Ping(), protocol.Pm(), protocol.Dm(), protocol.Seen(id=0), protocol.Pm(message="")):
        dispatcher.handle(protocol.Pm(message="hi"), 30)
        dispatcher.handle(command, 30)
    assert sizes == [POSTS_AT_ONCE, 2, 1, 1, 1, 1, 1]


def test_the_end_of_a_session_submits_what_was_taken(server: Server, dispatcher: Dispatcher) -> None:
    """What was accepted is stored, also when the client is gone before the end of the receive."""
    dispatcher.handle(protocol.Pm(message="last words"), 30)
    dispatcher.end()
    storage = server.services.storage
    assert [message.body for message in storage.history_page(None, None, None, 9).messages] == ["last words"]
    storage.release()


@pytest.mark.parametrize(
    "command",
    [
        {"command": "seen", "id": 0},
        {"command": "seen", "ids": [1]},
        {"command": "ping"},
        {"command": "users"},
        {"command": "pm"},
        {"command": "dm"},
        {"command": "dm", "message": "to nobody"},
        {"command": "missed"},
        {"command": "search", "query": "x"},
        {"command": "password", "old": PASSWORD, "new": "battery staple"},
        {"command": "login", "username": "alice"},
        {"command": "no such"},
    ],
    ids=lambda command: " ".join(map(str, command.values())),
)
def test_no_reply_overtakes_the_ack_of_a_message(wires: Wires, command: dict[str, object]) -> None:
    """A message and any other command in one packet are answered in this order."""
    alice = wires.enter("alice")
    alice.send({"command": "pm", "message": "hi", "ref": "1"}, {**command, "ref": "2"})
    refs: list[str] = []
    while len(refs) < 2:
        refs += [line["ref"]] if "ref" in (line := alice.read()) else []
    assert refs == ["1", "2"]
