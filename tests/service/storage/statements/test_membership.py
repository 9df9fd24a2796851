"""service/storage/statements/membership.py: rooms that are made, entered, left, changed and ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from service.storage.records import (
    FOREVER,
    Banned,
    LimitReached,
    MemberChange,
    NotAllowed,
    NotAMember,
    Post,
    RoomExists,
    RoomLooksAlike,
    RoomRef,
    UnknownRoom,
    UnknownUser,
)
from service.storage.statements import membership
from tests.support.rooms import LIMITS, act, create, join, make_ops, roles_of
from tests.support.storage import LATER, NOW, add, count_changes, run, say, store_posts

if TYPE_CHECKING:
    from service.storage.records import Role
    from service.storage.sqlite.engine import SqliteStorage
    from service.storage.statements.connection import Connection


def gone(storage: SqliteStorage) -> list[tuple[str, str | None]]:
    """All rooms, and when each was gone."""
    return [(room.name, room.gone_at) for room in storage.all_rooms(("", ""), 99, gone=True)]


# -- create -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("private", [False, True])
def test_who_makes_a_room_owns_it(storage: SqliteStorage, *, private: bool) -> None:
    """What was said before is read, and the newest id is told as of that moment."""
    alice = add(storage, "alice")
    newest = say(storage, alice, "hi")
    with freeze_time(NOW):
        change = create(storage, alice, "ops", private=private)
    assert change.room == RoomRef(1, "ops", NOW, private)
    assert list(change.changes) == [MemberChange("join", alice, "alice", NOW, "owner", by="alice")]
    view = change.view
    assert view is not None
    assert (view.id, view.name, view.created, view.private) == change.room
    assert (view.topic, view.members, view.role, view.unread, view.read_id) == ("", 1, "owner", 0, newest)
    assert (change.last_id, change.fresh) == (newest, True)


@pytest.mark.parametrize("private", [False, True])
def test_a_name_is_used_once_at_a_time(storage: SqliteStorage, *, private: bool) -> None:
    """Also where nobody may know of the room; a user may have the same one, and what looks like it is refused."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, alice, "will", private=private)
    with pytest.raises(RoomExists) as exists:
        create(storage, bob, "will")
    with pytest.raises(RoomLooksAlike) as alike:
        create(storage, bob, "w1ll")
    assert (exists.value.name, alike.value.name) == ("will", "w1ll")
    create(storage, bob, "alice")
    storage.result(storage.delete_room("will"))
    create(storage, bob, "w1ll")


@pytest.mark.parametrize(
    ("role", "least", "may"),
    [
        ("member", "member", True),
        ("member", "moderator", False),
        ("moderator", "moderator", True),
        ("owner", "moderator", True),
    ],
)
def test_who_may_make_a_room(storage: SqliteStorage, role: Role, least: Role, *, may: bool) -> None:
    """By the rank in the main room."""
    alice = add(storage, "alice")
    act(storage, None, "alice", "role", None, role=role)
    if may:
        assert create(storage, alice, "ops", least=least).fresh
    else:
        with pytest.raises(NotAllowed):
            create(storage, alice, "ops", least=least)


@pytest.mark.parametrize("seconds", [0, -3600, 3600])
def test_a_room_with_an_old_name_is_another_one(storage: SqliteStorage, seconds: int) -> None:
    """It is made later than the first by what it says, whatever the clock does; nothing of the old one is there."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    with freeze_time(NOW) as clock:
        create(storage, alice, "ops")
        act(storage, alice, "bob", "ban")
        storage.result(storage.leave_room(alice, "ops"))
        clock.tick(seconds)
        again = create(storage, alice, "ops").room
    assert again is not None
    assert again == (2, "ops", "2026-11-21T10:30:00.000Z" if seconds > 0 else "2026-11-21T09:30:00.001Z", False)
    assert storage.find_room("ops") == again
    assert join(storage, bob).fresh


# -- join and leave ---------------------------------------------------------------------------------------------------
def test_a_member_has_read_what_was_there(storage: SqliteStorage) -> None:
    """What others say after that is unread; the markers of others stay."""
    ids = make_ops(storage, alice="owner")
    store_posts(storage, ids["alice"], *[Post(None, "early", None, room="ops")] * 2)
    change = join(storage, ids["zoe"])
    assert change.view is not None
    assert (change.view.unread, change.view.read_id, change.view.members, change.last_id) == (0, 2, 2, 2)
    assert [(told.action, told.name, told.role, told.by) for told in change.changes] == [
        ("join", "zoe", "member", "zoe")
    ]
    store_posts(storage, ids["alice"], Post(None, "late", None, room="ops"))
    store_posts(storage, ids["zoe"], Post(None, "mine", None, room="ops"))
    again = join(storage, ids["zoe"])
    assert again.view is not None
    assert (again.fresh, list(again.changes), again.view.unread, again.last_id) == (False, [], 1, 4)


def test_a_private_room_is_for_the_invited(storage: SqliteStorage) -> None:
    """The invitation ends with that; for others there is no such room."""
    ids = make_ops(storage, private=True, alice="owner")
    with pytest.raises(UnknownRoom):
        join(storage, ids["zoe"])
    act(storage, ids["alice"], "zoe", "invite")
    change = join(storage, ids["zoe"])
    assert [(told.was_member, told.was_invited) for told in change.changes] == [(False, True)]
    assert run(storage, "SELECT count(*) FROM invitation") == [(0,)]
    act(storage, ids["alice"], "zoe", "kick")
    with pytest.raises(UnknownRoom):
        join(storage, ids["zoe"])


def test_a_ban_is_told_in_a_public_room_only(storage: SqliteStorage) -> None:
    """In a private one it would tell that the room is there."""
    ids = make_ops(storage, alice="owner", bob="member")
    act(storage, ids["alice"], "bob", "ban")
    with pytest.raises(Banned):
        join(storage, ids["bob"])
    storage.result(storage.set_room(ids["alice"], "ops", private=True))
    with pytest.raises(UnknownRoom):
        join(storage, ids["bob"])


def test_who_leaves_is_told_of_last(storage: SqliteStorage) -> None:
    """By the own will; who is no member, though perhaps invited, cannot leave."""
    ids = make_ops(storage, alice="owner", bob="member")
    change = storage.result(storage.leave_room(ids["bob"], "ops"))
    assert [(told.action, told.name, told.by, told.was_member) for told in change.changes] == [
        ("leave", "bob", "bob", True)
    ]
    assert (change.gone, roles_of(storage)) == (False, {"alice": "owner"})
    act(storage, ids["alice"], "zoe", "invite")
    for name in ("bob", "zoe"):
        with pytest.raises(NotAMember):
            storage.result(storage.leave_room(ids[name], "ops"))


@pytest.mark.parametrize(
    ("roles", "heir"),
    [
        ({"alice": "owner", "bob": "member", "carol": "moderator", "dora": "moderator"}, "carol"),
        ({"alice": "owner", "bob": "member", "carol": "member"}, "bob"),
        ({"bob": "member", "alice": "owner", "carol": "owner"}, None),
        ({"alice": "member", "bob": "owner"}, None),
    ],
)
def test_the_last_owner_who_leaves_hands_over(storage: SqliteStorage, roles: dict[str, Any], heir: str | None) -> None:
    """To the moderator who is there longest, else the member; told after the own leave, and by nobody."""
    ids = make_ops(storage, **roles)
    _, *others = storage.result(storage.leave_room(ids["alice"], "ops")).changes
    assert [(told.action, told.name, told.role, told.by) for told in others] == (
        [("role", heir, "owner", None)] if heir else []
    )
    left = {name: role for name, role in roles.items() if name != "alice"}
    assert roles_of(storage) == (left | {heir: "owner"} if heir else left)


def test_who_comes_back_is_there_anew(storage: SqliteStorage) -> None:
    """The time of the last join says who takes over, not which account is older."""
    ids = make_ops(storage, alice="owner", bob="member", carol="member")
    storage.result(storage.leave_room(ids["bob"], "ops"))
    join(storage, ids["bob"])
    storage.result(storage.leave_room(ids["alice"], "ops"))
    assert roles_of(storage) == {"bob": "member", "carol": "owner"}


@pytest.mark.parametrize("way", ["leave", "kick"])
@pytest.mark.parametrize(("until", "found"), [(FOREVER, FOREVER), (LATER, None)])
def test_a_mute_outlasts_the_membership(storage: SqliteStorage, way: str, until: str, found: str | None) -> None:
    """Who comes back is muted as before, and not if it has ended meanwhile."""
    ids = make_ops(storage, alice="owner", bob="member")
    with freeze_time(NOW):
        act(storage, ids["alice"], "bob", "mute", until=until)
        if way == "leave":
            storage.result(storage.leave_room(ids["bob"], "ops"))
        else:
            act(storage, ids["alice"], "bob", "kick")
    with freeze_time(LATER):
        view = join(storage, ids["bob"]).view
    assert view is not None
    assert view.muted_until == found
    assert run(storage, "SELECT * FROM kept_mute") == []


def test_of_a_room_that_is_gone_no_mute_is_kept(storage: SqliteStorage) -> None:
    """Nobody comes back to it."""
    ids = make_ops(storage, alice="owner", bob="member")
    act(storage, ids["alice"], "bob", "mute")
    storage.result(storage.leave_room(ids["bob"], "ops"))
    assert run(storage, "SELECT user_id, until FROM kept_mute") == [(ids["bob"], FOREVER)]
    storage.result(storage.leave_room(ids["alice"], "ops"))
    assert run(storage, "SELECT * FROM kept_mute") == []


def test_a_room_without_members_is_gone(storage: SqliteStorage) -> None:
    """Its invitations end; its name is free, and its messages stay."""
    ids = make_ops(storage, alice="owner")
    store_posts(storage, ids["alice"], Post(None, "hi", None, room="ops"))
    act(storage, ids["alice"], "zoe", "invite")
    with freeze_time(LATER):
        change = storage.result(storage.leave_room(ids["alice"], "ops"))
    assert (change.gone, list(change.ended), gone(storage)) == (True, [ids["zoe"]], [("ops", LATER)])
    for user in (ids["alice"], ids["zoe"]):
        with pytest.raises(UnknownRoom):
            join(storage, user)
    assert storage.find_room("ops") is None
    assert run(storage, "SELECT name, members FROM rooms") == [("ops", 0)]
    assert run(storage, "SELECT recipient, message FROM history") == [("#ops", "hi")]


@pytest.mark.parametrize(
    ("limits", "fits", "reached"),
    [
        (LIMITS._replace(members=2), True, ""),
        (LIMITS._replace(members=1), False, "members of this room"),
        (LIMITS._replace(per_account=1), True, ""),
        (LIMITS._replace(per_account=0), False, "rooms of one account"),
        (LIMITS._replace(rooms=0), True, ""),
    ],
)
def test_memberships_are_limited(storage: SqliteStorage, limits: Any, reached: str, *, fits: bool) -> None:
    """At the limit one may join, one beyond not; who is a member already is not asked."""
    ids = make_ops(storage, alice="owner")
    assert not join(storage, ids["alice"], limits=LIMITS._replace(members=1, per_account=1)).fresh
    if fits:
        assert join(storage, ids["zoe"], limits=limits).fresh
    else:
        with pytest.raises(LimitReached) as refused:
            join(storage, ids["zoe"], limits=limits)
        assert refused.value.name == reached


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        (LIMITS._replace(rooms=2, per_account=2), ""),
        (LIMITS._replace(rooms=1), "rooms"),
        (LIMITS._replace(per_account=1), "rooms of one account"),
    ],
)
def test_rooms_are_limited(storage: SqliteStorage, limits: Any, reached: str) -> None:
    """In all, and for each account; one that is gone does not count."""
    alice = add(storage, "alice")
    create(storage, alice, "old")
    storage.result(storage.leave_room(alice, "old"))
    create(storage, alice, "ops")
    if reached:
        with pytest.raises(LimitReached) as refused:
            create(storage, alice, "dev", limits=limits)
        assert refused.value.name == reached
    else:
        assert create(storage, alice, "dev", limits=limits).fresh


# -- the room itself --------------------------------------------------------------------------------------------------
# A column for each actor; who has a rank in the main room is called so, and is a member of this one or not.
# + done   = nothing changed   ! not_allowed   M not_a_member   R unknown_room
ACTORS = ["member", "moderator", "owner", "ranked_member", "stranger", "main_moderator", "main_owner"]
FIELDS = {"topic": ("new", None), "private": (None, True), "both": ("new", True), "public": (None, False)}
MAY_SET = {
    "public": {"topic": "!+++M++", "private": "!!+!MM+", "both": "!!+!MM+", "public": "!!=!MM="},
    "private": {"topic": "!++!RRR", "private": "!!=!RRR", "both": "!!+!RRR", "public": "!!!!RRR"},
}
MARKS = {NotAllowed: "!", NotAMember: "M", UnknownRoom: "R"}


@pytest.mark.parametrize("room", MAY_SET)
def test_who_may_change_a_room(storage: SqliteStorage, room: str) -> None:
    """The topic takes a moderator, `private` an owner; refused as a whole, before anything is changed."""
    ids = make_ops(
        storage,
        private=room == "private",
        member="member",
        moderator="moderator",
        owner="owner",
        ranked_member="member",
    )
    ids |= {name: add(storage, name) for name in ACTORS[4:]}
    for name, role in (("main_moderator", "moderator"), ("ranked_member", "moderator"), ("main_owner", "owner")):
        run(storage, "UPDATE user SET role = ? WHERE id = ?", role, ids[name])

    def try_it(connection: Connection, actor: str, topic: str | None, private: bool | None) -> str:
        connection.execute("SAVEPOINT trial")
        before = count_changes(connection)
        try:
            return "+" if membership.set_room(connection, ids[actor], "ops", topic, private).fresh else "="
        except tuple(MARKS) as refused:
            assert count_changes(connection) == before
            return MARKS[type(refused)]
        finally:
            connection.execute("ROLLBACK TO trial")

    found = {
        field: "".join(storage.call(try_it, actor, *values) for actor in ACTORS) for field, values in FIELDS.items()
    }
    assert found == MAY_SET[room]


def test_a_change_is_noted_once_for_each_field(storage: SqliteStorage) -> None:
    """The view is that after it; the same again changes nothing; invitations to a room that becomes private end."""
    ids = make_ops(storage, alice="owner")
    act(storage, None, "zoe", "invite")
    change = storage.result(storage.set_room(ids["alice"], "ops", topic="news", private=True))
    assert (change.view and change.view.topic, change.view and change.view.private) == ("news", True)
    assert (change.room and change.room.private, list(change.ended), list(change.changes)) == (True, [ids["zoe"]], [])
    again = storage.result(storage.set_room(ids["alice"], "ops", topic="news", private=True))
    assert (again.fresh, again.ended) == (False, ())
    acts = [(a.actor, a.action, a.reason) for a in storage.moderation_page(0, 9)]
    assert acts == [(None, "invite", None), ("alice", "topic", "news"), ("alice", "private", None)]


@pytest.mark.parametrize(("role", "may"), [("member", False), ("moderator", True), ("owner", True)])
def test_the_main_room_has_a_topic(storage: SqliteStorage, role: Role, *, may: bool) -> None:
    """Set by its moderators, told at a login; it is nobody's to make private."""
    alice = add(storage, "alice")
    act(storage, None, "alice", "role", None, role=role)
    with pytest.raises(NotAllowed):
        storage.result(storage.set_room(alice, None, topic="new", private=True))
    if may:
        fresh = [storage.result(storage.set_room(alice, None, topic="new")).fresh for _ in range(2)]
        assert fresh == [True, False]
    else:
        with pytest.raises(NotAllowed):
            storage.result(storage.set_room(alice, None, topic="new"))
    assert storage.result(storage.resume(b"alice".ljust(32, b"."), NOW)).topic == ("new" if may else "")


def test_the_operator_ends_a_room(storage: SqliteStorage) -> None:
    """Its members and the invited are told; the act is noted."""
    ids = make_ops(storage, private=True, alice="owner", bob="member")
    act(storage, None, "zoe", "invite")
    with freeze_time(LATER):
        change = storage.result(storage.delete_room("ops"))
    assert (change.gone, sorted(change.members), list(change.ended)) == (True, [ids["alice"], ids["bob"]], [ids["zoe"]])
    assert (roles_of(storage), gone(storage)) == ({}, [("ops", LATER)])
    assert [(a.actor, a.action, a.room) for a in storage.moderation_page(1, 9)] == [(None, "delete_room", "ops")]
    with pytest.raises(UnknownRoom):
        storage.result(storage.delete_room("ops"))


# -- accounts that end ------------------------------------------------------------------------------------------------
def test_a_deleted_account_leaves_its_rooms(storage: SqliteStorage) -> None:
    """It hands over, by the name that it had; invitations and bans of it end, and nothing is done for it after that."""
    ids = make_ops(storage, alice="owner", bob="member")
    create(storage, ids["alice"], "own")
    create(storage, ids["zoe"], "dev")
    act(storage, None, "alice", "invite", "dev")
    act(storage, None, "alice", "ban", None)
    act(storage, None, "alice", "mute")
    closed = storage.result(storage.delete_user("alice", LATER))
    assert closed.user.name == f"deleted-{ids['alice']}"
    told = {
        change.room.name: [(member.action, member.name, member.by) for member in change.changes]
        for change in closed.rooms
        if change.room
    }
    assert told == {"ops": [("leave", "alice", None), ("role", "bob", None)], "own": [("leave", "alice", None)]}
    assert [change.gone for change in closed.rooms] == [False, True]
    assert [run(storage, f"SELECT count(*) FROM {table}") for table in ("invitation", "ban", "kept_mute")] == [
        [(0,)]
    ] * 3
    with pytest.raises(UnknownRoom):
        join(storage, ids["alice"])
    with pytest.raises(UnknownUser):
        create(storage, ids["alice"], "late")
    with pytest.raises(UnknownUser):
        act(storage, ids["bob"], closed.user.name, "ban")
