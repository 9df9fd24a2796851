"""Statements that store messages, each once, and judge who may write where. None begins or ends a transaction.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from service.clock import format_time, utcnow
from service.config import POSTS_AT_ONCE
from service.storage.records import Banned, Muted, NonceReused, NotAMember, Post, Stored, UnknownRoom, UnknownUser
from service.storage.sqlite import rooms, unread
from service.storage.sqlite.messages import ERA_BITS

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from service.errors import StorageFull
    from service.storage.records import Outcome

    Calls = Sequence[tuple[int, Sequence[Post]]]  # the senders' ids with their messages
    Place = tuple[int, Post, int | None]  # the sender's id, the message, and the id of its room
    # time, sender, recipient, kind, text, nonce; where one of them is to a room also its id, and the position there
    Row = tuple[str | int | None, ...]
    Refusal = UnknownUser | UnknownRoom | NotAMember | Muted

_COLUMNS: Final = ("sent_at", "sender_id", "recipient_id", "kind", "body", "nonce", "room_id", "position")
_ROWS_AT_ONCE: Final = (POSTS_AT_ONCE, 16, 4, 1)  # few sizes, so that each statement stays prepared


# -- storing ----------------------------------------------------------------------------------------------------------
def store_all(connection: sqlite3.Connection, calls: Calls, closed: Collection[int] = ()) -> list[list[Outcome]]:
    """Stores messages of several senders in order; a refusal concerns only its own message.

    None by or to the `closed` accounts is stored. The time is taken here, on the writer thread, so that the order of
    times is the order of ids.
    """
    now = format_time(utcnow())
    places: list[Place] = [(sender_id, post, None) for sender_id, posts in calls for post in posts]
    outcomes: Sequence[Outcome]
    if closed or _is_anyone_muted(connection) or any(post.room is not None for _, post, _ in places):
        outcomes = _store_allowed(connection, places, closed, now)
    else:
        outcomes = _store_places(connection, places, {}, now)
    each = iter(outcomes)
    return [list(islice(each, len(posts))) for _, posts in calls]


def refuse_new(connection: sqlite3.Connection, calls: Calls, reason: StorageFull | Banned) -> list[list[Outcome]]:
    """As `store_all`, but stores nothing: a retry gets its stored message, a new message the `reason`."""
    return [[find_stored(connection, sender, post) or reason for post in posts] for sender, posts in calls]


def find_stored(connection: sqlite3.Connection, sender_id: int, post: Post) -> Stored | NonceReused | None:
    """Returns a retry's result: the first message with that nonce, or a refusal if it differs; None if none.

    Of a deleted message nobody can tell any more what it said. Its room may be gone.
    """
    first = connection.execute(
        "SELECT m.id, m.sent_at, m.seen_at, m.deleted_at, m.room_id, r.created_at, m.recipient_id, r.name, "
        "m.body, m.kind "
        "FROM message AS m LEFT JOIN room AS r ON r.id = m.room_id WHERE m.sender_id = ? AND m.nonce = ?",
        (sender_id, post.nonce),
    ).fetchone()
    if first is None:
        return None
    message_id, sent_at, seen_at, deleted_at, room_id, created, recipient_id, room, *said = first
    is_same_target = (recipient_id, room) == (post.recipient_id, post.room) and post.created in (None, created)
    if not is_same_target or (deleted_at is None and said != [post.body, post.kind]):
        return NonceReused()
    return Stored(message_id, sent_at, fresh=False, seen=seen_at is not None, room_id=room_id)


# -- who may write where ----------------------------------------------------------------------------------------------
def _store_allowed(
    connection: sqlite3.Connection, places: Sequence[Place], closed: Collection[int], now: str
) -> list[Outcome]:
    """Stores those that are allowed; to the others says why not, but to a retry of what was stored."""
    verdicts = _judge(connection, places, closed, now)
    allowed = [
        (sender_id, post, verdict)
        for (sender_id, post, _), verdict in zip(places, verdicts, strict=True)
        if not isinstance(verdict, Exception)
    ]
    heads = _read_heads(connection, {room_id for _, _, room_id in allowed if room_id is not None})
    stored = iter(_store_places(connection, allowed, heads, now))
    return [
        (find_stored(connection, sender_id, post) or verdict) if isinstance(verdict, Exception) else next(stored)
        for (sender_id, post, _), verdict in zip(places, verdicts, strict=True)
    ]


def _is_anyone_muted(connection: sqlite3.Connection) -> bool:
    """Returns whether somebody has been muted in the main room, perhaps until some time ago."""
    muted = "SELECT 1 FROM user INDEXED BY user_muted WHERE muted_until IS NOT NULL LIMIT 1"
    return connection.execute(muted).fetchone() is not None


def _judge(
    connection: sqlite3.Connection, places: Sequence[Place], closed: Collection[int], now: str
) -> list[int | Refusal | None]:
    """Returns for each message why it is refused, or the id of its room.

    Looks up each sender's standing in each room once: nothing changes it meanwhile.
    """
    standings: dict[tuple[int, str], rooms.Standing | None] = {}
    mutes: dict[int, str | None] = {}  # in the main room: until when, by the sender's id
    verdicts: list[int | Refusal | None] = []
    for sender_id, post, _ in places:
        if sender_id in closed or post.recipient_id in closed:
            verdicts.append(UnknownUser())
        elif post.room is not None:
            key = (sender_id, post.room)
            if key not in standings:
                standings[key] = rooms.find_standing(connection, sender_id, post.room)
            verdicts.append(_judge_in_room(standings[key], post, now))
        elif post.recipient_id is None:
            if sender_id not in mutes:
                mutes[sender_id] = _find_mute(connection, sender_id)
            until = mutes[sender_id]
            verdicts.append(None if until is None or until <= now else Muted(until))
        else:
            verdicts.append(None)
    return verdicts


def _find_mute(connection: sqlite3.Connection, user_id: int) -> str | None:
    row = connection.execute("SELECT muted_until FROM user WHERE id = ?", (user_id,)).fetchone()
    return None if row is None else row[0]


def _judge_in_room(standing: rooms.Standing | None, post: Post, now: str) -> int | Refusal:
    if standing is None or post.created not in (None, standing.room.created):
        return UnknownRoom(post.room or "")
    if standing.role is None:
        return NotAMember()
    if standing.muted_until is not None and standing.muted_until > now:
        return Muted(standing.muted_until)
    return standing.room.id


# -- rows, and what is noted beside them ------------------------------------------------------------------------------
def _store_places(
    connection: sqlite3.Connection, places: Sequence[Place], heads: dict[int, int], now: str
) -> list[Stored | NonceReused]:
    """Stores messages; `heads` is the number of those that were ever sent to each room, and is counted on."""
    outcomes: list[Stored | NonceReused] = []
    while len(outcomes) < len(places):
        left = len(places) - len(outcomes)
        size = next(size for size in _ROWS_AT_ONCE if size <= left)
        outcomes += _store_piece(connection, places[len(outcomes) : len(outcomes) + size], heads, now)
    fresh = [
        (room_id, sender_id, outcome.id)
        for (sender_id, post, room_id), outcome in zip(places, outcomes, strict=True)
        if (post.recipient_id is not None or room_id is not None) and isinstance(outcome, Stored) and outcome.fresh
    ]
    for era in {message_id >> ERA_BITS for room_id, _, message_id in fresh if room_id is None}:
        connection.execute("INSERT OR IGNORE INTO era (id) VALUES (?)", (era,))
    if heads:
        _note_rooms(connection, [(room, sender, number) for room, sender, number in fresh if room is not None], heads)
    unread.complete_blocks(connection)
    return outcomes


def _read_heads(connection: sqlite3.Connection, room_ids: Iterable[int]) -> dict[int, int]:
    read = "SELECT messages FROM room WHERE id = ?"
    return {room_id: connection.execute(read, (room_id,)).fetchone()[0] for room_id in room_ids}


def _store_piece(
    connection: sqlite3.Connection, places: Sequence[Place], heads: dict[int, int], now: str
) -> list[Stored | NonceReused]:
    """Stores the rows with one statement, in two thirds of the time; one by one if a nonce was used before."""
    if len(places) > 1:
        connection.execute("SAVEPOINT posts")
        before = heads.copy()
        rows = _make_rows(places, heads, now)
        cursor = connection.execute(_insert_statement(len(rows), len(rows[0])), list(chain.from_iterable(rows)))
        if cursor.rowcount == len(rows) and cursor.lastrowid is not None:
            connection.execute("RELEASE posts")
            ids = range(cursor.lastrowid - len(rows) + 1, cursor.lastrowid + 1)  # one statement's are consecutive
            if not heads:
                return [Stored(message_id, now, fresh=True, seen=False) for message_id in ids]
            return [
                Stored(message_id, now, fresh=True, seen=False, room_id=room_id)
                for message_id, (_, _, room_id) in zip(ids, places, strict=True)
            ]
        heads.update(before)
        connection.execute("ROLLBACK TO posts")
        connection.execute("RELEASE posts")
    return [_store(connection, place, heads, now) for place in places]


def _make_rows(places: Sequence[Place], heads: dict[int, int], now: str) -> list[Row]:
    """Gives each message to a room the next position there.

    Where there is none to a room, rows are shorter: two more columns would take a quarter more time.
    """
    if not heads:
        return [(now, sender_id, post.recipient_id, post.kind, post.body, post.nonce) for sender_id, post, _ in places]
    rows: list[Row] = []
    for sender_id, post, room_id in places:
        if room_id is not None:
            heads[room_id] += 1
        position = None if room_id is None else heads[room_id]
        rows.append((now, sender_id, post.recipient_id, post.kind, post.body, post.nonce, room_id, position))
    return rows


@cache
def _insert_statement(rows: int, columns: int) -> str:
    places = ", ".join([f"({', '.join('?' * columns)})"] * rows)
    return (
        f"INSERT INTO message ({', '.join(_COLUMNS[:columns])}) VALUES {places} "  # noqa: S608
        "ON CONFLICT (sender_id, nonce) WHERE nonce IS NOT NULL DO NOTHING"
    )


def _store(connection: sqlite3.Connection, place: Place, heads: dict[int, int], now: str) -> Stored | NonceReused:
    sender_id, post, room_id = place
    (row,) = _make_rows([place], heads, now)
    cursor = connection.execute(_insert_statement(1, len(row)), row)
    if cursor.rowcount:
        return Stored(cursor.lastrowid or 0, now, fresh=True, seen=False, room_id=room_id)
    if room_id is not None:
        heads[room_id] -= 1
    stored = find_stored(connection, sender_id, post)
    assert stored is not None  # noqa: S101 (its nonce prevented the INSERT)
    return stored


def _note_rooms(connection: sqlite3.Connection, sent: Sequence[tuple[int, int, int]], heads: dict[int, int]) -> None:
    """Notes messages to rooms, given by room, sender and id: once for each room, and for each sender in it."""
    newest = {room_id: message_id for room_id, _, message_id in sent}
    connection.executemany(
        "UPDATE room SET messages = ?, last_id = ? WHERE id = ?",
        [(heads[room_id], message_id, room_id) for room_id, message_id in newest.items()],
    )
    counts = Counter((room_id, sender_id) for room_id, sender_id, _ in sent)
    connection.executemany(
        "UPDATE member SET own_unread = own_unread + ? WHERE room_id = ? AND user_id = ?",
        [(count, *key) for key, count in sorted(counts.items())],
    )


def find_eras(connection: sqlite3.Connection) -> None:
    """Makes the eras anew from the messages."""
    connection.execute("DELETE FROM era")
    connection.execute(f"INSERT INTO era SELECT DISTINCT id >> {ERA_BITS} FROM message WHERE recipient_id IS NOT NULL")  # noqa: S608


def forget_eras(connection: sqlite3.Connection, first_id: int, last_id: int) -> None:
    """Removes the eras around these ids that have no direct message any more."""
    connection.execute(
        "DELETE FROM era WHERE id BETWEEN ? AND ? AND NOT EXISTS "  # noqa: S608
        "(SELECT 1 FROM message AS m INDEXED BY message_talk "
        f"WHERE m.recipient_id IS NOT NULL AND m.id >> {ERA_BITS} = +era.id)",
        (first_id >> ERA_BITS, last_id >> ERA_BITS),
    )
