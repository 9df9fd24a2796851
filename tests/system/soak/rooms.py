"""Visits of the soak's clients that know rooms: they join and leave, keep order there, and catch up by `since`.

What such a client believes of its rooms comes from replies and events alone: a message of another room is a fault.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from tests.system.soak.client import PAGE, WEIGHTS, Client, Visit
from tests.system.soak.world import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from tests.system.soak.world import Line, World

ROOMS: Final = ("club", "dev", "lab", "ops")  # each has a keeper, who made it and never leaves
STEP: Final = 3  # every third client knows rooms
RECENT: Final = 20  # of its own messages; one of them may be deleted
_OWN: Final = {"kick", "ban", "leave"}  # what ends a membership


def make_client(world: World, number: int, friends: list[str]) -> Client:
    """One that knows rooms, or one of the others that do not."""
    if number % STEP:
        return Client(world, number, friends)
    client = Client(world, number, friends, RoomVisit)
    client.confirms = True  # as all that know rooms
    client.keeps = dict(enumerate(ROOMS)).get(number // STEP, "")
    return client


class RoomVisit(Visit):
    """A visit that asks for rooms."""

    harmless = Visit.harmless | {
        "unknown_room", "room_exists", "not_a_member", "not_allowed", "muted", "banned", "unknown_message",
    }  # fmt: skip
    knows_rooms = True
    weights = WEIGHTS | {"say": 60, "enter": 15, "go": 3, "moderate": 10, "withdraw": 3}
    asks: Mapping[str, Any] = MappingProxyType({"rooms": True, "presence": "changes"})

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.rooms: dict[str, str] = {}  # the name of each of its rooms, and when that was made
        self._time = ""  # of the newest login_ok or `since`

    # -- listening ----------------------------------------------------------------------------------------------------
    def _take(self, line: Line) -> None:
        kind, room = line["type"], line.get("room")
        if kind == "login_ok":
            self.rooms = {row["room"]: row["created"] for row in line["rooms"] if "role" in row}
        elif kind == "room":
            self._take_room(line)
        elif kind == "member":
            if line["username"] == self.client.name and line["action"] in _OWN:
                self.rooms.pop(line["room"], None)
        elif kind == "ack" and line["command"] == "leave":
            self.rooms.pop(line["room"], None)
        elif kind == "broadcast" and room is not None and room not in self.rooms:
            self.world.fault(f"{self.client.name} was told {line['id']}, of {room}, where it is no member")
        elif kind == "error" and line.get("command") == "pm" and line["code"] in self.harmless:
            self.client.unacked.pop(line.get("ref", ""), None)
            self.client.acked[int(line["ref"])] = -1
        super()._take(line)

    def _take_room(self, line: Line) -> None:
        if line.get("gone"):
            if self.rooms.get(line["room"]) == line["created"]:
                del self.rooms[line["room"]]
        elif "role" in line:
            self.rooms[line["room"]] = line["created"]

    # -- catching up --------------------------------------------------------------------------------------------------
    async def _catch_up(self) -> None:
        """By `since`: all that it may read, its own messages too, and what was deleted."""
        client, more = self.client, True
        cursor = client.mark
        while more:
            deleted = {"deleted_after": client.deleted_after} if client.deleted_after else {}
            page = await self.ask("since", id=cursor, limit=PAGE, **deleted)
            for message in page["messages"]:
                if message["id"] <= cursor:
                    self.world.fault(f"{client.name} got a page out of order at {message['id']}")
                cursor = message["id"]
                client.show(message)
                if message.get("to") == client.name:
                    self._unconfirmed.append(cursor)
            for message_id in page.get("deleted", ()):
                client.forget(message_id)
            if page.get("deleted_more"):
                self.world.fault(f"{client.name} was away for too many deletions")
            client.deleted_after = self._time = page["time"]
            more = page["more"]
        client.mark = max(client.mark, cursor)
        self._caught_up = True

    async def look_back(self) -> None:
        """Reads all that it may read once more, and notes in which rooms it is."""
        await super().look_back()
        cursor, more = 0, True
        while more:
            page = await self.ask("since", id=cursor, limit=PAGE)
            for message in page["messages"]:
                cursor = message["id"]
                place = f"#{message['room']}" if "room" in message else message.get("to")
                text = "deleted" if "deleted" in message else message["message"]
                self.client.final[cursor] = fingerprint(cursor, message["from"], place, text)
            more = page["more"]

    # -- acting -------------------------------------------------------------------------------------------------------
    def more_actions(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        return {
            "say": self.say, "enter": self.enter_room, "go": self.go, "moderate": self.moderate,
            "withdraw": self.withdraw,
        }  # fmt: skip

    async def _enter(self, act: Any) -> None:
        async def settle(visit: Visit) -> None:
            if self.client.keeps and self.client.keeps not in self.rooms:
                await self.ask("create", room=self.client.keeps, private=self.client.keeps == ROOMS[0])
            await act(visit)

        await super()._enter(settle)

    async def say(self) -> None:
        """Writes to one of its rooms."""
        if self.rooms:
            room, created = self.client.random.choice(sorted(self.rooms.items()))
            self.send(self.client.compose(None, 40, room=room, created=created))

    async def enter_room(self) -> None:
        """Joins a room, if it may."""
        await self.ask("join", room=self.client.random.choice(ROOMS))

    async def go(self) -> None:
        """Leaves a room, unless it is its keeper."""
        left = [room for room in sorted(self.rooms) if room != self.client.keeps]
        if left:
            await self.ask("leave", room=self.client.random.choice(left))

    async def moderate(self) -> None:
        """Acts on somebody, in a room where it may do so perhaps."""
        plan = self.client.random
        if self.rooms:
            action = plan.choice(("invite", "kick", "ban", "unban", "unban", "mute", "unmute", "role"))
            more = {"role": plan.choice(("member", "moderator"))} if action == "role" else {}
            whom = plan.choice(self.world.clients[::STEP]).name
            await self.ask("moderate", room=plan.choice(sorted(self.rooms)), username=whom, action=action, **more)

    async def withdraw(self) -> None:
        """Deletes one of its newest messages."""
        recent = [message_id for message_id in self.client.acked[-RECENT:] if message_id > 0]
        if recent:
            message_id = self.client.random.choice(recent)
            reply = await self.ask("delete", id=message_id)
            if reply["type"] == "ack":
                self.client.forget(message_id)
