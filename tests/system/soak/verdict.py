"""Whether the soak went well: every client's view against the database, and what the service took up over time."""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import defaultdict
from contextlib import closing
from itertools import accumulate
from statistics import median
from typing import TYPE_CHECKING, Final

from tests.system.soak.client import fingerprint
from tests.system.soak.program import MIB, Level

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.soak.client import Client

_ROWS: Final = """
    SELECT m.id, s.name, r.name, m.body, m.nonce
    FROM message AS m JOIN user AS s ON s.id = m.sender_id LEFT JOIN user AS r ON r.id = m.recipient_id ORDER BY m.id
"""
# How much larger a level may be in the second half of the time than in the first. Chance moves it by less; a leak of
# ten bytes a delivery, or of a kilobyte a message, adds more in ten minutes.
_ANY: Final = 1 << 60
_MARGINS: Final = Level(memory=16 * MIB, threads=30, descriptors=40, wal=16 * MIB, database=_ANY)


def compare_views(path: Path, clients: list[Client]) -> Iterator[str]:
    """What differs between the database and what the clients have, in words."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (sound,) = connection.execute("PRAGMA integrity_check").fetchone()
        rows = connection.execute(_ROWS).fetchall()
    if sound != "ok":
        yield f"integrity_check: {sound}"
    if len({body.partition("|")[0] for *_, body, _ in rows}) != len(rows):
        yield "a message is stored twice"
    public: dict[int, int] = {}
    direct: defaultdict[str, dict[int, int]] = defaultdict(dict)
    nonces: dict[tuple[str, str], int] = {}
    for message_id, sender, recipient, body, nonce in rows:
        print_ = fingerprint(message_id, sender, recipient, body)
        nonces[sender, nonce] = message_id
        if recipient is None:
            public[message_id] = print_
        else:
            direct[sender][message_id] = direct[recipient][message_id] = print_
    ids, sums = list(public), [0, *accumulate(public.values())]
    for client in clients:
        start = bisect_right(ids, client.since or 0)
        theirs = direct[client.name]
        if client.sum != sums[-1] - sums[start] + sum(theirs.values()):
            yield _describe(client, {*ids[start:], *theirs})
        for number, message_id in enumerate(client.acked):
            if not message_id or nonces.get((client.name, f"{number:08d}")) != message_id:
                yield f"{client.name}'s message {number} has the ack {message_id}, but another row or none"


def _describe(client: Client, expected: set[int]) -> str:
    shown = {message_id for message_id, is_shown in enumerate(client.shown) if is_shown}
    missing, extra = sorted(expected - shown), sorted(shown - expected)
    kind = "confirms" if client.confirms else "does not confirm"
    return (
        f"{client.name} ({kind}): {len(missing)} messages missing {missing[:5]}, {len(extra)} too many {extra[:5]}"
        + ("" if missing or extra else ", a text differs")
    )


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
