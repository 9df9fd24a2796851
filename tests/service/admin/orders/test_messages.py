"""service/admin/orders/messages.py: delete-message, purge and erase, with and without a running service."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from service.storage.records import Post
from service.storage.sqlite.schema import revisions
from tests.support.erasure import left_in_files
from tests.support.helpers import enter, open_storage, running_server
from tests.support.storage import add, make_chat, make_room, say, store_posts

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines
WORD = "qwmzxnvbalskdjfhgpty"


def test_all_are_told_of_a_message_that_the_operator_deletes(tmp_path: Path, run: Run) -> None:
    """At its place in the order, without a name; a second time nobody is."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        said = alice.ask("pm", message="secret")["id"]
        assert run("delete-message", str(said), "--reason", "private") == (0, "message 1: deleted\n", "")
        told = alice.read_type("deleted")
        assert set(told) == {"type", "id", "time"}
        assert run("delete-message", str(said))[1].startswith("message 1: was deleted before, at 20")
        assert "deleted" not in [line["type"] for line in alice.read_until_pong()]
        assert alice.ask("history")["messages"][0]["message"] == ""


def test_without_a_service_it_is_deleted_as_well(tmp_path: Path, run: Run) -> None:
    """A direct message, too; the reason stays in the database."""
    with open_storage(tmp_path / "chat.db") as storage:
        add(storage, "bob")
        said = say(storage, 1, "secret", "bob")
    status, out, _ = run("delete-message", str(said), "--reason", "private", "--json")
    assert (status, json.loads(out)["fresh"]) == (0, True)
    with open_storage(tmp_path / "chat.db") as storage:
        assert storage.history_page((1, 1), None, None, 9).messages[0].body == ""
        assert storage.read(lambda c: c.execute("SELECT actor_id, reason FROM moderation").fetchall()) == [
            (None, "private")
        ]


@pytest.mark.parametrize("arguments", [("0",), ("x",), ("9" * 30,), ("1", "--reason", "x" * 301)])
def test_what_is_no_id_or_reason_is_refused(run: Run, arguments: tuple[str, ...]) -> None:
    """As a bad command."""
    with pytest.raises(SystemExit, match="2"):
        run("delete-message", *arguments)


def test_a_message_that_there_is_not(tmp_path: Path, run: Run) -> None:
    """The exit status says so."""
    make_chat(tmp_path / "chat.db")
    status, out, error = run("delete-message", "99")
    assert (status, out) == (1, "")
    assert error == "chat admin: there is no message with the id 99\n"


@pytest.mark.parametrize("is_running", [True, False])
def test_a_purge_is_tried_dry_first(tmp_path: Path, run: Run, is_running: bool) -> None:
    """It says how many there are and removes none; then it removes them, and again there are none."""
    with open_storage(tmp_path / "chat.db") as storage:
        alice = add(storage, "alice")
        for n in range(100):
            say(storage, alice, f"{n}", "alice" if n % 4 == 0 else None)
    with ExitStack() as stack:
        if is_running:
            stack.enter_context(running_server(tmp_path))
        day = ("--before", "2100-01-01")
        assert run("purge", "--dry-run", *day)[1] == "100 messages older; none was removed\n"
        assert run("purge", "--before", "2000-01-01")[1] == "0 messages removed\n"
        assert run("purge", "--direct-only", *day)[1] == "25 messages removed\n"
        assert run("purge", "--dry-run", "--direct-only", *day)[1] == "0 messages older; none was removed\n"
        assert run("purge", "--public-only", *day)[1] == "75 messages removed\n"
        assert run("purge", *day)[1] == "0 messages removed\n"


def test_a_purge_of_a_room_leaves_the_others(tmp_path: Path, run: Run) -> None:
    """The main room, talks, and rooms of other names; of that name also one that is gone."""
    with open_storage(tmp_path / "chat.db") as storage:
        alice = add(storage, "alice")
        for room in ("ops", "lab"):
            make_room(storage, room, alice)
            store_posts(storage, alice, *[Post(None, "hi", None, room=room)] * 3)
        say(storage, alice, "hi")
        say(storage, alice, "hi", "alice")
    run("room", "delete", "ops")
    day = ("--before", "2100-01-01")
    assert run("purge", "--dry-run", "--room", "Ops", *day)[1] == "3 messages older; none was removed\n"
    assert run("purge", "--room", "Ops", *day)[1] == "3 messages removed\n"
    assert run("purge", "--room", "nowhere", *day) == (1, "", 'chat admin: there is no room "nowhere"\n')
    assert run("purge", *day)[1] == "5 messages removed\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--before", "soon"),
        ("--before", "2026-01-01", "--room", "ops", "--direct-only"),
        ("--before", "2026-01-01", "--public-only", "--direct-only"),
    ],
)
def test_a_purge_needs_a_day_and_one_kind_at_most(run: Run, arguments: tuple[str, ...]) -> None:
    """As a bad command."""
    with pytest.raises(SystemExit, match="2"):
        run("purge", *arguments)


@pytest.mark.sqlite
@pytest.mark.parametrize("is_running", [True, False])
def test_after_erase_no_byte_is_left(tmp_path: Path, run: Run, is_running: bool) -> None:
    """It returns when it is done, and says so; `status` tells whether anything is left."""
    path = tmp_path / "chat.db"
    with open_storage(path) as storage:
        say(storage, add(storage, "alice"), WORD)
        storage.index_search()
    with ExitStack() as stack:
        if is_running:
            stack.enter_context(running_server(tmp_path))
        run("delete-message", "1")
        assert run("erase") == (0, "what was deleted is gone from the files\n", "")
        assert left_in_files(path, [WORD]) == []
        assert "deleted      all is gone from the files" in run("status")[1]


@pytest.mark.sqlite
def test_status_tells_of_what_is_left(tmp_path: Path, run: Run) -> None:
    """Without a service nothing is erased until the next one runs, or `erase` is given."""
    make_chat(tmp_path / "chat.db")
    run("delete-message", "1")
    assert "erasure from the files is under way, 3 steps left" in run("status")[1]
    assert json.loads(run("status", "--json")[1])["erasures_pending"] == 3


@pytest.mark.sqlite
def test_repair_and_compact_say_what_they_did(tmp_path: Path, run: Run) -> None:
    """In one line each; beside a service they refuse."""
    make_chat(tmp_path / "chat.db")
    assert run("repair")[1].endswith(f"chat.db: repaired, 5 messages, 1 user, schema {revisions()[-1]}\n")
    assert "bytes, before" in run("compact")[1]
    with running_server(tmp_path):
        assert [run(word)[0] for word in ("repair", "compact")] == [1, 1]
