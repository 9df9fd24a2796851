"""service/storage/sqlite/fulltext.py: who finds what by which words, and how long that may take."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import StorageUnavailable
from service.storage.records import Post, SearchTooSlow
from service.storage.sqlite import fulltext
from service.storage.sqlite.fulltext import INDEX_BATCH, INDEX_CHARACTERS, INDEX_DIRECT
from tests.support.storage import NOW, add, say, store_posts

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


OF = "\u00b7"  # between a user's id and a word, in the index of direct messages


def find(storage: SqliteStorage, query: str, user: int = 1, partner: int | None = None) -> list[str]:
    """The texts found, newest first."""
    storage.index_search()
    return [message.body for message in storage.search_page(query, user, partner, None, 200).messages]


def test_a_damaged_search_index_costs_only_the_search(storage: SqliteStorage) -> None:
    """Messages are stored while it cannot be filled; nothing of a failed filling stays."""
    alice = add(storage, "alice")
    say(storage, alice, "word", to="alice")
    storage.call(lambda c: c.execute("DELETE FROM message_search_data") and None)
    say(storage, alice, "word")
    with pytest.raises(StorageUnavailable, match="search index"):
        storage.index_search()
    assert say(storage, alice, "still stored") == 3
    assert len(storage.history_page(None, None, None, 9).messages) == 2
    assert storage.call(lambda c: c.execute("SELECT * FROM direct_search_docsize").fetchall()) == []


def test_a_direct_message_is_taken_out_by_the_words_it_was_put_in_by(storage: SqliteStorage) -> None:
    """The index has no copy of them; nothing of it stays, and all else does."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for text in ("E-mail \u00fcber alles", "other mail"):
        say(storage, alice, text, to="bob")
    storage.index_search()
    words = fulltext._scoped_words((1, alice, bob, None, ""), fulltext._cut(["E-mail \u00fcber alles"])[0])
    delete = "INSERT INTO direct_search (direct_search, rowid, words) VALUES ('delete', 1, ?)"
    storage.call(lambda c: c.execute(delete, (words,)) and None)
    left = storage.read(lambda c: c.execute("SELECT DISTINCT term, doc FROM direct_word").fetchall())
    assert left == [(f"1x2{OF}", 2), *((f"{n}{OF}{word}", 2) for n in (1, 2) for word in ("mail", "other"))]
    assert find(storage, "mail") == ["other mail"]
    storage.call(lambda c: c.execute("INSERT INTO direct_search (direct_search) VALUES ('integrity-check')") and None)


def test_a_word_longer_than_the_index_takes_harms_no_search(storage: SqliteStorage) -> None:
    """FTS5 cuts it after 32,768 bytes, in the midst of a character; what begins as it does is found all the same."""
    alice = add(storage, "alice")
    for to in (None, "alice"):
        say(storage, alice, "a" + "\u65e5" * 20_000, to=to)
        say(storage, alice, "a\u65e5a", to=to)
    assert find(storage, "a\u65e5") == ["a\u65e5a"] * 2


def test_what_takes_too_long_is_refused(storage: SqliteStorage) -> None:
    """The search is given up when its time is over, the connection goes on as before."""
    alice = add(storage, "alice")
    store_posts(storage, alice, *[Post(None, f"common {n}", None) for n in range(500)])
    storage.index_search()
    with pytest.raises(SearchTooSlow):
        storage.read(partial(fulltext.search_page, seconds=0.0, check_every=1), "common", alice, None, None, 20)
    assert len(storage.history_page(None, None, None, 200).messages) == 200


def test_the_index_is_filled_in_steps(storage: SqliteStorage) -> None:
    """A batch at a time, in the order of the ids, and each message once."""
    alice = add(storage, "alice")
    for _ in range(3):
        store_posts(storage, alice, *[Post(None, "word", None)] * (INDEX_BATCH // 2))
    assert [storage.call(fulltext.index_some) for _ in range(3)] == [True, False, False]
    rows = storage.call(lambda c: c.execute("SELECT term, doc FROM message_word WHERE term = 'word'").fetchall())
    assert rows == [("word", n + 1) for n in range(INDEX_BATCH * 3 // 2)]
    storage.call(lambda c: c.execute("INSERT INTO message_search (message_search) VALUES ('integrity-check')") and None)


def test_a_filling_ends_with_what_was_there(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a search, however much is said meanwhile; where nothing is missing, nothing is written."""
    alice, fill, steps = add(storage, "alice"), fulltext.index_some, list[int]()
    for _ in range(3):
        say(storage, alice, "word")

    def fill_a_little(connection: sqlite3.Connection) -> bool:
        steps.append(1)
        assert len(steps) <= 3
        connection.execute("INSERT INTO message (sent_at, sender_id, body) VALUES (?, ?, 'more')", (NOW, alice))
        return fill(connection, 1)

    with monkeypatch.context() as busy:
        busy.setattr(fulltext, "index_some", fill_a_little)
        storage.index_search()
    assert len(find(storage, "word")) == 3
    monkeypatch.setattr(storage, "call", None)
    storage.index_search()


def test_a_batch_is_bounded_by_its_work(storage: SqliteStorage) -> None:
    """A direct message counts several times, and a long one as so many short ones; one at least is indexed."""
    alice = add(storage, "alice")
    line, long = "word", "x" * INDEX_CHARACTERS
    for text, to in ((line, alice), (line, None), (line, None), (long, alice), (long, None), (line, None)):
        store_posts(storage, alice, Post(to, text, None))
    newest = []
    for _ in range(4):
        storage.call(fulltext.index_some, INDEX_DIRECT + 1)
        newest += storage.call(lambda c: c.execute(fulltext.INDEXED).fetchone())
    assert newest == [2, 4, 6, 6]


def test_the_index_goes_on_where_it_has_come_to(storage: SqliteStorage) -> None:
    """Whichever kind the last message was of, none of those before is looked at again."""
    alice = add(storage, "alice")
    for to in ("alice", None, None, "alice", "alice"):
        say(storage, alice, "word", to=to)
        storage.index_search()
        assert storage.call(fulltext._next_messages, 9) == ([], False)


def test_a_query_is_cut_as_the_index_is(storage: SqliteStorage, tmp_path: Path) -> None:
    """The scratch table has the tokenizer that the migrations gave the index."""
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'message_search'").fetchone()
    assert re.findall("tokenize = '(.*)'", sql) == [fulltext._TOKENIZER]


@given(st.text(st.characters(max_codepoint=127)))
def test_plain_text_is_cut_as_sqlite_would(text: str) -> None:
    """The short way for ASCII gives the same words as the tokenizer."""
    assert fulltext._cut([text]) == fulltext._cut_by_sqlite([text])


def test_each_text_gets_its_own_words() -> None:
    """In order, whichever way they are cut, and repeated ones too."""
    assert fulltext._cut(["B a, a", "\u00dcber \u00fcber", "", "\u2026", "0\0z"]) == [
        ["b", "a", "a"],
        ["uber", "uber"],
        [],
        [],
        ["0", "z"],
    ]


def test_no_word_has_the_mark_or_is_cut_again(storage: SqliteStorage) -> None:
    """U+00B7 stands in none, whatever characters it has (of the higher, one in 61); with an owner each is one still."""
    characters = [chr(n) for n in (*range(0x3000), *range(0x3000, 0x110000, 61)) if not 0xD800 <= n < 0xE000]
    (cut,) = fulltext._cut_by_sqlite(["a" + "b a".join(characters) + "b"])
    words = set(cut)
    assert {chr(0xE017) in word for word in words} == {False, True}  # a private character is a letter as any other
    assert not [word for word in words if OF in word or min(word) < "0"]

    def index(connection: sqlite3.Connection) -> set[str]:
        owned = " ".join(fulltext._scope("1", list(words)))
        connection.execute("INSERT INTO direct_search (rowid, words) VALUES (1, ?)", (owned,))
        return {word for (word,) in connection.execute("SELECT term FROM direct_word")}

    assert storage.call(index) == set(fulltext._scope("1", list(words)))
