"""service/storage/postgres/orders.py: orders by a program of its own, beside a service or without one."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.errors import StorageUnavailable
from service.storage import open_offline
from service.storage.news import PresenceKnown, SessionsEnded
from service.storage.postgres import connection
from service.storage.postgres.engine import PostgresStorage
from service.storage.postgres.orders import OfflineStorage
from service.storage.records import Post, Stored, UnknownUser
from tests.support.helpers import call_back
from tests.support.storage import NOW, add

if TYPE_CHECKING:
    from service.storage.news import News


def test_a_service_hears_of_an_order(database: str) -> None:
    """Of what concerns its clients, and of a message, in the order in which they were done."""
    heard: list[News] = []
    is_last = threading.Event()

    def take(news: News) -> None:
        if not isinstance(news, PresenceKnown):
            heard.append(news)
        if isinstance(news, SessionsEnded) and news.reason == "kicked":
            is_last.set()

    with closing(PostgresStorage(database, call_back, take_news=take)) as storage:
        alice = add(storage, "alice")
        with closing(open_offline(database)) as offline:
            offline.result(offline.ensure_server())
            offline.result(offline.set_password("alice", "new"))
            (stored,) = offline.result(offline.store_posts(-1, [Post(None, "soon", None)]))
            offline.result(offline.disable("alice", NOW))
        assert is_last.wait(20)
    assert isinstance(stored, Stored)
    assert [getattr(news, "reason", None) or getattr(news, "body", None) for news in heard] == [
        "password_changed",
        "soon",
        "kicked",
    ]
    assert {news.user_id for news in heard if isinstance(news, SessionsEnded)} == {alice}


def test_what_is_refused_changes_nothing(database: str) -> None:
    """And the next order is done."""
    told: list[object] = []
    with closing(open_offline(database)) as offline:
        with pytest.raises(UnknownUser):
            offline.result(offline.enable("alice", done=told.append, refused=told.append))
        offline.result(offline.add_user("alice", "alice", "hash", NOW, done=told.append))
        assert offline.find_user("alice") is not None
    assert [type(one) for one in told] == [UnknownUser, int]


def test_what_is_the_servers_is_no_order(database: str) -> None:
    """Nothing waits to be erased from files, and no backup is known."""
    with closing(open_offline(database)) as offline:
        offline.empty_wal()
        assert (offline.erasure().pending, offline.result(offline.erase_some()).pending) == (0, 0)
        assert (offline.newest_backup(), offline.nodes()) == (None, [])
        assert offline.sizes().database > 0


def test_an_order_may_read_for_long_and_writes_as_briefly_as_a_service(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All services wait for a write, and for a count of all messages only the operator."""
    monkeypatch.setitem(connection._SETTINGS, "statement_timeout", "50ms")
    with closing(OfflineStorage(database)) as offline:
        assert offline.read(lambda reader: reader.run("SELECT pg_sleep(0.1), 1").fetchall()[0][1]) == 1
        with pytest.raises(StorageUnavailable, match="statement timeout"):
            offline.result(offline.submit(lambda writer: writer.run("SELECT pg_sleep(0.1)")))
