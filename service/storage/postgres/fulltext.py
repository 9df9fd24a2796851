"""Statements for the search: they fill its index, and find messages by their words. None begins or ends a write.

The index is one table of words with their owner: the main room, a room, or a user, for direct messages once for each
of the two. So a search never meets or counts words that its user may not read. Its plans are fixed, and how much it may
do is counted: neither its results nor its refusals depend on what others write.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg

from service.storage.postgres import messages
from service.storage.postgres.words import cut
from service.storage.records import MAX_ID, MAX_SEARCH_WORDS, Page, SearchTooSlow, TooManyWords
from service.storage.statements.rooms import membership

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from service.storage.postgres.connection import Connection

MAX_ENDINGS: Final = 500  # different words that a beginning may match, of one owner; as SQLite's
MAX_LOOKED: Final = 200_000  # entries of the index that a search may look at: half a second
INDEX_MESSAGES: Final = 200  # indexed at once, if they are short: 20 ms
INDEX_CHARACTERS: Final = 20_000  # of their texts, but one message at least
_PIECE: Final = 5_000  # messages looked at by one statement, at most
_FEW_WORDS: Final = 16  # the newest entries of so many words are looked at at once, those of more in a stretch of ids
_WIDTH: Final = 4_096  # ids of the first stretch; each next one is four times as long
_TRIED: Final = 2  # further terms that a message is tried for, about: most of those that fail do so at the first
_PAIRS: Final = 64  # beginnings, of an owner each, that are looked up by one statement
_STEP: Final = 5  # entries that are looked at in the time in which one word is looked up
_COUNTED: Final = 5_000  # entries of a word, to find the rarest: 1 ms
# Between an owner and a word. No word has it: docs/protocol.txt has what a word is. The owner of the main room is "".
_OF: Final = "\u00b7"
_END: Final = chr(0x10FFFF)  # behind all words with a beginning

# Reads one state of the database: or it could find what was said in a room after the membership there has ended. All
# statements go by the indexes, whatever the tables hold.
_BEGIN: Final = """
    BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
    SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
    SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""
# For each owner and beginning the words that begin so, by one look-up each: from word to word, past all their messages.
_ENDINGS: Final = f"""
    SELECT o.owner, b.number, ARRAY(
        WITH RECURSIVE ending (word) AS (
            SELECT (
                SELECT s.word FROM search_word AS s
                WHERE s.word >= o.owner || b.beginning AND s.word < o.owner || b.beginning || '{_END}'
                ORDER BY s.word LIMIT 1
            )
            UNION ALL
            SELECT (
                SELECT s.word FROM search_word AS s
                WHERE s.word > e.word AND s.word < o.owner || b.beginning || '{_END}' ORDER BY s.word LIMIT 1
            )
            FROM ending AS e WHERE e.word IS NOT NULL
        )
        SELECT substr(word, length(o.owner) + 1) FROM ending WHERE word IS NOT NULL LIMIT %(most)s
    )
    FROM unnest(%(owners)s::text[]) AS o (owner)
    CROSS JOIN unnest(%(beginnings)s::text[]) WITH ORDINALITY AS b (beginning, number)
"""  # noqa: S608
_COUNTS: Final = f"""
    SELECT (
        SELECT count(*) FROM (
            SELECT FROM unnest(%(numbers)s::int8[], %(words)s::text[]) AS w (number, word)
            CROSS JOIN LATERAL (
                SELECT FROM search_word AS s WHERE s.word = w.word AND s.id < %(before)s LIMIT {_COUNTED}
            ) AS s
            WHERE w.number = t.number LIMIT {_COUNTED}
        ) AS few
    )
    FROM generate_series(0, %(last)s) AS t (number) ORDER BY t.number
"""  # noqa: S608
# The newest messages with one of these words; and of them those that have also one of each of the other terms.
_FIND: Final = """
    WITH entry AS MATERIALIZED (
        SELECT s.id, w.owner FROM unnest(%(owners)s::text[], %(words)s::text[]) AS w (owner, word)
        CROSS JOIN LATERAL (
            SELECT s.id FROM search_word AS s
            WHERE s.word = w.owner || w.word AND s.id >= %(least)s AND s.id < %(before)s
            ORDER BY s.id DESC LIMIT %(piece)s
        ) AS s
    ), newest AS MATERIALIZED (SELECT DISTINCT id, owner FROM entry ORDER BY id DESC LIMIT %(piece)s)
    SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM newest), (SELECT min(id) FROM newest),
        ARRAY(SELECT n.owner || n.id FROM newest AS n WHERE {} ORDER BY n.id DESC)
"""
_HAS: Final = (
    "EXISTS (SELECT FROM unnest(%(term{})s::text[]) AS w (word) "
    "JOIN search_word AS s ON s.word = n.owner || w.word AND s.id = n.id)"
)
_NEXT: Final = """
    SELECT id, sender_id, recipient_id, room_id, body FROM (
        SELECT *, sum(length(body)) OVER (ORDER BY id) - length(body) AS characters FROM (
            SELECT id, sender_id, recipient_id, room_id, body FROM message
            WHERE id > (SELECT id FROM search_cursor) ORDER BY id LIMIT %s
        ) AS next
    ) AS summed
    WHERE characters < %s ORDER BY id
"""

_Row = tuple[int, int, "int | None", "int | None", str]  # of a message: id, sender, recipient, room, text
_Word = tuple[str, ...]  # one word of a query as the index cuts it: "e-mail" is two in a row
_Term = dict[str, "Sequence[str]"]  # for each owner words, of which a message must have one


class _Query(NamedTuple):
    """What is searched for: messages of these owners that have one word of each term."""

    owners: list[str]
    terms: list[_Term]
    endings: dict[str, list[Sequence[str]]]  # for each owner those of each word
    is_exact: bool  # whether the terms are all that is asked for


# -- finding ----------------------------------------------------------------------------------------------------------
def search_page(
    connection: Connection,
    query: str,
    user_id: int,
    with_id: int | None,
    before: int | None,
    limit: int,
    *,
    room: str | None = None,
    rooms: bool = False,
    endings: int = MAX_ENDINGS,
    most: int = MAX_LOOKED,
) -> Page:
    """As `Storage.search_page`, looking at about `most` entries of the index.

    If a beginning matches more than `endings` different words of an owner, only the word itself is searched for there.
    """
    words = [word for word in dict.fromkeys(tuple(cut(word)) for word in query.replace("\0", " ").split()) if word]
    if sum(map(len, words)) > MAX_SEARCH_WORDS:
        raise TooManyWords
    with _one_state(connection):
        owners = _owners(connection, user_id, with_id, room, rooms=rooms)
        if not words:
            return Page([], more=False)
        asked = _expand(connection, owners, words, endings, most)
        if with_id is not None and not room:
            asked.terms.append({owner: [_mark_talk(with_id)] for owner in asked.owners})
        found = _find(connection, asked, MAX_ID if before is None else before, limit + 1, most)
        if not asked.is_exact:
            found = _look_through(connection, asked, words, found, limit + 1)
        ids = [message_id for message_id, _ in islice(found, limit + 1)]
        return messages.page_of(connection, ids, limit)


@contextmanager
def _one_state(connection: Connection) -> Iterator[None]:
    connection.run_several(_BEGIN)
    try:
        yield
    except psycopg.errors.QueryCanceled:
        raise SearchTooSlow from None
    finally:
        with suppress(psycopg.OperationalError):  # the connection is lost: the first error tells it
            connection.run_several("COMMIT")


def _owners(connection: Connection, user_id: int, with_id: int | None, room: str | None, *, rooms: bool) -> list[str]:
    """Returns whose words are searched, as they stand before a word."""
    if room:
        return [_name_room(membership(connection, user_id, room).room.id)]
    if with_id is not None:
        return [_name_user(user_id)]
    owners = [_OF]
    if room is None:
        owners.append(_name_user(user_id))
    if rooms:
        hers = connection.run("SELECT room_id FROM member WHERE user_id = %s", (user_id,)).fetchall()
        owners += [_name_room(room_id) for (room_id,) in hers]
    return owners


def _expand(
    connection: Connection, owners: Sequence[str], words: Sequence[_Word], most_endings: int, most: int
) -> _Query:
    """Looks up which words the last part of each word is the beginning of; drops owners that lack one.

    Raises SearchTooSlow.
    """
    beginnings = [word[-1] for word in words]
    endings: dict[str, list[Sequence[str]]] = {owner: [()] * len(words) for owner in owners}
    is_exact = all(len(word) == 1 for word in words)
    looked = 0
    size = max(1, _PAIRS // len(words))
    for some in (owners[n : n + size] for n in range(0, len(owners), size)):
        if looked > most:
            raise SearchTooSlow
        values = {"owners": list(some), "beginnings": beginnings, "most": most_endings + 1}
        for owner, number, found in connection.run(_ENDINGS, values).fetchall():
            is_cut = len(found) > most_endings
            endings[owner][number - 1] = [beginnings[number - 1]] if is_cut else found
            is_exact = is_exact and not is_cut
            looked += _STEP * len(found)
    having = [owner for owner in owners if all(endings[owner])]
    terms: list[_Term] = [{owner: [part] for owner in having} for word in words for part in word[:-1]]
    terms += [{owner: endings[owner][number] for owner in having} for number in range(len(words))]
    return _Query(having, terms, endings, is_exact)


def _find(connection: Connection, asked: _Query, before: int, piece: int, most: int) -> Iterator[tuple[int, str]]:
    """Yields ids of messages with their owners, newest first: of those that have a word of each term, and few others.

    Others are such as have a word that is one of the term for another owner. Raises SearchTooSlow.
    """
    if not asked.owners:
        return
    rarest, *terms = _sort(connection, asked.terms, before)
    driver = [(owner, word) for owner, words in rarest.items() for word in words]
    others = [sorted({word for words in term.values() for word in words}) for term in terms]
    statement = _FIND.format(" AND ".join(map(_HAS.format, range(len(others)))) or "true")
    values = {f"term{number}": words for number, words in enumerate(others)}
    values |= {"owners": [owner for owner, _ in driver], "words": [word for _, word in driver]}
    before = min(before, _come_to(connection) + 1)
    width = MAX_ID if len(driver) < _FEW_WORDS else _WIDTH
    looked = 0
    while looked <= most:
        least = max(0, before - width)
        limits = {"least": least, "before": before, "piece": piece}
        entries, count, lowest, found = _one(connection, statement, {**values, **limits})
        for each in found:
            owner, _, number = each.rpartition(_OF)
            yield int(number), owner + _OF
        if count < piece and least == 0:
            return
        looked += len(driver) + entries + count * sum(map(len, others[:_TRIED]))
        before, piece, width = lowest if count == piece else least, min(piece * 4, _PIECE), width * 4
    raise SearchTooSlow


def _sort(connection: Connection, terms: list[_Term], before: int) -> list[_Term]:
    """Returns the terms, those first that few messages have."""
    if len(terms) == 1:
        return terms
    flat = [(n, owner + word) for n, term in enumerate(terms) for owner, words in term.items() for word in words]
    values = {"numbers": [n for n, _ in flat], "words": [word for _, word in flat], "before": before}
    counts = connection.run(_COUNTS, {**values, "last": len(terms) - 1}).fetchall()
    return [terms[number] for _, number in sorted((count, number) for number, (count,) in enumerate(counts))]


def _look_through(
    connection: Connection, asked: _Query, words: Sequence[_Word], found: Iterator[tuple[int, str]], piece: int
) -> Iterator[tuple[int, str]]:
    """Yields those whose texts have each word of the query, its parts in a row."""
    while some := list(islice(found, piece)):
        rows = connection.run("SELECT id, body FROM message WHERE id = ANY(%s)", ([each[0] for each in some],))
        texts = dict(rows.fetchall())
        for message_id, owner in some:
            there = cut(texts[message_id])
            if all(_has_row(there, word, ends) for word, ends in zip(words, asked.endings[owner], strict=True)):
                yield message_id, owner


def _has_row(there: Sequence[str], word: _Word, endings: Sequence[str]) -> bool:
    """Returns whether the words that are there have the parts of a word in a row, the last with one of the endings."""
    head, size = list(word[:-1]), len(word)
    ends = set(endings)
    return any(there[n + size - 1] in ends and there[n : n + size - 1] == head for n in range(len(there) - size + 1))


def _one(connection: Connection, statement: str, values: Mapping[str, object]) -> tuple[int, int, int, list[str]]:
    row: tuple[int, int, int, list[str]] | None = connection.run(statement, values).fetchone()
    assert row is not None  # noqa: S101 (it has no FROM)
    return row


# -- words ------------------------------------------------------------------------------------------------------------
def _name_user(user_id: int) -> str:
    return f"{user_id}{_OF}"


def _name_room(room_id: int) -> str:
    return f"r{room_id}{_OF}"


def _mark_talk(other_id: int) -> str:
    """Returns what stands as a word of the talk with that user; no word begins so."""
    return f"{_OF}{other_id}"


def entries(row: _Row) -> set[str]:
    """Returns what the index has of a message: each word, for each owner."""
    _, sender_id, recipient_id, room_id, body = row
    words = set(cut(body))
    if recipient_id is None:
        owner = _OF if room_id is None else _name_room(room_id)
        return {owner + word for word in words}
    pairs = ((sender_id, recipient_id), (recipient_id, sender_id))
    return {_name_user(owner) + word for owner, other in pairs for word in (*words, _mark_talk(other)) if words}


# -- filling ----------------------------------------------------------------------------------------------------------
def index_some(connection: Connection, count: int = INDEX_MESSAGES, characters: int = INDEX_CHARACTERS) -> bool:
    """Adds the words of the next messages, in id order; returns whether others may remain.

    Call it in a write: so several services share the work, and none of it is done twice or left out.
    """
    rows = connection.run(_NEXT, (count, characters)).fetchall()
    if rows:
        add(connection, rows)
        connection.run("UPDATE search_cursor SET id = %s", (rows[-1][0],))
    return len(rows) == count or sum(len(row[4]) for row in rows) >= characters


def add(connection: Connection, rows: Sequence[_Row]) -> None:
    """Adds the words of these messages."""
    pairs = sorted((word, row[0]) for row in rows for word in entries(row))
    connection.run(
        "INSERT INTO search_word SELECT * FROM unnest(%s::text[], %s::int8[])",
        ([word for word, _ in pairs], [number for _, number in pairs]),
    )


def remove(connection: Connection, rows: Sequence[_Row]) -> None:
    """Takes the words of messages out; call it while they still have their texts, before or after they were added."""
    pairs = sorted((word, row[0]) for row in rows for word in entries(row))
    connection.run(
        "DELETE FROM search_word AS s USING unnest(%s::text[], %s::int8[]) AS e (word, id) "
        "WHERE s.word = e.word AND s.id = e.id",
        ([word for word, _ in pairs], [number for _, number in pairs]),
    )


def newest_missing(connection: Connection) -> int:
    """Returns the id of the newest message if the index lacks it; else 0."""
    row = connection.run(
        "SELECT coalesce(max(id), 0) FROM message HAVING max(id) > (SELECT id FROM search_cursor)"
    ).fetchone()
    return 0 if row is None else int(row[0])


def index_some_up_to(connection: Connection, message_id: int) -> bool:
    """As `index_some`, unless the index has that message; returns whether it still lacks it."""
    return _come_to(connection) < message_id and index_some(connection) and _come_to(connection) < message_id


def _come_to(connection: Connection) -> int:
    row = connection.run("SELECT id FROM search_cursor").fetchone()
    return 0 if row is None else int(row[0])
