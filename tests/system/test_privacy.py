"""What one user can learn of two others' direct messages, or pretend to be: nothing. And where no secret may stand."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from service.accounts.authentication import NewToken
from service.storage.records import Message, Post, User
from service.wire import protocol
from tests.support.doors import at
from tests.support.engines import POSTGRES, select
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Line, Process, Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.doors import Door

pytestmark = pytest.mark.engines
SECRETS: Final = ("correct horse", "battery staple", "wrong guess", "between us only")
NEW_PASSWORD: Final = SECRETS[1]


def dump(path: Path) -> list[tuple[Any, ...]]:
    """All that is stored about messages, and what each user has seen and read."""
    users = "SELECT id, name, read_id, direct_id FROM user WHERE name != 'mallory' ORDER BY id"
    markers = [
        "SELECT id, name, read_id FROM marker JOIN \"user\" ON id = user_id WHERE name <> 'mallory' ORDER BY id",
        "SELECT * FROM unseen ORDER BY recipient_id, id",
        "SELECT * FROM seen ORDER BY id",
    ]
    queries = ["SELECT * FROM message ORDER BY id", *(markers if POSTGRES else [users])]
    return [row for query in queries for row in select(path, query)]


# -- forgery ----------------------------------------------------------------------------------------------------------
FORGED: Final = {"from": "bob", "sender": "bob", "id": 4_711, "time": "1999-01-01T00:00:00.000Z", "type": "broadcast"}


@pytest.mark.parametrize("fields", [{"command": "pm"}, {"command": "dm", "to": "bob"}])
def test_who_wrote_and_when_is_the_services_word(tmp_path: Path, fields: Line) -> None:
    """What a client says of sender, id, time and type is ignored, live and stored."""
    with running_server(tmp_path) as server, enter(server.port, "mallory") as mallory, enter(server.port, "bob") as bob:
        ack = mallory.ask(**{**FORGED, **fields}, message="hi")
        kind = "broadcast" if fields["command"] == "pm" else "direct"
        message = bob.read_type(kind)
        assert (message["from"], message["id"], message["time"]) == ("mallory", 1, ack["time"])
        assert ack["time"] > "2000"
        (stored,) = bob.ask("history", **({} if kind == "broadcast" else {"with": "mallory"}))["messages"]
        assert stored == {key: value for key, value in message.items() if key != "type"}


def test_a_forged_sender_marks_nothing_as_seen_for_another(tmp_path: Path) -> None:
    """`seen` counts for who says it, whatever name stands in it."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        with enter(server.port, "bob", confirm=True), enter(server.port, "mallory") as mallory:
            sent = alice.ask("dm", to="bob", message=SECRETS[3])["id"]
            for name in ("from", "username", "to", "user"):
                mallory.ask("seen", ids=[sent], **{name: "bob"})
        with enter(server.port, "bob", confirm=True) as bob:
            assert bob.hello["missed"] == 1


# -- a stranger -------------------------------------------------------------------------------------------------------
@contextmanager
def strangers(folder: Path) -> Iterator[tuple[Wire, int, int]]:
    """A client, the id of a direct message between two others, and an id that there is not."""
    with (
        running_server(folder) as server,
        enter(server.port, "alice") as alice,
        enter(server.port, "bob", confirm=True),
        enter(server.port, "mallory") as mallory,
    ):
        alice.ask("pm", message="in public")
        secret = alice.ask("dm", to="bob", message=SECRETS[3])["id"]
        alice.ask("pm", message="in public again")
        mallory.read_until_pong()
        yield mallory, secret, secret + 1_000


ASKING: Final = [
    ("seen", {"ids": ["ID"]}),
    ("seen", {"id": "ID"}),
    ("history", {"with": "bob", "before": "ID"}),
    ("history", {"with": "alice", "after": "ID"}),
    ("history", {"with": "bob"}),
    ("search", {"query": "between us only", "before": "ID"}),
    ("search", {"query": "between us only"}),
    ("search", {"query": "between", "with": "bob"}),
    ("search", {"query": "between", "with": "alice", "before": "ID"}),
    ("missed", {}),
    ("missed", {"from": "alice", "with": "bob", "id": "ID"}),
]


@pytest.mark.parametrize(("command", "fields"), ASKING, ids=str)
def test_a_stranger_is_told_as_if_it_were_not_there(tmp_path: Path, command: str, fields: Line) -> None:
    """With the id of others' message comes word for word what comes with one that is none; nothing changes."""
    with strangers(tmp_path) as (mallory, secret, nothing):
        before = dump(tmp_path / "chat.db")
        answers = []
        for number in (secret, nothing):
            given = {
                key: number if value == "ID" else [number] if value == ["ID"] else value
                for key, value in fields.items()
            }
            answer = str(mallory.ask(command, **given))
            assert SECRETS[3] not in answer.replace(str(fields.get("query")), "")
            answers.append(answer.replace(str(number), "ID"))
        assert answers[0] == answers[1]
        assert dump(tmp_path / "chat.db") == before


# As README.txt of version 0.1.0 printed them: who has typed one for years must not see a private room by it.
OLDER_QUERIES: Final = {
    "public": "SELECT time, sender, message FROM history WHERE recipient IS NULL AND time >= date('now')",
    "counts": "SELECT sender, count(*) AS messages FROM history GROUP BY sender ORDER BY messages DESC LIMIT 10",
    "talk": "SELECT time, sender, message FROM history WHERE 'alice' IN (sender, recipient) "
    "AND 'bob' IN (sender, recipient)",
    "word": "SELECT time, sender, recipient, message FROM history WHERE message LIKE '%hello%'",
    "users": "SELECT name, last_seen FROM users ORDER BY last_seen DESC",
}


@pytest.mark.sqlite
@pytest.mark.parametrize("room", ["secret", "bob"])
def test_older_queries_show_no_private_room(tmp_path: Path, room: str) -> None:
    """Neither its text nor its name, also where that is a user's; but those that were over everything are so still."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob"):
        alice.ask("create", room=room, private=True)
        alice.ask("pm", room=room, message="hello, between us only")
        found = {name: select(tmp_path / "chat.db", query) for name, query in OLDER_QUERIES.items()}
    assert (found["public"], found["talk"]) == ([], [])
    assert found["counts"] == [("alice", 1)]
    assert [row[1:] for row in found["word"]] == [("alice", f"#{room}", "hello, between us only")]
    assert {name for name, _ in found["users"]} == {"alice", "bob"}


@pytest.mark.parametrize("fields", [{}, {"rooms": True}], ids=["older", "rooms"])
def test_a_private_room_shows_to_no_stranger(tmp_path: Path, fields: Line) -> None:
    """Live, by search, history, counts and ids, and in what lists there are: as if nothing had been said."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        alice.ask("pm", message="in public")
        enter(server.port, "mallory").close()
        alice.ask("create", room="secret", topic=SECRETS[3], private=True)
        with enter(server.port, "mallory", **fields) as there:
            alice.ask("pm", room="secret", message=SECRETS[3])
            assert there.read_until_pong() == []
        with enter(server.port, "mallory", **fields) as mallory:
            assert [mallory.hello[name] for name in ("missed", "unread", "last_id")] == [0, 0, 1]
            assert [message["id"] for message in mallory.ask("history")["messages"]] == [1]
            assert mallory.ask("search", query="between us")["messages"] == []
            assert mallory.ask("search", query="between us", room="secret")["code"] == "unknown_room"
            assert [message["id"] for message in mallory.ask("since", id=0)["messages"]] == [1]
            assert mallory.ask("rooms")["rooms"] == []


def test_a_public_page_has_no_gap_to_see(tmp_path: Path) -> None:
    """A page that begins or ends at others' message holds the public ones round it, and no more."""
    with strangers(tmp_path) as (mallory, secret, _):
        before = mallory.ask("history", before=secret + 1)["messages"]
        after = mallory.ask("history", after=secret - 1)["messages"]
        assert [message["message"] for message in (*before, *after)] == ["in public", "in public again"]


def test_a_talk_without_words_looks_like_any_other(tmp_path: Path) -> None:
    """Who talks with whom is not told: with one who has talked to others and one who has not, the answers are alike."""
    with strangers(tmp_path) as (mallory, _, __):
        for command, fields in (("history", {}), ("search", {"query": "between"})):
            pages = [mallory.ask(command, **fields, **{"with": name}) for name in ("bob", "mallory")]
            assert [page["messages"] for page in pages] == [[], []]
            assert [page["more"] for page in pages] == [False, False]


@pytest.mark.parametrize("command", ["dm", "history", "search"])
@pytest.mark.parametrize("name", ["nobody", "a" * 32, "x" * 5_000, "no body", "", "\u202ebob", "bob:", "1", "*"])
def test_a_name_that_is_none_is_an_unknown_user(tmp_path: Path, command: str, name: str) -> None:
    """Every command that takes a name refuses one that is none alike, and stores nothing."""
    with strangers(tmp_path) as (mallory, _, __):
        before = dump(tmp_path / "chat.db")
        fields = {"dm": {"to": name, "message": "x"}, "history": {"with": name}, "search": {"query": "x", "with": name}}
        error = mallory.ask(command, **fields[command])
        assert (error["type"], error["code"], error["command"]) == ("error", "unknown_user", command)
        assert dump(tmp_path / "chat.db") == before


def test_a_nonce_is_its_senders_own(tmp_path: Path) -> None:
    """Another's nonce is as good as any: it neither clashes nor gives that message's id."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob"):
        first = alice.ask("dm", to="bob", message=SECRETS[3], nonce="n")
        with enter(server.port, "mallory") as mallory:
            again = mallory.ask("dm", to="bob", message=SECRETS[3], nonce="n")
        assert (again["type"], again["id"]) == ("ack", first["id"] + 1)


# -- files and words --------------------------------------------------------------------------------------------------
@pytest.mark.sqlite
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    """Under the usual umask the database and what SQLite puts beside it are 0600 while the service runs."""
    old = os.umask(0o022)
    try:
        with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
            alice.ask("pm", message="hi")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert {"chat.db", "chat.db-wal", "chat.db-shm"} <= modes.keys()
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    "value",
    [
        protocol.Login(username="alice", password=PASSWORD),
        protocol.Register(username="alice", password=PASSWORD),
        protocol.Resume(token=PASSWORD),
        protocol.Password(old=PASSWORD, new=PASSWORD),
        protocol.Pm(message=PASSWORD),
        protocol.Dm(to="bob", message=PASSWORD),
        protocol.Search(query=PASSWORD),
        protocol.LoginOkReply(username="a", users=[], missed=0, unread=0, last_id=0, token=PASSWORD, time=""),
        protocol.DirectEvent(id=1, time="", from_="a", to="b", message=PASSWORD),
        protocol.MissedReply([protocol.StoredMessage(id=1, time="", from_="a", message=PASSWORD)], more=False),
        NewToken(PASSWORD, b""),
        Post(None, PASSWORD, None),
        Message(1, "", "a", None, PASSWORD),
        User(1, "alice", PASSWORD, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_a_secret_does_not_show_it(value: object) -> None:
    """Printed, as an exception or a log may, it has its kind and no secret or text."""
    shown = f"{value!r} {value} {[value]}"
    assert PASSWORD not in shown
    assert type(value).__name__ in shown


# A command and two deliveries that fail with what they were given; a crash dumps the stacks.
BROKEN: Final = """
import faulthandler
from functools import partial
from service.chat import dispatch, entering
from service.wire import protocol

def fail(*given):
    raise RuntimeError(f"a bug met {given}")

def fail_quietly(*given):
    raise RuntimeError("a quiet bug")

def log_in(given, command):
    given.services.delivery.post(partial(fail, given, command))
    given.services.delivery.post(partial(fail_quietly, command.password))
    return entering.log_in(given, command)

faulthandler.enable()
dispatch.COMMANDS = {
    **dispatch.COMMANDS,
    protocol.Login: dispatch.Rule(log_in, "no login"),
    protocol.Search: dispatch.Rule(fail, "login"),
}
"""


@at("ports")
def test_no_secret_stands_in_logs_errors_or_a_crash_report(door: Door, tmp_path: Path) -> None:
    """Logins, refusals, a password change, incidents and a crash at level debug leave no password, token or text."""
    service = Process(tmp_path, *door.options, "--log-level", "debug", prelude=BROKEN)
    with service, door.enter(service, "bob") as bob, door.enter(service, "alice") as alice:
        with door.connect(service) as stranger:
            errors = [stranger.ask("login", username="alice", password=SECRETS[2])]
            errors.append(stranger.ask("resume", token=SECRETS[2]))
        tokens = [alice.hello["token"], bob.hello["token"]]
        with door.connect(service) as again:
            assert again.ask("resume", token=tokens[0])["type"] == "login_ok"
        alice.ask("dm", to="bob", message=SECRETS[3], nonce="n")
        errors.append(alice.ask("dm", to="bob", message=SECRETS[3] + "!", nonce="n"))
        errors.append(alice.ask("search", query=SECRETS[3]))
        errors.append(alice.ask("password", old=SECRETS[2], new=NEW_PASSWORD))
        assert alice.ask("password", old=PASSWORD, new=NEW_PASSWORD)["type"] == "ack"
        pid = service.program.pid
        known = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        service.stop(signal.SIGSEGV)
    log = "\n".join(service.log)
    assert [error["code"] for error in errors] == [
        "bad_credentials", "bad_token", "nonce_reused", "internal", "bad_credentials",
    ]  # fmt: skip
    for word in ("incident", "a bug met", "a quiet bug", "a delivery failed", "Fatal Python error: Segmentation fault"):
        assert word in log
    for secret in (*SECRETS, *tokens):
        assert secret not in log + str(errors)
        assert secret.encode() not in known


def test_the_clients_password_is_in_no_argument_and_no_output(tmp_path: Path) -> None:
    """Asked for or out of CHAT_PASSWORD, it is not shown by `ps`, stdout or stderr, also where it is refused."""
    with Process(tmp_path) as service, enter(service.port, "alice"):
        for password in (PASSWORD, SECRETS[2]):
            client = subprocess.Popen(
                [sys.executable, "-X", "dev", "-m", "client", "127.0.0.1", str(service.port), "alice"],
                cwd=ROOT,
                env=os.environ | {"CHAT_PASSWORD": password},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            arguments = Path(f"/proc/{client.pid}/cmdline").read_text()
            out, err = client.communicate("ex\n", timeout=PATIENCE)
            assert client.returncode == (0 if password == PASSWORD else 4)
            assert password not in arguments + out + err
