"""service/admin/orders/moderation.py: an operator who moderates, and the log; with and without a running service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from service.admin.orders import moderation
from tests.support.engines import POSTGRES
from tests.support.helpers import PASSWORD, Wire, enter, open_storage, running_server
from tests.support.storage import add, make_chat, make_room

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.service.admin.conftest import Run
    from tests.support.helpers import Line

pytestmark = pytest.mark.engines
KICKED = {"type": "bye", "reason": "kicked"}
# What is typed, what is said of it, and the event for the members.
ACTS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["role", "bob", "owner"], "is owner of ops now", {"action": "role", "role": "owner"}),
    (["mute", "bob", "--reason", "loud"], "is muted in ops", {"action": "mute", "reason": "loud"}),
    (["unmute", "bob"], "is not muted in ops", {"action": "unmute"}),
    (["kick", "bob"], "is no member of ops any more", {"action": "kick"}),
    (["ban", "bob", "--reason", "spam"], "is banned from ops", {"action": "ban", "reason": "spam"}),
    (["ban", "nobody"], "is banned from ops", {"username": "nobody", "action": "ban"}),
]


@pytest.fixture
def wires(tmp_path: Path) -> Iterator[list[Wire]]:
    """Of alice, who owns the private room ops, and of bob, who is there."""
    with running_server(tmp_path) as server:
        alice, bob = (enter(server.port, name, rooms=True) for name in ("alice", "bob"))
        alice.ask("create", room="ops", private=True)
        alice.ask("moderate", room="ops", username="bob", action="invite")
        bob.ask("join", room="ops")
        alice.read_until_pong()
        yield [alice, bob]
        alice.close()
        bob.close()


def told(wire: Wire) -> list[Line]:
    """What the members were told since, but for the times."""
    lines = wire.read_until_pong()
    for line in lines:
        line.pop("time", None)
    return lines


@pytest.mark.parametrize(("typed", "said", "event"), ACTS, ids=[row[0][0] for row in ACTS])
def test_an_operator_does_all_in_a_room(
    wires: list[Wire], run: Run, typed: list[str], said: str, event: dict[str, Any]
) -> None:
    """In a private one, too, of which no account of theirs is a member: the members are told, without a name."""
    if typed[0] == "unmute":
        run("mute", "bob", "--room", "ops")
        told(wires[0])
    assert run(*typed, "--room", "Ops") == (0, f"{typed[1]}: {said}\n", "")
    assert told(wires[0]) == [{"type": "member", "room": "ops", "username": "bob", **event}]


def test_a_second_time_nothing_changes(wires: list[Wire], run: Run) -> None:
    """Nobody is told, and the row says so."""
    for changed in (True, False):
        (row,) = map(json.loads, run("mute", "bob", "--room", "ops", "--json")[1].splitlines())
        assert (row["room"], row["action"], row["until"], row["changed"]) == ("ops", "mute", None, changed)
        assert len(told(wires[0])) == changed


def test_a_ban_from_the_main_room_ends_sessions_and_tokens(wires: list[Wire], run: Run, tmp_path: Path) -> None:
    """So long as it lasts the right password gets `banned`; afterwards all is as before."""
    _, bob = wires
    port, token = bob.socket.getpeername()[1], bob.hello["token"]
    status, out, _ = run("ban", "bob", "--minutes", "30", "--room", "all")
    assert (status, out.startswith("bob: is banned from the main room until 20")) == (0, True)
    assert bob.read_to_end()[-1] == KICKED
    with Wire(port) as wire:
        assert wire.ask("resume", token=token)["code"] == "bad_token"
        refused = wire.ask("login", username="bob", password=PASSWORD)
        assert (refused["code"], 0 < refused["retry_after"] <= 1_800) == ("banned", True)
    assert run("unban", "bob")[:2] == (0, "bob: is not banned from the main room\n")
    enter(port, "bob").close()


@pytest.mark.parametrize(
    ("room", "words"), [(["--room", "all"], "sessions have ended; it may come again"), ([], "1 session ended")]
)
def test_a_kick_from_the_main_room(wires: list[Wire], run: Run, room: list[str], words: str) -> None:
    """With its name or without: it ends the sessions, and no membership; all are told, and the log has it."""
    words = "its sessions have ended, on every service" if POSTGRES and not room else words
    assert run("kick", "bob", *room)[:2] == (0, f"bob: {words}\n")
    assert wires[1].read_to_end()[-1] == KICKED
    assert [event["action"] for event in told(wires[0]) if event["type"] == "member"] == ["kick"]
    assert [member["name"] for member in wires[0].ask("members", room="ops")["members"]] == ["alice", "bob"]
    assert json.loads(run("moderation", "--json")[1].splitlines()[-1])["action"] == "kick"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["ban", "bob", "--room", "nowhere"], 'there is no room "nowhere"'),
        (["mute", "nobody"], 'there is no user "nobody"'),
        (["mute", "carol", "--room", "ops"], '"carol" is no member of this room'),
        (["role", "nobody", "owner"], 'there is no user "nobody"'),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path: Path, run: Run, typed: list[str], words: str) -> None:
    """Also without a service."""
    with open_storage(tmp_path / "chat.db") as storage:
        make_room(storage, "ops", add(storage, "bob"))
        add(storage, "carol")
    status, out, said = run(*typed)
    assert (status, out, words in said or said, len(said.splitlines())) == (1, "", True, 1)


@pytest.mark.parametrize("minutes", ["0", "525601", "x", "\u0661"])
def test_minutes_have_bounds(run: Run, minutes: str) -> None:
    """A year at most."""
    with pytest.raises(SystemExit, match="2"):
        run("ban", "bob", "--minutes", minutes)


# -- the log ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def log(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some acts, without a service."""
    monkeypatch.setattr(moderation, "PAGE", 2)
    with open_storage(tmp_path / "chat.db") as storage:
        make_room(storage, "ops", add(storage, "bob"), add(storage, "carol"))
    for typed in (
        ["role", "bob", "owner"],
        ["mute", "carol", "--room", "ops", "--minutes", "5", "--reason", "loud"],
        ["kick", "carol", "--room", "ops"],
    ):
        assert run(*typed)[0] == 0


@pytest.mark.parametrize(
    ("filters", "actions"),
    [
        ([], ["role", "mute", "kick"]),
        (["--room", "ops"], ["mute", "kick"]),
        (["--user", "Carol"], ["mute", "kick"]),
        (["--action", "kick"], ["kick"]),
        (["--since", "2026-01-01", "--user", "bob"], ["role"]),
        (["--since", "2999-01-01"], []),
        (["--room", "nowhere"], []),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("log")
def test_the_log_has_what_was_done(run: Run, filters: list[str], actions: list[str]) -> None:
    """The newest last, and of it what is asked for."""
    status, out, _ = run("moderation", *filters, "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert (status, [row["action"] for row in found]) == (0, actions)
    for row in found:
        if row["action"] == "mute":
            assert (row["by"], row["user"], row["room"], row["reason"]) == (None, "carol", "ops", "loud")
            assert row["until"] > row["time"]


def test_the_main_room_is_meant_by_its_name(tmp_path: Path, run: Run) -> None:
    """As the running service knows it."""
    with running_server(tmp_path, main_room="lab") as server, enter(server.port, "bob", rooms=True) as bob:
        bob.ask("create", room="ops")
        run("mute", "bob", "--room", "lab")
        run("mute", "bob", "--room", "ops")
        (row,) = map(json.loads, run("moderation", "--room", "Lab", "--json")[1].splitlines())
        assert (row["action"], row["room"]) == ("mute", None)


def test_an_empty_log_is_empty(tmp_path: Path, run: Run) -> None:
    """It is no error."""
    make_chat(tmp_path / "chat.db")
    assert run("moderation") == (0, "", "")
