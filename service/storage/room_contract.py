"""What the service asks of a storage about rooms. There is no SQL and no engine here; contract.py says what holds.

A mapped name means the room that is not gone, and None the main room. A method names its errors at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.records import (
        Act,
        Action,
        BanPage,
        KeptRoom,
        MemberPage,
        Page,
        Role,
        RoomChange,
        RoomLimits,
        RoomPage,
        RoomRef,
    )
    from service.storage.write import Done, Failed, Write


class RoomOrders(Protocol):
    """The methods for an operator's orders."""

    def find_room(self, name: str) -> RoomRef | None:
        """Returns the room of that name that is not gone, if any."""

    def all_rooms(self, after: tuple[str, str], limit: int, *, gone: bool) -> list[KeptRoom]:
        """Returns rooms by name and time, from the one that follows that name and time; with `gone` also such."""

    def moderation_page(
        self,
        after_id: int,
        limit: int,
        *,
        room: str | None = None,
        user: str | None = None,
        action: str | None = None,
        since: str | None = None,
    ) -> list[Act]:
        """Returns acts with larger ids, oldest first.

        These are in a `room` ("": the main one), by or to a `user`, of that `action`, and `since` that time. A room's
        name may have been another one's before: those are among them.
        """

    def delete_room(self, room: str, *, done: Done[RoomChange] = None, refused: Failed = None) -> Write[RoomChange]:
        """Ends a room, as the operator. UnknownRoom."""

    def moderate(
        self,
        actor_id: int | None,
        room: str | None,
        username: str,
        action: Action,
        *,
        limits: RoomLimits,
        role: Role | None = None,
        until: str | None = None,
        reason: str | None = None,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        """Does to a user what `action` says, and notes it; an actor of None is the operator, who may do all.

        `role` is for that action; `until` for a ban or mute: None is FOREVER. A ban from the main room deletes tokens.
        UnknownRoom, UnknownUser, NotAMember (also of whom it concerns), NotAllowed, LimitReached, Banned (who is to be
        invited; or the actor, from the main room).
        """


class RoomStorage(Protocol):
    """The methods for sessions. What a user may do is judged when it is read, or stored, in the order of the writes.

    Who is banned from the main room makes, joins and changes no room: Banned.
    """

    # reads
    def room_page(self, user_id: int, room: str, before: int | None, after: int | None, limit: int) -> Page:
        """As `history_page`, for a room of which the user is a member. Raises UnknownRoom, NotAMember."""

    def rooms_page(self, user_id: int, after: str, limit: int) -> RoomPage:
        """Returns the rooms that the user may see, by name, from the one that follows `after`.

        These are the public ones, the user's own, and those that the user is invited to.
        """

    def members_page(self, user_id: int, room: str | None, after: str, limit: int, online: Sequence[str]) -> MemberPage:
        """Returns members by name, from the one that follows `after`. UnknownRoom, NotAMember.

        Of the main room these are who is `online`, by name, and who has a role; for its moderators and owners all.
        """

    def bans_page(self, user_id: int, room: str | None, after: str, limit: int) -> BanPage:
        """Returns the bans that hold, by name, to moderators and owners. UnknownRoom, NotAMember, NotAllowed."""

    # writes
    def create_room(
        self,
        user_id: int,
        name: str,
        look: str,
        topic: str,
        *,
        private: bool,
        least: Role,
        limits: RoomLimits,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        """Makes a room; the user, whose rank in the main room must be `least` or higher, is its owner.

        NotAllowed, RoomExists, RoomLooksAlike, LimitReached.
        """

    def join_room(
        self,
        user_id: int,
        room: str,
        *,
        limits: RoomLimits,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        """Makes the user a member, who has read all. UnknownRoom, Banned, LimitReached."""

    def leave_room(
        self, user_id: int, room: str, *, done: Done[RoomChange] = None, refused: Failed = None
    ) -> Write[RoomChange]:
        """Ends the user's membership. UnknownRoom, NotAMember."""

    def set_room(
        self,
        user_id: int,
        room: str | None,
        *,
        topic: str | None = None,
        private: bool | None = None,
        done: Done[RoomChange] = None,
        refused: Failed = None,
    ) -> Write[RoomChange]:
        """Sets a room's topic, or makes it private. UnknownRoom, NotAMember, NotAllowed.

        Of the main room the result's view has the topic and the user's role only.
        """

    def see_room_up_to(
        self, user_id: int, room: str | None, message_id: int, *, done: Done[int] = None, refused: Failed = None
    ) -> Write[int]:
        """Moves the read marker of a room, or the main room's; the result is its id, and 0 if it has not moved.

        UnknownRoom, NotAMember.
        """
