"""Which clients are in which room, and what was said there in this run. Knows bytes; no stream, no thread.

A client that knows rooms gathers, in pieces, what it gets otherwise than everyone. What is said in one room, with
nothing between, is a burst: encoded and joined once for each codec, it is one piece for each client in the room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from service.delivery.run import Member as RunMember

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from service.delivery.run import Piece, Run
    from service.wire.codec import Codec
    from service.wire.protocol import Event

    # The clients in it, each with what adds a piece to it: Python has no shorter loop than one over these.
    Room = dict[Codec, dict["Member", Callable[[Piece], None]]]


class Member(RunMember, Protocol):
    """A client that knows rooms. It confirms, so its pieces come without notes of what they show."""

    rooms: set[int]
    gathered: list[Piece]

    def take_shared(self, lines: list[bytes]) -> None:
        """Adds lines that it shares with others. The list is the caller's."""


class Rooms:
    """The rooms with clients in them, by id, and what was said since the last run ended."""

    def __init__(self) -> None:
        self.delivered = 0  # messages given to clients; an ack counts that stands in a message's place
        self._rooms: dict[int, Room] = {}
        self._spoken: dict[int, Room] = {}  # in which something was said
        self._gatherers: dict[Member, object] = {}  # those with pieces that may be in none of these
        self._burst_room = 0  # where the present burst is; 0: nowhere
        self._burst: dict[Codec, list[bytes]] = {}  # its lines, in the codecs of the room
        self._burst_count = 0  # how many these are
        self._burst_place = 0  # how many lines for everyone came before it
        self._replaced: dict[Member, dict[int, bytes]] = {}  # lines in place of some of its lines, by their positions

    # -- who is where -------------------------------------------------------------------------------------------------
    def enter(self, room_id: int, member: Member) -> None:
        """From now on it gets what is said there. Idempotent."""
        if room_id not in member.rooms:
            self._end_burst()
            member.rooms.add(room_id)
            self._rooms.setdefault(room_id, {}).setdefault(member.codec, {})[member] = member.gathered.append

    def leave(self, room_id: int, member: Member) -> None:
        """From now on it no longer gets what is said there. Idempotent."""
        if room_id in member.rooms:
            self._end_burst()
            member.rooms.remove(room_id)
            room = self._rooms[room_id]
            del room[member.codec][member]
            if not room[member.codec]:
                del room[member.codec]
            if not room:
                del self._rooms[room_id]
            if member.gathered:
                self._gatherers[member] = None

    # -- what is said -------------------------------------------------------------------------------------------------
    @property
    def are_silent(self) -> bool:
        """Whether nobody has gathered anything."""
        return not self._spoken and not self._gatherers

    def say(self, room_id: int, event: Event, run: Run) -> None:
        """Adds an event for those in a room, after what was said so far; `run` is what was said to everyone."""
        if room_id != self._burst_room or run.count != self._burst_place:
            self._end_burst()
            room = self._rooms.get(room_id)
            if room is None:
                return
            self._spoken[room_id] = room
            self._burst_room, self._burst_place = room_id, run.count
            self._burst = {codec: [] for codec in room}
        size = run.size
        try:
            for codec, lines in self._burst.items():
                line = codec.encode(event)
                lines.append(line)
                size += len(line)
        except BaseException:  # in no codec, if one fails
            for lines in self._burst.values():
                del lines[self._burst_count :]
            raise
        self._burst_count += 1
        run.size = size

    def replace_last_for(self, member: Member, line: bytes) -> None:
        """Gives one client in the room that line in place of the last one said."""
        self._replaced.setdefault(member, {})[self._burst_count - 1] = line

    def replace_in_run(self, member: Member, line: bytes, place: int) -> None:
        """Gives one client that line in place of the shared one with that number, which is the last one."""
        self._gather(member, (place, line, place + 1))

    def put(self, member: Member, line: bytes, place: int) -> None:
        """Adds a line for one client alone, after so many lines for everyone."""
        if place or member.gathered or self._burst_room in member.rooms:
            self._gather(member, (place, line, place) if place else line)
        else:
            member.take(line)

    def _gather(self, member: Member, piece: Piece) -> None:
        if self._burst_room in member.rooms:
            self._end_burst()
        member.gathered.append(piece)
        self._gatherers[member] = None

    def _end_burst(self) -> None:
        """Gives the present burst to those in its room; what follows comes after it."""
        if not self._burst_room:
            return
        room, place, count = self._spoken[self._burst_room], self._burst_place, self._burst_count
        self._burst_room = self._burst_count = 0
        for codec, sharers in room.items():
            piece = _piece(self._burst[codec], place)
            for append in sharers.values():
                append(piece)
            self.delivered += count * len(sharers)
        for member, replaced in self._replaced.items():
            lines = self._burst[member.codec].copy()
            for position, line in replaced.items():
                lines[position] = line
            member.gathered[-1] = _piece(lines, place)
        self._replaced.clear()

    def end(self, run: Run) -> Collection[Member]:
        """Gives the run, and what was said in rooms, to those who have gathered something; returns these."""
        self._end_burst()
        gatherers, self._gatherers = self._gatherers, {}
        spoken, self._spoken = self._spoken, {}  # first: a client that is too slow ends the run, too
        for room in spoken.values():
            for sharers in room.values():
                gatherers.update(sharers)
        for member in gatherers:
            # Not joined: each has them in another way, and a run for thousands of clients would be as many copies.
            member.take_shared(run.weave(member.codec, member.gathered))
            member.gathered.clear()
        return gatherers.keys()


def _piece(lines: list[bytes], place: int) -> Piece:
    data = b"".join(lines)
    return (place, data, place) if place else data
