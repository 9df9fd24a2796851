"""The roster: accounts with their sessions, checked against the plainest model there is; and what is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time
from hypothesis import given, settings
from hypothesis import strategies as st

from service.chat.presence import Roster, take_snapshot, users_reply
from service.delivery.snapshot import Snapshot
from service.wire.protocol import PresenceEvent, UsersReply
from tests.support.helpers import enter, running_server
from tests.support.wires import read_users

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.helpers import Wire
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines
NAMES = {1: "carol", 2: "alice", 3: "bob"}
# Each session belongs to one account, as it does in the service: session 12 is account 1's.
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from([11, 12, 21, 22, 31, 32])))


@settings(deadline=None)
@given(STEPS)
def test_roster_agrees_with_a_list_of_logins(steps: list[tuple[str, int]]) -> None:
    """However sessions come and go, names, sessions and the arrivals and departures told are those of a plain list."""
    roster: Roster[int] = Roster()
    inside: list[int] = []
    for step, session in steps:
        user, before = session // 10, {one // 10 for one in inside}
        if step == "add":
            inside += [session] if session not in inside else []
            assert roster.add(user, NAMES[user], session) == (user not in before)
        else:
            inside = [one for one in inside if one != session]
            assert roster.remove(user, session) == (user in before - {one // 10 for one in inside})
        assert roster.names() == sorted({NAMES[one // 10] for one in inside})
        for one in NAMES:
            assert list(roster.sessions_of(one)) == [other for other in inside if other // 10 == one]


ELSEWHERE = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "arrive", "leave", "end"]), st.sampled_from([11, 12, 21, 22, 31]))
)


@settings(deadline=None)
@given(ELSEWHERE)
def test_who_is_online_anywhere_is_listed_once(steps: list[tuple[str, int]]) -> None:
    """However sessions here, and services elsewhere, come and go; other services hear of those here alone."""
    roster: Roster[int] = Roster()
    here: set[int] = set()
    roster.note_here = lambda user, is_here: here.add(user) if is_here else here.remove(user)
    inside: set[int] = set()
    there: set[tuple[int, int]] = set()  # service, account
    listed: set[str] = set()
    for step, number in steps:
        user, node = divmod(number, 10)
        if step == "add":
            inside.add(number)
            changed = roster.add(user, NAMES[user], number)
        elif step == "remove":
            inside.discard(number)
            changed = roster.remove(user, number)
        elif step == "arrive":
            there.add((node, user))
            changed = roster.add_elsewhere(node, user, NAMES[user])
        elif step == "leave":
            there.discard((node, user))
            changed = roster.remove_elsewhere(node, user)
        else:
            there = {pair for pair in there if pair[0] != node}
            changed = roster.remove_all_elsewhere(node)
        before, listed = listed, {NAMES[one // 10] for one in inside} | {NAMES[one] for _, one in there}
        assert roster.names() == sorted(listed)
        assert changed == (before != listed)
        assert here == {one // 10 for one in inside}


def test_a_name_that_changes_is_listed_once() -> None:
    """After a rename the account can be here with one name and elsewhere with the other, until all sessions ended."""
    roster: Roster[str] = Roster()
    roster.add_elsewhere(7, 1, "bob")
    assert roster.add(1, "bobby", "laptop")
    assert roster.names() == ["bobby"]
    assert not roster.remove_elsewhere(7, 1)
    assert roster.take_changes() == (["bobby"], ["bob"])


def test_two_sessions_are_one_name_until_both_are_gone() -> None:
    """An account's second session neither adds its name again nor takes it away."""
    roster: Roster[str] = Roster()
    assert roster.add(1, "alice", "laptop")
    assert not roster.add(1, "alice", "phone")
    assert roster.names() == ["alice"]
    assert not roster.remove(1, "laptop")
    assert roster.names() == ["alice"]
    assert roster.remove(1, "phone")
    assert roster.names() == []


def test_names_are_sorted_and_sessions_come_in_login_order() -> None:
    """Names come by the alphabet, sessions in the order in which they came."""
    roster: Roster[str] = Roster()
    for user, name in NAMES.items():
        roster.add(user, name, f"{name}'s session")
    assert roster.names() == ["alice", "bob", "carol"]
    roster.add(1, "carol", "carol's other one")
    assert list(roster.sessions_of(1)) == ["carol's session", "carol's other one"]


@pytest.mark.parametrize("user_id", [None, 2])
def test_who_is_not_online_has_no_sessions(user_id: int | None) -> None:
    """No account, and one that is not online, have no sessions: nothing to send to, and false in a condition."""
    roster: Roster[str] = Roster()
    roster.add(1, "alice", "laptop")
    assert not roster.sessions_of(user_id)


def test_taking_out_who_is_not_in_changes_nothing() -> None:
    """A session that leaves twice, or never logged in, takes nobody's name from the list."""
    roster: Roster[str] = Roster()
    roster.add(1, "alice", "laptop")
    assert not roster.remove(1, "phone")
    assert not roster.remove(9, "phone")
    assert roster.names() == ["alice"]
    assert list(roster.sessions_of(1)) == ["laptop"]


@freeze_time("2026-11-21T09:30:00Z")
def test_the_users_list_is_of_now() -> None:
    """Its names are sorted, its time is the service's."""
    roster: Roster[str] = Roster()
    roster.add(2, "bob", "laptop")
    roster.add(1, "alice", "phone")
    assert users_reply(roster) == UsersReply(users=["alice", "bob"], time="2026-11-21T09:30:00.000Z")


def test_a_quiet_session_lists_nobody() -> None:
    """It is one of the account's sessions; the name comes and goes with the others."""
    roster: Roster[str] = Roster()
    assert not roster.add(1, "alice", "cron", quiet=True)
    assert (roster.names(), roster.is_listed(1), list(roster.sessions_of(1))) == ([], False, ["cron"])
    assert roster.add(1, "alice", "laptop")
    assert not roster.add(1, "alice", "bot", quiet=True)
    assert roster.is_listed(1)
    assert not roster.remove(1, "bot")
    assert roster.remove(1, "laptop")
    assert (roster.names(), list(roster.sessions_of(1))) == ([], ["cron"])
    assert not roster.remove(1, "cron")


def test_who_is_there_for_a_session() -> None:
    """By another one that is not quiet: neither the sender's own nor a quiet one takes a message for its person."""
    roster: Roster[str] = Roster()
    roster.add(1, "alice", "laptop")
    roster.add(1, "alice", "cron", quiet=True)
    roster.add(2, "bob", "bot", quiet=True)
    there = [
        roster.is_there(user_id, session) for user_id, session in [(1, "laptop"), (1, "cron"), (1, "bot"), (2, "x")]
    ]
    assert there == [False, True, True, False]


def test_a_new_name_is_for_what_is_said_from_now_on() -> None:
    """The list keeps the old one until the account's sessions have ended."""
    roster: Roster[str] = Roster()
    roster.add(1, "bob", "laptop")
    for name in ("bobby", "rob"):
        roster.rename(1, name)
        assert (roster.name_of(1, "bob"), roster.name_of(2, "bob"), roster.names()) == (name, "bob", ["bob"])
    roster.remove(1, "laptop")
    assert roster.names() == []


def test_changes_name_whom_they_touch_by_the_state_now() -> None:
    """Also who came and went again, or went and came; each call begins anew."""
    roster: Roster[str] = Roster()
    for user, name in NAMES.items():
        roster.add(user, name, name)
    assert roster.take_changes() == (["alice", "bob", "carol"], [])
    roster.remove(1, "carol")
    roster.add(1, "carol", "again")
    roster.remove(2, "alice")
    roster.add(4, "dave", "dave")
    roster.remove(4, "dave")
    roster.add(3, "bob", "bob's other one")
    assert roster.take_changes() == (["carol"], ["alice", "dave"])
    assert roster.take_changes() == ([], [])


@settings(deadline=None)
@given(STEPS, st.integers(1, 5))
def test_who_applies_all_changes_has_the_list(steps: list[tuple[str, int]], pushed_after: int) -> None:
    """Beginning with the list of any moment, and the first changes after it."""
    roster: Roster[int] = Roster()
    seen: set[str] | None = None
    for number, (step, session) in enumerate(steps, start=1):
        user = session // 10
        roster.add(user, NAMES[user], session) if step == "add" else roster.remove(user, session)
        if number == len(steps) // 2:
            seen = set(roster.names())
        if number % pushed_after == 0 or number == len(steps):
            arrived, left = roster.take_changes()
            if seen is not None:
                seen = (seen | set(arrived)) - set(left)
    assert seen is None or sorted(seen) == roster.names()


@freeze_time("2026-11-21T09:30:00Z")
def test_a_snapshot_is_the_list_and_the_changes() -> None:
    """Of the same moment; how many are online tells whether who applies the changes has the list."""
    roster: Roster[str] = Roster()
    roster.add(2, "bob", "laptop")
    roster.add(1, "alice", "bot", quiet=True)
    now = "2026-11-21T09:30:00.000Z"
    assert take_snapshot(roster) == Snapshot(UsersReply(["bob"], now), PresenceEvent(["bob"], [], 1, now))
    assert take_snapshot(roster).changes == PresenceEvent([], [], 1, now)


# -- over the wire -----------------------------------------------------------------------------------------------------
def follow(wire: Wire, there: set[str], *names: str) -> None:
    """Applies the changes that come to those who are there, until it is these; each tells how many there are then."""
    while there != set(names):
        line = wire.read_type("presence")
        there |= set(line["arrived"])
        there -= set(line["left"])
        assert line["online"] == len(there)


def test_a_session_that_asks_is_told_who_came_and_went(wires: Wires) -> None:
    """And gets no lists but the one of its login; others get lists, and quiet sessions are told to nobody."""
    old = wires.enter("old")
    alice = wires.enter("alice", presence="changes")
    there = set(alice.hello["users"])
    assert there == {"alice", "old"}
    wires.enter("cron", quiet=True)
    bob, _ = wires.enter("bob"), wires.enter("bob", presence="changes")
    follow(alice, there, "alice", "bob", "old")
    read_users(old, "alice", "bob", "old")
    carol = wires.enter("carol")
    bob.send({"command": "ex"})
    carol.send({"command": "ex"})
    dave = wires.enter("dave", presence="changes")
    follow(dave, set(dave.hello["users"]), "alice", "bob", "dave", "old")
    follow(alice, there, "alice", "bob", "dave", "old")
    assert all(line["type"] != "users" for line in alice.read_until_pong())


def test_changes_come_at_intervals_though_there_are_none(tmp_path: Path) -> None:
    """So a client knows that it has missed nothing."""
    with running_server(tmp_path, users_interval=0.05) as server, enter(server.port, "a", presence="changes") as wire:
        follow(wire, set(), "a")
        lines = [wire.read_type("presence") for _ in range(2)]
    assert [(line["arrived"], line["left"], line["online"]) for line in lines] == [([], [], 1)] * 2
