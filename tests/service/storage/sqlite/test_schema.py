"""service/storage/sqlite/schema.py: a file is made, upgraded, accepted or refused untouched."""

from __future__ import annotations

import ast
import runpy
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from service.accounts.names import look_of
from service.errors import SchemaError
from service.storage.records import SERVER_ID, SERVER_NAME, LooksAlike, Stored
from service.storage.sqlite import blocks, integrity, messages, schema
from tests.support.helpers import ROOT, open_storage
from tests.support.hooks import add_hook
from tests.support.storage import NOW, store

if TYPE_CHECKING:
    from pathlib import Path


def run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_missing_file_is_created_and_then_current(tmp_path: Path) -> None:
    """The first run makes the database, the second finds it current, and neither leaves it readable for others."""
    path = tmp_path / "chat.db"
    assert schema.prepare(path) == "created"
    first = dump(path)
    assert schema.prepare(path) == "current"
    assert dump(path) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    """A file of no bytes, such as `touch` makes, counts as a database that holds nothing yet."""
    path = tmp_path / "chat.db"
    path.touch(0o644)
    assert schema.prepare(path) == "upgraded"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def newer_migrations(tmp_path: Path) -> Path:
    """The migrations of a later version: ours and one more."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "9999_later.py").write_text(
        "from alembic import op\n"
        f"revision = '9999'\ndown_revision = '{schema.revisions()[-1]}'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE later (id INTEGER PRIMARY KEY)')\n"
        "    op.execute('INSERT INTO later VALUES (1)')\n"
    )
    return folder


def test_an_older_database_is_upgraded_with_its_rows(tmp_path: Path, newer_migrations: Path) -> None:
    """What an older version stored is there after the upgrade."""
    path = tmp_path / "chat.db"
    schema.prepare(path)
    run(path, "INSERT INTO user VALUES (1, 'alice', 'x', 't', 't', 0, 0, NULL, 'alice', 'member', NULL)")
    assert schema.prepare(path, newer_migrations) == "upgraded"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM users").fetchall() == [("alice",)]
        assert connection.execute("SELECT id FROM later").fetchall() == [(1,)]


@pytest.fixture
def first_migration(tmp_path: Path) -> Path:
    """The migrations of the first version."""
    folder = tmp_path / "first"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "000[2-9]*"))
    return folder


def test_a_search_index_of_all_texts_is_made_anew_for_each_reader(tmp_path: Path) -> None:
    """After the upgrade from 0003 the old index is gone, and what was said before is found by those who may read it."""
    path, folder = tmp_path / "chat.db", tmp_path / "third"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "000[4-9]*"))
    schema.prepare(path, folder)
    names = enumerate(("alice", "bob", "carol"), 1)
    run(path, *(f"INSERT INTO user VALUES ({n}, '{name}', 'x', 't', 't', 0, 0, NULL, '{name}')" for n, name in names))
    for message_id, recipient in ((1, "NULL"), (2, 2), (3, 3), (4, "NULL"), (5, 1)):
        run(path, f"INSERT INTO message VALUES ({message_id}, '{NOW}', 1, {recipient}, 'hello', NULL, NULL)")
    run(path, "INSERT INTO message_search (rowid, body, readers) SELECT id, body, readers FROM searchable")
    assert integrity.verify(path, lambda _: None).revision == "0003"
    assert schema.prepare(path) == "upgraded"
    with open_storage(path) as storage:
        storage.index_search()
        for user, partner, found in ((1, None, 5), (2, None, 3), (3, None, 3), (1, 2, 1), (1, 1, 1), (2, 3, 0)):
            page = storage.search_page("hello", user, partner, None, 9)
            assert len(page.messages) == found
    assert integrity.verify(path, lambda _: None).messages == 5


def test_messages_of_the_first_schema_are_counted_and_found(tmp_path: Path, first_migration: Path) -> None:
    """After the upgrade to 0002 old messages are in counts and talks, and the search index is filled anew."""
    path = tmp_path / "chat.db"
    schema.prepare(path, first_migration)
    block = 1 << blocks.BLOCK_BITS
    # Blocks 0, 1 and 33 have messages and end before the newest one; block 40 has the newest.
    for message_id in (1, block - 1, block, 33 * block + 7, 40 * block + 3, 40 * block + 4):
        run(path, f"INSERT INTO message VALUES ({message_id}, '{NOW}', 1, NULL, 'to all', 'n{message_id}', NULL)")
    for message_id in (2, 3 * block, 39 * block):
        run(path, f"INSERT INTO message VALUES ({message_id}, '{NOW}', 1, 2, 'to bob', NULL, NULL)")
    run(
        path,
        *(f"INSERT INTO user VALUES ({n}, '{name}', 'x', 't', 't', 0, 0)" for n, name in ((1, "alice"), (2, "bob"))),
    )
    run(path, "INSERT INTO message_search (rowid, body) SELECT id, body FROM message")
    assert schema.prepare(path) == "upgraded"
    with open_storage(path) as storage:
        sums = "SELECT block, messages FROM tally WHERE level = ? AND sender_id IN (0, 1) AND messages > 0"
        assert storage.call(lambda c: c.execute(sums, (0,)).fetchall()) == [
            (0, 2),
            (0, 2),
            (1, 1),
            (1, 1),
            (33, 1),
            (33, 1),
        ]
        assert storage.call(lambda c: c.execute(sums, (1,)).fetchall()) == [(0, 3), (0, 3)]
        assert storage.read(messages.count_waiting, 2) == (3, 6)
        assert len(storage.history_page((1, 2), None, None, 9).messages) == 3
        storage.index_search()
        assert len(storage.search_page("to", 2, None, None, 9).messages) == 9
        retry = store(storage, 1, "to all", nonce="n1")
        assert retry == Stored(1, NOW, fresh=False, seen=False)


def test_older_accounts_get_looks_and_stay(tmp_path: Path) -> None:
    """Those that look alike, too; a new name is compared with all, whichever of its looks 0003 had noted."""
    path, folder = tmp_path / "chat.db", tmp_path / "third"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "000[4-9]*"))
    schema.prepare(path, folder)
    there = ["zig1", "alice", "alice_", "al\u0335ice"]
    run(
        path,
        *(
            f"INSERT INTO user VALUES ({n}, '{name}', 'x', 't', 't', 0, 0, NULL, '{name.replace('1', 'l')}')"
            for n, name in enumerate(there, 1)
        ),
    )
    assert schema.prepare(path) == "upgraded"
    with open_storage(path) as storage:
        assert [storage.find_user(name) is not None for name in there] == [True] * 4
        for name in ("zigi", "zigl", "a1ice", "_alice"):
            with pytest.raises(LooksAlike):
                storage.check_free(name, look_of(name))
        storage.check_free("malice", look_of("malice"))


@pytest.mark.parametrize("name", ["alice", "server"])
def test_a_database_of_the_first_release_gets_kinds_and_ranks(tmp_path: Path, name: str) -> None:
    """Its accounts are members, its messages texts; a user who is called server stays that."""
    path, folder = tmp_path / "chat.db", tmp_path / "release"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "000[6-9]*"))
    schema.prepare(path, folder)
    run(path, f"INSERT INTO user VALUES (1, '{name}', 'x', 't', 't', 0, 0, NULL, '{name}')")
    run(path, "INSERT INTO message (sent_at, sender_id, body) VALUES ('t', 1, 'hi')")
    assert schema.prepare(path) == "upgraded"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT id, role FROM user WHERE name = ?", (name,)).fetchall() == [(1, "member")]
        assert connection.execute("SELECT id FROM user WHERE name = ?", (SERVER_NAME,)).fetchall() == [
            (1 if name == SERVER_NAME else SERVER_ID,)
        ]
        assert connection.execute("SELECT * FROM users").fetchall() == [(name, "t", "t")]
        assert connection.execute("SELECT * FROM history").fetchall() == [(1, "t", name, None, "hi", "text", None)]


def test_a_database_of_before_rooms_knows_its_newest_direct_messages(tmp_path: Path) -> None:
    """Those that wait unseen, too: they were not noted before. All its messages are to the main room, or direct."""
    path, folder = tmp_path / "chat.db", tmp_path / "sixth"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "000[7-9]*"))
    schema.prepare(path, folder)
    for n in (1, 2):
        run(path, f"INSERT INTO user VALUES ({n}, 'u{n}', 'x', 't', 't', 0, {5 - n}, NULL, 'u{n}', 'member')")
    for to in ("NULL", "1", "2", "2"):
        run(path, f"INSERT INTO message (sent_at, sender_id, recipient_id, body) VALUES ('t', 1, {to}, 'hi')")
    run(path, "INSERT INTO era VALUES (0)")
    assert schema.prepare(path) == "upgraded"
    with open_storage(path) as storage:
        assert [storage.call(messages.newest_id, n) for n in (1, 2)] == [4, 4]
        assert storage.read(messages.count_waiting, 2) == (2, 1)
        assert [message.id for message in storage.history_page(None, None, None, 9).messages] == [1]


def test_a_database_of_before_webhooks_goes_on(tmp_path: Path) -> None:
    """With its accounts and rooms; then it has no webhook, and can have one."""
    path, folder = tmp_path / "chat.db", tmp_path / "seventh"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__", "000[8-9]*"))
    schema.prepare(path, folder)
    run(path, "INSERT INTO user VALUES (1, 'alice', 'x', 't', 't', 0, 0, NULL, 'alice', 'member', NULL)")
    run(path, "INSERT INTO room (id, name, look, topic, private, created_at) VALUES (1, 'ops', 'ops', '', 0, 't')")
    assert schema.prepare(path) == "upgraded"
    with open_storage(path) as storage:
        assert storage.hooks_page("", 9) == []
        add_hook(storage, "monitor", "ops")
        assert [person.name for person in storage.users_page("", 9)] == ["alice"]


def test_an_upgraded_schema_is_that_of_a_new_file(tmp_path: Path, first_migration: Path) -> None:
    """An empty database of the first version, upgraded, has what a new one has."""
    upgraded, new = tmp_path / "upgraded.db", tmp_path / "new.db"
    schema.prepare(upgraded, first_migration)
    schema.prepare(upgraded)
    schema.prepare(new)
    assert dump(upgraded) == dump(new)


def test_a_newer_database_is_refused_untouched(tmp_path: Path, newer_migrations: Path) -> None:
    """This version leaves alone what a later one made, and says so in one line."""
    path = tmp_path / "chat.db"
    schema.prepare(path, newer_migrations)
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=r"newer version.*schema 9999.*Update this program$") as caught:
        schema.prepare(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_failed_upgrade_leaves_the_file_as_it_was(tmp_path: Path, newer_migrations: Path) -> None:
    """An upgrade is one transaction: when its last statement fails, its first did not happen."""
    path = tmp_path / "chat.db"
    schema.prepare(path)
    before = dump(path)
    script = newer_migrations / "versions" / "9999_later.py"
    script.write_text(script.read_text() + "    op.execute('INSERT INTO nowhere VALUES (1)')\n")
    with pytest.raises(SchemaError, match="no such table: nowhere"):
        schema.prepare(path, newer_migrations)
    assert dump(path) == before


@pytest.mark.parametrize("later", ["000[4-9]*", "000[7-9]*", "000[8-9]*", "9999*"])
def test_a_killed_upgrade_leaves_the_file_as_it_was(tmp_path: Path, newer_migrations: Path, later: str) -> None:
    """Also where much of it has reached the disk before its COMMIT; the next start upgrades it, from any schema."""
    path, folder = tmp_path / "chat.db", tmp_path / "older"
    shutil.copytree(newer_migrations, folder, ignore=shutil.ignore_patterns("__pycache__", later, "9999*"))
    schema.prepare(path, folder)
    run(
        path,
        "INSERT INTO user (name, password_hash, created_at, last_seen_at, read_id, direct_id) "
        "VALUES ('al', 'x', 't', 't', 0, 0)",
    )
    run(path, "INSERT INTO message (sent_at, sender_id, recipient_id, body) VALUES ('t', 1, 1, 'hi')")
    before = dump(path)
    script = newer_migrations / "versions" / "9999_later.py"
    whole = script.read_text()
    large = "CREATE TABLE much AS WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 16000) "
    large += "SELECT n, zeroblob(1000) FROM n"  # 16 MB, more than the pages that a connection keeps in memory
    script.write_text(f"{whole}    op.execute({large!r})\n    __import__('os').kill(__import__('os').getpid(), 9)\n")
    files = f"Path({str(path)!r}), Path({str(newer_migrations)!r})"
    command = [sys.executable, "-c", f"from service.storage.sqlite.schema import Path, prepare; prepare({files})"]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    assert path.stat().st_size > 8_000_000
    assert dump(path) == before
    script.write_text(whole)
    assert schema.prepare(path, newer_migrations) == "upgraded"


def test_a_failed_creation_leaves_no_file(tmp_path: Path, newer_migrations: Path) -> None:
    """Where the schema cannot be made, no half-made file stays behind."""
    script = newer_migrations / "versions" / "9999_later.py"
    script.write_text(script.read_text() + "    op.execute('INSERT INTO nowhere VALUES (1)')\n")
    path = tmp_path / "chat.db"
    with pytest.raises(SchemaError):
        schema.prepare(path, newer_migrations)
    assert not path.exists()


def make_foreign_database(path: Path) -> None:
    run(path, "CREATE TABLE recipe (name TEXT)")


def make_foreign_alembic_database(path: Path) -> None:
    run(path, "CREATE TABLE alembic_version (version_num TEXT)", "INSERT INTO alembic_version VALUES ('0001')")


def make_text_file(path: Path) -> None:
    path.write_text("not a database at all\n" * 100)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_foreign_database, "another program's database"),
        (make_foreign_alembic_database, "another program's database"),
        (make_text_file, "no SQLite database"),
    ],
)
def test_a_foreign_file_is_refused_untouched(tmp_path: Path, make: object, message: str) -> None:
    """What is not ours stays as it is, its mode too."""
    path = tmp_path / "chat.db"
    assert callable(make)
    make(path)
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(SchemaError, match=message):
        schema.prepare(path)
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_folder_and_a_missing_folder_are_explained(tmp_path: Path) -> None:
    """A path that can hold no file is named, with the reason."""
    with pytest.raises(SchemaError, match="is a folder"):
        schema.prepare(tmp_path)
    with pytest.raises(SchemaError, match=r"missing/chat\.db: No such file"):
        schema.prepare(tmp_path / "missing" / "chat.db")


def test_two_upgrades_at_once_are_one(tmp_path: Path) -> None:
    """Two programs that start on the same new file both end well, and the schema is made once."""
    path = tmp_path / "chat.db"
    path.touch()
    outcomes: list[object] = []

    def prepare() -> None:
        try:
            outcomes.append(schema.prepare(path))
        except SchemaError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes in (["upgraded", "upgraded"], ["upgraded", "current"], ["current", "upgraded"])
    assert schema.prepare(path) == "current"


def test_each_migration_builds_on_the_one_before() -> None:
    """The files' numbers are the revisions, in one line without branches."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    walked = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert walked[::-1] == schema.revisions()


# What 0004 notes: an account's name, and its look. Never edited, as the migration is.
LOOKS_OF_0004: Final = {
    "alice": "alice",
    "a1ice": "a1ice",
    "alice_": "alice",
    "mary--ann": "rnary-ann",
    "will": "vvill",
    "zig1": "zig1",
    "al\u0335ice": "alice",
    "\u0430\u0441\u0435": "ace",
    "\u04cf": "1",
    "user0": "usero",
    "jos\u00e9": "jose\u0301",
    "--": "-",
}


def test_a_migration_notes_the_same_looks_for_ever(tmp_path: Path) -> None:
    """Whatever becomes of service/accounts/names.py: what an upgrade to 0004 leaves is written down here."""
    path = tmp_path / "chat.db"
    for folder, kept in (("third", "[4-9]"), ("fourth", "[5-9]")):
        skipped = shutil.ignore_patterns("__pycache__", f"000{kept}*")
        shutil.copytree(schema.MIGRATIONS, tmp_path / folder, ignore=skipped)
    schema.prepare(path, tmp_path / "third")
    with closing(sqlite3.connect(path)) as connection, connection:
        accounts = "INSERT INTO user VALUES (NULL, ?, 'x', 't', 't', 0, 0, NULL, '')"
        connection.executemany(accounts, [(name,) for name in LOOKS_OF_0004])
    schema.prepare(path, tmp_path / "fourth")
    with closing(sqlite3.connect(path)) as connection:
        assert dict(connection.execute("SELECT name, look FROM user")) == LOOKS_OF_0004


def test_the_newest_noted_looks_are_those_of_new_names() -> None:
    """If this fails, looks have changed: a further migration has to note them anew, and this test to ask that one."""
    path = schema.MIGRATIONS / "versions" / "0004_looks.py"
    migration = runpy.run_path(str(path))
    prototypes = migration["make_prototypes"]()
    for char in (*LOOKS_OF_0004, *prototypes, *map(chr, range(0x21, 0x3000))):
        name = f"a{char}\u0307b"
        assert migration["look_of"](name, prototypes) == look_of(name)


@pytest.mark.parametrize("path", sorted(schema.MIGRATIONS.rglob("*.py")), ids=lambda path: path.name)
def test_a_migration_imports_nothing_of_the_service(path: Path) -> None:
    """What the service changes must not change what an upgrade does."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "." * node.level)
    assert not [name for name in imported if name.split(".")[0] in ("", "service", "client")]
