"""service/storage/contract.py: what every engine does about rooms. The tests know an engine's methods only, no SQL.

tests/service/storage/statements has the same in more detail: each rank, each limit, and what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from service.storage.records import (
    Banned,
    NotAllowed,
    NotAMember,
    Post,
    RoomExists,
    RoomLooksAlike,
    RoomRef,
    Stored,
    UnknownRoom,
    UnknownUser,
)
from tests.support.rooms import LIMITS, SOON, act, create, join
from tests.support.storage import LATER, NOW, add, say, store_posts, token_of

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.contract import Storage, Write
    from service.storage.records import Login, MemberChange
    from tests.service.storage.conftest import Engine

pytestmark = pytest.mark.engines


def told(changes: Any) -> list[tuple[str, str, str | None, str | None]]:
    """What is told of changes: action, whom, the role after it, by whom."""
    found: list[MemberChange] = list(changes)
    return [(change.action, change.name, change.role, change.by) for change in found]


def look(storage: Storage, name: str) -> Login:
    """What a login has for the user."""
    return storage.result(storage.resume(token_of(name), NOW))


def members(storage: Storage, user: int, room: str | None = "ops") -> dict[str, str]:
    """The members of a room, with their roles, as the user sees them."""
    return {member.name: member.role for member in storage.members_page(user, room, "", 99, ()).members}


def refusals(storage: Storage, *writes: Write[Any]) -> list[type[Exception] | None]:
    """What becomes of writes that may be refused."""
    for write in writes:
        storage.wait(write)
    return [None if write.error is None else type(write.error) for write in writes]


def test_a_room_from_its_beginning_to_its_end(storage: Storage) -> None:
    """Made, entered, left by all; each is told once, in order, and then the name is free."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    newest = say(storage, alice, "hi")
    with freeze_time(NOW):
        made = create(storage, alice, "ops")
    assert (made.room, made.last_id) == (RoomRef(made.room.id if made.room else 0, "ops", NOW, private=False), newest)
    assert storage.find_room("ops") == made.room
    assert told(join(storage, bob).changes) == [("join", "bob", "member", "bob")]
    assert not join(storage, bob).fresh
    assert members(storage, bob) == {"alice": "owner", "bob": "member"}
    left = storage.result(storage.leave_room(alice, "ops"))
    assert told(left.changes) == [("leave", "alice", None, "alice"), ("role", "bob", "owner", None)]
    assert storage.result(storage.leave_room(bob, "ops")).gone
    assert storage.find_room("ops") is None
    again = create(storage, bob, "ops").room
    assert again is not None
    assert made.room is not None
    assert (again.id != made.room.id, again.created > made.room.created) == (True, True)


def test_a_name_of_a_room_is_used_once(storage: Storage) -> None:
    """Nor is one that looks like it; a user may have it."""
    alice = add(storage, "alice")
    create(storage, alice, "will", private=True)
    for name, error in (("will", RoomExists), ("w1ll", RoomLooksAlike)):
        with pytest.raises(error):
            create(storage, alice, name)
    assert create(storage, alice, "alice").fresh


@pytest.mark.parametrize(("room", "created"), [("ops", "\0"), ("o\0ps", None), ("ops", "x" * 2_000), ("'; --", "{}\\")])
def test_a_room_that_cannot_be_costs_others_nothing(storage: Storage, room: str, created: str | None) -> None:
    """It is unknown; what others say in the same transaction is stored."""
    alice = add(storage, "alice")
    create(storage, alice, "ops")
    posts = [Post(None, "hi", None), Post(None, "hi", None, room=room, created=created), Post(None, "ho", None)]
    first, odd, last = store_posts(storage, alice, *posts)
    assert (type(first), type(odd), type(last)) == (Stored, UnknownRoom, Stored)


def test_a_private_room_is_unknown_to_others(storage: Storage) -> None:
    """For whatever they ask; the invited may join, and others may after a ban no more than before."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    create(storage, alice, "ops", private=True)
    act(storage, alice, "carol", "invite")
    writes = [
        storage.join_room(bob, "ops", limits=LIMITS),
        storage.leave_room(bob, "ops"),
        storage.set_room(bob, "ops", topic="x"),
        storage.moderate(bob, "ops", "alice", "kick", limits=LIMITS),
    ]
    assert refusals(storage, *writes) == [UnknownRoom] * 4
    assert [room.name for room in storage.rooms_page(bob, "", 9).rooms] == []
    assert [(room.name, room.invited) for room in storage.rooms_page(carol, "", 9).rooms] == [("ops", True)]
    assert [(room.name, room.invited) for room in look(storage, "carol").rooms] == [("ops", True)]
    with pytest.raises(NotAMember):
        members(storage, carol)
    assert join(storage, carol).fresh
    act(storage, alice, "carol", "ban")
    assert refusals(storage, storage.join_room(carol, "ops", limits=LIMITS)) == [UnknownRoom]


def test_what_a_login_has_of_rooms(storage: Storage) -> None:
    """Role, mute, marker and what is unread; own messages are not."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, alice, "ops")
    join(storage, bob)
    with freeze_time(NOW):
        act(storage, alice, "bob", "mute", until=SOON)
    posts = [Post(None, text, None, room="ops") for text in ("one", "two")]
    ids = [stored.id for stored in store_posts(storage, alice, *posts) if isinstance(stored, Stored)]
    (room,) = look(storage, "bob").rooms
    assert (room.role, room.unread, room.read_id, room.muted_until, room.members) == ("member", 2, 0, SOON, 2)
    assert room.last_id == ids[-1]
    storage.result(storage.see_room_up_to(bob, "ops", ids[0]))
    assert [(room.unread, room.read_id) for room in look(storage, "bob").rooms] == [(1, ids[0])]
    assert [room.unread for room in look(storage, "alice").rooms] == [0]


def test_a_ban_ends_by_the_clock_or_by_unban(storage: Storage) -> None:
    """It takes the membership; the list has it until then."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, alice, "ops")
    with freeze_time(NOW) as clock:
        for until in (SOON, None):
            join(storage, bob)
            act(storage, alice, "bob", "ban", until=until, reason="spam")
            assert [(ban.name, ban.by, ban.reason) for ban in storage.bans_page(alice, "ops", "", 9).bans] == [
                ("bob", "alice", "spam")
            ]
            with pytest.raises(Banned):
                join(storage, bob)
            clock.move_to(SOON)
            if until is None:
                assert act(storage, alice, "bob", "unban").fresh
            assert storage.bans_page(alice, "ops", "", 9).bans == []
        assert join(storage, bob).fresh


def test_a_member_without_rank_moderates_nobody(storage: Storage) -> None:
    """With one it does; the operator needs none; all is noted."""
    alice, bob, _ = (add(storage, name) for name in ("alice", "bob", "carol"))
    create(storage, alice, "ops")
    join(storage, bob)
    with pytest.raises(NotAllowed):
        act(storage, bob, "carol", "ban")
    act(storage, alice, "bob", "role", role="moderator")
    assert told(act(storage, bob, "carol", "ban").changes) == [("ban", "carol", None, "bob")]
    with pytest.raises(NotAllowed):
        act(storage, bob, "alice", "kick")
    assert told(act(storage, None, "bob", "role", role="member").changes) == [("role", "bob", "member", None)]
    with pytest.raises(UnknownUser):
        act(storage, alice, "nobody", "kick")
    acts = [(a.actor, a.action, a.user, a.role, a.room) for a in storage.moderation_page(0, 9)]
    assert acts == [
        ("alice", "role", "bob", "moderator", "ops"),
        ("bob", "ban", "carol", None, "ops"),
        (None, "role", "bob", "member", "ops"),
    ]


def test_the_main_room_has_ranks_mutes_and_bans(storage: Storage) -> None:
    """A ban ends its tokens, and a login is refused until it ends; nobody is invited to it."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    act(storage, None, "alice", "role", None, role="owner")
    storage.result(storage.set_room(alice, None, topic="news"))
    with freeze_time(NOW):
        act(storage, alice, "bob", "mute", None, until=SOON)
    login = look(storage, "bob")
    assert (login.role, login.topic, login.muted_until) == ("member", "news", SOON)
    user: Any = storage.find_user("bob")
    with freeze_time(NOW):
        act(storage, alice, "bob", "ban", None, until=SOON)
    assert storage.result(storage.find_token_owner(token_of("bob"))) is None
    assert refusals(storage, storage.log_in(user, None, NOW), storage.log_in(user, None, SOON)) == [Banned, None]
    assert refusals(storage, storage.moderate(alice, None, "bob", "invite", limits=LIMITS)) == [NotAllowed]
    assert members(storage, bob, None) == {"alice": "owner"}
    assert members(storage, alice, None) == {"alice": "owner", "bob": "member"}


def test_who_is_banned_from_the_main_room_writes_nothing(storage: Storage) -> None:
    """Not even what was under way, in a room or to a user; a retry of what was stored before is told, others go on."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, bob, "ops")
    before = say(storage, bob, "early", nonce="n")
    with freeze_time(NOW) as clock:
        storage.moderate(None, None, "bob", "ban", until=SOON, limits=LIMITS)
        writes = [
            storage.store_posts(bob, [Post(None, "early", "n"), Post(None, "late", None)]),
            storage.store_posts(alice, [Post(bob, "why?", None)]),
            storage.store_posts(bob, [Post(alice, "late", None), Post(None, "late", None, room="ops")]),
        ]
        first, others, last = (storage.result(write) for write in writes)
        assert [type(outcome) for outcome in (*first, *others, *last)] == [Stored, Banned, Stored, Banned, Banned]
        assert [outcome.id for outcome in first if isinstance(outcome, Stored)] == [before]
        clock.move_to(SOON)
        assert say(storage, bob, "again") > before


def test_who_is_banned_from_the_main_room_acts_nowhere(storage: Storage) -> None:
    """Not even by what was under way: a rank is of no use then."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    act(storage, None, "bob", "role", None, role="owner")
    create(storage, alice, "ops")
    act(storage, None, "bob", "ban", None)
    writes: list[Write[Any]] = [
        storage.moderate(bob, "ops", "alice", "kick", limits=LIMITS),
        storage.moderate(bob, None, "alice", "ban", limits=LIMITS),
        storage.create_room(bob, "dev", "dev", "", private=False, least="member", limits=LIMITS),
        storage.join_room(bob, "ops", limits=LIMITS),
        storage.set_room(bob, "ops", topic="mine"),
        storage.set_room(bob, None, topic="mine"),
    ]
    assert refusals(storage, *writes) == [Banned] * 6


def test_a_ban_of_a_name_waits_for_its_account(storage: Storage) -> None:
    """From the main room nobody registers it; elsewhere it is the account's then, and follows a rename."""
    alice = add(storage, "alice")
    create(storage, alice, "ops")
    for room in ("ops", None):
        act(storage, None, "bob", "ban", room)
    assert refusals(storage, storage.register("bob", "bob", "hash", None, NOW)) == [Banned]
    act(storage, None, "bob", "unban", None)
    bob = add(storage, "bob")
    storage.result(storage.rename_user("bob", "bert", "bert", LATER))
    with pytest.raises(Banned):
        join(storage, bob)


def test_a_deleted_account_is_in_no_room(storage: Storage) -> None:
    """It left by its old name, and its rooms go on or are gone."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, alice, "ops")
    create(storage, alice, "own")
    join(storage, bob)
    closed = storage.result(storage.delete_user("alice", LATER))
    assert sorted((told(change.changes), change.gone) for change in closed.rooms) == [
        ([("leave", "alice", None, None)], True),
        ([("leave", "alice", None, None), ("role", "bob", "owner", None)], False),
    ]
    assert members(storage, bob) == {"bob": "owner"}


def test_the_operator_ends_a_room(storage: Storage) -> None:
    """The members and the invited are named; it stays in the list of all that there were."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, alice, "ops")
    act(storage, alice, "bob", "invite")
    change = storage.result(storage.delete_room("ops"))
    assert (change.gone, list(change.members), list(change.ended)) == (True, [alice], [bob])
    assert [room.name for room in storage.all_rooms(("", ""), 9, gone=False)] == []
    assert [(room.name, room.members) for room in storage.all_rooms(("", ""), 9, gone=True)] == [("ops", 0)]
    assert refusals(storage, storage.delete_room("ops"), storage.leave_room(alice, "ops")) == [UnknownRoom] * 2


def test_tokens_have_lifetimes(storage: Storage) -> None:
    """Each use gives a token its own again; one that logs out is unknown; without a token nothing is kept."""
    add(storage, "alice")
    user: Any = storage.find_user("alice")
    for token, lifetime in ((b"s" * 32, 90), (b"l" * 32, 900), (None, 0)):
        storage.result(storage.log_in(user, token, NOW, lifetime=lifetime))
    assert storage.result(storage.resume(b"s" * 32, LATER)).name == "alice"
    storage.result(storage.log_out(b"l" * 32))
    assert storage.result(storage.delete_expired_tokens("2026-11-21T09:32:29.999Z")) == 0
    assert storage.result(storage.delete_expired_tokens("2026-11-21T09:32:30.000Z")) == 1
    held = storage.find_dossier("alice")
    assert held is not None
    assert len(held.tokens) == 1


def test_rooms_are_there_after_a_restart(engine: Engine, tmp_path: Path) -> None:
    """With members and invitations."""
    with engine(tmp_path) as storage:
        alice, _ = add(storage, "alice"), add(storage, "bob")
        create(storage, alice, "ops", private=True)
        act(storage, alice, "bob", "invite")
    with engine(tmp_path) as storage:
        assert members(storage, alice) == {"alice": "owner"}
        assert [room.invited for room in look(storage, "bob").rooms] == [True]
