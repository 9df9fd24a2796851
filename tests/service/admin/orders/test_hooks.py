"""service/admin/orders/hooks.py: webhooks made, listed and removed; with and without a running service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.admin.orders import hooks
from tests.support.helpers import enter, open_storage, running_server
from tests.support.hooks import HASH, add_hook, pieces
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("is_running", [True, False])
def test_from_the_first_day_to_the_last(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    """A webhook is made, listed, removed and made again; each says what it did."""
    monkeypatch.setattr(hooks, "PAGE", 1)
    make_chat(tmp_path / "chat.db")
    with running_server(tmp_path) as server, enter(server.port, "zoe") as zoe:
        zoe.ask("create", room="ops")
        told = live_through(run) if is_running else ""
    assert (told or live_through(run)) == "monitor: the webhook is removed; what it said stays\n"


def live_through(run: Run) -> str:
    """Returns what is told of the removal."""
    assert run("hook", "add", "monitor", "--room", "Ops")[0] == 0
    assert run("hook", "add", "backup")[0] == 0
    refused = run("hook", "add", "monitor")
    assert refused[::2] == (
        1, 'chat admin: there is a webhook "monitor"; remove it first, if it shall get a new address\n'
    )  # fmt: skip
    listed = rows(run("hooks", "--json")[1])
    assert [(row["name"], row["room"], row["gone"], row["last_used"]) for row in listed] == [
        ("backup", None, None, None),
        ("monitor", "ops", None, None),
    ]
    removed = run("hook", "remove", "Monitor")[1]
    assert run("hook", "remove", "monitor") == (1, "", 'chat admin: there is no webhook "monitor"\n')
    assert [row["name"] for row in rows(run("hooks", "--json")[1])] == ["backup"]
    assert run("hook", "add", "monitor")[0] == 0
    assert rows(run("hooks", "--json")[1])[1]["room"] is None
    return removed


def test_the_main_rooms_name_means_it(tmp_path: Path, run: Run) -> None:
    """While the service runs, which knows how that is called."""
    with running_server(tmp_path, main_room="hall"):
        assert rows(run("hook", "add", "monitor", "--room", "hall", "--json")[1])[0]["room"] is None
        assert run("hook", "add", "ha11", "--room", "hall")[0] == 1


def test_they_stand_in_a_table(tmp_path: Path, run: Run) -> None:
    """With the room that is gone, since when, and when each last said something."""
    with open_storage(tmp_path / "chat.db") as storage:
        add_hook(storage)
        (stored,) = storage.result(storage.post_by_hook(HASH, pieces("hi")))
    head, row = run("hooks")[1].splitlines()
    assert head.split() == ["NAME", "ROOM", "GONE", "CREATED", "LAST", "USED"]
    assert row.split()[:3] == ["monitor", "-", "-"]
    assert rows(run("hooks", "--json")[1])[0]["last_used"] == stored.time


def test_no_other_order_finds_one(tmp_path: Path, run: Run) -> None:
    """It is nobody's account."""
    with open_storage(tmp_path / "chat.db") as storage:
        add_hook(storage)
    for word in ("password", "disable", "enable", "kick", "delete-user", "ban", "mute"):
        assert run(word, "monitor", stdin="a long password")[::2] == (1, 'chat admin: there is no user "monitor"\n')
    assert run("users") == (0, "", "")
    assert rows(run("status", "--json")[1])[0]["users"] == 0
    assert run("add", "monitor", stdin="a long password")[0] == 1


def test_what_one_said_is_deleted_as_a_users(tmp_path: Path, run: Run) -> None:
    """By the name that it had: it goes on, or was removed before."""
    with open_storage(tmp_path / "chat.db") as storage:
        add_hook(storage)
        storage.result(storage.post_by_hook(HASH, pieces("one", "two")))
    run("hook", "remove", "monitor")
    assert run("delete-user", "monitor", "--with-messages") == (0, "monitor: 2 messages deleted\n", "")
    with open_storage(tmp_path / "chat.db") as storage:
        assert [message.deleted is None for message in storage.history_page(None, None, None, 9).messages] == [
            False
        ] * 2
