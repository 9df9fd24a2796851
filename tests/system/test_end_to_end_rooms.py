"""Many conversations on a real terminal beside the real service: rooms, talks, moderators, a restart."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import Process, Wire, enter
from tests.support.terminal import Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engines
ALT_A, ALT_1, ALT_2, CTRL_N, CTRL_U = "\x1ba", "\x1b1", "\x1b2", "\x0e", "\x15"


@pytest.fixture(name="service")
def new_service(tmp_path: Path) -> Iterator[Process]:
    with Process(tmp_path) as service:
        yield service


@pytest.fixture(name="alice")
def alice_at_her_terminal(service: Process) -> Iterator[Terminal]:
    with terminal(service) as alice:
        alice.register("alice")
        yield alice


@pytest.fixture(name="bob")
def bob_on_the_wire(service: Process, alice: Terminal) -> Iterator[Wire]:
    with enter(service.port, "bob", rooms=True) as bob:
        alice.wait_for("2 online")
        yield bob


def wait_for_line(at: Terminal, text: str) -> None:
    """Reads until that is the line being typed, above the bar."""
    at.wait_until(lambda lines: lines[-2:-1] == [text], text)


def test_a_room_from_its_making_to_its_end(alice: Terminal, bob: Wire) -> None:
    """Made, talked in, moderated, left; what is typed there goes there alone."""
    alice.enter("create ops Deploys and incidents")
    alice.wait_for("-- #ops: Deploys and incidents --")
    wait_for_line(alice, "#ops>")
    bob.ask("join", room="ops")
    alice.enter("good morning")
    assert bob.read_type("broadcast")["room"] == "ops"
    bob.ask("pm", room="ops", message="is it done?")
    alice.wait_for("bob: is it done?", "> you: good morning")
    alice.enter("/silence bob 30 too loud")
    alice.wait_for("You silenced bob in #ops for 30 minutes: too loud.")
    assert bob.ask("pm", room="ops", message="no?")["code"] == "muted"
    alice.enter("/role bob moderator")
    alice.wait_for("You made bob moderator of #ops.")
    alice.enter("/members")
    alice.wait_for("alice (owner, you)", "bob (moderator, silenced)")
    alice.enter("/kick bob")
    alice.wait_for("You took bob out of #ops.")
    alice.enter("/leave")
    alice.wait_for("You have left #ops.")
    wait_for_line(alice, "PM/DM/EX>")
    alice.enter("join ops")
    alice.wait_for("ROOMS shows those that you can join.")


def test_conversations_do_not_stand_between_one_another(service: Process, alice: Terminal, bob: Wire) -> None:
    """They count in the bar, keys turn to them, and what was typed stays where it was typed."""
    for room in ("dev", "ops"):
        bob.ask("create", room=room)
        alice.enter(f"/join {room}")
        wait_for_line(alice, f"#{room}>")
    bob.ask("pm", room="dev", message="one, alice")
    bob.ask("pm", room="dev", message="two")
    bob.ask("dm", to="alice", message="psst")
    alice.wait_for("#dev 2*", "@bob 1")
    assert not any("two" in line for line in alice.lines())
    alice.type(f"a draft{ALT_A}")
    alice.wait_for("bob -> you: psst")
    alice.enter("what?")
    assert bob.read_type("direct")["message"] == "what?"
    alice.type(ALT_A)
    alice.wait_for("-- 2 unread --", "bob: one, alice", "bob: two")
    wait_for_line(alice, "#dev>")
    alice.type(CTRL_N)
    wait_for_line(alice, "#ops> a draft")
    alice.wait_until(lambda lines: lines[-1].endswith("2 online"))
    with enter(service.port, "alice", rooms=True) as again:  # what was shown is seen within a second
        while any(room["unread"] for room in again.ask("rooms")["rooms"]) or again.ask("missed")["messages"]:
            pass


def test_who_is_taken_out_is_told_what_to_do(alice: Terminal, bob: Wire) -> None:
    """And what is typed for the room comes back, and goes nowhere else."""
    bob.ask("create", room="ops")
    bob.ask("moderate", room="ops", username="alice", action="invite")
    alice.wait_for("bob invites you to #ops. JOIN ops joins it")
    alice.enter("join ops")
    wait_for_line(alice, "#ops>")
    bob.ask("moderate", room="ops", username="alice", action="ban", minutes=30, reason="spam")
    alice.wait_for("bob banned you from #ops until", "spam. TALK all turns to")
    alice.enter("still here?")
    alice.wait_for("Not sent:", "Your text was: still here?")
    alice.enter("/join ops")
    alice.wait_for("It ends at")
    alice.enter("/talk off")
    wait_for_line(alice, "PM/DM/EX>")


def test_after_a_restart_each_conversation_has_what_came(tmp_path: Path) -> None:
    """The held one shows it, the others count it, and nothing comes twice."""
    with Process(tmp_path) as service, terminal(service) as alice:
        alice.register("alice")
        for room in ("dev", "ops"):
            alice.enter(f"/create {room}")
            wait_for_line(alice, f"#{room}>")
        alice.wait_for("#ops")
        with enter(service.port, "bob", rooms=True) as bob:
            for room in ("dev", "ops"):
                bob.ask("join", room=room)
            port = service.port
        service.stop(signal.SIGKILL)
        alice.wait_for("Trying again")
        with Process(tmp_path, port=port) as again, enter(again.port, "bob", rooms=True) as bob:
            bob.ask("pm", room="ops", message="for ops")
            bob.ask("pm", room="dev", message="for dev")
            alice.wait_for("connected again", "bob: for ops", "#dev 1")
            alice.type(ALT_2)
            alice.wait_for("-- 1 unread --", "bob: for dev")
            assert sum("for ops" in line for line in alice.lines()) == 1


def test_who_uses_no_rooms_notices_nothing(alice: Terminal, bob: Wire) -> None:
    """Rooms of others change neither what is shown nor what the keys do."""
    bob.ask("create", room="ops")
    bob.ask("pm", room="ops", message="to nobody else")
    bob.ask("pm", message="hello, everyone")
    bob.ask("dm", to="alice", message="psst")
    alice.wait_for("bob: hello, everyone", "bob -> you: psst")
    alice.enter("talk bob")
    wait_for_line(alice, "bob>")
    bob.ask("pm", message="still here")
    alice.wait_for("bob: still here")
    alice.type(f"{ALT_1}half{CTRL_U}")
    wait_for_line(alice, "bob>")
    assert not any("ops" in line for line in alice.lines())
