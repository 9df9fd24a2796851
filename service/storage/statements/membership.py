"""Statements that make, change and end rooms and memberships. None begins or ends a transaction.

What one user does to another is in moderation.py. Each raises its refusal before its first change. room_contract.py
describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.clock import add_seconds, format_time, utcnow
from service.storage.records import (
    LimitReached,
    MemberChange,
    NotAllowed,
    RoomChange,
    RoomExists,
    RoomLooksAlike,
    RoomRef,
    RoomView,
    UnknownUser,
)
from service.storage.statements import acts, bans, ids, names, rooms
from service.storage.statements.room_lists import view_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.records import Role, RoomLimits
    from service.storage.statements.connection import Connection
    from service.storage.statements.rooms import Standing

_TICK: Final = 0.001  # seconds; times have milliseconds


# -- a user's own membership ------------------------------------------------------------------------------------------
def create_room(
    connection: Connection,
    user_id: int,
    name: str,
    look: str,
    topic: str,
    private: bool,  # noqa: FBT001 (as in the record)
    least: Role,
    limits: RoomLimits,
) -> RoomChange:
    user = connection.execute("SELECT name, role FROM user WHERE id = ? AND password_hash <> ''", (user_id,)).fetchone()
    if user is None:
        raise UnknownUser
    username, role = user
    bans.check_main(connection, user_id)
    if rooms.outranks(least, role):
        raise NotAllowed
    if rooms.find_room(connection, name) is not None:
        raise RoomExists(name)
    if names.is_room_alike(connection, look):
        raise RoomLooksAlike(name)
    (count,) = connection.execute("SELECT count(*) FROM room WHERE gone_at IS NULL AND name > ''").fetchone()
    if count >= limits.rooms:
        raise LimitReached("rooms")
    _check_memberships(connection, user_id, limits)
    created = _next_time(connection, name)
    connection.execute(
        "INSERT INTO room (name, look, topic, private, created_at) VALUES (?, ?, ?, ?, ?)",
        (name, look, topic, private, created),
    )
    room = rooms.known_room(connection, name)
    return _enter(connection, room, MemberChange("join", user_id, username, created, "owner", by=username))


def _next_time(connection: Connection, name: str) -> str:
    """Returns the time now, or what follows the making of the room that had the name before: it tells them apart."""
    (newest,) = connection.execute("SELECT max(created_at) FROM room WHERE name = ?", (name,)).fetchone()
    now = format_time(utcnow())
    return now if newest is None else max(now, add_seconds(newest, _TICK))


def _check_memberships(connection: Connection, user_id: int, limits: RoomLimits) -> None:
    (count,) = connection.execute("SELECT count(*) FROM member WHERE user_id = ?", (user_id,)).fetchone()
    if count >= limits.per_account:
        raise LimitReached("rooms of one account")


def join_room(connection: Connection, user_id: int, room: str, limits: RoomLimits) -> RoomChange:
    bans.check_main(connection, user_id)
    standing = rooms.known_standing(connection, user_id, room)
    now = format_time(utcnow())
    ref = standing.room
    if standing.role is not None:
        view, newest = view_of(connection, ref.id, user_id, now), ids.newest_given(connection)
        return RoomChange(ref, view=view, last_id=newest, fresh=False)
    bans.check(connection, ref.id, user_id, now)
    (members,) = connection.execute("SELECT members FROM room WHERE id = ?", (ref.id,)).fetchone()
    if members >= limits.members:
        raise LimitReached("members of this room")
    _check_memberships(connection, user_id, limits)
    joined = MemberChange("join", user_id, standing.name, now, "member", by=standing.name)
    return _enter(connection, ref, joined._replace(was_invited=standing.is_invited))


def _enter(connection: Connection, room: RoomRef, joined: MemberChange) -> RoomChange:
    """Makes the user a member, who has read all that is there. A mute from before goes on."""
    newest = ids.newest_given(connection)
    key = (room.id, joined.user_id)
    mute = connection.execute("SELECT until FROM kept_mute WHERE room_id = ? AND user_id = ?", key).fetchone()
    connection.execute(
        "INSERT INTO member (room_id, user_id, role, joined_at, muted_until, read_id, read_position) "
        "SELECT id, ?, ?, ?, ?, ?, messages FROM room WHERE id = ?",
        (joined.user_id, joined.role, joined.time, None if mute is None else mute[0], newest, room.id),
    )
    connection.execute("DELETE FROM kept_mute WHERE room_id = ? AND user_id = ?", key)
    connection.execute("UPDATE room SET members = members + 1 WHERE id = ?", (room.id,))
    connection.execute("DELETE FROM invitation WHERE room_id = ? AND user_id = ?", key)
    view = view_of(connection, room.id, joined.user_id, joined.time)
    return RoomChange(room, [joined], view, newest)


def leave_room(connection: Connection, user_id: int, room: str) -> RoomChange:
    standing = rooms.membership(connection, user_id, room)
    now = format_time(utcnow())
    left = MemberChange("leave", user_id, standing.name, now, by=standing.name, was_member=True)
    return end_membership(connection, standing.room, left)


def leave_all(connection: Connection, user_id: int, name: str) -> list[RoomChange]:
    """Has an account that is deleted leave its rooms; invitations to it, and bans and mutes of it, end."""
    now = format_time(utcnow())
    found = connection.execute(
        "SELECT r.id, r.name, r.created_at, r.private FROM member AS m CROSS JOIN room AS r ON r.id = m.room_id "
        "WHERE m.user_id = ? ORDER BY m.room_id",
        (user_id,),
    ).fetchall()
    left = MemberChange("leave", user_id, name, now, was_member=True)
    changes = [end_membership(connection, rooms.to_ref(row), left) for row in found]
    connection.execute("DELETE FROM invitation WHERE user_id = ?", (user_id,))
    connection.execute("DELETE FROM ban WHERE user_id = ?", (user_id,))
    connection.execute("DELETE FROM kept_mute WHERE user_id = ?", (user_id,))
    return changes


# -- the end of a membership ------------------------------------------------------------------------------------------
def end_membership(connection: Connection, room: RoomRef, change: MemberChange) -> RoomChange:
    """Removes a member, as the change says; the last owner hands over, and after the last member the room is gone.

    A mute that holds is kept: or to leave and join again would undo it.
    """
    key = (room.id, change.user_id)
    connection.execute(
        "INSERT INTO kept_mute (room_id, user_id, until) SELECT room_id, user_id, muted_until FROM member "
        "WHERE room_id = ? AND user_id = ? AND muted_until > ?",
        (*key, change.time),
    )
    connection.execute("DELETE FROM member WHERE room_id = ? AND user_id = ?", key)
    connection.execute("UPDATE room SET members = members - 1 WHERE id = ?", (room.id,))
    (members,) = connection.execute("SELECT members FROM room WHERE id = ?", (room.id,)).fetchone()
    if members:
        heir = None if has_other_owner(connection, room.id, change.user_id) else find_heir(connection, room.id)
        return RoomChange(room, [change, *([] if heir is None else [hand_over(connection, room, heir, change.time)])])
    return RoomChange(room, [change], gone=True, ended=_end_room(connection, room.id, change.time))


def _end_room(connection: Connection, room_id: int, now: str) -> Sequence[int]:
    """Makes a room gone that has no members any more; returns whose invitations end with it."""
    connection.execute("UPDATE room SET members = 0, gone_at = ? WHERE id = ?", (now, room_id))
    connection.execute("DELETE FROM kept_mute WHERE room_id = ?", (room_id,))
    return end_invitations(connection, room_id)


class Heir(NamedTuple):
    """Who takes over a room from its last owner."""

    user_id: int
    name: str


def has_other_owner(connection: Connection, room_id: int, user_id: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM member WHERE room_id = ? AND role = 'owner' AND user_id <> ? LIMIT 1", (room_id, user_id)
    ).fetchone()
    return row is not None


def find_heir(connection: Connection, room_id: int, but_for: int = 0) -> Heir | None:
    """Returns the moderator who has been there longest, else the member, other than the user `but_for`."""
    for role in ("moderator", "member"):
        row = connection.execute(
            "SELECT u.id, u.name FROM member AS m CROSS JOIN user AS u ON u.id = m.user_id "
            "WHERE m.room_id = ? AND m.role = ? AND m.user_id <> ? ORDER BY m.joined_at, m.user_id LIMIT 1",
            (room_id, role, but_for),
        ).fetchone()
        if row is not None:
            return Heir(*row)
    return None


def hand_over(connection: Connection, room: RoomRef, heir: Heir, now: str) -> MemberChange:
    set_role(connection, room.id, heir.user_id, "owner")
    return MemberChange("role", heir.user_id, heir.name, now, "owner", was_member=True)


def set_role(connection: Connection, room_id: int, user_id: int, role: Role) -> None:
    connection.execute("UPDATE member SET role = ? WHERE room_id = ? AND user_id = ?", (role, room_id, user_id))


def end_invitations(connection: Connection, room_id: int) -> Sequence[int]:
    """Removes the invitations to a room; returns whose they were."""
    invited = connection.execute("SELECT user_id FROM invitation WHERE room_id = ?", (room_id,)).fetchall()
    connection.execute("DELETE FROM invitation WHERE room_id = ?", (room_id,))
    return [user_id for (user_id,) in invited]


# -- the room itself --------------------------------------------------------------------------------------------------
def set_room(
    connection: Connection,
    user_id: int,
    room: str | None,
    topic: str | None,
    private: bool | None,  # noqa: FBT001
) -> RoomChange:
    bans.check_main(connection, user_id)
    if room is None:
        return _set_main_topic(connection, user_id, topic, private)
    standing = rooms.known_standing(connection, user_id, room)
    _check_fields(standing, private)
    return _set_fields(connection, standing.room, user_id, topic, private)


def _check_fields(standing: Standing, private: bool | None) -> None:  # noqa: FBT001
    """Raises NotAMember or NotAllowed if one of the fields is not the user's to set."""
    standing.check_rank("moderator" if private is None else "owner")
    if private is False and standing.room.private:
        raise NotAllowed("a private room stays private")


def _set_fields(
    connection: Connection,
    ref: RoomRef,
    user_id: int,
    topic: str | None,
    private: bool | None,  # noqa: FBT001
) -> RoomChange:
    now = format_time(utcnow())
    ended: Sequence[int] = ()
    fresh = False
    if (
        topic is not None
        and connection.execute("UPDATE room SET topic = ? WHERE id = ? AND topic <> ?", (topic, ref.id, topic)).rowcount
    ):
        fresh = True
        acts.note(connection, now, user_id, "topic", room_id=ref.id, reason=topic)
    if private and not ref.private:
        fresh = True
        connection.execute("UPDATE room SET private = ? WHERE id = ?", (True, ref.id))
        acts.note(connection, now, user_id, "private", room_id=ref.id)
        ended = end_invitations(connection, ref.id)
        ref = ref._replace(private=True)
    return RoomChange(ref, view=view_of(connection, ref.id, user_id, now), fresh=fresh, ended=ended)


def _set_main_topic(
    connection: Connection,
    user_id: int,
    topic: str | None,
    private: bool | None,  # noqa: FBT001
) -> RoomChange:
    (role,) = connection.execute("SELECT role FROM user WHERE id = ?", (user_id,)).fetchone()
    if private is not None:
        raise NotAllowed("the main room is everyone's")
    if role == "member":
        raise NotAllowed
    topic = topic or ""
    fresh = bool(connection.execute("UPDATE main_room SET topic = ? WHERE topic <> ?", (topic, topic)).rowcount)
    if fresh:
        acts.note(connection, format_time(utcnow()), user_id, "topic", reason=topic)
    view = RoomView(0, "", "", topic, private=False, members=0, last_id=0, role=role)
    return RoomChange(None, view=view, fresh=fresh)


def delete_room(connection: Connection, room: str) -> RoomChange:
    ref = rooms.known_room(connection, room)
    now = format_time(utcnow())
    members = connection.execute("SELECT user_id FROM member WHERE room_id = ?", (ref.id,)).fetchall()
    connection.execute("DELETE FROM member WHERE room_id = ?", (ref.id,))
    ended = _end_room(connection, ref.id, now)
    acts.note(connection, now, None, "delete_room", room_id=ref.id)
    return RoomChange(ref, gone=True, ended=ended, members=[user_id for (user_id,) in members])
