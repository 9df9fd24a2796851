"""A database with rooms as large as the limits let them be, and the scripts of attacks there. Takes no times.

The victims and the attackers are members of HALL, and the attackers own it, so that they may do there what they like.
"""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from benchmarks.attacks.scripts import LINES, TEXT, converse, count_reply, flood, line
from service.config import Settings
from service.storage.records import FOREVER, MAX_ID, RoomLimits
from service.storage.sqlite.since import DELETED_LOOKED_AT

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from benchmarks.attacks.links import Link, Wait

HALL: Final = "hall"
LONG_LINE: Final = "\U0001f600" * 300  # the longest topic, or reason: 1.2 KB
_THEN: Final = "2025-01-01T00:00:00.000Z"  # when all that is there was made, and half of the messages deleted
_FIRST: Final = 1_000_000  # the id of the first message in HALL
_WRITTEN: Final = 20_000  # messages there, besides as many deleted ones as one page looks at
_SPARE: Final = 1_000  # bans that HALL has not, of those that it may have
_BANS: Final = RoomLimits._field_defaults["bans"] - _SPARE

# What of an attack's success stands in the database.
ACTS: Final = "SELECT count(*) FROM moderation"
ROOMS_GONE: Final = "SELECT count(*) FROM room WHERE gone_at IS NOT NULL"
DELETED: Final = f"SELECT count(*) FROM message WHERE deleted_at <> '{_THEN}'"  # noqa: S608
STORED: Final = "SELECT count(*) FROM message WHERE room_id > 1"

_ROOM: Final = "INSERT INTO room (id, name, look, topic, private, created_at, members) VALUES (?, ?, ?, ?, 0, ?, ?)"
_MEMBER: Final = """
    INSERT INTO member (room_id, user_id, role, joined_at, read_id, read_position)
    SELECT r.id, u.id, ?, ?, 0, 0 FROM room AS r CROSS JOIN user AS u WHERE r.id <= ? AND u.id BETWEEN ? AND ?
"""
_INVITATION: Final = """
    INSERT INTO invitation (room_id, user_id, time)
    SELECT r.id, u.id, ? FROM room AS r CROSS JOIN user AS u WHERE r.id > ? AND u.name = ?
"""


def fill(path: Path, attackers: Sequence[str], count: int) -> None:
    """Adds rooms to a database that has these accounts, and others. All are in HALL, which is the first.

    Each attacker is in `count` rooms, and invited to as many others.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        _add_rooms(connection, attackers, count)
        connection.executemany(
            "INSERT INTO ban (room_id, name, reason, time, until) VALUES (1, ?, ?, ?, ?)",
            ((f"banned{n}", LONG_LINE, _THEN, FOREVER) for n in range(_BANS)),
        )
        _add_messages(connection, attackers)
        connection.execute("COMMIT")


def _add_rooms(connection: sqlite3.Connection, attackers: Sequence[str], count: int) -> None:
    """HALL has as many members as a room may have."""
    members = Settings().max_members
    (known,) = connection.execute("SELECT count(*) FROM user").fetchone()
    connection.executemany(
        "INSERT INTO user (name, look, password_hash, created_at, last_seen_at, read_id, direct_id) "
        "VALUES (?, ?, 'x', ?, ?, 0, 0)",
        ((f"crowd{n}", f"crowd{n}", _THEN, _THEN) for n in range(members - known)),
    )
    connection.execute(_ROOM, (1, HALL, HALL, "", _THEN, members))
    for n in range(2, 2 * count + 1):
        connection.execute(_ROOM, (n, f"room{n}", f"room{n}", LONG_LINE, _THEN, len(attackers) if n <= count else 0))
    for name in attackers:
        (user_id,) = connection.execute("SELECT id FROM user WHERE name = ?", (name,)).fetchone()
        connection.execute(_MEMBER, ("owner", _THEN, count, user_id, user_id))
        connection.execute(_INVITATION, (_THEN, count, name))
    connection.execute(_MEMBER.replace("INSERT", "INSERT OR IGNORE"), ("member", _THEN, 1, 1, MAX_ID))


def _add_messages(connection: sqlite3.Connection, attackers: Sequence[str]) -> None:
    """The last ones were deleted. Each is of the attacker whose number its id has as a remainder."""
    ids = [connection.execute("SELECT id FROM user WHERE name = ?", (name,)).fetchone()[0] for name in attackers]
    count = _WRITTEN + DELETED_LOOKED_AT
    connection.executemany(
        "INSERT INTO message (id, sent_at, sender_id, room_id, position, body, deleted_at) "
        "VALUES (?, ?, ?, 1, ?, ?, ?)",
        (
            (_FIRST + n, _THEN, ids[n % len(ids)], n + 1, *((TEXT, None) if n < _WRITTEN else ("", _THEN)))
            for n in range(count)
        ),
    )
    connection.execute("UPDATE room SET messages = ?, last_id = ? WHERE id = 1", (count, _FIRST + count - 1))


# -- what connections do ----------------------------------------------------------------------------------------------
def act(link: Link, make_line: Callable[[int, int], bytes]) -> Generator[Wait, None, None]:
    """Sends what `make_line` makes of its number and of one number after the other, and reads all input."""
    yield from link.enter(rooms=True)
    numbers = itertools.count()
    yield from converse(link, lambda: b"".join(make_line(link.number, next(numbers)) for _ in range(LINES)))


def set_topic(link: int, number: int) -> bytes:
    """A new topic of HALL, which all members are told. For `act`."""
    return line("set_room", room=HALL, topic=f"{link} {number} {LONG_LINE}"[:300])


def ban(link: int, number: int) -> bytes:
    """Bans a name from HALL, and takes that back. For `act`."""
    action = "unban" if number % 2 else "ban"
    return line("moderate", room=HALL, username=f"n{link}n{number // 2}", action=action, reason=LONG_LINE)


def make_room(link: int, number: int) -> bytes:
    """Makes a room, and leaves it, so that it is gone. For `act`, of an account that may have one more room."""
    if number % 2:
        return line("leave", room=f"n{link}n{number // 2}")
    return line("create", room=f"n{link}n{number // 2}", topic=LONG_LINE)


def delete(link: int, number: int, links: int) -> bytes:
    """Deletes one of its account's messages. For `act`."""
    return line("delete", id=_FIRST + link + links * number, reason=LONG_LINE)


def list_all(link: Link) -> Generator[Wait, None, None]:
    """Asks for the pages that take longest, one after the other; counts answers."""
    yield from link.enter()  # without rooms: of all that was deleted there nothing is for it
    while True:
        yield from link.ask("members", room=HALL)
        yield from link.ask("bans", room=HALL)
        yield from link.ask("since", id=MAX_ID, deleted_after=_THEN)
        yield from link.ask("rooms")
        link.tally.done += 4


def resume(link: Link) -> Generator[Wait, None, None]:
    """Logs in by token, is told of all rooms, and leaves; counts logins."""
    yield from link.greet()
    reply = yield from link.ask("resume", token=link.token, rooms=True)
    yield from count_reply(link, reply, b'"login_ok"')


def talk_deaf(link: Link, text: str) -> Generator[Wait, None, None]:
    """Writes to one of its rooms, as fast as the service accepts it, and reads nothing."""
    yield from link.enter(rooms=True)
    yield from flood(link, line("pm", room=f"room{link.number % 20 + 2}", message=text))
