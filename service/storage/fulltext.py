"""Statements about the search index: filling it, and finding messages by their words. None begins a transaction.

The index has two columns: the words of the text, and who may read it, so that FTS5 itself brings the two together and
meets only what it is to give.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from service.config import INDEX_BATCH, MAX_ENDINGS, MAX_ID, MAX_SEARCH_WORDS, SEARCH_TIME
from service.errors import PeerError
from service.storage import database, messages

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKENIZER: Final = "unicode61 remove_diacritics 2"  # the index's; a test compares
_READER: Final = "\ue000"  # begins the words of the column `readers`, see migration 0002
_FOUND: Final = messages.SELECT.format("message_search AS f CROSS JOIN message AS m ON m.id = f.rowid")
# The words that are there, one look-up each: the index has them in order, but walks all places of one to come to the
# next, unless it is asked for what follows. No word has a character below the digits.
_ENDINGS: Final = """
    WITH RECURSIVE ending (word) AS (
        SELECT (SELECT term FROM message_word WHERE term >= :beginning LIMIT 1)
        UNION ALL
        SELECT (SELECT term FROM message_word WHERE term >= ending.word || char(1) LIMIT 1) FROM ending
        WHERE ending.word < :end
    )
    SELECT word FROM ending WHERE word < :end LIMIT :limit
"""
_CHECK_EVERY: Final = 1_000  # steps of SQLite's machine; also a page of the index is one or more

_Word = tuple[str, ...]  # as the index cuts it: "e-mail" is two that follow each other


def search_page(
    connection: sqlite3.Connection, query: str, user_id: int, with_id: int | None, before: int | None, limit: int
) -> messages.Page:
    """What the user may read that has all the words of the query, or words that begin with them; newest first.

    A beginning of more than MAX_ENDINGS different words stands for itself only. Raises PeerError if there are too many
    words, or it takes too long.
    """
    words = _cut(query)
    if sum(map(len, words)) > MAX_SEARCH_WORDS:
        raise PeerError("bad_request", f'field "query": at most {MAX_SEARCH_WORDS} different words')
    with _bounded(connection):
        match = _match_expression(connection, words, _name_readers(user_id, with_id))
        if match is None:
            return messages.Page([], more=False)
        return messages.read_page(
            connection,
            f"{_FOUND} WHERE message_search MATCH :match AND f.rowid < :before ORDER BY f.rowid DESC LIMIT :limit",
            {"match": match, "before": MAX_ID if before is None else before},
            limit,
        )


@contextmanager
def _bounded(connection: sqlite3.Connection) -> Iterator[None]:
    """Ends what takes too much of this thread's CPU: words that are everywhere, but hardly ever together."""
    end = time.thread_time() + SEARCH_TIME
    is_late = False

    def check() -> bool:
        nonlocal is_late
        is_late = time.thread_time() > end
        return is_late

    connection.set_progress_handler(check, _CHECK_EVERY)
    try:
        yield
    except sqlite3.OperationalError:
        if is_late:
            raise PeerError("bad_request", 'field "query": this takes too long; search for rarer words') from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _cut(query: str) -> list[_Word]:
    """The different words of a query, cut and folded just as those in the index. What is no word is left out."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.execute(f"CREATE VIRTUAL TABLE query USING fts5 (word, tokenize = '{_TOKENIZER}')")
        scratch.execute("CREATE VIRTUAL TABLE token USING fts5vocab (query, instance)")
        scratch.executemany(
            "INSERT INTO query (rowid, word) VALUES (?, ?)", enumerate(query.replace("\0", " ").split())
        )
        tokens = scratch.execute("SELECT doc, term FROM token ORDER BY doc, offset").fetchall()
    words = [tuple(term for _, term in group) for _, group in groupby(tokens, key=itemgetter(0))]
    return list(dict.fromkeys(words))


def _name_readers(user_id: int, with_id: int | None) -> str:
    """The FTS5 expression for what the user may read: all of it, or the talk with one partner."""
    if with_id is None:
        return f'"{_READER}" OR "{_READER}{user_id}"'
    return f'"{_READER}{min(user_id, with_id)}x{max(user_id, with_id)}"'


def _match_expression(connection: sqlite3.Connection, words: list[_Word], readers: str) -> str | None:
    """The FTS5 expression for all the words, each quoted, so that nothing is an operator; None if one is nowhere.

    FTS5's own way with a beginning, `"word"*`, first collects all places of all words that begin so: a second for a
    common one. So the words are looked up, and stand one beside the other.
    """
    conditions = [f"readers : ({readers})"]
    for *head, beginning in words:
        endings = _find_endings(connection, beginning)
        if not endings:
            return None
        conditions.append("body : ({})".format(" OR ".join(f'"{" ".join([*head, ending])}"' for ending in endings)))
    return " AND ".join(conditions) if words else None


def _find_endings(connection: sqlite3.Connection, beginning: str) -> list[str]:
    """The words in the index that begin so; the beginning itself if there are too many."""
    values = {"beginning": beginning, "end": beginning + chr(0x10FFFF), "limit": MAX_ENDINGS + 1}
    endings = [word for (word,) in connection.execute(_ENDINGS, values)]
    return endings if len(endings) <= MAX_ENDINGS else [beginning]


def index_some(connection: sqlite3.Connection, count: int = INDEX_BATCH) -> bool:
    """Puts the next messages into the search index, in id order; says whether there are more to come.

    The index itself knows how far it has come: its docsize table has a row for each message in it. An index that is
    damaged raises StorageUnavailable, undone to its savepoint: messages are stored all the same.
    """
    connection.execute("SAVEPOINT indexing")
    try:
        (indexed,) = connection.execute("SELECT coalesce(max(id), 0) FROM message_search_docsize").fetchone()
        added = connection.execute(
            "INSERT INTO message_search (rowid, body, readers) "
            "SELECT id, body, readers FROM searchable WHERE id > ? ORDER BY id LIMIT ?",
            (indexed, count),
        ).rowcount
    except sqlite3.DatabaseError as error:
        connection.execute("ROLLBACK TO indexing")
        raise database.translated(error, "the search index: ") from error
    finally:
        connection.execute("RELEASE indexing")
    return added == count
