"""Statements about the search: filling its indexes, and finding messages by their words. None begins a transaction.

There are two indexes. One has the words of the public messages. The other has those of the direct ones, each as a word
of a user who may read it (migration 0005 has the form), so that the words of others are neither met nor counted: no
answer, and no refusal, depends on them.
"""

from __future__ import annotations

import re
import sqlite3
import time
from contextlib import closing, contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from service.storage.contract import MAX_ID, MAX_SEARCH_WORDS, Page, SearchTooSlow, TooManyWords
from service.storage.sqlite import database, messages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_ENDINGS: Final = 500  # different words that a beginning may stand for in a search; 40 us each at ten million
SEARCH_TIME: Final = 0.5  # seconds of CPU for one search; common words take 20 ms at ten million messages
INDEX_BATCH: Final = 1_000  # short public messages put into the search index at once: 5 ms, 50 where it merges
INDEX_CHARACTERS: Final = 128  # of a text cost as much as a short message does: a line or two
INDEX_DIRECT: Final = 4  # times that a direct message costs: its words are indexed for each of the two
_TOKENIZER: Final = "unicode61 remove_diacritics 2"  # the public index's; a test compares
_ASCII_WORD: Final = re.compile("[0-9a-z]+")  # the same, for what is all ASCII and lower case
_OF: Final = "\u00b7"  # stands between a user's id and a word; no word has it, and to the direct index it is a letter
# The words that are there, one look-up each: the index has them in order, but walks all places of one to come to the
# next, unless it is asked for what follows. No word has a character below the digits. What lies behind the end is not
# looked at: in the direct index it is another user's. As bytes, for the index cuts a word of 32,768 bytes anywhere.
_ENDINGS: Final = """
    WITH RECURSIVE ending (word) AS (
        SELECT (SELECT term FROM {words} WHERE term >= :beginning AND term < :end LIMIT 1)
        UNION ALL
        SELECT (SELECT term FROM {words} WHERE term >= ending.word || char(1) AND term < :end LIMIT 1) FROM ending
        WHERE ending.word IS NOT NULL
    )
    SELECT CAST(word AS BLOB) FROM ending WHERE word IS NOT NULL LIMIT :limit
"""
_FOUND: Final = (
    messages.SELECT.format("{index} AS f CROSS JOIN message AS m ON m.id = f.rowid")
    + " WHERE {index} MATCH :match AND f.rowid < :before ORDER BY f.rowid DESC LIMIT :limit"
)
INDEXED: Final = """
    SELECT max(coalesce((SELECT max(id) FROM message_search_docsize), 0),
               coalesce((SELECT max(id) FROM direct_search_docsize), 0))
"""
_CHECK_EVERY: Final = 1_000  # steps of SQLite's machine; also a page of the index is one or more

_Word = tuple[str, ...]  # as the index cuts it: "e-mail" is two that follow each other


class _Index(NamedTuple):
    """The statements for one of the two."""

    endings: str
    found: str


_PUBLIC: Final = _Index(_ENDINGS.format(words="message_word"), _FOUND.format(index="message_search"))
_DIRECT: Final = _Index(_ENDINGS.format(words="direct_word"), _FOUND.format(index="direct_search"))


# -- finding ----------------------------------------------------------------------------------------------------------
def search_page(
    connection: sqlite3.Connection,
    query: str,
    user_id: int,
    with_id: int | None,
    before: int | None,
    limit: int,
    *,
    seconds: float = SEARCH_TIME,
    endings: int = MAX_ENDINGS,
) -> Page:
    """What the user may read that has all the words of the query, or words that begin with them; newest first.

    A beginning of more than `endings` different words of the public messages, or of the user's direct ones, stands for
    itself only there. Raises TooManyWords, and SearchTooSlow if it takes more than `seconds` of CPU.
    """
    words = _cut_query(query)
    if sum(map(len, words)) > MAX_SEARCH_WORDS:
        raise TooManyWords
    own = [tuple(_scope(user_id, word)) for word in words]
    values: dict[str, object] = {"before": MAX_ID if before is None else before}
    with _bounded(connection, seconds):
        if with_id is not None:
            return _find(connection, _DIRECT, [(_name_talk(user_id, with_id),)], own, values, limit, endings)
        room = _find(connection, _PUBLIC, [], words, values, limit, endings)
        direct = _find(connection, _DIRECT, [], own, values, limit, endings)
    found = sorted(room.messages + direct.messages, key=attrgetter("id"), reverse=True)
    return Page(found[:limit], more=room.more or direct.more or len(found) > limit)


@contextmanager
def _bounded(connection: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Ends what takes too much of this thread's CPU: words that are everywhere, but hardly ever together."""
    end = time.thread_time() + seconds
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
            raise SearchTooSlow from None
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _find(
    connection: sqlite3.Connection,
    index: _Index,
    whole: Sequence[_Word],
    words: Sequence[_Word],
    values: dict[str, object],
    limit: int,
    endings: int,
) -> Page:
    """What one index has with all of the `words`, or their beginnings, and with all that are to be there `whole`."""
    conditions = [[word] for word in whole]
    for *head, beginning in words:
        conditions.append([(*head, ending) for ending in _find_endings(connection, index, beginning, endings)])
    if not words or not all(conditions):
        return Page([], more=False)
    return messages.read_page(connection, index.found, values | {"match": _match_expression(conditions)}, limit)


def _match_expression(conditions: Sequence[Sequence[_Word]]) -> str:
    """The FTS5 expression for one word of each condition, each quoted, so that nothing is an operator.

    FTS5's own way with a beginning, `"word"*`, first collects all places of all words that begin so: a second for a
    common one. So the words are looked up, and stand one beside the other.
    """
    return " AND ".join("({})".format(" OR ".join(f'"{" ".join(word)}"' for word in words)) for words in conditions)


def _find_endings(connection: sqlite3.Connection, index: _Index, beginning: str, most: int) -> list[str]:
    """The words in the index that begin so; the beginning itself if there are too many."""
    values = {"beginning": beginning, "end": beginning + chr(0x10FFFF), "limit": most + 1}
    endings = [word.decode(errors="ignore") for (word,) in connection.execute(index.endings, values)]
    return endings if len(endings) <= most else [beginning]


# -- words ------------------------------------------------------------------------------------------------------------
def _cut_query(query: str) -> list[_Word]:
    """The different words of a query, cut and folded just as those in the index. What is no word is left out."""
    words = map(tuple, _cut(query.replace("\0", " ").split()))
    return [word for word in dict.fromkeys(words) if word]


def _cut(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text, in order, as the public index has them."""
    cut = iter(_cut_by_sqlite([text for text in texts if not text.isascii()]))
    return [_ASCII_WORD.findall(text.lower()) if text.isascii() else next(cut) for text in texts]


def _cut_by_sqlite(texts: Sequence[str]) -> list[list[str]]:
    """The same by the tokenizer itself, which takes eight times as long, and half a millisecond to begin with."""
    words: list[list[str]] = [[] for _ in texts]
    if not texts:
        return words
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as scratch:
        scratch.text_factory = lambda word: word.decode(errors="ignore")  # one of 32,768 bytes is cut anywhere
        scratch.execute(f"CREATE VIRTUAL TABLE scratch USING fts5 (text, content = '', tokenize = '{_TOKENIZER}')")
        scratch.execute("CREATE VIRTUAL TABLE word USING fts5vocab (scratch, instance)")
        scratch.execute("BEGIN")
        scratch.executemany("INSERT INTO scratch (rowid, text) VALUES (?, ?)", enumerate(texts))
        for number, word in scratch.execute("SELECT doc, term FROM word ORDER BY doc, offset"):
            words[number].append(word)
    return words


def _scope(user_id: int, words: Sequence[str]) -> Iterator[str]:
    """Words of a message that the user may read, as the direct index has them."""
    return (f"{user_id}{_OF}{word}" for word in words)


def _name_talk(one_id: int, other_id: int) -> str:
    """The word that the direct index has for a message between the two; no scope begins so."""
    return f"{min(one_id, other_id)}x{max(one_id, other_id)}{_OF}"


def _direct_words(sender_id: int, recipient_id: int, words: Sequence[str]) -> str:
    """What the direct index is given for a message. To take a message out, it must be given the very same again.

    The words of each user stand in a row, so that "e-mail" is two that follow each other there, too.
    """
    each = [word for user_id in dict.fromkeys((sender_id, recipient_id)) for word in _scope(user_id, words)]
    return " ".join([*each, _name_talk(sender_id, recipient_id)])


# -- filling ----------------------------------------------------------------------------------------------------------
def index_some(connection: sqlite3.Connection, count: int = INDEX_BATCH) -> bool:
    """Puts the next messages into the search indexes, in id order; says whether there are more to come.

    So many as make the work of `count` short public ones. The indexes know how far they have come: their docsize tables
    have a row for each message in them. An index that is damaged raises StorageUnavailable, undone to its savepoint:
    messages are stored all the same.
    """
    connection.execute("SAVEPOINT indexing")
    try:
        public, direct, is_full = _next_messages(connection, count)
        connection.executemany("INSERT INTO message_search (rowid, body) VALUES (?, ?)", public)
        connection.executemany("INSERT INTO direct_search (rowid, words) VALUES (?, ?)", direct)
    except sqlite3.DatabaseError as error:
        connection.execute("ROLLBACK TO indexing")
        raise database.translated(error, "the search index: ") from error
    finally:
        connection.execute("RELEASE indexing")
    return is_full


def newest_missing(connection: sqlite3.Connection) -> int:
    """The id of the newest message, if the search indexes have not come so far; else 0."""
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
    return int(newest) if _come_to(connection) < newest else 0


def index_some_up_to(connection: sqlite3.Connection, message_id: int) -> bool:
    """Does as `index_some`, unless they have come to that message; says whether they still have not."""
    return _come_to(connection) < message_id and index_some(connection) and _come_to(connection) < message_id


def _come_to(connection: sqlite3.Connection) -> int:
    """The id of the newest message in the search indexes; 0 if there is none."""
    return int(connection.execute(INDEXED).fetchone()[0])


def _next_messages(
    connection: sqlite3.Connection, count: int
) -> tuple[list[tuple[int, str]], list[tuple[int, str]], bool]:
    """For each index the ids and texts that come next; and whether there are as many as fit."""
    public: list[tuple[int, str]] = []
    direct: list[tuple[int, int, int, str]] = []
    work = 0
    query = "SELECT id, sender_id, recipient_id, body FROM message WHERE id > ? ORDER BY id"
    with closing(connection.execute(query, (_come_to(connection),))) as rows:
        while work < count and (row := next(rows, None)):
            is_public, body = row[2] is None, row[3]
            if is_public:
                public.append((row[0], body))
            else:
                direct.append(row)
            work += (1 + len(body) // INDEX_CHARACTERS) * (1 if is_public else INDEX_DIRECT)
    cut = _cut([body for *_, body in direct])
    owned = [(row[0], _direct_words(row[1], row[2], words)) for row, words in zip(direct, cut, strict=True)]
    return public, owned, work >= count
