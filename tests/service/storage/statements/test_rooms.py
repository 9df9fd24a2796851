"""service/storage/statements/rooms.py: what a user is in a room; and that a private one cannot be told from none."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from service.storage.records import NotAllowed, NotAMember, Post, Refused, RoomRef, UnknownRoom
from service.storage.sqlite import fulltext, markers, posting, since
from service.storage.statements import membership, moderation, room_lists, rooms
from tests.support.rooms import LIMITS, act, make_ops
from tests.support.storage import NOW, add, run

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from service.storage.records import Action, Role
    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize(
    ("room", "role", "main_role", "rank"),
    [
        ("public", "member", "member", "member"),
        ("public", "member", "moderator", "moderator"),
        ("public", "owner", "moderator", "owner"),
        ("public", None, "owner", "owner"),
        ("public", None, "member", "member"),
        ("private", "member", "owner", "member"),
        ("private", "moderator", "member", "moderator"),
    ],
)
def test_a_rank_is_the_higher_role(
    storage: SqliteStorage, room: str, role: Role | None, main_role: Role, rank: Role
) -> None:
    """In a public room, of that in it and that in the main room; in a private one that in it alone."""
    ids = make_ops(storage, private=room == "private", **({"alice": role} if role else {}))
    user = ids.get("alice", ids["zoe"])
    run(storage, "UPDATE user SET role = ? WHERE id = ?", main_role, user)
    standing = storage.read(rooms.find_standing, user, "ops")
    assert standing is not None
    assert (standing.room, standing.role, standing.rank) == (RoomRef(1, "ops", NOW, room == "private"), role, rank)


def test_who_may_know_of_a_private_room(storage: SqliteStorage) -> None:
    """Its members and the invited; nobody else, whatever the rank, and nobody once it is gone."""
    ids = make_ops(storage, private=True, alice="owner")
    run(storage, "UPDATE user SET role = 'owner' WHERE id = ?", ids["zoe"])
    assert storage.read(rooms.find_standing, ids["alice"], "ops")
    assert storage.read(rooms.find_standing, ids["zoe"], "ops") is None
    act(storage, ids["alice"], "zoe", "invite")
    invited = storage.read(rooms.known_standing, ids["zoe"], "ops")
    assert (invited.is_invited, invited.role, invited.name) == (True, None, "zoe")
    with pytest.raises(NotAMember):
        storage.read(rooms.membership, ids["zoe"], "ops")
    storage.result(storage.delete_room("ops"))
    for user in ids.values():
        with pytest.raises(UnknownRoom):
            storage.read(rooms.known_standing, user, "ops")


@pytest.mark.parametrize(
    ("role", "main_role", "least", "error"),
    [
        ("member", "member", "moderator", NotAllowed),
        ("member", "moderator", "moderator", None),
        ("moderator", "member", "owner", NotAllowed),
        (None, "member", "member", NotAMember),
        (None, "moderator", "moderator", None),
        (None, "moderator", "owner", NotAMember),
    ],
)
def test_a_rank_that_does_not_suffice(
    storage: SqliteStorage, role: Role | None, main_role: Role, least: Role, error: type[Refused] | None
) -> None:
    """Is told a member as that, and anybody else as the missing membership."""
    roles: dict[str, Any] = {"alice": role} if role else {}
    ids = make_ops(storage, **roles)
    user = ids.get("alice", ids["zoe"])
    run(storage, "UPDATE user SET role = ? WHERE id = ?", main_role, user)
    standing = storage.read(rooms.known_standing, user, "ops")
    if error is None:
        standing.check_rank(least)
    else:
        with pytest.raises(error):
            standing.check_rank(least)


# -- a private room and none ------------------------------------------------------------------------------------------
def _moderate(action: Action, connection: sqlite3.Connection, user: int, room: str) -> object:
    return moderation.moderate(connection, user, room, "alice", action, "member", None, None, LIMITS)


NAMING: dict[str, Callable[[sqlite3.Connection, int, str], object]] = {
    "join": lambda c, user, room: membership.join_room(c, user, room, LIMITS),
    "leave": membership.leave_room,
    "set_room": lambda c, user, room: membership.set_room(c, user, room, "new", private=True),
    "members": lambda c, user, room: room_lists.members_page(c, user, room, "", 9, ["zoe"]),
    "bans": lambda c, user, room: room_lists.bans_page(c, user, room, "", 9),
    "history": lambda c, user, room: since.room_page(c, user, room, None, None, 9),
    "search": lambda c, user, room: fulltext.search_page(c, "hi", user, None, None, 9, room=room, rooms=False),
    "seen": lambda c, user, room: markers.see_room_up_to(c, user, room, 9),
    "pm": lambda c, user, room: posting.store_all(c, [(user, [Post(None, "hi", None, room=room)])]),
    **{f"moderate {action}": partial(_moderate, action) for action in moderation.RULES},
}


@pytest.mark.sqlite
@pytest.mark.parametrize("main_role", ["member", "owner"])
def test_a_private_room_cannot_be_told_from_none(storage: SqliteStorage, main_role: Role) -> None:
    """Each command that names a room runs the same statements, and ends alike; also for who is banned from it."""
    ids = make_ops(storage, private=True, alice="owner")
    run(storage, "UPDATE user SET role = ? WHERE id = ?", main_role, ids["zoe"])
    add(storage, "yan")
    act(storage, ids["alice"], "yan", "ban")

    def trace(connection: sqlite3.Connection, name: str, user: int, room: str) -> tuple[list[str], str]:
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        try:
            ended = str(NAMING[name](connection, user, room))
        except Refused as refused:
            ended = repr(type(refused))
        finally:
            connection.set_trace_callback(None)
        return [statement.replace(room, "?") for statement in statements], ended.replace(room, "?")

    for name in NAMING:
        for user in (ids["zoe"], 3):
            private, unknown = (storage.call(trace, name, user, room) for room in ("ops", "xyz"))
            assert (name, private) == (name, unknown)
            assert "UnknownRoom" in private[1]
            assert private[0]


def test_lists_show_no_private_room(storage: SqliteStorage) -> None:
    """Nor does a login of who may not know of it."""
    make_ops(storage, private=True, alice="owner")
    run(storage, "UPDATE user SET role = 'owner'")
    zoe: Any = storage.find_user("zoe")
    assert storage.rooms_page(zoe.id, "", 9).rooms == []
    assert storage.result(storage.log_in(zoe, None, NOW)).rooms == []
