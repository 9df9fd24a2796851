"""Statements that store messages, each once, and judge who may write where. None begins or ends a transaction.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from service.clock import format_time, utcnow
from service.config import POSTS_AT_ONCE
from service.storage.records import Muted, NonceReused, NotAMember, Post, Stored, UnknownRoom, UnknownUser
from service.storage.sqlite import messages, unread
from service.storage.sqlite.blocks import ERA_BITS
from service.storage.statements import retries, rooms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from service.storage.records import Outcome

    Calls = Sequence[tuple[int, Sequence[Post]]]  # the senders' ids with their messages
    # time, sender, recipient, kind, text, nonce; where one may be to a room also its room, and its position there
    Row = tuple[Any, ...]
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
    rows = [
        (now, sender_id, post.recipient_id, post.kind, post.body, post.nonce)
        for sender_id, posts in calls
        for post in posts
        if post.room is None
    ]
    outcomes: Sequence[Outcome]
    if closed or len(rows) < sum(len(posts) for _, posts in calls) or _is_anyone_muted(connection, now):
        outcomes = _store_allowed(connection, calls, closed, now)
    else:
        outcomes = _store_rows(connection, rows)
    each = iter(outcomes)
    return [list(islice(each, len(posts))) for _, posts in calls]


def store_together(
    connection: sqlite3.Connection, sender_id: int, room_id: int | None, posts: Sequence[Post]
) -> list[Stored]:
    """Stores new messages to one room, None for the main one, whose sender may write there; none has a used nonce."""
    now = format_time(utcnow())
    rows: list[Row] = [(now, sender_id, None, post.kind, post.body, post.nonce) for post in posts]
    if room_id is None:
        outcomes = _store_rows(connection, rows)
    else:
        outcomes = _store_rows(connection, [(*row, room_id, None) for row in rows], posts)
    return [outcome for outcome in outcomes if isinstance(outcome, Stored)]


# -- who may write where ----------------------------------------------------------------------------------------------
def _store_allowed(connection: sqlite3.Connection, calls: Calls, closed: Collection[int], now: str) -> list[Outcome]:
    """Stores those that are allowed; to the others says why not, but to a retry of what was stored."""
    posts = [(sender_id, post) for sender_id, posts in calls for post in posts]
    verdicts = _judge(connection, posts, closed, now)
    rows: list[Row] = []
    allowed: list[Post] = []
    for (sender_id, post), verdict in zip(posts, verdicts, strict=True):
        if not isinstance(verdict, Exception):
            rows.append((now, sender_id, post.recipient_id, post.kind, post.body, post.nonce, verdict, None))
            allowed.append(post)
    stored = iter(_store_rows(connection, rows, allowed))
    return [
        (retries.find_stored(connection, sender_id, post) or verdict)
        if isinstance(verdict, Exception)
        else next(stored)
        for (sender_id, post), verdict in zip(posts, verdicts, strict=True)
    ]


def _is_anyone_muted(connection: sqlite3.Connection, now: str) -> bool:
    """Returns whether somebody is muted in the main room. Looks at all whose mutes were kept: see moderation.py."""
    muted = "SELECT 1 FROM user INDEXED BY user_muted WHERE muted_until > ? LIMIT 1"
    return connection.execute(muted, (now,)).fetchone() is not None


def _judge(
    connection: sqlite3.Connection, posts: Sequence[tuple[int, Post]], closed: Collection[int], now: str
) -> list[int | Refusal | None]:
    """Returns for each message why it is refused, or the id of its room.

    Looks up each sender's standing in each room once: nothing changes it meanwhile.
    """
    standings: dict[tuple[int, str], rooms.Standing | None] = {}
    mutes: dict[int, str | None] = {}  # in the main room: until when, by the sender's id
    verdicts: list[int | Refusal | None] = []
    for sender_id, post in posts:
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
def _store_rows(
    connection: sqlite3.Connection, rows: Sequence[Row], posts: Sequence[Post] = ()
) -> list[Stored | NonceReused]:
    """Stores messages. Where one may be to a room, the rows name it, and `posts` has the messages.

    Where none is, rows are shorter: two more columns would take a quarter more time.
    """
    heads = _read_heads(connection, {row[6] for row in rows if row[6] is not None}) if posts else {}
    outcomes: list[Stored | NonceReused] = []
    while (done := len(outcomes)) < len(rows):
        size = next(size for size in _ROWS_AT_ONCE if size <= len(rows) - done)
        piece = rows[done : done + size]
        ids = _insert_all(connection, piece, heads)
        if not ids:
            outcomes += [
                _store(connection, row, heads, posts[number] if posts else None)
                for number, row in enumerate(piece, done)
            ]
        elif not heads:
            outcomes += [Stored(message_id, piece[0][0], fresh=True, seen=False) for message_id in ids]
        else:
            outcomes += [
                Stored(message_id, row[0], fresh=True, seen=False, room_id=row[6])
                for message_id, row in zip(ids, piece, strict=True)
            ]
    fresh = [
        (row, outcome.id)
        for row, outcome in zip(rows, outcomes, strict=True)
        if (heads or row[2] is not None) and isinstance(outcome, Stored) and outcome.fresh
    ]
    direct = {row[1]: message_id for row, message_id in fresh if row[2] is not None}  # each sender's newest
    for sender_id, message_id in direct.items():
        messages.note_direct(connection, sender_id, message_id)
    for era in {message_id >> ERA_BITS for row, message_id in fresh if row[2] is not None}:
        connection.execute("INSERT OR IGNORE INTO era (id) VALUES (?)", (era,))
    if heads:
        _note_rooms(connection, [(row[6], row[1], number) for row, number in fresh if row[6] is not None], heads)
    unread.complete_blocks(connection)
    return outcomes


def _read_heads(connection: sqlite3.Connection, room_ids: Iterable[int]) -> dict[int, int]:
    """Returns the number of messages that were ever sent to each room. Who stores more counts on."""
    read = "SELECT messages FROM room WHERE id = ?"
    return {room_id: connection.execute(read, (room_id,)).fetchone()[0] for room_id in room_ids}


def _insert_all(connection: sqlite3.Connection, rows: Sequence[Row], heads: dict[int, int]) -> Sequence[int]:
    """Stores several rows with one statement, in two thirds of the time; returns their ids.

    Stores none if a nonce was used before.
    """
    if len(rows) == 1:
        return ()
    connection.execute("SAVEPOINT posts")
    before = heads.copy()
    numbered = _number(rows, heads)
    cursor = connection.execute(_insert_statement(len(rows), len(rows[0])), list(chain.from_iterable(numbered)))
    if cursor.rowcount == len(rows) and cursor.lastrowid is not None:
        connection.execute("RELEASE posts")
        return range(cursor.lastrowid - len(rows) + 1, cursor.lastrowid + 1)  # one statement's are consecutive
    heads.update(before)
    connection.execute("ROLLBACK TO posts")
    connection.execute("RELEASE posts")
    return ()


def _number(rows: Sequence[Row], heads: dict[int, int]) -> Sequence[Row]:
    """Gives each message to a room the next position there."""
    if not heads:
        return rows
    numbered = []
    for row in rows:
        room_id = row[6]
        if room_id is not None:
            heads[room_id] += 1
        numbered.append((*row[:7], heads.get(room_id)))
    return numbered


@cache
def _insert_statement(rows: int, columns: int) -> str:
    places = ", ".join([f"({', '.join('?' * columns)})"] * rows)
    return (
        f"INSERT INTO message ({', '.join(_COLUMNS[:columns])}) VALUES {places} "  # noqa: S608
        "ON CONFLICT (sender_id, nonce) WHERE nonce IS NOT NULL DO NOTHING"
    )


def _store(connection: sqlite3.Connection, row: Row, heads: dict[int, int], post: Post | None) -> Stored | NonceReused:
    (numbered,) = _number([row], heads)
    cursor = connection.execute(_insert_statement(1, len(row)), numbered)
    now, sender_id, recipient_id, kind, body, nonce, *place = row
    room_id = place[0] if place else None
    if cursor.rowcount:
        return Stored(cursor.lastrowid or 0, now, fresh=True, seen=False, room_id=room_id)
    if room_id is not None:
        heads[room_id] -= 1
    stored = retries.find_stored(connection, sender_id, post or Post(recipient_id, body, nonce, kind))
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
