"""Statements for what a moderator, or the operator, does to a user in a room. None begins or ends a transaction.

The table RULES says who may do what. room_contract.py describes `moderate`. Room 0 is the main one, which has no row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.clock import format_time, utcnow
from service.storage.records import (
    FOREVER,
    LimitReached,
    MemberChange,
    NotAllowed,
    NotAMember,
    RoomChange,
    UnknownUser,
)
from service.storage.statements import acts, bans, membership, rooms
from service.storage.statements.room_lists import view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.storage.records import Action, Role, RoomLimits, RoomRef
    from service.storage.statements.connection import Connection


class Rule(NamedTuple):
    """What an act takes."""

    least: Role  # the rank in a public room, and in the main one
    least_private: Role
    on_whom: str  # "member", "invited" (or a member), "account", or "name", which may be nobody's
    is_above: bool = True  # the actor must rank higher than whom it concerns


RULES: Final[Mapping[Action, Rule]] = {
    "invite": Rule("member", "moderator", "account", is_above=False),
    "kick": Rule("moderator", "moderator", "invited"),
    "ban": Rule("moderator", "moderator", "name"),
    "unban": Rule("moderator", "moderator", "name", is_above=False),
    "mute": Rule("moderator", "moderator", "member"),
    "unmute": Rule("moderator", "moderator", "member"),
    "role": Rule("owner", "owner", "member"),
}


class _Actor(NamedTuple):
    """Who acts, and where; the operator has no id, name and rank, and may do all."""

    room: RoomRef | None
    user_id: int | None = None
    name: str | None = None
    rank: Role | None = None
    is_member: bool = True

    @property
    def room_id(self) -> int:
        return 0 if self.room is None else self.room.id


class _Target(NamedTuple):
    """Whom the act concerns; a name that nobody has has the id 0."""

    user_id: int
    name: str
    main_role: Role = "member"
    role: Role | None = None  # in the room; None: no member
    muted_until: str | None = None
    is_invited: bool = False


class _Act(NamedTuple):
    """An act that is allowed."""

    actor: _Actor
    target: _Target
    action: Action
    now: str
    role: Role | None
    until: str
    reason: str | None
    limits: RoomLimits

    @property
    def change(self) -> MemberChange:
        """What is told of it, but for `role` and `until`."""
        actor, target = self.actor, self.target
        return MemberChange(
            *(self.action, target.user_id, target.name, self.now),
            by=actor.name,
            reason=self.reason,
            was_member=target.role is not None,
            was_invited=target.is_invited,
        )


def moderate(
    connection: Connection,
    actor_id: int | None,
    room: str | None,
    username: str,
    action: Action,
    role: Role | None,
    until: str | None,
    reason: str | None,
    limits: RoomLimits,
) -> RoomChange:
    actor = _find_actor(connection, actor_id, room)
    target = _find_target(connection, actor.room_id, username, RULES[action])
    _check_actor(actor, target, action, role)
    if target is None:
        raise UnknownUser(username)
    _check_target(actor, target, action, role)
    act = _Act(actor, target, action, format_time(utcnow()), role, until or FOREVER, reason, limits)
    change = _WORKS[action](connection, act)
    if change is None:
        return RoomChange(actor.room, fresh=False)
    acts.note(
        connection,
        act.now,
        actor_id,
        action,
        room_id=None if actor.room is None else actor.room.id,
        user_id=target.user_id or None,
        name=None if target.user_id else target.name,
        role=role if action == "role" else None,
        until=act.until if action in {"ban", "mute"} else None,
        reason=reason,
    )
    return change


# -- who may -----------------------------------------------------------------------------------------------------------
def _find_actor(connection: Connection, actor_id: int | None, room: str | None) -> _Actor:
    """Raises UnknownRoom, and Banned for who is banned from the main room."""
    if actor_id is None:
        return _Actor(None if room is None else rooms.known_room(connection, room))
    bans.check_main(connection, actor_id)
    if room is None:
        name, role = connection.execute("SELECT name, role FROM user WHERE id = ?", (actor_id,)).fetchone()
        return _Actor(None, actor_id, name, role)
    standing = rooms.known_standing(connection, actor_id, room)
    return _Actor(standing.room, actor_id, standing.name, standing.rank, standing.role is not None)


def _find_target(connection: Connection, room_id: int, username: str, rule: Rule) -> _Target | None:
    """Returns whom the name means in the room; None if nobody, or a name that was somebody's."""
    row = connection.execute(
        "SELECT u.id, u.name, u.role, CASE WHEN :room > 0 THEN m.role ELSE u.role END, "
        "CASE WHEN :room > 0 THEN m.muted_until ELSE u.muted_until END, i.user_id IS NOT NULL, u.password_hash = '' "
        "FROM user AS u LEFT JOIN member AS m ON m.room_id = :room AND m.user_id = u.id "
        "LEFT JOIN invitation AS i ON i.room_id = :room AND i.user_id = u.id WHERE u.name = :name",
        {"room": room_id, "name": username},
    ).fetchone()
    if row is not None:
        user_id, name, main_role, role, muted_until, is_invited, is_closed = row
        return None if is_closed else _Target(user_id, name, main_role, role, muted_until, bool(is_invited))
    former = connection.execute("SELECT 1 FROM former_name WHERE name = ?", (username,)).fetchone()
    return _Target(0, username) if rule.on_whom == "name" and former is None else None


def _check_actor(actor: _Actor, target: _Target | None, action: Action, role: Role | None) -> None:
    """Raises NotAMember or NotAllowed where the actor may do that to nobody at all."""
    if action == "invite" and actor.room is None:
        raise NotAllowed("everyone is in the main room")
    if actor.rank is None or (action == "role" and _is_step_down(actor, target, role)):
        return
    rule = RULES[action]
    private = actor.room is not None and actor.room.private
    is_too_low = rooms.outranks(rule.least_private if private else rule.least, actor.rank)
    if not actor.is_member and (is_too_low or actor.rank == "member"):
        raise NotAMember
    if is_too_low:
        raise NotAllowed


def _is_step_down(actor: _Actor, target: _Target | None, role: Role | None) -> bool:
    """Whether the actor gives itself a lower role, as all may."""
    if target is None or target.user_id != actor.user_id or target.role is None or role is None:
        return False
    return rooms.outranks(target.role, role)


def _check_target(actor: _Actor, target: _Target, action: Action, role: Role | None) -> None:
    """Raises NotAllowed for an act on oneself or on who ranks as high, and NotAMember where the target must be one."""
    is_self = target.user_id == actor.user_id
    if is_self and not (action == "role" and _is_step_down(actor, target, role)):
        raise NotAllowed("on yourself only LEAVE and a lower role are possible")
    rule = RULES[action]
    is_there = target.role is not None or (rule.on_whom == "invited" and target.is_invited)
    if rule.on_whom in {"member", "invited"} and not is_there:
        raise NotAMember(target.name)
    rank = rooms.rank_in(actor.room, target.role, target.main_role)
    if rule.is_above and not is_self and actor.rank is not None and not rooms.outranks(actor.rank, rank):
        raise NotAllowed


# -- what is done; None: nothing has changed ---------------------------------------------------------------------------
def _invite(connection: Connection, act: _Act) -> RoomChange | None:
    room, target = act.actor.room, act.target
    if room is None or target.role is not None or target.is_invited:
        return None
    bans.check(connection, room.id, target.user_id, act.now, target.name)
    to_room, to_user = connection.execute(
        "SELECT (SELECT count(*) FROM invitation WHERE room_id = ?), "
        "(SELECT count(*) FROM invitation WHERE user_id = ?)",
        (room.id, target.user_id),
    ).fetchone()
    if to_room >= act.limits.invitations:
        raise LimitReached("invitations to this room")
    if to_user >= act.limits.per_account:
        raise LimitReached("invitations to one account")
    connection.execute(
        "INSERT INTO invitation (room_id, user_id, by_id, time) VALUES (?, ?, ?, ?)",
        (room.id, target.user_id, act.actor.user_id, act.now),
    )
    return RoomChange(room, [act.change], view_of(connection, room.id, target.user_id, act.now))


def _kick(connection: Connection, act: _Act) -> RoomChange | None:
    return _remove(connection, act, act.change)


def _remove(connection: Connection, act: _Act, change: MemberChange) -> RoomChange:
    """Ends a membership or an invitation; in the main room the sessions end with the change."""
    room = act.actor.room
    if room is None:
        return RoomChange(None, [change])
    if change.was_member:
        return membership.end_membership(connection, room, change)
    connection.execute("DELETE FROM invitation WHERE room_id = ? AND user_id = ?", (room.id, change.user_id))
    return RoomChange(room, [change], ended=[change.user_id] if act.action == "kick" and change.was_invited else ())


def _ban(connection: Connection, act: _Act) -> RoomChange | None:
    actor, target = act.actor, act.target
    whom = target.user_id or target.name
    ban = bans.Ban(act.until, act.reason)
    present = bans.find(connection, actor.room_id, whom)
    if present == ban:
        return None
    if present is None and bans.count(connection, actor.room_id, act.now) >= act.limits.bans:
        raise LimitReached("bans here")
    bans.put(connection, actor.room_id, whom, ban, actor.user_id, act.now)
    if actor.room is None:
        connection.execute("DELETE FROM token WHERE user_id = ?", (target.user_id,))
    until = None if act.until == FOREVER else act.until
    return _remove(connection, act, act.change._replace(until=until))


def _unban(connection: Connection, act: _Act) -> RoomChange | None:
    whom = act.target.user_id or act.target.name
    present = bans.find(connection, act.actor.room_id, whom)
    bans.delete(connection, act.actor.room_id, whom)
    return None if present is None or present.until <= act.now else RoomChange(act.actor.room, [act.change])


def _mute(connection: Connection, act: _Act) -> RoomChange | None:
    if act.target.muted_until == act.until:
        return None
    _set_muted(connection, act, act.until)
    until = None if act.until == FOREVER else act.until
    return RoomChange(act.actor.room, [act.change._replace(until=until)])


def _unmute(connection: Connection, act: _Act) -> RoomChange | None:
    if act.target.muted_until is None or act.target.muted_until <= act.now:
        return None
    _set_muted(connection, act, None)
    return RoomChange(act.actor.room, [act.change])


def _set_muted(connection: Connection, act: _Act, until: str | None) -> None:
    if act.actor.room is None:
        # Whoever stores messages looks at all mutes of the main room, so those that have ended do not pile up.
        connection.execute(
            "UPDATE user INDEXED BY user_muted SET muted_until = NULL WHERE muted_until <= ?", (act.now,)
        )
        connection.execute("UPDATE user SET muted_until = ? WHERE id = ?", (until, act.target.user_id))
    else:
        connection.execute(
            "UPDATE member SET muted_until = ? WHERE room_id = ? AND user_id = ?",
            (until, act.actor.room_id, act.target.user_id),
        )


def _set_role(connection: Connection, act: _Act) -> RoomChange | None:
    room, target, role = act.actor.room, act.target, act.role
    if role is None or target.role == role:
        return None
    changes = [act.change._replace(role=role)]
    if room is None:
        _check_main_owner(connection, act)
        connection.execute("UPDATE user SET role = ? WHERE id = ?", (role, target.user_id))
        return RoomChange(None, changes)
    heir = None
    if target.role == "owner" and not membership.has_other_owner(connection, room.id, target.user_id):
        heir = membership.find_heir(connection, room.id, but_for=target.user_id)
        if heir is None:
            raise NotAllowed("a room has an owner; LEAVE ends it")
    membership.set_role(connection, room.id, target.user_id, role)
    if heir is not None:
        changes.append(membership.hand_over(connection, room, heir, act.now))
    return RoomChange(room, changes)


def _check_main_owner(connection: Connection, act: _Act) -> None:
    """Raises NotAllowed for the last owner who steps down; the operator may have none."""
    if act.target.user_id != act.actor.user_id or act.target.role != "owner":
        return
    other = connection.execute(
        "SELECT 1 FROM user INDEXED BY user_rank WHERE role <> 'member' AND role = 'owner' AND id <> ? LIMIT 1",
        (act.target.user_id,),
    ).fetchone()
    if other is None:
        raise NotAllowed("the main room keeps an owner; make somebody else one first")


_WORKS: Final[Mapping[Action, Callable[[Connection, _Act], RoomChange | None]]] = {
    "invite": _invite,
    "kick": _kick,
    "ban": _ban,
    "unban": _unban,
    "mute": _mute,
    "unmute": _unmute,
    "role": _set_role,
}
