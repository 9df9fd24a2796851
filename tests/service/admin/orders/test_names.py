"""service/admin/orders/names.py: rename and delete-user, with and without a running service."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from service.admin.asking import ask
from service.admin.desk import Progress
from service.admin.orders import names
from service.errors import StorageUnavailable
from service.storage.postgres import deletion as postgres_deletion
from service.storage.records import UnknownMessage
from service.storage.sqlite import deletion
from tests.support.engines import POSTGRES, name_database
from tests.support.helpers import PASSWORD, Wire, enter, running_server, until

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.errors import ChatError
    from service.server import Server
    from service.storage.records import Deleted
    from tests.service.admin.conftest import Run
    from tests.support.helpers import Line

pytestmark = pytest.mark.engines
KICKED = {"type": "bye", "reason": "kicked"}
OLD = ("rename", "bob", "bobby")
GONE = ("delete-user", "bob")


@contextmanager
def held_writer(server: Server) -> Iterator[Callable[[int], None]]:
    """Lets no write through until the end; what it yields waits until so many are queued."""
    writer, held, let_go = server.services.storage._writer, threading.Event(), threading.Event()  # type: ignore[attr-defined]

    def hold(_: object) -> None:
        held.set()
        let_go.wait()

    server.services.storage.submit(hold)  # type: ignore[attr-defined]
    held.wait()
    try:
        yield lambda count: until(lambda: len(writer._queue) == count)
    finally:
        let_go.set()


def register(port: int, name: str) -> str:
    """Tries to register; gives the kind of reply or the error's code."""
    with Wire(port) as wire:
        reply = wire.ask("register", username=name, password=PASSWORD)
        return str(reply.get("code", reply["type"]))


def closed_to_all(port: int, name: str) -> bool:
    """Whether a login to that name is answered as for an account with another password."""
    with Wire(port) as wire:
        asked = wire.ask("login", username=name)
        refused = wire.ask("login", username=name, password=PASSWORD)
    assert "wrong name or password" in refused.get("message", "wrong name or password")
    return (asked["registered"], refused.get("code")) == (True, "bad_credentials")


# -- rename -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_running", [True, False])
def test_a_renamed_user_goes_on_by_token_and_password(tmp_path: Path, run: Run, is_running: bool) -> None:
    """The sessions end; messages and the login bear the new name, and nobody is ever called by the old one."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        token = bob.hello["token"]
        bob.ask("dm", to="alice", message="hi")
        if is_running:
            done = run("rename", "Bob", "Bobby")
            assert bob.read_to_end()[-1] == KICKED
            renamed = alice.read_type("renamed")
            assert renamed == {"type": "renamed", "from": "bob", "to": "bobby", "time": renamed["time"]}
    if not is_running:
        done = run("rename", "Bob", "Bobby")
    assert done == (0, "bob: is called bobby now; sessions have ended, passwords and tokens stay\n", "")
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, Wire(server.port) as wire:
        assert wire.ask("resume", token=token)["username"] == "bobby"
        assert [message["from"] for message in alice.ask("history", **{"with": "bobby"})["messages"]] == ["bobby"]
        for command in ("dm", "history", "search"):
            fields = {"to": "bob", "message": "hi"} if command == "dm" else {"with": "bob", "query": "hi"}
            assert alice.ask(command, **fields)["code"] == "unknown_user"
        assert [register(server.port, name) for name in ("bob", "b0b", "bob_")] == ["username_taken"] * 3
        assert closed_to_all(server.port, "bob")
        enter(server.port, "bobby").close()


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nobody", "carl", 'there is no user "nobody"'),
        ("server", "carl", 'there is no user "server"'),
        ("bob", "alice", 'the name "alice" is taken'),
        ("bob", "a1ice", 'the name "a1ice" looks like one that is taken'),
        ("bob", "b0b", 'the name "b0b" looks like one that is taken'),
        ("bob", "bob", 'the name "bob" is taken'),
        ("bob", "y0u", "means something else in a chat"),
        ("bob", "all", "means something else in a chat"),
        ("bob", "1st", "begins with no digit"),
    ],
)
def test_a_rename_that_cannot_be_is_one_line(
    tmp_path: Path, run: Run, is_running: bool, old: str, new: str, words: str
) -> None:
    """It says why, and nothing is changed."""
    with running_server(tmp_path) as server, enter(server.port, "alice"), enter(server.port, "bob") as bob:
        done = run("rename", old, new) if is_running else (1, "", "")
        assert bob.read_until_pong() == []
    if not is_running:
        done = run("rename", old, new)
    assert (done[:2], words in done[2] or done[2], len(done[2].splitlines())) == ((1, ""), True, 1)


def test_the_running_services_main_room_gives_nobody_its_name(tmp_path: Path, run: Run) -> None:
    """Though the operator's own program does not know it."""
    with running_server(tmp_path, main_room="lab") as server, enter(server.port, "bob"):
        for command in (("rename", "bob", "lab"), ("add", "Lab_")):
            status, _, told = run(*command, stdin=PASSWORD)
            assert (status, "means something else in a chat" in told) == (1, True)
        assert run("rename", "bob", "lab2")[0] == 0


@pytest.mark.sqlite
def test_what_was_under_way_bears_the_new_name(tmp_path: Path, run: Run) -> None:
    """A message committed after the rename is told after it, by the new name: from the account, and to it."""
    with running_server(tmp_path) as server, ExitStack() as stack:
        alice, again, bob = (stack.enter_context(enter(server.port, name)) for name in ("alice", "alice", "bob"))
        alice.ask("dm", to="bob", message="so that the id is known")
        again.read_type("direct")
        with held_writer(server) as wait_for:
            order = threading.Thread(target=run, args=OLD)
            order.start()
            wait_for(1)
            bob.send({"command": "pm", "message": "from bob"})
            wait_for(2)
            alice.send({"command": "dm", "to": "bob", "message": "to bob"})
            wait_for(3)
            bob.send({"command": "delete", "id": 2})
            wait_for(4)
        order.join()
        lines = again.read_until_pong()
        assert [line["type"] for line in lines] == ["renamed", "broadcast", "direct", "deleted"]
        assert (lines[1]["from"], lines[2]["to"], lines[3]["by"]) == ("bobby", "bobby", "bobby")
        assert alice.read_type("ack")["to"] == "bobby"


# -- delete-user ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_running", [True, False])
def test_of_a_deleted_user_the_messages_stay_without_the_name(tmp_path: Path, run: Run, is_running: bool) -> None:
    """Nobody logs in to it or writes to it; who wrote with it reads that on, and nobody gets the name."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        token = bob.hello["token"]
        bob.ask("pm", message="to all")
        bob.ask("dm", to="alice", message="to alice")
        if is_running:
            done = run("delete-user", "Bob")
            assert bob.read_to_end()[-1] == KICKED
    if not is_running:
        done = run("delete-user", "Bob")
    assert done == (0, "bob: the account is deleted; its messages stay, as those of deleted-2\n", "")
    with running_server(tmp_path) as server, ExitStack() as stack:
        alice, carol = (stack.enter_context(enter(server.port, name)) for name in ("alice", "carol"))
        with Wire(server.port) as wire:
            assert wire.ask("resume", token=token)["code"] == "bad_token"
        assert [message["from"] for message in carol.ask("history")["messages"]] == ["deleted-2"]
        talk = {"with": "deleted-2"}
        for command, query in (("history", {}), ("search", {"query": "alice"})):
            assert [m["message"] for m in alice.ask(command, **talk, **query)["messages"]] == ["to alice"]
            assert carol.ask(command, **talk, **query)["code"] == "unknown_user"
            for name in ("bob", "server"):
                assert alice.ask(command, **{"with": name}, **query)["code"] == "unknown_user"
        for name in ("bob", "deleted-2", "server"):
            assert alice.ask("dm", to=name, message="hi")["code"] == "unknown_user"
            assert closed_to_all(server.port, name)
        assert [register(server.port, name) for name in ("bob", "b0b", "bob_")] == ["username_taken"] * 3


def test_the_rooms_of_a_deleted_user_see_it_leave(tmp_path: Path, run: Run) -> None:
    """By the name that it had; a room that it owned is somebody else's then, and nobody's is gone."""
    with running_server(tmp_path) as server, ExitStack() as stack:
        alice, bob = (stack.enter_context(enter(server.port, name, rooms=True)) for name in ("alice", "bob"))
        for room in ("ops", "own"):
            bob.ask("create", room=room)
        alice.ask("join", room="ops")
        assert run(*GONE)[0] == 0
        assert bob.read_to_end()[-1] == KICKED
        left, heir = (line for line in alice.read_until_pong() if line["type"] == "member")
        assert [left[field] for field in ("room", "username", "action")] == ["ops", "bob", "leave"]
        assert [heir[field] for field in ("username", "action", "role")] == ["alice", "role", "owner"]
        assert [room["room"] for room in alice.ask("rooms")["rooms"]] == ["ops"]


@pytest.mark.sqlite
def test_a_message_under_way_to_a_deleted_user_is_refused(tmp_path: Path, run: Run) -> None:
    """The writer does it, in its order; and one that the user had under way is not stored."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        first = alice.ask("dm", to="bob", message="so that the id is known", nonce="n")
        with held_writer(server) as wait_for:
            order = threading.Thread(target=run, args=GONE)
            order.start()
            wait_for(1)
            bob.send({"command": "pm", "message": "from bob"})
            wait_for(2)
            texts = ("so that the id is known", "too late")
            alice.send(*({"command": "dm", "to": "bob", "message": text, "nonce": text[0]} for text in texts))
            wait_for(3)
        order.join()
        refused = [line for line in alice.read_until_pong() if line["type"] != "users"]
        assert [(line["code"], line["message"]) for line in refused] == [("unknown_user", 'there is no user "bob"')] * 2
        assert first["type"] == "ack"
        assert alice.ask("history")["messages"] == []


@pytest.mark.parametrize(("order", "new_name"), [(OLD, "bobby"), (GONE, "deleted-2")])
def test_a_retry_to_a_former_name_gets_its_ack(tmp_path: Path, run: Run, order: tuple[str, ...], new_name: str) -> None:
    """Who lost the first ack is not told that the message was not sent; all else is for nobody."""
    with running_server(tmp_path) as server, ExitStack() as stack:
        alice, bob = (stack.enter_context(enter(server.port, name, confirm=True)) for name in ("alice", "bob"))
        first = alice.ask("dm", to="bob", message="hi", nonce="n")
        assert run(*order)[0] == 0
        bob.read_to_end()
        again = alice.ask("dm", to="Bob", message="hi", nonce="n")
        assert again == first | {"to": new_name, "status": "stored"}
        assert alice.ask("dm", to="bob", message="other", nonce="n")["code"] == "nonce_reused"
        for fields in ({"nonce": "new"}, {}):
            assert alice.ask("dm", to="bob", message="hi", **fields)["code"] == "unknown_user"
        assert alice.ask("dm", to="zed", message="hi", nonce="n")["code"] == "unknown_user"


@pytest.mark.sqlite
@pytest.mark.parametrize(("order", "resumed"), [(OLD, "bobby"), (GONE, "bad_token")])
def test_who_is_logging_in_does_not_enter_by_a_name_that_ends(
    tmp_path: Path, run: Run, order: tuple[str, ...], resumed: str
) -> None:
    """Though the password was right before that; a token leads to the account as it is."""
    with running_server(tmp_path) as server, ExitStack() as stack:
        with enter(server.port, "bob") as bob:
            token = bob.hello["token"]
        until(lambda: not server.places.connections())
        by_password, by_token = (stack.enter_context(Wire(server.port)) for _ in range(2))
        with held_writer(server) as wait_for:
            ending = threading.Thread(target=run, args=order)
            ending.start()
            wait_for(1)
            by_password.send({"command": "login", "username": "bob", "password": PASSWORD})
            wait_for(2)
            by_token.send({"command": "resume", "token": token})
            wait_for(3)
        ending.join()
        refused = by_password.read_type("error")
        assert refused["code"] == "bad_credentials"
        assert "the account was changed just now" in refused["message"]
        reply = by_token.read()
        assert reply.get("username", reply.get("code")) == resumed
        assert by_password.ask("pm", message="hi")["code"] == "not_logged_in"


@pytest.mark.parametrize("order", [OLD, GONE])
def test_many_write_to_a_user_whose_name_ends(tmp_path: Path, run: Run, order: tuple[str, ...]) -> None:
    """Each that got an ack is stored for that account, and after the order's end none gets one."""
    acked: list[list[int]] = [[] for _ in range(4)]

    def write(port: int, number: int, begun: threading.Event) -> None:
        with enter(port, f"writer{number}") as wire:
            while (reply := wire.ask("dm", to="bob", message="hi"))["type"] == "ack":
                acked[number].append(reply["id"])
                begun.set()
            assert reply["code"] == "unknown_user"

    with running_server(tmp_path) as server, enter(server.port, "bob"):
        begun = [threading.Event() for _ in acked]
        writers = [threading.Thread(target=write, args=(server.port, number, begun[number])) for number in range(4)]
        for writer in writers:
            writer.start()
        for event in begun:
            event.wait()
        assert run(*order)[0] == 0
        with enter(server.port, "alice") as alice:
            assert alice.ask("dm", to="bob", message="hi")["code"] == "unknown_user"
        for writer in writers:
            writer.join()
        new_name = "bobby" if order is OLD else "deleted-1"
        for number, ids in enumerate(acked):
            with enter(server.port, f"writer{number}") as wire:
                assert all_ids(wire, new_name) == ids


def all_ids(wire: Wire, name: str) -> list[int]:
    """The ids of a whole talk."""
    ids: list[int] = []
    page: Line = {"more": True}
    while page["more"]:
        page = wire.ask("history", **{"with": name, "after": ids[-1] if ids else 0, "limit": 200})
        ids += [message["id"] for message in page["messages"]]
    return ids


@pytest.mark.parametrize("is_running", [True, False])
def test_a_user_is_deleted_with_all_that_it_wrote(tmp_path: Path, run: Run, is_running: bool) -> None:
    """Who may read a message is told of its deletion; what others wrote to it stays."""
    order = (*GONE, "--with-messages")
    with running_server(tmp_path) as server, ExitStack() as stack:
        alice, carol, bob = (stack.enter_context(enter(server.port, name)) for name in ("alice", "carol", "bob"))
        for to in ({}, {"to": "alice"}, {"to": "carol"}):
            bob.ask("dm" if to else "pm", message="gone", **to)
        alice.ask("dm", to="bob", message="kept")
        if is_running:
            done = run(*order)
            told = [[line for line in wire.read_until_pong() if line["type"] == "deleted"] for wire in (alice, carol)]
            assert [[(line["id"], line.get("by")) for line in lines] for lines in told] == [
                [(1, None), (2, None)],
                [(1, None), (3, None)],
            ]
    if not is_running:
        done = run(*order)
    text = "bob: the account is deleted, and called deleted-3; its messages follow\ndeleted-3: 3 messages deleted\n"
    assert done == (0, text, "")
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        assert [message["message"] for message in alice.ask("history")["messages"]] == [""]
        talk = alice.ask("history", **{"with": "deleted-3"})["messages"]
        assert [message["message"] for message in talk] == ["", "kept"]


@pytest.mark.parametrize("is_running", [True, False])
def test_deleting_what_a_user_wrote_can_be_begun_again(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    """By the name that the account has then; what is deleted already is not told again."""
    monkeypatch.setattr(names, "PAUSE", 0)
    with running_server(tmp_path) as server, enter(server.port, "bob") as bob:
        bob.send(*({"command": "pm", "message": "gone"} for _ in range(names.AT_ONCE + 5)))
        for _ in range(names.AT_ONCE + 5):
            bob.read_type("ack")
        if is_running:
            break_off(tmp_path)
            done = run("delete-user", "deleted-1", "--with-messages")
    if not is_running:
        break_off(tmp_path)
        done = run("delete-user", "deleted-1", "--with-messages")
    left = re.fullmatch(r"deleted-1: (\d+) messages deleted\n", done[1])
    assert left
    assert (done[0], 0 <= int(left[1]) <= 5) == (0, True)
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        assert {message["message"] for message in alice.ask("history")["messages"]} == {""}
    assert run("delete-user", "server", "--with-messages")[0] == 1


@pytest.mark.parametrize(("error", "status"), [(StorageUnavailable("full"), 1), (UnknownMessage(), 0)])
def test_a_message_that_is_not_deleted_is_no_success(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, error: ChatError, status: int
) -> None:
    """Unless it is gone already; others of the same piece may be deleted."""
    engine = postgres_deletion if POSTGRES else deletion
    delete = engine.delete

    def fail_once(connection: sqlite3.Connection, actor_id: int | None, message_id: int, reason: str | None) -> Deleted:
        if message_id == 1:
            raise error
        deleted: Deleted = delete(connection, actor_id, message_id, reason)
        return deleted

    with running_server(tmp_path) as server, enter(server.port, "bob") as bob:
        for text in ("one", "two"):
            bob.ask("pm", message=text)
    monkeypatch.setattr(engine, "delete", fail_once)
    done = run(*GONE, "--with-messages")
    assert (done[0], ": 1 message deleted\n" in done[1]) == (status, status == 0)


def break_off(folder: Path) -> None:
    """Ends the order at its first piece."""
    with closing(ask(name_database(folder / "chat.db"), names.DeleteUser("bob", with_messages=True))) as work:
        while not (isinstance(told := next(work), Progress) and "so far" in told.doing):
            pass
