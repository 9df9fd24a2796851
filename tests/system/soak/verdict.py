"""Whether the soak went well: every client's view against the database, and what the service took up over time."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.system.soak.monitor import NAME
from tests.system.soak.program import MIB, Level
from tests.system.soak.world import DELETED, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.system.soak.client import Client
    from tests.system.soak.monitor import Monitor

    Read = Callable[[str], list[Any]]  # gives all rows of a query

_ROWS: Final = """
    SELECT m.id, s.name, coalesce(r.name, '#' || o.name), m.body, m.nonce, m.deleted_at IS NOT NULL, m.room_id
    FROM message AS m JOIN "user" AS s ON s.id = m.sender_id
    LEFT JOIN "user" AS r ON r.id = m.recipient_id LEFT JOIN room AS o ON o.id = m.room_id ORDER BY m.id
"""
_MEMBERS: Final = 'SELECT u.name, m.room_id FROM member AS m JOIN "user" AS u ON u.id = m.user_id'
# How much larger a level may be in the second half of the time than in the first. Chance moves it by less; a leak of
# ten bytes a delivery, or of a kilobyte a message, adds more in ten minutes.
_ANY: Final = 1 << 60
_MARGINS: Final = Level(memory=16 * MIB, threads=30, descriptors=40, wal=16 * MIB, database=_ANY)


class Row(NamedTuple):
    """A message as the database has it."""

    id: int
    sender: str
    place: str | None  # a person, # and a room's name, or None for the main room
    body: str
    nonce: str
    is_deleted: bool
    room_id: int | None

    @property
    def print(self) -> int:
        return DELETED if self.is_deleted else fingerprint(self.id, self.sender, self.place, self.body)

    @property
    def final(self) -> int:
        """As a client reads it at the end."""
        return fingerprint(self.id, self.sender, self.place, "deleted" if self.is_deleted else self.body)


def compare_views(read: Read, clients: list[Client]) -> Iterator[str]:
    """What differs between the database and what the clients have, in words."""
    rows = [Row(*row) for row in read(_ROWS)]
    members: defaultdict[str, set[int | None]] = defaultdict(set)
    for name, room_id in read(_MEMBERS):
        members[name].add(room_id)
    texts = [row.body.partition("|")[0] for row in rows if not row.is_deleted]
    if len(set(texts)) != len(texts):
        yield "a message is stored twice"
    nonces = {(row.sender, row.nonce): row.id for row in rows}
    for client in clients:
        yield from _compare_view(client, rows, members[client.name])
        for number, message_id in enumerate(client.acked):
            stored = nonces.get((client.name, f"{number:08d}"), -1)
            if not message_id or stored != message_id:
                yield f"{client.name}'s message {number} has the ack {message_id}, but the database has {stored}"


def compare_hook(read: Read, monitor: Monitor) -> Iterator[str]:
    """What differs between the database and what the monitor was answered: each text is there once, in one piece."""
    said = [row for row in map(Row._make, read(_ROWS)) if row.sender == NAME]
    ids = [row.id for row in said]
    begins = {row.id: row.body.partition("|")[0] for row in said}
    due = {
        last - count + 1 + line: f"{NAME} {number:08d}.{line}"
        for number, (last, count) in monitor.answered.items()
        for line in range(count)
    }
    if begins != due or ids != sorted(ids):
        yield f"the webhook said otherwise than it was answered: {sorted(due.items() ^ begins.items())[:5]}"


def _compare_view(client: Client, rows: list[Row], room_ids: set[int | None]) -> Iterator[str]:
    """It has what is for everyone since it came first, and its direct messages; of rooms what is so, a keeper all."""
    missing, wrong = [], []
    shown = {message_id: print_ for message_id, print_ in enumerate(client.shown) if print_}
    for row in rows:
        has, is_due = shown.get(row.id), _is_due(row, client)
        if not has and is_due and not row.is_deleted:
            missing.append(row.id)
        # Who knows no deletions, or is in the room no longer, may still have the text.
        may_have = row.is_deleted and not (client.knows_rooms and is_due)
        if not has or has == row.print or may_have:
            shown.pop(row.id, None)
        elif is_due or row.room_id is not None or row.place is None:
            wrong.append(row.id)
            del shown[row.id]
    if missing or shown or wrong:
        kind = "confirms" if client.confirms else "does not confirm"
        yield (
            f"{client.name} ({kind}): {len(missing)} messages missing {missing[:5]}, "
            f"{len(shown)} too many {list(shown)[:5]}, {len(wrong)} otherwise {wrong[:5]}"
        )
    due = {row.id: row.final for row in rows if _may_read(row, client, room_ids)} if client.knows_rooms else {}
    if due != client.final:
        yield f"{client.name} reads otherwise at the end: {sorted(due.items() ^ client.final.items())[:5]}"


def _is_due(row: Row, client: Client) -> bool:
    """Whether the client has to have had it."""
    if row.place is None:
        return row.id > (client.since or 0)
    return client.name in (row.sender, row.place) if row.room_id is None else row.place == f"#{client.keeps}"


def _may_read(row: Row, client: Client, room_ids: set[int | None]) -> bool:
    """Whether the client may read it at the end."""
    if row.room_id is not None:
        return row.room_id in room_ids
    return row.place is None or client.name in (row.sender, row.place)


def compare_levels(levels: list[Level]) -> Iterator[str]:
    """What grew between the halves of the time, after a third to warm up."""
    steady = levels[len(levels) // 3 :]
    if len(steady) < 2:
        yield "too short to compare what the service takes up"
        return
    first, second = _medians(steady[: len(steady) // 2]), _medians(steady[len(steady) // 2 :])
    for name, before, after, margin in zip(Level._fields, first, second, _MARGINS, strict=True):
        if margin < _ANY:
            print(f"  {name:12} {before:>12,} then {after:>12,}  may grow by {margin:,}")
        if after > before + margin:
            yield f"{name} grew from {before:,} to {after:,}"


def _medians(levels: list[Level]) -> Level:
    return Level(*(round(median(column)) for column in zip(*levels, strict=True)))
