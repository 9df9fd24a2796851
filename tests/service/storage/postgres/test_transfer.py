"""service/storage/postgres/transfer.py: which databases a copy takes, and that it does all or nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service import storage
from service.errors import ConfigError, FileError, StorageUnavailable
from service.storage import Task
from service.storage.postgres import address, schema
from service.storage.postgres.connection import connect
from service.storage.postgres.transfer import reading, writing
from service.storage.sqlite import database as sqlite_database
from service.storage.transfer import TABLES, copy
from tests.support.copied import make_rich_chat
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster

NODE = "INSERT INTO node (name, lease) VALUES ('one', clock_timestamp() + %s * interval '1 second')"


def test_a_database_that_a_service_uses_is_refused(database: str, connection: Connection) -> None:
    """As source and as target; one whose lease has ended is none."""
    connection.run(NODE, (-1,))
    with reading(database, Task()):
        pass
    connection.run(NODE, (60,))
    for use in (reading, writing):
        with pytest.raises(ConfigError, match="a service uses that database: one"), use(database, Task()):
            pass


def test_nobody_writes_meanwhile(database: str, connection: Connection) -> None:
    """All writes wait at the lock, also while a chat is only read."""
    for use in (reading, writing):
        with use(database, Task()):
            assert connection.run("SELECT pg_try_advisory_lock(chat_key())").fetchone() == (False,)


def test_a_database_without_a_chat_is_no_source(cluster: Cluster) -> None:
    """It may be the target: then the chat's schema is made."""
    url = cluster.create(empty=True)
    with pytest.raises(ConfigError, match="holds no chat yet"), reading(url, Task()):
        pass
    with writing(url, Task()):
        pass
    assert schema.read_revision(url) == schema.revisions()[-1]
    cluster.drop(url)


def test_a_chat_is_copied_over_no_other(tmp_path: Path, database: str) -> None:
    """What is there stays."""
    path = make_chat(tmp_path / "chat.db")
    storage.copy(path, database, Task())
    with pytest.raises(ConfigError, match="holds a chat already"):
        storage.copy(path, database, Task())
    with reading(database, Task()) as source:
        assert len(list(source.rows("message"))) == 5


def test_a_copy_that_fails_changes_nothing(tmp_path: Path, database: str, connection: Connection) -> None:
    """Text with NUL, which PostgreSQL has none of, is told by the table; indexes are as they were."""
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'chat' ORDER BY 1"
    before = connection.run(indexes).fetchall()
    path = make_chat(tmp_path / "chat.db")
    with closing(sqlite_database.connect(path)) as file:
        file.execute("UPDATE message SET body = 'a' || char(0) WHERE id = 3")
    with pytest.raises(FileError, match=r"does not take what is in message: .*0x00"):
        storage.copy(path, database, Task())
    assert connection.run(indexes).fetchall() == before
    assert connection.run('SELECT count(*) FROM "user"').fetchone() == (1,)


def test_the_owner_alone_copies(cluster: Cluster, database: str) -> None:
    """A service's role may not: it can make no index. It is told who can."""
    cluster.execute("CREATE ROLE copier LOGIN")
    schema.init_db(database, schema.Rights(services=["copier"]))
    url = cluster.url(database.rpartition("/")[2], "copier")
    with pytest.raises(ConfigError, match="copy as the owner of the schema"), writing(url, Task()):
        pass


def test_a_copy_can_be_stopped(database: str) -> None:
    """In the midst of a statement, too: the server is told to give it up."""
    task = Task()

    def wait_long() -> None:
        with writing(database, task) as target:
            target.connection.run("SELECT pg_sleep(60)")

    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(wait_long)
        while not copying.done():
            task.stop()
            wait([copying], 0.05)
    assert isinstance(copying.exception(), StorageUnavailable)


def test_a_copy_has_what_its_source_has(tmp_path: Path, cluster: Cluster, database: str) -> None:
    """All rows, also from one database of PostgreSQL to another; and the same indexes, counts and search."""
    make_rich_chat(tmp_path / "chat.db")
    storage.copy(tmp_path / "chat.db", database, Task())
    url = cluster.create()
    with reading(database, Task()) as source, writing(url, Task()) as target:
        copy(source, target, Task())
    with reading(database, Task()) as source, reading(url, Task()) as made:
        for table in TABLES:
            assert list(source.rows(table)) == list(made.rows(table))
        for rows in ("marker", "unseen", "search_word", "search_cursor", "pg_indexes WHERE schemaname = 'chat'"):
            both = [
                sorted(each.connection.run(f"SELECT * FROM {rows}").fetchall(), key=repr) for each in (source, made)
            ]
            assert both[0] == both[1] != []
    cluster.drop(url)


def test_what_comes_next_has_new_numbers(tmp_path: Path, database: str) -> None:
    """Accounts, rooms, bans, acts and messages follow those that were copied."""
    make_rich_chat(tmp_path / "chat.db")
    storage.copy(tmp_path / "chat.db", database, Task())
    with closing(connect(address.parse(database))) as connection:
        for table in ('"user"', "room", "ban", "moderation"):
            newest = f"SELECT coalesce(max(id), 0) FROM {table}"
            ((newest_id, given),) = connection.run(
                f"SELECT ({newest}), nextval(pg_get_serial_sequence('{table}', 'id'))"
            ).fetchall()
            assert given == newest_id + 1
        ((newest_id, given),) = connection.run(
            "SELECT max(id), pg_sequence_last_value('message_id') FROM message"
        ).fetchall()
        assert given == newest_id
