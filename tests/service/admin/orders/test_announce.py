"""service/admin/orders/announce.py: what the service itself says to everyone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.admin.orders.announce import MAX_ANNOUNCEMENT
from service.errors import StorageFull
from service.storage.records import SERVER_ID
from tests.support.helpers import enter, open_storage, running_server
from tests.support.storage import add, make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines


def test_everyone_hears_it(tmp_path: Path, run: Run) -> None:
    """As a notice from `server` in the main room, which is in the history, too."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        status, out, _ = run("announce", "Maintenance at six", "--json")
        assert (status, json.loads(out)["id"]) == (0, 1)
        for wire in (alice, bob):
            event = wire.read_type("broadcast")
            assert (event["id"], event["from"], event["message"], event["kind"]) == (
                1,
                "server",
                "Maintenance at six",
                "notice",
            )
        (message,) = bob.ask("history")["messages"]
        assert (message["from"], message["kind"]) == ("server", "notice")


def test_an_announcement_stands_between_the_messages_in_order(tmp_path: Path, run: Run) -> None:
    """It is live for who is there, and unread for who comes later."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        bob.close()
        alice.ask("pm", message="before")
        run("announce", "now")
        alice.ask("pm", message="after")
        with enter(server.port, "bob") as again:
            assert again.hello["unread"] == 3
            assert [message["id"] for message in again.ask("history")["messages"]] == [1, 2, 3]


def test_who_was_shown_it_has_read_it(tmp_path: Path, run: Run) -> None:
    """As any message, where the client does not confirm itself."""
    with running_server(tmp_path) as server:
        with enter(server.port, "alice") as alice:
            run("announce", "now")
            alice.read_type("broadcast")
        with enter(server.port, "alice") as again:
            assert again.hello["unread"] == 0


def test_without_a_service_it_is_stored(tmp_path: Path, run: Run) -> None:
    """Who comes later finds it; stdin may have it, without its last line end."""
    make_chat(tmp_path / "chat.db")
    assert run("announce", "-", stdin="two\nlines")[:2] == (0, "stored; no service runs: id 6\n")
    with open_storage(tmp_path / "chat.db") as storage:
        (message, *_) = storage.history_page(None, None, None, 1).messages
    assert (message.id, message.sender, message.body, message.kind) == (6, "server", "two\nlines", "notice")


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize(
    ("text", "words"), [(" ", "needs a text"), ("x" * (MAX_ANNOUNCEMENT + 1), f"at most {MAX_ANNOUNCEMENT} characters")]
)
def test_a_text_that_cannot_be_is_refused(tmp_path: Path, run: Run, is_running: bool, text: str, words: str) -> None:
    """The longest one goes through."""
    make_chat(tmp_path / "chat.db")
    if is_running:
        with running_server(tmp_path):
            assert words in run("announce", text)[2]
            assert run("announce", "\U0001f600" * MAX_ANNOUNCEMENT)[0] == 0
    else:
        assert words in run("announce", text)[2]
    assert words in run("announce", "-", stdin=text * 3)[2]


def test_bytes_that_are_no_text_are_refused(run: Run) -> None:
    """As they are in an argument."""
    assert "is no UTF-8" in run("announce", "a\udcff")[2]


@pytest.mark.sqlite
def test_a_user_of_that_name_is_in_the_way(tmp_path: Path, run: Run) -> None:
    """It would seem to have said it. Where the name is free again, the account is made."""
    with open_storage(tmp_path / "chat.db") as storage:
        storage.call(lambda c: c.execute("DELETE FROM user WHERE id = ?", (SERVER_ID,)))
        add(storage, "server")
    assert "Rename that account first" in run("announce", "hi")[2]
    with open_storage(tmp_path / "chat.db") as storage:
        storage.call(lambda c: c.execute("UPDATE user SET name = 'carl' WHERE name = 'server'"))
    assert run("announce", "hi")[0] == 0


@pytest.mark.sqlite
def test_a_full_disk_takes_none(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator is told why, and nobody hears it."""
    full = StorageFull("no space is left for messages")
    monkeypatch.setattr("service.storage.sqlite.space.Space.check", lambda *_: full)
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        assert run("announce", "hi") == (1, "", "chat admin: not announced: no space is left for messages\n")
        assert alice.read_until_pong() == []
