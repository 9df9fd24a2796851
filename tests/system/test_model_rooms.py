"""A model of rooms beside the real service: who is in which, who may do what, and what each session gets of it."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from tests.support.doors import door_for_models
from tests.support.engines import POSTGRES
from tests.support.helpers import Wire, running_server
from tests.support.rooms import act

if TYPE_CHECKING:
    from service.storage.records import Role
    from tests.support.helpers import Line

pytestmark = pytest.mark.engines
NAMES: Final = ("alice", "bob", "carol")  # alice is a moderator of the main room
ROOMS: Final = ("dev", "ops")
RANKS: Final = ("member", "moderator", "owner")
MAIN: Final[dict[str, Role]] = {"alice": "moderator", "bob": "member", "carol": "member"}
NEEDED: Final = {  # the rank in the room that an act needs
    "kick": "moderator",
    "ban": "moderator",
    "unban": "moderator",
    "mute": "moderator",
    "unmute": "moderator",
    "role": "owner",
}
Event = tuple[object, ...]


@dataclass(eq=False)
class Room:
    """A room; who made or joined it first comes first in `roles`."""

    name: str
    private: bool
    created: str
    roles: dict[str, str] = field(default_factory=dict)
    markers: dict[str, int] = field(default_factory=dict)
    invited: set[str] = field(default_factory=set)
    banned: set[str] = field(default_factory=set)
    muted: set[str] = field(default_factory=set)  # also who has left: it holds if they come back

    def knows(self, name: str) -> bool:
        return not self.private or name in self.roles or name in self.invited

    def rank(self, name: str) -> int:
        own = RANKS.index(self.roles.get(name, "member"))
        return own if self.private else max(own, RANKS.index(MAIN[name]))


@dataclass(eq=False)
class Message:
    """A stored message: to a room, to a person, or to the main room."""

    id: int
    sender: str
    room: Room | None
    recipient: str | None
    deleted: bool = False


@dataclass(eq=False)
class Client:
    """One session, and what it is to be sent."""

    name: str
    wire: Wire
    rooms: bool
    expected: list[Event] = field(default_factory=list)


class Chat(RuleBasedStateMachine):
    """Three people in two rooms and the main one, at one service or several."""

    clients: Bundle[Client] = Bundle("clients")
    service_count = 1

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.messages: list[Message] = []
        self.online: list[Client] = []
        self.rooms: dict[str, Room] = {}
        self.newest = 0

    @initialize()
    def start(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.door = door_for_models()
        self.servers = [
            self._stack.enter_context(running_server(folder, **self.door.settings)) for _ in range(self.service_count)
        ]
        for name in NAMES:
            with self.door.enter(self.servers[0], name) as wire:
                wire.ask("ex")
                wire.read_to_end()
        for name, role in MAIN.items():
            act(self.servers[0].services.storage, None, name, "role", None, role=role)

    def teardown(self) -> None:
        for client in self.online:
            client.wire.close()
        self._stack.close()

    # -- what the model says ------------------------------------------------------------------------------------------
    def may_read(self, name: str, message: Message, *, rooms: bool = True) -> bool:
        if message.recipient is not None:
            return name in (message.sender, message.recipient)
        return message.room is None or (rooms and self.is_there(message.room) and name in message.room.roles)

    def is_there(self, room: Room) -> bool:
        return self.rooms.get(room.name) is room

    def unread(self, room: Room, name: str) -> int:
        return sum(m.room is room and m.sender != name and m.id > room.markers[name] for m in self.messages)

    def tell(self, names: set[str] | dict[str, str], event: Event, but: Client | None = None) -> None:
        """Sessions with rooms of these people get the event, but for one."""
        for client in self.online:
            if client.rooms and client.name in names and client is not but:
                client.expected.append(event)

    def known(self, client: Client, name: str) -> Room | None:
        room = self.rooms.get(name)
        return room if room is not None and room.knows(client.name) else None

    def remove(self, room: Room, name: str) -> None:
        """Ends a membership, and with the last one the room."""
        role = room.roles.pop(name)
        room.markers.pop(name)
        if not room.roles:
            del self.rooms[room.name]
            self.tell(room.invited, ("room", room.name, True))
        elif role == "owner" and "owner" not in room.roles.values():
            heir = max(room.roles, key=lambda one: RANKS.index(room.roles[one]))  # of equal ones the first
            room.roles[heir] = "owner"
            self.tell(room.roles, ("member", room.name, heir, "role"))

    # -- sessions -----------------------------------------------------------------------------------------------------
    @rule(
        target=clients,
        name=st.sampled_from(NAMES),
        rooms=st.sampled_from([True, True, False]),
        where=st.integers(min_value=0, max_value=1),
    )
    def log_in(self, name: str, rooms: bool, where: int) -> Client:
        wire = self.door.enter(self.servers[where % len(self.servers)], name, rooms=rooms, confirm=True)
        if rooms:
            mine = {room.name: room for room in self.rooms.values() if name in room.roles or name in room.invited}
            assert wire.hello["role"] == MAIN[name]
            assert [row["room"] for row in wire.hello["rooms"]] == sorted(mine)
            for row in wire.hello["rooms"]:
                self.check_row(row, mine[row["room"]], name)
        else:
            assert "rooms" not in wire.hello
        newest = max((m.id for m in self.messages if self.may_read(name, m, rooms=rooms)), default=0)
        assert wire.hello["last_id"] == newest
        client = Client(name, wire, rooms)
        self.online.append(client)
        return client

    def check_row(self, row: Line, room: Room, name: str) -> None:
        assert (row["private"], row["members"], row["created"]) == (room.private, len(room.roles), room.created)
        assert row.get("role") == room.roles.get(name)
        assert row.get("invited", False) == (name in room.invited)
        assert row.get("muted", False) == (name in room.muted and name in room.roles)
        if name in room.roles:
            assert (row["unread"], row["read_id"]) == (self.unread(room, name), room.markers[name])

    @rule(client=consumes(clients))
    def leave_service(self, client: Client) -> None:
        self.online.remove(client)
        client.wire.ask("ex")
        client.wire.read_to_end()
        client.wire.close()

    # -- rooms --------------------------------------------------------------------------------------------------------
    @rule(client=clients, name=st.sampled_from(ROOMS), private=st.booleans())
    def create(self, client: Client, name: str, private: bool) -> None:
        reply = client.wire.ask("create", room=name, private=private)
        if name in self.rooms:
            assert reply["code"] == "room_exists"
            return
        room = self.rooms[name] = Room(name, private, reply["created"], {client.name: "owner"})
        room.markers[client.name] = reply["last_id"]
        assert reply["last_id"] == self.newest
        self.check_row(reply, room, client.name)
        self.tell({client.name}, ("room", name, False), client)

    @rule(client=clients, name=st.sampled_from(ROOMS))
    def join(self, client: Client, name: str) -> None:
        reply = client.wire.ask("join", room=name)
        room = self.rooms.get(name)
        if room is None or (room.private and client.name not in room.roles and client.name not in room.invited):
            assert reply["code"] == "unknown_room"
        elif client.name in room.banned:
            assert reply["code"] == "banned"
        else:
            if client.name not in room.roles:
                self.tell(room.roles, ("member", name, client.name, "join"))
                room.roles[client.name] = "member"
                room.markers[client.name] = self.newest
                room.invited.discard(client.name)
                self.tell({client.name}, ("room", name, False), client)
            self.check_row(reply, room, client.name)

    @rule(client=clients, name=st.sampled_from(ROOMS))
    def leave(self, client: Client, name: str) -> None:
        reply = client.wire.ask("leave", room=name)
        room = self.known(client, name)
        if room is None:
            assert reply["code"] == "unknown_room"
        elif client.name not in room.roles:
            assert reply["code"] == "not_a_member"
        else:
            assert reply["type"] == "ack"
            self.tell(room.roles, ("member", name, client.name, "leave"), client)
            self.remove(room, client.name)

    @rule(client=clients, name=st.sampled_from(ROOMS))
    def make_private(self, client: Client, name: str) -> None:
        reply = client.wire.ask("set_room", room=name, private=True)
        room = self.known(client, name)
        if room is None:
            assert reply["code"] == "unknown_room"
        elif room.rank(client.name) < RANKS.index("owner"):
            assert reply["code"] == ("not_allowed" if client.name in room.roles else "not_a_member")
        else:
            assert reply["type"] == "ack"
            if not room.private:
                room.private = True
                self.tell(room.roles, ("room", name, False), client)
                self.tell(room.invited, ("room", name, True))
                room.invited.clear()

    @rule(
        client=clients,
        name=st.sampled_from(ROOMS),
        whom=st.sampled_from(NAMES),
        action=st.sampled_from(["invite", "kick", "ban", "unban", "mute", "unmute", "role"]),
        role=st.sampled_from(RANKS),
    )
    def moderate(self, client: Client, name: str, whom: str, action: str, role: str) -> None:
        more = {"role": role} if action == "role" else {}
        reply = client.wire.ask("moderate", room=name, username=whom, action=action, **more)
        room = self.known(client, name)
        error = "unknown_room" if room is None else self.refusal(room, client.name, whom, action, role)
        if error or room is None:
            assert reply["code"] == error, reply
            return
        assert reply["type"] == "ack", reply
        before = self.state(room)
        was_known = whom in room.roles or whom in room.invited
        told = {*room.roles}
        if not room.private or was_known or action == "invite":
            told.add(whom)
        left = whom in room.roles and action in ("kick", "ban")
        self.change(room, whom, action, role)
        if left or self.state(room) != before:
            self.tell(told, ("member", name, whom, action), client)
        if left:
            self.remove(room, whom)
        elif action == "role" and "owner" not in room.roles.values():
            heir = max((one for one in room.roles if one != whom), key=lambda one: RANKS.index(room.roles[one]))
            room.roles[heir] = "owner"
            self.tell(room.roles, ("member", name, heir, "role"))

    def refusal(self, room: Room, actor: str, whom: str, action: str, role: str) -> str:
        """The code of the error, if the act is refused."""
        needed = RANKS.index(NEEDED.get(action, "moderator" if room.private else "member"))
        if actor not in room.roles and not self.acts_from_outside(room, actor, needed):
            return "not_a_member"
        if actor == whom:
            steps_down = action == "role" and RANKS.index(role) < RANKS.index(room.roles.get(actor, "member"))
            return "" if steps_down and len(room.roles) > 1 else "not_allowed"
        return "not_allowed" if room.rank(actor) < needed else self.refusal_of(room, actor, whom, action)

    def acts_from_outside(self, room: Room, actor: str, needed: int) -> bool:
        """In a public room a moderator of the main room acts without being a member."""
        return not room.private and room.rank(actor) >= max(needed, RANKS.index("moderator"))

    def refusal_of(self, room: Room, actor: str, whom: str, action: str) -> str:
        """As `refusal`, by what the other one is."""
        known = {*room.roles, *room.invited} if action == "kick" else {*room.roles}
        if action in ("kick", "mute", "unmute", "role") and whom not in known:
            return "not_a_member"
        if action not in ("invite", "unban") and room.rank(whom) >= room.rank(actor):
            return "not_allowed"
        return "banned" if action == "invite" and whom in room.banned else ""

    def state(self, room: Room) -> object:
        return dict(room.roles), set(room.invited), set(room.banned), set(room.muted)

    def change(self, room: Room, whom: str, action: str, role: str) -> None:
        """Does all but end a membership."""
        if action == "invite" and whom not in room.roles:
            room.invited.add(whom)
        elif action in ("kick", "ban"):
            room.invited.discard(whom)
            if action == "ban":
                room.banned.add(whom)
        elif action == "unban":
            room.banned.discard(whom)
        elif action == "mute":
            room.muted.add(whom)
        elif action == "unmute":
            room.muted.discard(whom)
        elif action == "role":
            room.roles[whom] = role

    # -- messages -----------------------------------------------------------------------------------------------------
    @rule(client=clients, name=st.none() | st.sampled_from(ROOMS))
    def post(self, client: Client, name: str | None) -> None:
        reply = client.wire.ask("pm", message="hello", **({"room": name} if name else {}))
        room = None if name is None else self.known(client, name)
        if name is not None and room is None:
            assert reply["code"] == "unknown_room"
        elif room is not None and client.name not in room.roles:
            assert reply["code"] == "not_a_member"
        elif room is not None and client.name in room.muted:
            assert reply["code"] == "muted"
        else:
            assert reply.get("room") == name
            self.store(Message(reply["id"], client.name, room, None), client)

    @rule(client=clients, to=st.sampled_from(NAMES))
    def whisper(self, client: Client, to: str) -> None:
        reply = client.wire.ask("dm", to=to, message="hello")
        self.store(Message(reply["id"], client.name, None, to), client)

    def store(self, message: Message, sender: Client) -> None:
        assert message.id > self.newest
        self.newest = message.id
        self.messages.append(message)
        kind = "broadcast" if message.recipient is None else "direct"
        self.tell_readers(message, (kind, message.id), sender)

    def tell_readers(self, message: Message, event: Event, but: Client) -> None:
        for client in self.online:
            if client is not but and self.may_read(client.name, message, rooms=client.rooms):
                client.expected.append(event)

    @rule(client=clients, data=st.data())
    def delete(self, client: Client, data: st.DataObject) -> None:
        if not self.messages:
            return
        message = data.draw(st.sampled_from(self.messages))
        reply = client.wire.ask("delete", id=message.id)
        error = "" if client.name == message.sender else self.refusal_to_delete(client.name, message)
        if error:
            assert reply["code"] == error
            return
        assert reply["type"] == "ack"
        if not message.deleted:
            message.deleted = True
            self.tell_readers(message, ("deleted", message.id), client)

    def refusal_to_delete(self, name: str, message: Message) -> str:
        room = message.room
        if message.recipient is not None:
            return "not_allowed" if name == message.recipient else "unknown_message"
        if room is None:
            return "" if RANKS.index(MAIN[name]) > RANKS.index(MAIN[message.sender]) else "not_allowed"
        if self.is_there(room) and (not room.private or name in room.roles):
            if room.rank(name) > room.rank(message.sender):
                return ""
            if name in room.roles:
                return "not_allowed"
        return "unknown_message"

    @rule(client=clients, name=st.sampled_from(ROOMS), data=st.data())
    def see(self, client: Client, name: str, data: st.DataObject) -> None:
        message_id = data.draw(st.integers(0, self.newest + 1))
        reply = client.wire.ask("seen", room=name, id=message_id)
        room = self.known(client, name)
        if room is None:
            assert reply["code"] == "unknown_room"
        elif client.name not in room.roles:
            assert reply["code"] == "not_a_member"
        else:
            moved = min(message_id, self.newest)
            if moved > room.markers[client.name]:
                room.markers[client.name] = moved
                self.tell({client.name}, ("read", name, moved), client)

    @rule(client=clients, after=st.integers(0, 40), limit=st.integers(1, 5))
    def read_since(self, client: Client, after: int, limit: int) -> None:
        page = client.wire.ask("since", id=after, limit=limit, deleted_after="2026-01-01T00:00:00.000Z")
        readable = [m for m in self.messages if self.may_read(client.name, m, rooms=client.rooms)]
        due = [m for m in readable if m.id > after]
        assert [self.row(message) for message in due[:limit]] == [
            (line["id"], line["from"], line.get("room"), line.get("to"), "deleted" in line) for line in page["messages"]
        ]
        assert page["more"] == (len(due) > limit)
        assert sorted(page["deleted"]) == [m.id for m in readable if m.deleted and m.id <= after]

    def row(self, message: Message) -> Event:
        room = None if message.room is None else message.room.name
        return message.id, message.sender, room, message.recipient, message.deleted

    @rule(client=clients, name=st.sampled_from(ROOMS), limit=st.integers(1, 5))
    def read_room(self, client: Client, name: str, limit: int) -> None:
        page = client.wire.ask("history", room=name, limit=limit)
        room = self.known(client, name)
        if room is None:
            assert page["code"] == "unknown_room"
        elif client.name not in room.roles:
            assert page["code"] == "not_a_member"
        else:
            ids = [message.id for message in self.messages if message.room is room]
            assert [line["id"] for line in page["messages"]] == ids[-limit:]
            assert page["more"] == (len(ids) > limit)

    @rule(client=clients)
    def list_rooms(self, client: Client) -> None:
        page = client.wire.ask("rooms")
        known = {room.name: room for room in self.rooms.values() if room.knows(client.name)}
        assert [row["room"] for row in page["rooms"]] == sorted(known)
        for row in page["rooms"]:
            self.check_row(row, known[row["room"]], client.name)

    @rule(client=clients, name=st.sampled_from(ROOMS))
    def list_members(self, client: Client, name: str) -> None:
        page = client.wire.ask("members", room=name)
        room = self.known(client, name)
        if room is None:
            assert page["code"] == "unknown_room"
        elif client.name not in room.roles and (room.private or room.rank(client.name) < 1):
            assert page["code"] == "not_a_member"
        else:
            there = {other.name for other in self.online}
            assert [(row["name"], row["role"], row["online"]) for row in page["members"]] == [
                (member, room.roles[member], member in there) for member in sorted(room.roles)
            ]

    def settle(self) -> None:
        """Waits until all has come to where it is to be sent."""

    # -- what must hold -----------------------------------------------------------------------------------------------
    @invariant()
    def everyone_got_exactly_what_they_should(self) -> None:
        """In this order; and as everyone reads after every step, what was sent has been written by the next."""
        self.settle()
        for client in self.online:
            got = [event for line in client.wire.read_until_pong() if (event := _event(line))]
            assert got == client.expected, client.name
            client.expected.clear()


class ChatOverTwoServices(Chat):
    """Each session is at one of two services over one database."""

    service_count = 2

    @initialize()
    def start(self) -> None:
        super().start()
        self._marks = [self._stack.enter_context(self.door.enter(one, "mark", quiet=True)) for one in self.servers]

    def settle(self) -> None:
        """By two notes of somebody to himself: what comes with the first, such as who has come, is told after it."""
        for here, there in (self._marks, self._marks[::-1]):
            for _ in range(2):
                self.newest = here.ask("dm", to="mark", message="heard?")["id"]
            while there.read_type("direct")["id"] != self.newest:
                pass


def _event(line: Line) -> Event | None:
    """What the model expects of a line; None for the users list."""
    fields: dict[str, tuple[Any, ...]] = {
        "broadcast": ("id",),
        "direct": ("id",),
        "deleted": ("id",),
        "member": ("room", "username", "action"),
        "read": ("room", "id"),
    }
    if line["type"] == "room":
        return "room", line["room"], line.get("gone", False)
    if line["type"] not in fields:
        assert line["type"] == "users"
        return None
    return line["type"], *(line[name] for name in fields[line["type"]])


TestRooms = Chat.TestCase
TestRooms.settings = settings(
    max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
if POSTGRES:
    TestRoomsOverTwoServices = ChatOverTwoServices.TestCase
    TestRoomsOverTwoServices.settings = settings(TestRooms.settings, max_examples=8)
