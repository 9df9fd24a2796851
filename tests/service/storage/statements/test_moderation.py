"""service/storage/statements/moderation.py: who may do what to whom, from a table of its own; and what that changes."""

from __future__ import annotations

from contextlib import closing, contextmanager
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
    RoomLimits,
    UnknownRoom,
    UnknownUser,
)
from service.storage.sqlite import database, schema
from service.storage.statements import moderation
from tests.support.engines import POSTGRES
from tests.support.rooms import LIMITS, SOON, act, join, make_ops, roles_of
from tests.support.storage import NOW, add, count_changes, put_account, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.records import Refused
    from service.storage.sqlite.engine import SqliteStorage
    from service.storage.statements.connection import Connection


# -- who may do what --------------------------------------------------------------------------------------------------
# By the protocol, section "Rooms": a line for each actor, a column for each target.
#   + done   = acknowledged, nothing changed
#   ! not_allowed   M not_a_member   R unknown_room   U unknown_user   B banned
# "nobody" is a name without account, "former" one that was somebody's; "banned" is no member, "muted" is one.
COLUMNS = ["stranger", "invited", "member", "muted", "moderator", "owner", "banned", "self", "nobody", "former"]
PUBLIC = """
    invite      stranger   M M M M M M M M M M
    invite      invited    M M M M M M M M M M
    invite      member     + = = = = = B ! U U
    invite      moderator  + = = = = = B ! U U
    invite      owner      + = = = = = B ! U U
    kick        stranger   M M M M M M M M M M
    kick        invited    M M M M M M M M M M
    kick        member     ! ! ! ! ! ! ! ! ! !
    kick        moderator  M + + + ! ! M ! U U
    kick        owner      M + + + + ! M ! U U
    ban         stranger   M M M M M M M M M M
    ban         invited    M M M M M M M M M M
    ban         member     ! ! ! ! ! ! ! ! ! !
    ban         moderator  + + + + ! ! = ! + U
    ban         owner      + + + + + ! = ! + U
    unban       stranger   M M M M M M M M M M
    unban       member     ! ! ! ! ! ! ! ! ! !
    unban       moderator  = = = = = = + ! = U
    unban       owner      = = = = = = + ! = U
    mute        stranger   M M M M M M M M M M
    mute        invited    M M M M M M M M M M
    mute        member     ! ! ! ! ! ! ! ! ! !
    mute        moderator  M M + = ! ! M ! U U
    mute        owner      M M + = + ! M ! U U
    unmute      stranger   M M M M M M M M M M
    unmute      member     ! ! ! ! ! ! ! ! ! !
    unmute      moderator  M M = + ! ! M ! U U
    unmute      owner      M M = + = ! M ! U U
    member      stranger   M M M M M M M M M M
    member      invited    M M M M M M M M M M
    member      member     ! ! ! ! ! ! ! ! ! !
    member      moderator  ! ! ! ! ! ! ! + ! !
    member      owner      M M = = + ! M + U U
    moderator   member     ! ! ! ! ! ! ! ! ! !
    moderator   moderator  ! ! ! ! ! ! ! ! ! !
    moderator   owner      M M + + = ! M + U U
    owner       member     ! ! ! ! ! ! ! ! ! !
    owner       moderator  ! ! ! ! ! ! ! ! ! !
    owner       owner      M M + + + ! M ! U U
"""
# Where a private room differs: who is no member has no rank, and a stranger does not know it; its moderators invite.
STRANGERS = "".join(
    f"{action} {actor} {(mark + ' ') * len(COLUMNS)}\n"
    for actor, mark in (("stranger", "R"), ("invited", "M"), ("banned", "R"))
    for action in ("invite", "kick", "ban", "unban", "mute", "unmute", "member", "moderator", "owner")
)
PRIVATE = (
    "".join(line + "\n" for line in PUBLIC.splitlines() if not {"stranger", "invited"} & set(line.split())) + STRANGERS
).replace("    invite      member     + = = = = = B ! U U", "    invite      member     ! ! ! ! ! ! ! ! ! !")
# Everyone is a member of the main room; there "banned" and "muted" are so too, and nobody is invited to it.
MAIN_COLUMNS = ["member", "muted", "moderator", "owner", "banned", "self", "nobody", "former"]
MAIN = """
    invite      member     ! ! ! ! ! ! ! !
    invite      moderator  ! ! ! ! ! ! ! !
    invite      owner      ! ! ! ! ! ! ! !
    kick        member     ! ! ! ! ! ! ! !
    kick        moderator  + + ! ! + ! U U
    kick        owner      + + + ! + ! U U
    ban         member     ! ! ! ! ! ! ! !
    ban         moderator  + + ! ! = ! + U
    ban         owner      + + + ! = ! + U
    unban       member     ! ! ! ! ! ! ! !
    unban       moderator  = = = = + ! = U
    unban       owner      = = = = + ! = U
    mute        member     ! ! ! ! ! ! ! !
    mute        moderator  + = ! ! + ! U U
    mute        owner      + = + ! + ! U U
    unmute      member     ! ! ! ! ! ! ! !
    unmute      moderator  = + ! ! = ! U U
    unmute      owner      = + = ! = ! U U
    member      member     ! ! ! ! ! ! ! !
    member      moderator  ! ! ! ! ! + ! !
    member      owner      = = + ! = + U U
    moderator   member     ! ! ! ! ! ! ! !
    moderator   moderator  ! ! ! ! ! ! ! !
    moderator   owner      + + = ! + + U U
    owner       moderator  ! ! ! ! ! ! ! !
    owner       owner      + + + ! + ! U U
"""
# In a public room the rank in the main room counts too, of a member and of a stranger; in a private one it does not.
RANKED_COLUMNS = [
    "stranger",
    "member",
    "moderator",
    "owner",
    "main-moderator",
    "main-owner",
    "main-moderator-member",
    "self",
]
RANKED_PUBLIC = """
    invite      main-moderator         + = = = + + = !
    kick        main-moderator         M + ! ! M M ! !
    kick        main-owner             M + + ! M M + !
    ban         main-moderator         + + ! ! ! ! ! !
    ban         main-owner             + + + ! + ! + !
    mute        main-moderator-member  M + ! ! M M ! !
    kick        moderator              M + ! ! M M ! !
    kick        owner                  M + + ! M M + !
    ban         owner                  + + + ! + ! + !
    unban       moderator              = = = = = = = !
    moderator   main-moderator         M M M M M M M M
    moderator   main-moderator-member  ! ! ! ! ! ! ! !
    moderator   main-owner             M + = ! M M + !
    owner       main-owner             M + + ! M M + !
"""
RANKED_PRIVATE = """
    invite      main-moderator         R R R R R R R R
    kick        main-owner             R R R R R R R R
    owner       main-owner             R R R R R R R R
    mute        main-moderator-member  ! ! ! ! ! ! ! !
    kick        moderator              M + ! ! M M + !
    ban         moderator              + + ! ! + + + !
    invite      main-moderator-member  ! ! ! ! ! ! ! !
"""
# The operator may do all of it, to everyone.
OPERATOR = """
    invite      operator  + = = = = = B U U
    kick        operator  M + + + + + M U U
    ban         operator  + + + + + + = + U
    unban       operator  = = = = = = + = U
    mute        operator  M M + = + + M U U
    unmute      operator  M M = + = = M U U
    member      operator  M M = = + + M U U
    owner       operator  M M + + + = M U U
"""
OPERATOR_MAIN = """
    invite      operator  ! ! ! ! ! ! !
    kick        operator  + + + + + U U
    ban         operator  + + + + = + U
    unban       operator  = = = = + = U
    mute        operator  + = + + + U U
    member      operator  = = + + = U U
"""
MARKS: dict[type[Refused], str] = {
    NotAllowed: "!", NotAMember: "M", UnknownRoom: "R", UnknownUser: "U", Banned: "B"
}  # fmt: skip


def without_self(columns: list[str]) -> list[str]:
    """The columns of an actor who has no account."""
    return [column for column in columns if column != "self"]


TABLES = {
    "public": ("pub", COLUMNS, PUBLIC),
    "private": ("priv", COLUMNS, PRIVATE),
    "main": (None, MAIN_COLUMNS, MAIN),
    "public, by rank in the main room": ("pub", RANKED_COLUMNS, RANKED_PUBLIC),
    "private, by rank in the main room": ("priv", RANKED_COLUMNS, RANKED_PRIVATE),
    "operator, public": ("pub", without_self(COLUMNS), OPERATOR),
    "operator, private": ("priv", without_self(COLUMNS), OPERATOR),
    "operator, main": (None, without_self(MAIN_COLUMNS), OPERATOR_MAIN),
}


@contextmanager
def _connect(request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Iterator[Connection]:
    """Yields a connection to an empty chat, of the engine that the tests run on."""
    if not POSTGRES:
        path = folders.mktemp("moderation") / "chat.db"
        schema.prepare(path)
        with closing(database.connect_writer(path)) as connection:
            yield connection
        return
    from service.storage.postgres import address
    from service.storage.postgres.connection import connect

    cluster = request.getfixturevalue("cluster")
    url = cluster.create()
    with closing(connect(address.parse(url))) as connected:
        yield connected
    cluster.drop(url)


@pytest.fixture(scope="module")
def everyone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A public and a private room, and of each kind of person one who acts and one on whom others act.

    By hand, so that nothing here depends on what is tested.
    """
    with _connect(request, tmp_path_factory) as c:
        for name in ("pub", "priv"):
            c.execute(
                "INSERT INTO room (name, look, topic, private, created_at, members) VALUES (?, ?, '', ?, ?, 14)",
                (name, name, name == "priv", NOW),
            )
        for part in ("actor", "target"):
            for kind in {*COLUMNS, *RANKED_COLUMNS} - {"self", "nobody", "former"}:
                for in_main in (False, True):
                    _add_person(c, f"{part} {kind}" + " in main" * in_main, kind, in_main=in_main)
        c.execute("INSERT INTO former_name VALUES ('former', 'former', 1, ?)", (NOW,))
        yield c


def _add_person(c: Connection, name: str, kind: str, *, in_main: bool) -> None:
    """Adds an account that is what `kind` says, in both rooms or in the main one."""
    ranks = ("moderator", "owner")
    main_role = kind.split("-")[1] if kind.startswith("main-") else kind if in_main and kind in ranks else "member"
    user_id = put_account(c, name, main_role, FOREVER if in_main and kind == "muted" else None)
    for room_id in [None] if in_main else [1, 2]:
        if kind == "banned":
            c.execute(
                "INSERT INTO ban (room_id, user_id, time, until) VALUES (?, ?, ?, ?)", (room_id, user_id, NOW, FOREVER)
            )
        elif room_id and kind == "invited":
            c.execute("INSERT INTO invitation (room_id, user_id, time) VALUES (?, ?, ?)", (room_id, user_id, NOW))
        elif room_id and kind != "stranger" and kind not in ("main-moderator", "main-owner"):
            role = kind if kind in ranks else "member"
            muted = FOREVER if kind == "muted" else None
            c.execute(
                "INSERT INTO member (room_id, user_id, role, joined_at, muted_until, read_id, read_position) "
                "VALUES (?, ?, ?, ?, ?, 0, 0)",
                (room_id, user_id, role, NOW, muted),
            )


def outcome(c: Connection, room: str | None, actor: str, act: str, target: str) -> str:
    """What comes of an act, as a mark; it is undone. An act that is a role gives it."""
    in_main = " in main" if room is None else ""
    actor_id = None
    if actor != "operator":
        (actor_id,) = c.execute("SELECT id FROM user WHERE name = ?", (f"actor {actor}{in_main}",)).fetchone()
    names = {"self": f"actor {actor}{in_main}", "nobody": "nobody", "former": "former"}
    action: Any = "role" if act in ("member", "moderator", "owner") else act
    role: Any = act if action == "role" else None
    c.execute("BEGIN")
    before = count_changes(c)
    try:
        change = moderation.moderate(
            c, actor_id, room, names.get(target, f"target {target}{in_main}"), action, role, None, None, LIMITS
        )
    except tuple(MARKS) as refused:
        assert count_changes(c) == before  # the writer needs no savepoint
        return MARKS[type(refused)]
    finally:
        c.execute("ROLLBACK")
    assert bool(change.changes) == change.fresh
    return "+" if change.fresh else "="


@pytest.mark.parametrize("table", TABLES)
def test_who_may_do_what(everyone: Connection, table: str) -> None:
    """Each cell of the table above."""
    room, columns, text = TABLES[table]
    expected = [line.split() for line in text.splitlines() if line.strip()]
    assert {len(line) for line in expected} == {2 + len(columns)}
    found = [
        [act, actor, *(outcome(everyone, room, actor, act, target) for target in columns)]
        for act, actor, *_ in expected
    ]
    assert [line for line in found if line not in expected] == []


# -- what is changed --------------------------------------------------------------------------------------------------
def logged(storage: SqliteStorage) -> list[tuple[Any, ...]]:
    """The acts that are noted: who, what, whom, in which room, until when, why."""
    acts = storage.moderation_page(0, 99)
    return [(a.actor, a.action, a.user, a.room, a.until or a.role, a.reason) for a in acts]


def test_a_kick_is_told_and_noted(storage: SqliteStorage) -> None:
    """With who, whom, when and why; the member is gone, and may come back."""
    ids = make_ops(storage, zara="owner", alice="moderator", bob="member")
    with freeze_time(NOW):
        change = act(storage, ids["alice"], "bob", "kick", reason="spam")
    assert change.room is not None
    assert (change.room.name, change.gone, change.ended) == ("ops", False, ())
    told = MemberChange("kick", ids["bob"], "bob", NOW, by="alice", reason="spam", was_member=True)
    assert list(change.changes) == [told]
    assert roles_of(storage) == {"zara": "owner", "alice": "moderator"}
    assert logged(storage) == [("alice", "kick", "bob", "ops", None, "spam")]
    assert join(storage, ids["bob"]).fresh


def test_a_kick_ends_an_invitation(storage: SqliteStorage) -> None:
    """That is told to who was invited, also as an invitation that has ended."""
    ids = make_ops(storage, alice="owner")
    invited = act(storage, ids["alice"], "zoe", "invite")
    assert invited.view is not None
    assert (invited.view.name, invited.view.role, invited.view.invited) == ("ops", None, True)
    change = act(storage, ids["alice"], "zoe", "kick")
    assert [(told.was_member, told.was_invited) for told in change.changes] == [(False, True)]
    assert list(change.ended) == [ids["zoe"]]
    with pytest.raises(NotAMember):
        act(storage, ids["alice"], "zoe", "kick")


def test_a_ban_takes_membership_and_invitation(storage: SqliteStorage) -> None:
    """It holds until its end, by the clock; the other end of it is unban, which tells only of one that holds."""
    ids = make_ops(storage, alice="owner", bob="member")
    act(storage, ids["alice"], "zoe", "invite")
    with freeze_time(NOW) as clock:
        bans = [act(storage, ids["alice"], name, "ban", until=SOON) for name in ("bob", "zoe")]
        assert [(told.until, told.was_member, told.was_invited) for ban in bans for told in ban.changes] == [
            (SOON, True, False),
            (SOON, False, True),
        ]
        assert [ban.ended for ban in bans] == [(), ()]
        with pytest.raises(Banned) as refused:
            join(storage, ids["bob"])
        assert refused.value.until == SOON
        clock.move_to(SOON)
        assert not act(storage, ids["alice"], "bob", "unban").fresh
        assert join(storage, ids["zoe"]).fresh
    assert [action for _, action, *_ in logged(storage)] == ["invite", "ban", "ban"]


def test_a_ban_again_takes_the_place_of_the_first(storage: SqliteStorage) -> None:
    """The same one changes nothing, whether it has an end or none."""
    ids = make_ops(storage, alice="owner")
    with freeze_time(NOW):
        for until, fresh in ((SOON, True), (SOON, False), (None, True), (None, False)):
            assert act(storage, ids["alice"], "zoe", "ban", until=until).fresh == fresh
    assert run(storage, "SELECT until FROM ban") == [(FOREVER,)]
    assert [until for *_, until, _ in logged(storage)] == [SOON, FOREVER]


def test_a_mute_ends_by_the_clock(storage: SqliteStorage) -> None:
    """Until then its end is in the login; unmute tells only of one that holds."""
    ids = make_ops(storage, alice="owner", bob="member")
    with freeze_time(NOW) as clock:
        assert [told.until for told in act(storage, ids["alice"], "bob", "mute", until=SOON).changes] == [SOON]
        clock.move_to(SOON)
        assert not act(storage, ids["alice"], "bob", "unmute").fresh
        assert act(storage, ids["alice"], "bob", "mute").changes[0].until is None
        assert act(storage, ids["alice"], "bob", "unmute").fresh
    assert run(storage, "SELECT muted_until FROM member WHERE user_id = ?", ids["bob"]) == [(None,)]


def test_the_last_owner_who_steps_down_hands_over(storage: SqliteStorage) -> None:
    """To who has been a moderator longest, after the own change; the heir's has no `by`."""
    ids = make_ops(storage, alice="owner", bob="member", carol="moderator", dora="moderator")
    changes = act(storage, ids["alice"], "alice", "role", role="moderator").changes
    assert [(told.name, told.role, told.by) for told in changes] == [
        ("alice", "moderator", "alice"),
        ("carol", "owner", None),
    ]
    assert roles_of(storage) == {"alice": "moderator", "bob": "member", "carol": "owner", "dora": "moderator"}


def test_one_of_two_owners_steps_down_alone(storage: SqliteStorage) -> None:
    """Nobody takes over where there is another owner."""
    ids = make_ops(storage, alice="owner", bob="owner", carol="member")
    assert len(act(storage, ids["alice"], "alice", "role", role="member").changes) == 1
    assert roles_of(storage)["carol"] == "member"


@pytest.mark.parametrize("actor", [1, None])
def test_alone_nobody_steps_down(storage: SqliteStorage, actor: int | None) -> None:
    """Also not by the operator: a room has an owner."""
    make_ops(storage, alice="owner")
    with pytest.raises(NotAllowed):
        act(storage, actor, "alice", "role", role="member")
    assert roles_of(storage) == {"alice": "owner"}
    assert logged(storage) == []


def test_the_operator_takes_the_last_owner_out(storage: SqliteStorage) -> None:
    """The room is handed over, and gone after the last member."""
    make_ops(storage, alice="owner", bob="member")
    first, second = (act(storage, None, name, "kick") for name in ("alice", "bob"))
    assert [(told.name, told.action, told.role, told.by) for told in first.changes] == [
        ("alice", "kick", None, None),
        ("bob", "role", "owner", None),
    ]
    assert (first.gone, second.gone) == (False, True)
    assert [actor for actor, *_ in logged(storage)] == [None, None]
    with pytest.raises(UnknownRoom):
        act(storage, None, "zoe", "ban")


def test_the_main_room_keeps_an_owner(storage: SqliteStorage) -> None:
    """The last one does not step down; with another one it may; nothing is handed over."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for name in ("alice", "bob"):
        act(storage, None, name, "role", None, role="owner")
    assert [told.role for told in act(storage, alice, "alice", "role", None, role="member").changes] == ["member"]
    with pytest.raises(NotAllowed):
        act(storage, bob, "bob", "role", None, role="moderator")
    assert run(storage, "SELECT role FROM user WHERE id > 0 ORDER BY id") == [("member",), ("owner",)]


def test_a_ban_from_the_main_room_ends_tokens(storage: SqliteStorage) -> None:
    """A login is refused with its end, until then; rooms are left alone."""
    ids = make_ops(storage, alice="owner")
    user = storage.find_user("alice")
    assert user is not None
    with freeze_time(NOW):
        assert [told.action for told in act(storage, None, "alice", "ban", None, until=SOON).changes] == ["ban"]
    assert run(storage, "SELECT count(*) FROM token WHERE user_id = ?", ids["alice"]) == [(0,)]
    assert roles_of(storage) == {"alice": "owner"}
    with pytest.raises(Banned) as refused:
        storage.result(storage.log_in(user, b"n" * 32, NOW))
    assert refused.value.until == SOON
    assert storage.result(storage.log_in(user, b"n" * 32, SOON)).name == "alice"


def test_a_mute_in_the_main_room_is_in_the_login(storage: SqliteStorage) -> None:
    """Until it ends."""
    add(storage, "bob")
    with freeze_time(NOW):
        act(storage, None, "bob", "mute", None, until=SOON)
    user = storage.find_user("bob")
    assert user is not None
    found = [storage.result(storage.log_in(user, None, now)).muted_until for now in (NOW, SOON)]
    assert found == [SOON, None]


def test_mutes_of_the_main_room_that_have_ended_do_not_pile_up(storage: SqliteStorage) -> None:
    """They go with the next one, as whoever stores messages looks at all of them."""
    add(storage, "bob"), add(storage, "carl")
    with freeze_time(NOW):
        act(storage, None, "bob", "mute", None, until=SOON)
    with freeze_time(SOON):
        act(storage, None, "carl", "mute", None)
    muted = "SELECT name, muted_until FROM user WHERE muted_until IS NOT NULL"
    assert run(storage, muted) == [("carl", FOREVER)]


def test_a_name_without_account_may_be_banned(storage: SqliteStorage) -> None:
    """It is told and noted by that name, and has no id."""
    ids = make_ops(storage, alice="owner")
    assert [(told.user_id, told.name) for told in act(storage, ids["alice"], "yan", "ban").changes] == [(0, "yan")]
    assert not act(storage, ids["alice"], "yan", "ban").fresh
    assert act(storage, ids["alice"], "yan", "unban").fresh
    assert [(action, user) for _, action, user, *_ in logged(storage)] == [("ban", "yan"), ("unban", "yan")]


@pytest.mark.parametrize("room", ["ops", None])
def test_bans_are_limited(storage: SqliteStorage, room: str | None) -> None:
    """In each room by itself. One that has ended does not count, and goes; one that is made anew is no further one."""
    make_ops(storage, alice="owner")
    limits = LIMITS._replace(bans=2)
    with freeze_time(NOW) as clock:
        for name in ("yan", "zoe", "zoe"):
            act(storage, None, name, "ban", room, limits=limits, until=SOON, reason="spam")
        with pytest.raises(LimitReached) as refused:
            act(storage, None, "xaver", "ban", room, limits=limits)
        assert refused.value.name == "bans here"
        assert act(storage, None, "zoe", "ban", room, limits=limits, until=SOON).fresh
        assert act(storage, None, "xaver", "ban", None if room else "ops", limits=limits).fresh
        clock.move_to(SOON)
        assert act(storage, None, "xaver", "ban", room, limits=limits).fresh
    assert run(storage, "SELECT count(*) FROM ban") == [(2,)]


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        (LIMITS._replace(invitations=1), "invitations to this room"),
        (LIMITS._replace(per_account=1), "invitations to one account"),
    ],
)
def test_invitations_are_limited(storage: SqliteStorage, limits: RoomLimits, reached: str) -> None:
    """At the limit one may still be made; one beyond is refused, and the same one again changes nothing."""
    ids = make_ops(storage, alice="owner")
    run(
        storage, "INSERT INTO room (name, look, topic, private, created_at) VALUES ('dev', 'dev', '', ?, ?)", False, NOW
    )
    add(storage, "yan")
    whom, where = ("yan", "ops") if limits.invitations == 1 else ("zoe", "dev")
    assert act(storage, ids["alice"], "zoe", "invite", limits=limits).fresh
    assert not act(storage, ids["alice"], "zoe", "invite", limits=limits).fresh
    with pytest.raises(LimitReached) as refused:
        act(storage, None, whom, "invite", where, limits=limits)
    assert refused.value.name == reached
