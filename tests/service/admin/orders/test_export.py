"""service/admin/orders/export.py: all that is stored of a person."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.admin.orders import export
from tests.support.helpers import enter, open_storage, running_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines


def rows(run: Run, name: str = "alice") -> list[dict[str, Any]]:
    """What comes of it."""
    status, out, err = run("export", name)
    assert (status, err) == (0, "")
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("is_running", [True, False])
def test_it_has_the_account_and_its_messages(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    """Those it sent, and the direct ones it got; nothing of others."""
    monkeypatch.setattr(export, "LOOKED_AT", 2)
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        alice.ask("pm", message="hello", kind="action", nonce="n1")
        bob.ask("pm", message="not hers")
        bob.ask("dm", to="alice", message="psst")
        bob.ask("dm", to="bob", message="not hers either")
        found = rows(run) if is_running else []
    found = found or rows(run)
    account, token, *messages = found
    assert (account["what"], account["name"], account["role"], account["disabled"]) == (
        "account",
        "alice",
        "member",
        None,
    )
    assert token.keys() == {"what", "created", "expires"}
    assert [(row["id"], row["from"], row["to"], row["message"], row["kind"]) for row in messages] == [
        (1, "alice", None, "hello", "action"),
        (3, "bob", "alice", "psst", "text"),
    ]
    assert messages[0]["nonce"] == "n1"


def test_it_has_former_names_and_what_moderators_did(tmp_path: Path, run: Run) -> None:
    """But no hash."""
    with running_server(tmp_path) as server, enter(server.port, "alice"):
        pass
    run("role", "alice", "moderator")
    values = "('ally', 'ally', 1, '2026-11-21T09:30:00.000Z')"
    with open_storage(tmp_path / "chat.db") as storage:
        statement = f"INSERT INTO former_name (name, look, user_id, ended_at) VALUES {values}"
        storage.call(lambda connection: connection.execute(statement))
        user = storage.find_user("alice")
    _, former, _, act = rows(run)
    assert (former["what"], former["name"]) == ("former_name", "ally")
    assert (act["what"], act["action"], act["user"], act["actor"]) == ("moderation", "role", "alice", None)
    assert user is not None
    assert user.password_hash not in run("export", "alice")[1]


def test_it_has_what_it_is_in_rooms(tmp_path: Path, run: Run) -> None:
    """Memberships, invitations, bans, and what it said there; nothing that others said there."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        for room in ("lab", "ops"):
            bob.ask("create", room=room)
        alice.ask("join", room="ops")
        bob.ask("moderate", room="ops", username="alice", action="mute")
        bob.ask("moderate", room="ops", username="alice", action="unmute")
        alice.ask("pm", room="ops", message="hello")
        bob.ask("pm", room="ops", message="not hers")
        alice.ask("join", room="lab")
        bob.ask("moderate", room="lab", username="alice", action="mute")
        alice.ask("leave", room="lab")
        bob.ask("moderate", room="lab", username="alice", action="invite")
        run("mute", "alice")
        run("ban", "alice", "--reason", "spam")
        found = rows(run)
    account, member, invitation, ban, mute, *acts, message = found
    assert [account[name] for name in ("muted", "muted_until")] == [True, None]
    assert [member[name] for name in ("what", "room", "role", "muted", "muted_until", "read_id")] == [
        *("membership", "ops", "member", False, None, 0),
    ]
    assert [invitation[name] for name in ("what", "room", "by")] == ["invitation", "lab", "bob"]
    assert [ban[name] for name in ("what", "room", "by", "reason", "until")] == ["ban", None, None, "spam", None]
    assert [mute[name] for name in ("what", "room", "until")] == ["mute", "lab", None]
    assert [act["action"] for act in acts] == ["mute", "unmute", "mute", "invite", "mute", "ban"]
    assert (message["from"], message["to"], message["room"], message["message"]) == ("alice", None, "ops", "hello")


def test_of_nobody_there_is_nothing(tmp_path: Path, run: Run) -> None:
    """Status 1."""
    with running_server(tmp_path):
        assert run("export", "nobody") == (1, "", 'chat admin: there is no user "nobody"\n')
