"""Statements for the search: they fill its indexes, and find messages by their words. None begins a transaction.

There are two indexes: one of the main room, and one of all else. The latter has each word of a direct message twice,
once for each user who may read it (migration 0005 describes the form), and of a message to a room once, for the room.
So a search never meets or counts words that its user may not read, and neither its results nor its refusals depend on
them.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing, contextmanager
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from service.storage.records import MAX_ID, MAX_SEARCH_WORDS, SearchTooSlow, TooManyWords
from service.storage.sqlite import database, messages
from service.storage.statements.connection import one_state
from service.storage.statements.rooms import membership

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.storage.records import Page

MAX_ENDINGS: Final = 500  # different words that a beginning may match; 40 us each at ten million messages
SEARCH_TIME: Final = 0.5  # seconds of CPU for one search; common words take 20 ms at ten million messages
INDEX_BATCH: Final = 1_000  # short public messages indexed at once: 5 ms, 50 ms during a merge
INDEX_CHARACTERS: Final = 128  # of a text that count as a short message: a line or two
INDEX_DIRECT: Final = 4  # a direct message counts so many times, as both users' words are indexed; one to a room, too
_TOKENIZER: Final = "unicode61 remove_diacritics 2"  # the public index's; a test compares the two
_ASCII_WORD: Final = re.compile("[0-9a-z]+")  # equal to the tokenizer for lower-case ASCII
# Between a user's or room's id and a word; no word has it, and the direct index takes it for a letter.
_OF: Final = "\u00b7"
# Finds the words with a beginning by one look-up each. The index is in order, but stepping from word to word walks all
# places of a word; so each step asks for the first word after the last one. No word has a character below the digits.
# The range's end keeps the search away from the next words, which in the direct index are another user's. Words are
# read as bytes, because the index may cut a word of 32,768 bytes within a character.
_ENDINGS: Final = """
    WITH RECURSIVE ending (word) AS (
        SELECT (SELECT term FROM {words} WHERE term >= :beginning AND term < :end LIMIT 1)
        UNION ALL
        SELECT (SELECT term FROM {words} WHERE term >= ending.word || char(1) AND term < :end LIMIT 1) FROM ending
        WHERE ending.word IS NOT NULL
    )
    SELECT CAST(word AS BLOB) FROM ending WHERE word IS NOT NULL LIMIT :limit
"""
_FOUND: Final = """
    SELECT rowid FROM {index} WHERE {index} MATCH :match AND rowid > :after AND rowid < :before
    ORDER BY rowid DESC LIMIT :limit
"""
INDEXED: Final = """
    SELECT max(coalesce((SELECT max(id) FROM message_search_docsize), 0),
               coalesce((SELECT max(id) FROM direct_search_docsize), 0))
"""
CHECK_EVERY: Final = 1_000  # steps of SQLite's machine; reading a page of the index takes at least one

_Row = tuple[int, int, "int | None", "int | None", str]  # of a message: id, sender, recipient, room, text
_Word = tuple[str, ...]  # one word of a query as the index cuts it: "e-mail" is two in a row


class _Index(NamedTuple):
    """The statements for one of the two indexes."""

    endings: str
    found: str


_PUBLIC: Final = _Index(_ENDINGS.format(words="message_word"), _FOUND.format(index="message_search"))
_DIRECT: Final = _Index(_ENDINGS.format(words="direct_word"), _FOUND.format(index="direct_search"))


class _Scope(NamedTuple):
    """A part of an index: the words of one owner there, or all."""

    part: _Index
    owner: str = ""
    whole: str = ""  # a word that is not the beginning of others
    newest: int = MAX_ID  # no message of the scope has a larger id


# -- finding ----------------------------------------------------------------------------------------------------------
def search_page(
    connection: sqlite3.Connection,
    query: str,
    user_id: int,
    with_id: int | None,
    before: int | None,
    limit: int,
    *,
    room: str | None = None,
    rooms: bool = False,
    seconds: float = SEARCH_TIME,
    endings: int = MAX_ENDINGS,
    check_every: int = CHECK_EVERY,
) -> Page:
    """As `Storage.search_page`, within `seconds` of CPU time, checked every `check_every` steps of SQLite's machine.

    If a beginning matches more than `endings` different words of an index, only the word itself is searched for there.
    """
    words = _cut_query(query)
    if sum(map(len, words)) > MAX_SEARCH_WORDS:
        raise TooManyWords
    ids: list[int] = []  # the newest so far, and one more than asked for
    # In one state: or it could find what was said in a room after the membership there has ended.
    with one_state(connection), _bounded(connection, seconds, check_every):
        for scope in _scopes(connection, user_id, with_id, room, rooms=rooms):
            values = {
                "after": ids[-1] if len(ids) > limit else 0,
                "before": MAX_ID if before is None else before,
                "limit": limit + 1,
            }
            if scope.newest > values["after"]:
                found = _find(connection, scope, words, values, endings)
                ids = sorted(ids + found, reverse=True)[: limit + 1]
        return messages.page_of(connection, ids, limit)


def _scopes(
    connection: sqlite3.Connection, user_id: int, with_id: int | None, room: str | None, *, rooms: bool
) -> Iterator[_Scope]:
    """Yields what is searched: parts of the indexes, none of which has a message of another."""
    if room:
        yield _Scope(_DIRECT, _name_room(membership(connection, user_id, room).room.id))
    elif with_id is not None:
        yield _Scope(_DIRECT, str(user_id), whole=_name_talk(user_id, with_id))
    else:
        yield _Scope(_PUBLIC)
        if room is None:
            yield _Scope(_DIRECT, str(user_id))
        if rooms:
            hers = connection.execute(
                "SELECT b.room_id, r.last_id FROM member AS b INDEXED BY member_of_user "
                "CROSS JOIN room AS r ON r.id = b.room_id WHERE b.user_id = ?",
                (user_id,),
            ).fetchall()
            for room_id, newest in sorted(hers, key=itemgetter(1), reverse=True):
                yield _Scope(_DIRECT, _name_room(room_id), newest=newest)


@contextmanager
def _bounded(connection: sqlite3.Connection, seconds: float, check_every: int) -> Iterator[None]:
    """Raises SearchTooSlow after too much of this thread's CPU time: for words that are common but rare together."""
    end = time.thread_time() + seconds
    is_late = False

    def check() -> bool:
        nonlocal is_late
        is_late = time.thread_time() > end
        return is_late

    connection.set_progress_handler(check, check_every)
    try:
        yield
    except sqlite3.OperationalError:
        if is_late:
            raise SearchTooSlow from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _find(
    connection: sqlite3.Connection,
    scope: _Scope,
    words: Sequence[_Word],
    values: dict[str, int],
    endings: int,
) -> list[int]:
    """Returns ids of messages within a scope that have all the words, or words that begin with them."""
    conditions: list[list[_Word]] = [[(scope.whole,)]] if scope.whole else []
    for word in words:
        *head, beginning = _scope(scope.owner, word)
        conditions.append([(*head, ending) for ending in _find_endings(connection, scope.part, beginning, endings)])
        if not conditions[-1]:
            return []
    if not words:
        return []
    match = _match_expression(conditions)
    return [message_id for (message_id,) in connection.execute(scope.part.found, values | {"match": match}).fetchall()]


def _match_expression(conditions: Sequence[Sequence[_Word]]) -> str:
    """Returns the FTS5 expression: one word of each condition. Each word is quoted, so that none is an operator.

    FTS5's prefix search, `"word"*`, would first collect all places of all matching words: a second for a common
    beginning. So the expression lists the matching words.
    """
    return " AND ".join("({})".format(" OR ".join(f'"{" ".join(word)}"' for word in words)) for words in conditions)


def _find_endings(connection: sqlite3.Connection, index: _Index, beginning: str, most: int) -> list[str]:
    """Returns the indexed words with that beginning; the beginning itself if there are too many."""
    values = {"beginning": beginning, "end": beginning + chr(0x10FFFF), "limit": most + 1}
    endings = [word.decode(errors="ignore") for (word,) in connection.execute(index.endings, values)]
    return endings if len(endings) <= most else [beginning]


# -- words ------------------------------------------------------------------------------------------------------------
def _cut_query(query: str) -> list[_Word]:
    """Returns the different words of a query, cut and folded as the index does it. Other characters are left out."""
    words = map(tuple, _cut(query.replace("\0", " ").split()))
    return [word for word in dict.fromkeys(words) if word]


def _cut(texts: Sequence[str]) -> list[list[str]]:
    """Returns the words of each text, in order, as the public index has them."""
    cut = iter(_cut_by_sqlite([text for text in texts if not text.isascii()]))
    return [_ASCII_WORD.findall(text.lower()) if text.isascii() else next(cut) for text in texts]


def _cut_by_sqlite(texts: Sequence[str]) -> list[list[str]]:
    """As `_cut`, by the tokenizer itself: eight times slower, and half a millisecond to set up."""
    words: list[list[str]] = [[] for _ in texts]
    if not texts:
        return words
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.text_factory = lambda word: word.decode(errors="ignore")  # one of 32,768 bytes may be cut
        scratch.execute(f"CREATE VIRTUAL TABLE scratch USING fts5 (text, content = '', tokenize = '{_TOKENIZER}')")
        scratch.execute("CREATE VIRTUAL TABLE word USING fts5vocab (scratch, instance)")
        scratch.execute("BEGIN")
        scratch.executemany("INSERT INTO scratch (rowid, text) VALUES (?, ?)", enumerate(texts))
        for number, word in scratch.execute("SELECT doc, term FROM word ORDER BY doc, offset"):
            words[number].append(word)
    return words


def _scope(owner: str, words: Sequence[str]) -> Iterator[str]:
    """Yields words as the direct index has them for an owner: a user's id, or `_name_room`; without one as they are."""
    return (f"{owner}{_OF}{word}" if owner else word for word in words)


def _name_room(room_id: int) -> str:
    return f"r{room_id}"


def _name_talk(one_id: int, other_id: int) -> str:
    """Returns the direct index's word for messages between the two; no scoped word begins so."""
    return f"{min(one_id, other_id)}x{max(one_id, other_id)}{_OF}"


def _scoped_words(row: _Row, words: Sequence[str]) -> str:
    """Returns the text of a message for the direct index. Removing a message needs the very same text.

    Each user's words stand in a row, so that there, too, "e-mail" is two words in a row.
    """
    _, sender_id, recipient_id, room_id, _ = row
    if recipient_id is None:
        return " ".join(_scope(_name_room(room_id or 0), words))
    each = [word for user_id in dict.fromkeys((sender_id, recipient_id)) for word in _scope(str(user_id), words)]
    return " ".join([*each, _name_talk(sender_id, recipient_id)])


# -- filling ----------------------------------------------------------------------------------------------------------
def index_some(connection: sqlite3.Connection, count: int = INDEX_BATCH) -> bool:
    """Adds the next messages to the search indexes, in id order; returns whether others remain.

    Adds as many as make the work of `count` short public messages. The indexes' docsize tables have a row for each
    message, and so tell the last one added. A damaged index raises StorageUnavailable and is rolled back to its
    savepoint: messages are stored all the same.
    """
    with _savepoint(connection):
        rows, is_full = _next_messages(connection, count)
        _add(connection, rows)
    return is_full


@contextmanager
def _savepoint(connection: sqlite3.Connection) -> Iterator[None]:
    """Undoes what is done inside if an index is damaged, and raises StorageUnavailable."""
    connection.execute("SAVEPOINT indexing")
    try:
        yield
        connection.execute("RELEASE indexing")  # FTS5 writes to its tables only now
    except sqlite3.DatabaseError as error:
        connection.execute("ROLLBACK TO indexing")
        connection.execute("RELEASE indexing")
        raise database.translated(error, "the search index: ") from error


def _add(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    public, scoped = _texts(rows)
    connection.executemany("INSERT INTO message_search (rowid, body) VALUES (?, ?)", public)
    connection.executemany("INSERT INTO direct_search (rowid, words) VALUES (?, ?)", scoped)


def _texts(rows: Sequence[_Row]) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Returns the ids and texts of messages as the two indexes have them: of the main room, and of all else."""
    scoped = [row for row in rows if not _is_public(row)]
    cut = _cut([row[4] for row in scoped])
    return (
        [(row[0], row[4]) for row in rows if _is_public(row)],
        [(row[0], _scoped_words(row, words)) for row, words in zip(scoped, cut, strict=True)],
    )


def _is_public(row: _Row) -> bool:
    """Returns whether a message is one to the main room."""
    return row[2] is None and row[3] is None


def remove(connection: sqlite3.Connection, rows: Sequence[_Row], *, keep_place: bool) -> None:
    """Takes messages out of the indexes; call it while they still have their texts.

    With `keep_place` an empty entry stays: the indexes have one for each message. What an index does not have is left
    alone: to remove it would damage the index. The words stand on in the file: see erasure.py. StorageUnavailable.
    """
    have = [row for row in rows if _has(connection, row)]
    with _savepoint(connection):
        public, scoped = _texts(have)
        for index, column, entries in (("message_search", "body", public), ("direct_search", "words", scoped)):
            connection.executemany(
                f"INSERT INTO {index} ({index}, rowid, {column}) VALUES ('delete', ?, ?)",  # noqa: S608
                entries,
            )
        if keep_place:
            _add(connection, [(*row[:4], "") for row in have])


def _has(connection: sqlite3.Connection, row: _Row) -> bool:
    index = "message_search" if _is_public(row) else "direct_search"
    return connection.execute(f"SELECT 1 FROM {index}_docsize WHERE id = ?", (row[0],)).fetchone() is not None  # noqa: S608


def merge_some(connection: sqlite3.Connection, index: str, pages: int, *, begin: bool) -> bool:
    """Merges the segments of an index into one, some pages of it at a time; returns whether there is more to do.

    What was removed is gone from the index once all are one. `begin` takes all segments that there are now.
    StorageUnavailable.
    """
    before = connection.total_changes
    with _savepoint(connection):
        connection.execute(
            f"INSERT INTO {index} ({index}, rank) VALUES ('merge', ?)",  # noqa: S608
            (-pages if begin else pages,),
        )
    return begin or connection.total_changes - before > 1  # FTS5 counts the command as one change


def newest_missing(connection: sqlite3.Connection) -> int:
    """Returns the id of the newest message if the indexes lack it; else 0."""
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
    return int(newest) if _come_to(connection) < newest else 0


def index_some_up_to(connection: sqlite3.Connection, message_id: int) -> bool:
    """As `index_some`, unless the indexes have that message; returns whether they still lack it."""
    return _come_to(connection) < message_id and index_some(connection) and _come_to(connection) < message_id


def _come_to(connection: sqlite3.Connection) -> int:
    """Returns the id of the newest message in the search indexes; 0 if none."""
    return int(connection.execute(INDEXED).fetchone()[0])


def _next_messages(connection: sqlite3.Connection, count: int) -> tuple[list[_Row], bool]:
    """Returns the messages to add next to the indexes; and whether the batch is full."""
    taken: list[_Row] = []
    work = 0
    query = "SELECT id, sender_id, recipient_id, room_id, body FROM message WHERE id > ? ORDER BY id"
    with closing(connection.execute(query, (_come_to(connection),))) as rows:
        while work < count and (row := next(rows, None)):
            taken.append(row)
            work += (1 + len(row[4]) // INDEX_CHARACTERS) * (1 if _is_public(row) else INDEX_DIRECT)
    return taken, work >= count
