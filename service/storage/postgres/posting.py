"""Stores messages, each once, by one call of a function in the database, which also judges who may write where.

What the functions chat_store, chat_judge and chat_put do stands in migrations/postgres. Begins and ends no transaction.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from service.storage.records import Banned, Muted, NonceReused, NotAMember, Stored, UnknownRoom, UnknownUser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from service.storage.postgres.connection import Connection
    from service.storage.records import Outcome, Post

    Calls = Sequence[tuple[int, Sequence[Post]]]  # the senders' ids with their messages

_STORE: Final = "SELECT * FROM chat_store($1, $2, $3, $4, $5, $6, $7, $8, $9)"
_PUT: Final = (
    "SELECT chat_put(pg_sequence_last_value('message_id'), moment, %s::bigint[], NULL, %s::bigint[], %s::text[], "
    "%s::text[], %s::text[]), moment FROM chat_now() AS moment"
)


class Answer(NamedTuple):
    """What chat_store answers."""

    place_message: int  # the newest ids before it
    place_event: int
    moment: str
    first_id: int
    outcomes: str | None  # JSON; None: all are new, with the ids from the first on
    room_ids: list[int | None] | None  # None: none is to a room


def store_posts(connection: Connection, calls: Calls) -> list[list[Outcome]]:
    """Stores messages of several senders in order; a refusal concerns only its own message.

    Without a transaction under way it is one: it notes the batch, and leaves the answer in `connection.answer`.
    """
    posts = list(chain.from_iterable(posts for _, posts in calls))
    senders = [sender_id for sender_id, posts in calls for _ in posts]
    row = connection.call(
        _STORE,
        (
            str(connection.node) if connection.is_idle else None,
            str(connection.batch),
            _numbers(senders),
            _numbers([post.recipient_id for post in posts]),
            _texts([_without_nul(post.room) for post in posts]),
            _texts([_without_nul(post.created) for post in posts]),
            _texts([post.kind for post in posts]),
            _texts([post.nonce for post in posts]),
            _texts([post.body for post in posts]),
        ),
    )
    connection.answer = _read_answer(*row)
    return outcomes_of(connection.answer, calls)


def _read_answer(*row: str | None) -> Answer:
    """Reads the texts of an answer's columns."""
    place, event, moment, first, outcomes, rooms = row
    room_ids = None if rooms is None else [None if part == "NULL" else int(part) for part in rooms[1:-1].split(",")]
    return Answer(int(place or 0), int(event or 0), moment or "", int(first or 0), outcomes, room_ids)


def outcomes_of(row: Sequence[Any], calls: Calls) -> list[list[Outcome]]:
    """Returns what an answer of chat_store says of each message."""
    answer = Answer(*row)
    count = sum(len(posts) for _, posts in calls)
    room_ids: Iterable[int | None] = answer.room_ids or [None] * count
    each: Iterable[Outcome]
    if answer.outcomes is None:
        ids = range(answer.first_id, answer.first_id + count)
        each = (
            Stored(number, answer.moment, fresh=True, seen=False, room_id=room_id)
            for number, room_id in zip(ids, room_ids, strict=True)
        )
    else:
        posts = chain.from_iterable(posts for _, posts in calls)
        entries = msgspec.json.decode(answer.outcomes)
        each = (
            Stored(entry, answer.moment, fresh=True, seen=False, room_id=room_id)
            if isinstance(entry, int)
            else _read_outcome(entry, post)
            for entry, room_id, post in zip(entries, room_ids, posts, strict=True)
        )
    outcomes = iter(each)
    return [list(islice(outcomes, len(posts))) for _, posts in calls]


def _read_outcome(entry: Any, post: Post) -> Outcome:
    """Reads what became of a post that is not new."""
    match entry:
        case [number, time, seen, room_id]:
            return Stored(number, time, fresh=False, seen=seen, room_id=room_id)
        case {"muted": until}:
            return Muted(until)
        case {"banned": until}:
            return Banned(until)
        case "room":
            return UnknownRoom(post.room or "")
        case _:
            return _REFUSALS[entry]()


_REFUSALS: Final[dict[str, Callable[[], Outcome]]] = {
    "nonce": NonceReused,
    "user": UnknownUser,
    "member": NotAMember,
}


def store_together(connection: Connection, sender_id: int, room_id: int | None, posts: Sequence[Post]) -> list[Stored]:
    """Stores new messages to one room, None for the main one, whose sender may write there; none has a used nonce."""
    row = connection.run(
        _PUT,
        (
            _numbers([sender_id] * len(posts)),
            _numbers([room_id] * len(posts)),
            _texts([post.kind for post in posts]),
            _texts([post.nonce for post in posts]),
            _texts([post.body for post in posts]),
        ),
    ).fetchone()
    assert row is not None  # noqa: S101 (as above)
    newest, moment = row
    ids = range(newest - len(posts) + 1, newest + 1)
    return [Stored(number, moment, fresh=True, seen=False, room_id=room_id) for number in ids]


# -- arrays: psycopg takes five times as long to make one of a list ----------------------------------------------------
def _numbers(values: Sequence[int | None]) -> str | None:
    """Writes an array as PostgreSQL reads it; None if it has no value."""
    if not any(values):
        return None
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def _texts(values: Sequence[str | None]) -> str | None:
    if all(value is None for value in values):
        return None
    return f"{{{','.join(['NULL' if value is None else _quote(value) for value in values])}}}"


def _without_nul(text: str | None) -> str | None:
    """Of a room that there cannot be: PostgreSQL would refuse NUL, and with it the messages of all senders."""
    return None if text is None else text.replace("\0", "?")


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
