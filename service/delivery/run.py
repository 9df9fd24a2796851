"""A run: what is said to everyone while the delivery thread works off its queue, encoded once for each codec.

A run of many messages costs each client one append and one send. Knows bytes and what they show; no stream, no thread.
Its records are structs of msgspec, which are made in a fraction of the time that a named tuple takes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol, cast

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from service.wire.codec import Codec
    from service.wire.protocol import Event

    # Lines for one client. The numbers count the shared lines: so many come before it, and those come after it that
    # follow so many. A piece without numbers comes before all of them.
    Piece = bytes | tuple[int, bytes, int]


class Note(Struct, gc=False):  # it can be in no circle, and one is made for each message
    """What lines show: the newest public id, or 0, and the ids of direct messages."""

    public_id: int = 0
    direct_ids: Sequence[int] = ()


class Shown(Struct):
    """Lines that stand together in a buffer, and the note of each."""

    lines: list[bytes]
    notes: list[Note | None]

    def within(self, size: int) -> Note | None:
        """What those of the lines show that are whole within the first `size` bytes."""
        count = bisect_right(list(accumulate(map(len, self.lines))), size)
        notes = [note for note in self.notes[:count] if note is not None]
        if not notes:
            return None
        return Note(max(note.public_id for note in notes), [id_ for note in notes for id_ in note.direct_ids])


class Insertion(Struct):
    """A line for one client alone, before the shared line at `position`."""

    position: int
    line: bytes
    note: Note | None


class Changes(Struct):
    """What one client gets otherwise than the others: lines in place of the shared ones at some positions, and more."""

    replaced: dict[int, bytes] = field(default_factory=dict)
    inserted: list[Insertion] = field(default_factory=list)  # in the order of their positions


class Member(Protocol):
    """A client that gets what is said to everyone."""

    codec: Codec

    def take(self, data: bytes, note: Note | None = None, shown: Shown | None = None) -> None:
        """Adds lines, which show `note` together; `shown` tells them apart."""


class Run:
    """Lines for everyone, one after the other. They are joined once for each codec, however many clients there are."""

    def __init__(self, codecs: Iterable[Codec]) -> None:
        """`codecs` are those of the members; a member that joins or leaves ends the run."""
        self.count = 0  # of the lines
        self.size = 0  # bytes, in all codecs; of what is said in rooms, too
        self._lines: dict[Codec, list[bytes]] = {codec: [] for codec in codecs}
        self._notes: list[Note | None] = []
        self._changes: defaultdict[Member, Changes] = defaultdict(Changes)

    def add(self, event: Event, public_id: int) -> None:
        """Adds an event; 0 stands for one that is no public message."""
        size = self.size
        try:
            for codec, lines in self._lines.items():
                line = codec.encode(event)
                lines.append(line)
                size += len(line)
        except BaseException:  # in no codec, if one fails
            for lines in self._lines.values():
                del lines[self.count :]
            raise
        self._notes.append(Note(public_id))
        self.count += 1
        self.size = size

    def add_for(self, member: Member, line: bytes, note: Note | None) -> None:
        """Adds a line for one member alone, after the shared ones so far."""
        self._changes[member].inserted.append(Insertion(self.count, line, note))

    def replace_last_for(self, member: Member, line: bytes) -> None:
        """Gives one member that line in place of the last shared one."""
        self._changes[member].replaced[self.count - 1] = line

    def weave(self, codec: Codec, pieces: list[Piece]) -> list[bytes]:
        """What a member gets of this codec that has gathered these pieces: the run with each of them at its place."""
        if not self.count:
            return cast("list[bytes]", pieces)
        lines, woven, at = self._lines[codec], list[bytes](), 0
        for piece in pieces:
            if isinstance(piece, bytes):
                woven.append(piece)
            else:
                before, data, after = piece
                woven += lines[at:before]
                woven.append(data)
                at = after
        woven += lines[at:]
        return woven

    def end(self, members: Mapping[Codec, Iterable[Member]], besides: Collection[Member] = ()) -> None:
        """Puts it into the buffers of the members, which are given by codec, but not of those `besides`."""
        changed = self._changes
        for member, changes in changed.items():
            self._give_changed(member, changes)
        served = {*changed, *besides} if besides else changed
        # Not always the last one's: what is no message shows none.
        last = next((note for note in reversed(self._notes) if note is not None and note.public_id), None)
        for codec, sharers in members.items():
            lines = self._lines[codec]
            joined, shown = b"".join(lines), Shown(lines, self._notes)
            for member in sharers:
                if member not in served:
                    member.take(joined, last, shown)

    def _give_changed(self, member: Member, changes: Changes) -> None:
        """Gives a member the run with the lines for it alone, and without the lines that they replace."""
        lines, notes = self._lines[member.codec].copy(), self._notes.copy()
        for position, line in changes.replaced.items():
            lines[position], notes[position] = line, None
        for insertion in reversed(changes.inserted):  # from the end on, so that the positions hold
            lines.insert(insertion.position, insertion.line)
            notes.insert(insertion.position, insertion.note)
        directs = [
            id_ for insertion in changes.inserted if insertion.note is not None for id_ in insertion.note.direct_ids
        ]
        # Its own messages are not among these: writing does not mean that one has read what came before.
        public_id = next((note.public_id for note in reversed(notes) if note is not None and note.public_id), 0)
        member.take(b"".join(lines), Note(public_id, directs), Shown(lines, notes))
