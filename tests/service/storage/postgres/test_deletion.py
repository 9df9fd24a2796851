"""service/storage/postgres/deletion.py: a message loses its text, and keeps its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.postgres import deletion, fulltext, messages, posting
from service.storage.records import Deleted, Post, Stored
from tests.support.pg_statements import add, rows, say

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection


def test_a_deleted_message_keeps_its_place(connection: Connection) -> None:
    """It is emptied, seen, and found by no search; a retry gets the first result."""
    alice, bob = add(connection, "alice", "bob")
    ((first,),) = posting.store_posts(connection, [(alice, [Post(bob, "secret", "n", "action")])])
    fulltext.index_some(connection)
    deleted = deletion.delete(connection, alice, 1, None)
    assert deleted == Deleted(1, deleted.time, fresh=True, reader_ids=(alice, bob))
    assert rows(connection, "SELECT body, kind, deleted_at FROM message") == [("", None, deleted.time)]
    assert rows(connection, "SELECT count(*) FROM search_word WHERE word LIKE '%%secret%%'") == [(0,)]
    assert messages.missed_page(connection, bob, 9, 9).messages == []
    ((again,),) = posting.store_posts(connection, [(alice, [Post(bob, "other", "n")])])
    assert isinstance(first, Stored)
    assert again == Stored(1, first.time, fresh=False, seen=True)
    assert deletion.delete(connection, alice, 1, None) == deleted._replace(fresh=False)


def test_a_deletion_never_has_an_earlier_time(connection: Connection) -> None:
    """Than what any client was told, though this clock is behind."""
    (alice,) = add(connection, "alice")
    say(connection, alice, "text")
    connection.run("SELECT chat_note_moment('2999-01-01T00:00:00.000Z')")
    assert deletion.delete(connection, None, 1, "why").time == "2999-01-01T00:00:00.000Z"
    assert rows(connection, "SELECT action, message_id, reason FROM moderation") == [("delete", 1, "why")]
