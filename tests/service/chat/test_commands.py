"""service/chat/commands.py and service/chat/session.py: each row of the protocol's tables, over a real connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.config import Settings
from tests.support.helpers import PASSWORD, Line, Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.server import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server with an empty database."""
    with running_server(tmp_path) as server:
        yield server


@pytest.fixture
def wires(server: Server) -> Iterator[Wires]:
    """Clients of that server, closed at the end."""
    wires = Wires(server.port)
    yield wires
    wires.close()


class Wires:
    """Opens clients and closes them all."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: list[Wire] = []

    def connect(self) -> Wire:
        self._open.append(Wire(self.port))
        return self._open[-1]

    def enter(self, name: str, **fields: Any) -> Wire:
        self._open.append(enter(self.port, name, **fields))
        return self._open[-1]

    def close(self) -> None:
        for wire in self._open:
            wire.close()


def said(lines: list[Line]) -> list[tuple[str, int]]:
    return [(line["message"], line["id"]) for line in lines if line["type"] in ("broadcast", "direct")]


# -- before login -----------------------------------------------------------------------------------------------------
def test_the_greeting_says_what_the_service_allows(wires: Wires) -> None:
    """The first line tells the protocol, the name, the version, whether one may register, and the limits."""
    hello = wires.connect().hello
    assert hello | {"version": "x"} == {
        "type": "hello",
        "protocol": 1,
        "server": "chat",
        "version": "x",
        "registration": "open",
        "max_line": 65536,
        "max_message": 4096,
    }


def test_the_greeting_says_whom_to_ask(tmp_path: Path) -> None:
    """If the operator has said so; it is the way out for who forgot a password."""
    with running_server(tmp_path, contact="the office, room 7") as server, Wire(server.port) as wire:
        assert wire.hello["contact"] == "the office, room 7"


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


# -- messages ---------------------------------------------------------------------------------------------------------
def test_the_assignments_examples_work_as_they_stand(wires: Wires) -> None:
    """An extra `type` and unknown fields do not matter; a broadcast has the sender and the text."""
    bob = wires.enter("bob", password="securepassword")
    alice = wires.connect()
    alice.send({"type": "command", "command": "register", "username": "alice", "password": "securepassword"})
    assert alice.read()["type"] == "login_ok"
    bob.send({"type": "command", "command": "pm", "message": "Hello, everyone!"})
    broadcast = alice.read_type("broadcast")
    assert {key: broadcast[key] for key in ("from", "message")} == {"from": "bob", "message": "Hello, everyone!"}


def test_the_two_step_form(wires: Wires) -> None:
    """`pm` and `dm` without a text are answered with `ready`, `dm` with who is online."""
    alice, _ = wires.enter("alice"), wires.enter("bob")
    assert alice.ask("pm") == {"type": "ready", "command": "pm"}
    assert alice.ask("dm") == {"type": "ready", "command": "dm", "users": ["alice", "bob"]}
    assert alice.ask("dm", to="bob") == {"type": "ready", "command": "dm", "users": ["alice", "bob"]}


def test_a_public_message_reaches_everyone_else(wires: Wires) -> None:
    """Every other session gets it, her own other one too; her own gets the ack."""
    alice, again, bob = wires.enter("alice"), wires.enter("alice"), wires.enter("bob")
    ack = alice.ask("pm", message="hi", nonce="n1")
    assert ack == {"type": "ack", "command": "pm", "id": 1, "time": ack["time"], "nonce": "n1"}
    expected = {"type": "broadcast", "id": 1, "time": ack["time"], "from": "alice", "message": "hi"}
    assert bob.read_until_pong() == [expected] == again.read_until_pong()
    assert alice.read_until_pong() == []


def test_a_direct_message_reaches_both_sides_and_nobody_else(wires: Wires) -> None:
    """Every session of the recipient and the sender's other ones get it."""
    alice, again, bob, carol = (wires.enter(name) for name in ("alice", "alice", "bob", "carol"))
    ack = alice.ask("dm", to="Bob", message="hi", nonce="n2")
    assert ack | {"time": ""} == {
        "type": "ack",
        "command": "dm",
        "id": 1,
        "time": "",
        "to": "bob",
        "status": "delivered",
        "nonce": "n2",
    }
    expected = {"type": "direct", "id": 1, "time": ack["time"], "from": "alice", "to": "bob", "message": "hi"}
    assert bob.read_until_pong() == [expected] == again.read_until_pong()
    assert alice.read_until_pong() == [] == carol.read_until_pong()


def test_a_direct_message_to_someone_away_is_stored(wires: Wires) -> None:
    """Its ack says so, and it waits."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    bob.ask("ex")
    assert bob.read_to_end() == []
    assert alice.ask("dm", to="bob", message="hi")["status"] == "stored"
    assert wires.enter("bob").hello["missed"] == 1


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


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"nonsense\n", "bad_json"),
        (b"[1,2]\n", "bad_request"),
        (b'{"command":"dance"}\n', "unknown_command"),
        (b"{}\n", "bad_request"),
        (b"\xff\xfe\n", "bad_json"),
        (b"[" * 8_000 + b"\n", "bad_json"),
        (b"x" * 65_537 + b"\n", "line_too_long"),
    ],
)
def test_a_line_that_is_no_command(wires: Wires, data: bytes, code: str) -> None:
    """It is answered with one error, and the next line works."""
    wire = wires.connect()
    wire.send_bytes(data)
    assert [line["code"] for line in wire.read_until_pong()] == [code]


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


def test_a_nonce_makes_a_retry_safe(wires: Wires) -> None:
    """Twins in one packet, and a retry over another connection, give one id, one message and one delivery."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    twin = {"command": "pm", "message": "once", "nonce": "n"}
    alice.send(twin, twin)
    first, second = alice.read_type("ack"), alice.read_type("ack")
    again = wires.enter("alice").ask("pm", message="once", nonce="n")
    assert first == second == again
    assert said(bob.read_until_pong()) == [("once", first["id"])]
    assert alice.ask("pm", message="other", nonce="n")["code"] == "nonce_reused"
    assert alice.ask("dm", to="bob", message="once", nonce="n")["code"] == "nonce_reused"
    assert len(bob.ask("history")["messages"]) == 1


def test_what_a_client_claims_is_ignored(wires: Wires) -> None:
    """`from`, `id` and `time` are the service's to give."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("pm", **{"message": "hi", "from": "bob", "id": 99, "time": "2000-01-01T00:00:00.000Z"})
    line = bob.read_type("broadcast")
    assert (line["from"], line["id"]) == ("alice", 1)
    assert not line["time"].startswith("2000")


# -- what was missed and seen -----------------------------------------------------------------------------------------
def away(wires: Wires, name: str, **fields: Any) -> None:
    """Registers a name and leaves."""
    wire = wires.enter(name, **fields)
    wire.ask("ex")
    wire.read_to_end()


def test_missed_messages_are_fetched_once(wires: Wires) -> None:
    """Oldest first, page by page; a client that does not confirm has seen what it was sent."""
    alice = wires.enter("alice")
    away(wires, "bob")
    ids = [alice.ask("dm", to="bob", message=f"{n}")["id"] for n in range(5)]
    bob = wires.enter("bob")
    pages = [bob.ask("missed", limit=2) for _ in range(4)]
    assert [[message["id"] for message in page["messages"]] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert [page["more"] for page in pages] == [True, True, False, False]
    assert pages[0]["messages"][0] | {"time": ""} == {
        "id": ids[0],
        "time": "",
        "from": "alice",
        "to": "bob",
        "message": "0",
    }


def test_without_confirm_a_live_message_is_seen_and_an_older_one_stays_missed(wires: Wires) -> None:
    """What was written to her counts as seen; what she has not fetched does not."""
    alice = wires.enter("alice")
    away(wires, "bob")
    alice.ask("dm", to="bob", message="while away")
    bob = wires.enter("bob")
    alice.ask("dm", to="bob", message="live")
    assert bob.read_type("direct")["message"] == "live"
    bob.ask("ex")
    bob.read_to_end()
    bob = wires.enter("bob")
    assert [message["message"] for message in bob.ask("missed")["messages"]] == ["while away"]


def test_with_confirm_a_message_stays_missed_until_it_is_seen(wires: Wires) -> None:
    """Neither live delivery nor fetching marks it; `seen` does, for exactly what it names."""
    alice = wires.enter("alice")
    bob = wires.enter("bob", confirm=True)
    ids = [alice.ask("dm", to="bob", message=f"{n}")["id"] for n in range(3)]
    assert [m["id"] for m in bob.ask("missed")["messages"]] == ids == [m["id"] for m in bob.ask("missed")["messages"]]
    assert bob.ask("seen", ids=[ids[1], 999]) == {"type": "ack", "command": "seen", "ids": [ids[1], 999]}
    assert wires.enter("bob", confirm=True).hello["missed"] == 2
    assert bob.ask("seen", id=ids[2]) == {"type": "ack", "command": "seen", "id": ids[2]}
    assert wires.enter("bob", confirm=True).hello["missed"] == 0


def test_a_stranger_cannot_mark_or_read(wires: Wires) -> None:
    """Ids of others' direct messages change nothing, and no command shows them."""
    alice = wires.enter("alice")
    away(wires, "bob")
    secret = alice.ask("dm", to="bob", message="secret word")["id"]
    carol = wires.enter("carol")
    assert carol.hello["last_id"] == 0
    carol.ask("seen", ids=[secret])
    carol.ask("seen", id=secret)
    pages = [carol.ask("history"), carol.ask("history", **{"with": "bob"}), carol.ask("missed")]
    pages += [carol.ask("search", query="secret"), carol.ask("search", query="secret", **{"with": "alice"})]
    assert [page["messages"] for page in pages] == [[]] * 5
    assert wires.enter("bob").hello["missed"] == 1


def test_unread_counts_public_messages_after_the_marker(wires: Wires) -> None:
    """With confirm the marker moves by `seen` alone, never back, and an id beyond the newest counts as the newest."""
    alice = wires.enter("alice")
    away(wires, "bob", confirm=True)
    ids = [alice.ask("pm", message=f"{n}")["id"] for n in range(4)]

    def unread() -> int:
        wire = wires.enter("bob", confirm=True)
        return int(wire.hello["unread"])

    assert unread() == 4
    bob = wires.enter("bob", confirm=True)
    for seen, left in ((ids[1], 2), (ids[0], 2), (10**6, 0)):
        bob.ask("seen", id=seen)
        assert unread() == left
    alice.ask("pm", message="later")
    assert unread() == 1


def test_without_confirm_a_live_broadcast_moves_the_marker(wires: Wires) -> None:
    """What was written whole to her counts as read."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    alice.ask("pm", message="live")
    bob.read_type("broadcast")
    bob.ask("ex")
    bob.read_to_end()
    assert wires.enter("bob").hello["unread"] == 0


def test_the_seam_of_a_login(wires: Wires) -> None:
    """`last_id` is the newest id she may see; later messages come live, earlier ones are in missed and history."""
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


def test_a_note_to_self_waits(wires: Wires) -> None:
    """One may write to oneself: other sessions get it live, and without one it is missed at the next login."""
    alice, again = wires.enter("alice"), wires.enter("alice")
    note = alice.ask("dm", to="alice", message="milk")
    assert note["status"] == "delivered"
    assert said(again.read_until_pong()) == [("milk", note["id"])]


# -- pages ------------------------------------------------------------------------------------------------------------
def test_history_of_the_room_and_of_a_talk(wires: Wires) -> None:
    """Oldest first, with the partner's name for a talk, and `more` in the direction asked."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    public = [alice.ask("pm", message=f"{n}")["id"] for n in range(3)]
    direct = [wire.ask("dm", to=to, message="x")["id"] for wire, to in ((alice, "bob"), (bob, "alice"))]
    room = bob.ask("history", limit=2)
    assert (room["type"], [m["id"] for m in room["messages"]], room["more"]) == ("history", public[1:], True)
    assert "with" not in room
    assert "to" not in room["messages"][0]
    ahead = bob.ask("history", after=0, limit=2)
    assert ([m["id"] for m in ahead["messages"]], ahead["more"]) == (public[:2], True)
    back = bob.ask("history", before=public[1])
    assert ([m["id"] for m in back["messages"]], back["more"]) == (public[:1], False)
    talk = alice.ask("history", **{"with": "BOB"})
    assert (talk["with"], [m["id"] for m in talk["messages"]], talk["more"]) == ("bob", direct, False)
    assert [m["to"] for m in talk["messages"]] == ["bob", "alice"]


def test_a_page_is_cut_to_the_longest_line(wires: Wires) -> None:
    """Large messages come fewer to a page, with `more`, and none is passed over."""
    alice = wires.enter("alice")
    ids = [alice.ask("pm", message="x" * 4096)["id"] for _ in range(40)]
    collected: list[int] = []
    before = 10**6
    while True:
        alice.send({"command": "history", "limit": 200, "before": before})
        page = alice.read_type("history")
        assert len(str(page)) < 65_536
        collected = [m["id"] for m in page["messages"]] + collected
        if not page["more"]:
            break
        before = collected[0]
    assert collected == ids


def test_search_finds_what_was_just_said(wires: Wires) -> None:
    """Newest first, by word beginnings, in what she may read; `with` and `before` narrow it."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    public = alice.ask("pm", message="we Deploy at nine")["id"]
    direct = alice.ask("dm", to="bob", message="déployé")["id"]
    found = bob.ask("search", query="deploy")
    assert (found["type"], found["query"], found["more"]) == ("search", "deploy", False)
    assert [m["id"] for m in found["messages"]] == [direct, public]
    assert [m["id"] for m in bob.ask("search", query="deploy", before=direct)["messages"]] == [public]
    narrowed = bob.ask("search", query="deploy", **{"with": "Alice"})
    assert (narrowed["with"], [m["id"] for m in narrowed["messages"]]) == ("alice", [direct])
    assert bob.ask("search", query='"* OR (')["messages"] == []


# -- password ---------------------------------------------------------------------------------------------------------
def test_a_password_change_ends_what_the_old_one_opened(wires: Wires) -> None:
    """Her other sessions get `bye password_changed`, tokens are void, the new password works and the old does not."""
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


# -- limits of this service -------------------------------------------------------------------------------------------
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


def test_a_failure_of_ours_is_answered_and_logged(
    wires: Wires, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a command is `internal` with an incident id that the log has too; the connection goes on."""
    alice = wires.enter("alice")
    monkeypatch.setattr("service.storage.sqlite.messages.history_page", lambda *_: 1 / 0)
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


def test_the_defaults_are_the_protocols() -> None:
    """What the wire announces by default is what the protocol promises."""
    settings = Settings()
    assert (settings.max_line, settings.max_message, settings.min_password) == (65_536, 4_096, 8)
