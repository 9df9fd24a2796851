"""service/storage/postgres/engine.py: how it is opened, measured and closed. The contract's tests have the rest."""

from __future__ import annotations

import re
import threading
from contextlib import closing

import pytest

from service.errors import ConfigError, StorageUnavailable
from service.storage import open_storage
from service.storage.postgres.engine import PostgresStorage
from service.storage.records import Post, Stored
from tests.support.helpers import call_back
from tests.support.storage import add, say


def test_a_limit_of_the_file_is_refused(database: str) -> None:
    """The disk is the server's; what is to stay free there has a default, so nobody has asked for it."""
    with pytest.raises(ConfigError, match="--max-db"):
        open_storage(database, call_back, max_db=1)
    open_storage(database, call_back, keep_free=1).close()


def test_a_server_that_is_away_is_unavailable(database: str) -> None:
    """Nothing is left of the attempt."""
    gone = re.sub(r":\d+/", ":1/", database)
    with pytest.raises(StorageUnavailable):
        PostgresStorage(gone, call_back)
    assert "chat-writer" not in [thread.name for thread in threading.enumerate()]


def test_it_says_which_engine_it_is(database: str) -> None:
    """With the version; and what it has stored."""
    with closing(PostgresStorage(database, call_back)) as storage:
        assert re.fullmatch(r"PostgreSQL \d+(\.\d+)?", storage.engine)
        alice = add(storage, "alice")
        say(storage, alice, "hi")
        figures = storage.figures()
        storage.release()
    assert (figures.queued, figures.written, figures.wal_bytes) == (0, 2, 0)
    assert figures.database_bytes > 1_000_000


def test_all_that_was_accepted_is_stored_before_the_end(database: str) -> None:
    """What comes later is refused, at once."""
    storage = PostgresStorage(database, call_back)
    alice = add(storage, "alice")
    writes = [storage.store_posts(alice, [Post(None, f"{n}", None)]) for n in range(50)]
    storage.close()
    assert all(isinstance(write.result[0], Stored) for write in writes)
    with pytest.raises(StorageUnavailable, match="stopping"):
        storage.result(storage.store_posts(alice, [Post(None, "late", None)]))


def test_no_read_begins_once_it_hurries(database: str) -> None:
    """By a new connection: a thread that waited for one is told."""
    with closing(PostgresStorage(database, call_back)) as storage:
        storage.hurry()
        with pytest.raises(StorageUnavailable, match="stopping"):
            storage.find_user("alice")
