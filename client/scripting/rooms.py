"""Which rooms a script is about, by the names that the server gives them. Sends and prints nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from unicodedata import normalize

from msgspec import UNSET

from client.chat.addressing import ROOM
from client.net.cursor import rooms_of
from service.wire.protocol import DirectEvent, MemberEvent, RoomReply, StoredMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.chat.receipts import Receipts
    from client.net.catch_up import Room
    from client.render.records import Message
    from service.wire.protocol import AnyEvent, HelloEvent, LoginOkReply

_ENDS: Final = frozenset({"leave", "kick", "ban"})  # what ends a membership


class ScriptRooms:
    """Those that were named. If none was, the script is about the main room and the direct messages.

    Not safe for two threads at once.
    """

    def __init__(self, typed: Sequence[str]) -> None:
        self.are_named: Final = bool(typed)
        self._typed = typed
        self._main = ""  # the main room's name
        self._first: tuple[Room, str] = (UNSET, "")
        self._created: dict[str, str] = {}  # times of creation by name; empty of the main room, and where not known

    def meet(self, login: LoginOkReply, hello: HelloEvent) -> None:
        """After the login: those that the user is in get their names as the server spells them."""
        self._main = hello.main_room or ""
        names = {_folded(name): name for name in (*rooms_of(login), self._main)}
        for typed in self._typed:
            self.know(names.get(_folded(typed), typed), login)
        if self.are_named:
            self._first = next(iter(self._created.items()))

    def start(self, login: LoginOkReply, receipts: Receipts) -> None:
        """Has each room confirmed by itself."""
        if self.are_named:
            receipts.main_room = self._main
            for info in login.rooms or []:
                receipts.of(ROOM + info.room).start(info.unread or 0, login.last_id)

    def come_back(self, login: LoginOkReply, receipts: Receipts) -> None:
        """What came meanwhile was printed. Some may have been read elsewhere."""
        for info in login.rooms or []:
            if info.room in self._created:
                marker = receipts.of(ROOM + info.room)
                marker.forget(info.read_id or 0)
                marker.lower(info.unread or 0)
                marker.live(login.last_id)
        if self._main in self._created:
            receipts.main.live(login.last_id)

    def know(self, room: Room, login: LoginOkReply) -> None:
        """This is one of them, as the server spells it."""
        name = room or self._main
        self._created[name] = rooms_of(login).get(name, "")

    def forget(self, name: str) -> None:
        """This is none of them."""
        self._created.pop(name, None)

    def names(self) -> list[Room]:
        """Those that are left, as a command names them."""
        return list(self._created) if self.are_named else [UNSET]

    def first(self) -> tuple[Room, str]:
        """The one that is written to and searched, and the time of its creation, where that is known.

        Also once it is forgotten: what is meant for it must never go to the main room.
        """
        return self._first

    def unknown(self) -> list[str]:
        """Those that the user is not in, as far as the login tells."""
        return [name for name, created in self._created.items() if not created and name != self._main]

    def have(self, message: Message) -> bool:
        """Whether a message is of one of them."""
        if not self.are_named:
            return True
        if isinstance(message, DirectEvent) or (isinstance(message, StoredMessage) and message.to is not UNSET):
            return False
        return (message.room or self._main) in self._created

    def lost(self, event: AnyEvent, user: str) -> list[str]:
        """The one that the user is in no longer by this event, if there is one."""
        match event:
            case MemberEvent(username=name, action=action, room=str(room)) if name == user and action in _ENDS:
                return [room] if room in self._created else []
            case RoomReply(gone=True, room=str(room), created=created):
                return [room] if self._created.get(room) == created else []
        return []

    def lost_meanwhile(self, login: LoginOkReply) -> list[str]:
        """Those that the user is in no longer after a return."""
        rooms = rooms_of(login)
        return [name for name in self._created if name not in rooms and name != self._main]


def _folded(name: str) -> str:
    """Names that differ in this alone are one to the server."""
    return normalize("NFKC", name).casefold()
