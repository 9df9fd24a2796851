"""service/storage/postgres/schema.py: the chat's schema is made, upgraded, accepted or refused untouched."""

from __future__ import annotations

import shutil
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from service.errors import SchemaError
from service.storage import open_storage
from service.storage.postgres import address, schema
from service.storage.records import FOREVER
from service.storage.sqlite import schema as of_files
from tests.support.helpers import call_back
from tests.support.postgres import ROLE
from tests.support.storage import NOW, add, say, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """The URL of a database that holds nothing."""
    url = cluster.create(empty=True)
    yield url
    cluster.drop(url)


@pytest.fixture
def service(cluster: Cluster) -> Iterator[str]:
    """The name of a role that owns nothing."""
    cluster.execute("CREATE ROLE test_service LOGIN")
    yield "test_service"
    cluster.execute("DROP ROLE test_service")


def run(url: str, *statements: str) -> list[Any]:
    """Executes statements; returns the rows of the last."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def as_role(url: str, role: str) -> str:
    return url.replace(f"{ROLE}@", f"{role}@")


def test_an_empty_database_is_filled_and_then_current(empty: str) -> None:
    """The first run makes the schema, the second finds it current; other schemas stay as they are."""
    run(empty, "CREATE SCHEMA other", "CREATE TABLE other.message (id int)")
    assert schema.read_revision(empty) is None
    assert schema.prepare(empty) == "created"
    assert schema.prepare(empty) == schema.init_db(empty) == "current"
    assert schema.read_revision(empty) == schema.revisions()[-1]
    assert run(empty, "SELECT count(*) FROM other.message") == [(0,)]


def test_two_chats_share_a_database(empty: str) -> None:
    """Each schema has its own lock and channel."""
    other = f"{empty}?schema=second"
    assert (schema.prepare(empty), schema.prepare(other)) == ("created", "created")
    (keys,) = run(empty, "SELECT chat.chat_key(), second.chat_key(), chat.chat_channel(), second.chat_channel()")
    first, second = address.parse(empty), address.parse(other)
    assert keys == (first.key, second.key, first.channel, second.channel)


def test_two_services_that_start_at_once_make_it_once(empty: str) -> None:
    """The second waits for the first, and finds nothing to do."""
    done: list[str] = []
    threads = [threading.Thread(target=lambda: done.append(schema.prepare(empty))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["created", "current", "current"]


@pytest.fixture
def newer_migrations(tmp_path: Path) -> Path:
    """The migrations of a later version: ours and one more, which makes a table, and a view anew."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "postgres" / "versions" / "9999_later.py").write_text(
        "from alembic import op\n"
        f"revision = '9999'\ndown_revision = '{schema.revisions()[-1]}'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE later (id bigint)')\n"
        "    op.execute('DROP VIEW users')\n"
        "    op.execute('CREATE VIEW users (name) AS SELECT name FROM \"user\"')\n"
    )
    return folder


def test_an_older_schema_is_upgraded_and_rights_go_on(
    empty: str, service: str, newer_migrations: Path, cluster: Cluster
) -> None:
    """What an older version stored is there after the upgrade, and who had rights has them on what is new."""
    cluster.execute("CREATE ROLE test_reader LOGIN")
    try:
        schema.init_db(empty, schema.Rights([service], ["test_reader"]))
        run(empty, "UPDATE chat.main_room SET topic = 'kept'")
        assert schema.prepare(empty, newer_migrations) == "upgraded"
        own, readers = as_role(empty, service), as_role(empty, "test_reader")
        assert run(own, "INSERT INTO chat.later VALUES (1)", "SELECT topic FROM chat.main_room") == [("kept",)]
        assert run(readers, "SELECT * FROM chat.users") == [("server",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run(readers, "SELECT body FROM chat.message")
    finally:
        cluster.execute("DROP OWNED BY test_reader, test_service", empty.rpartition("/")[2])
        cluster.execute("DROP ROLE test_reader")


def test_a_newer_schema_is_refused_untouched(database: str) -> None:
    """Only a newer program knows it."""
    run(database, "UPDATE chat.alembic_version SET version_num = '9999'")
    for ask in (schema.prepare, schema.read_revision):
        with pytest.raises(SchemaError, match=r"newer version .* \(schema 9999, .*Update this program"):
            ask(database)


@pytest.mark.parametrize("table", ["message (id int)", "alembic_version (version_num text)"])
def test_another_programs_schema_is_refused_untouched(empty: str, table: str) -> None:
    """A schema of the chat's name that another program has filled, with migrations by Alembic, too."""
    run(empty, "CREATE SCHEMA chat", f"CREATE TABLE chat.{table}")
    with pytest.raises(SchemaError, match="another program's; it was left as it is"):
        schema.prepare(empty)
    assert run(empty, "SELECT count(*) FROM pg_class WHERE relnamespace = 'chat'::regnamespace") == [(1,)]


def test_a_failed_migration_changes_nothing(empty: str, newer_migrations: Path) -> None:
    """All or nothing: the schema is of the old revision, or not there at all."""
    (newer_migrations / "postgres" / "versions" / "9999_later.py").write_text(
        "from alembic import op\n"
        f"revision = '9999'\ndown_revision = '{schema.revisions()[-1]}'\n"
        "def upgrade():\n    op.execute('CREATE TABLE later (id bigint)')\n    op.execute('no SQL')\n"
    )
    with pytest.raises(SchemaError, match='syntax error at or near "no"; it was left as it was'):
        schema.prepare(empty, newer_migrations)
    assert schema.read_revision(empty) is None
    schema.prepare(empty)
    with pytest.raises(SchemaError, match="it was left as it was"):
        schema.prepare(empty, newer_migrations)
    assert schema.read_revision(empty) == schema.revisions()[-1]


def test_a_reader_holds_an_upgrade_up_for_a_moment_only(
    empty: str, newer_migrations: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pg_dump may take hours, and all writes wait for the upgrade: it gives up, and changes nothing."""
    monkeypatch.setattr(schema, "TABLE_TIMEOUT", 0.1)
    schema.prepare(empty)
    with closing(psycopg.connect(empty)) as reader:
        reader.execute("SELECT FROM chat.users")
        with pytest.raises(SchemaError, match="due to lock timeout; it was left as it was"):
            schema.prepare(empty, newer_migrations)
    assert schema.prepare(empty, newer_migrations) == "upgraded"


def test_a_role_that_may_not_make_it_is_told_what_to_type(empty: str, service: str) -> None:
    """The service's own role has no right to change the schema; its owner has, by chat-admin."""
    with pytest.raises(SchemaError, match=rf"no schema chat yet.*init-db postgresql://OWNER@.* --service {service}"):
        schema.prepare(as_role(empty, service))


def test_a_role_without_rights_is_told_what_to_type(database: str, service: str, cluster: Cluster) -> None:
    """A current schema that its owner has opened to nobody; then it is opened, and all can be done."""
    own = as_role(database, service)
    with pytest.raises(SchemaError, match=rf"role {service} lacks rights .*--service {service}"):
        schema.prepare(own)
    schema.init_db(database, schema.Rights([service]))
    assert schema.prepare(own) == "current"
    with closing(open_storage(own, call_back)) as storage:
        alice = add(storage, "alice")
        assert say(storage, alice, "stored") == 1
        assert storage.result(storage.resume(token_of("alice"), NOW)).last_id == 1
        assert storage.result(storage.purge_some(FOREVER, 0, public=True, direct=True)).removed == 1
        storage.release()
    cluster.execute(f"DROP OWNED BY {service}", database.rpartition("/")[2])


def test_a_role_that_may_not_upgrade_is_told_what_to_type(
    database: str, service: str, newer_migrations: Path, cluster: Cluster
) -> None:
    """The service's role finds an older schema."""
    schema.init_db(database, schema.Rights([service]))
    with pytest.raises(SchemaError, match=r"older version, and the role .* may not change that"):
        schema.prepare(as_role(database, service), newer_migrations)
    cluster.execute(f"DROP OWNED BY {service}", database.rpartition("/")[2])


def test_a_role_that_is_not_there_gets_no_rights(database: str) -> None:
    """Who grants is told what is missing."""
    with pytest.raises(SchemaError, match=r'role "nobody_here" does not exist\. Make it first'):
        schema.init_db(database, schema.Rights([], ["nobody_here"]))


def test_a_renamed_schema_is_refused(database: str) -> None:
    """Its functions have the lock of the old name: two services would order their writes by two locks."""
    run(database, "ALTER SCHEMA chat RENAME TO other")
    with pytest.raises(SchemaError, match="had another name when it was made"):
        schema.prepare(f"{database}?schema=other")


def test_functions_are_volatile_with_a_pinned_search_path(connection: Connection) -> None:
    """None reads a state from before the lock, and none can be led to another's tables; nobody else may call them."""
    found = connection.run(
        "SELECT proname, provolatile, proconfig, proacl FROM pg_proc WHERE pronamespace = 'chat'::regnamespace"
    ).fetchall()
    names = [name for name, *_ in found if name not in {"stop_time", "moving_now"}]  # these are the tests' own
    assert len(names) >= 8
    for name, volatile, settings, rights in found:
        if name in names:
            assert (volatile, settings[0].replace('"', "")) == ("v", "search_path=chat, pg_temp"), name
            assert "{=X" not in str(rights)


def test_later_revisions_have_the_same_numbers_for_files() -> None:
    """From 0008 on each migration is there for both engines."""
    assert schema.revisions() == [number for number in of_files.revisions() if number >= "0008"]


def test_every_text_is_compared_as_bytes(connection: Connection) -> None:
    """As SQLite does: with another collation, names would have another order, and pages would skip some."""
    found = connection.run(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'chat' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C' "
        "AND table_name NOT IN ('alembic_version', 'stopped', 'history', 'users', 'rooms')"
    ).fetchall()
    assert found == []
