"""A database of PostgreSQL as the source or the target of a copy from engine to engine.

storage/transfer.py says what goes over. All is done in one transaction, behind the lock that all writes take.
"""

from __future__ import annotations

from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

import psycopg

from service.errors import ConfigError, FileError
from service.storage.postgres import address, fulltext, schema
from service.storage.postgres.connection import all_translated, connect
from service.storage.transfer import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from service.storage.postgres.connection import Connection
    from service.storage.transfer import Row, Task

_CHUNK: Final = 10_000  # rows sent at once
_PATIENCE: Final = 86_400.0  # seconds to wait for an answer: an index of ten million messages takes minutes
_SEQUENCE: Final = """(
    SELECT 'message' AS name, pg_sequence_last_value('message_id') AS newest
    UNION ALL
    SELECT name, coalesce(pg_sequence_last_value(pg_get_serial_sequence(quote_ident(name), 'id')), 0)
    FROM unnest(ARRAY['moderation', 'room', 'user']) AS one (name)
) AS sequence"""
# Where a table is not called so, is not one by itself, or has other types.
_OTHERS: Final[Mapping[str, str]] = {
    "account": '(SELECT * FROM "user" AS u JOIN marker AS m ON m.user_id = u.id) AS account',
    "room": "(SELECT id, name, look, topic, private::int, created_at, gone_at, members, messages, last_id FROM room) "
    "AS room",
    "moment": "(SELECT chat_moment() AS time) AS moment",
    "sequence": _SEQUENCE,
    "message": "(SELECT m.id, sent_at, sender_id, recipient_id, room_id, kind, body, nonce, seen_at, deleted_at, "
    "CASE WHEN room_id IS NOT NULL THEN position END AS position "
    "FROM message AS m LEFT JOIN seen AS s ON s.id = m.id) AS message",
}
_ACCOUNT: Final = ("id", "name", "look", "password_hash", "created_at", "disabled_at", "role", "muted_until")
_MESSAGE: Final = ("id", "sent_at", "sender_id", "recipient_id", "room_id", "kind", "body", "nonce", "deleted_at")
# What the main room's markers say in numbers of its messages.
_MARKERS: Final = """
    UPDATE marker AS k SET read_position = coalesce((
        SELECT m.position FROM message AS m
        WHERE m.recipient_id IS NULL AND m.room_id IS NULL AND m.id <= k.read_id ORDER BY m.id DESC LIMIT 1
    ), 0);
    UPDATE marker AS k SET own_unread = own.number FROM (
        SELECT k.user_id, count(*) AS number FROM message AS m JOIN marker AS k ON k.user_id = m.sender_id
        WHERE m.recipient_id IS NULL AND m.room_id IS NULL AND m.id > k.read_id GROUP BY k.user_id
    ) AS own WHERE own.user_id = k.user_id
"""
_EMPTY: Final = """
    SELECT NOT EXISTS (SELECT FROM "user" WHERE id > 0) AND NOT EXISTS (SELECT FROM message)
        AND NOT EXISTS (SELECT FROM room) AND NOT EXISTS (SELECT FROM moderation)
"""
# Large tables are emptied so that their rows can be stored as old ones, which PostgreSQL need not look at again. It is
# quicker to make an index of all rows than to add each row to it.
_CLEAR: Final = """
    DELETE FROM marker; DELETE FROM "user"; DELETE FROM main_room; DELETE FROM search_cursor;
    TRUNCATE message, seen, unseen, search_word; ALTER TABLE search_word DROP CONSTRAINT search_word_pkey;
"""
_INDEXES: Final = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = 'message'::regclass AND NOT indisprimary ORDER BY indexrelid
"""


class _Database:
    """A connection in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.revision = schema.revisions()[-1]

    def rows(self, table: str) -> Iterator[Row]:
        columns, keys = TABLES[table]
        place = _OTHERS.get(table, table)
        with psycopg.ServerCursor(self.connection.raw, "copied") as cursor:
            cursor.itersize = _CHUNK
            statement = f"SELECT {', '.join(columns)} FROM {place} ORDER BY {', '.join(columns[:keys])}"  # noqa: S608
            cursor.execute(statement.encode())
            yield from cursor


class _NewDatabase(_Database):
    """One with nothing in it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._public = 0  # messages of the main room so far
        indexes = connection.run(_INDEXES).fetchall()
        self._definitions = [definition for _, definition in indexes]
        connection.run_several(_CLEAR + "; ".join(f"DROP INDEX {name}" for name, _ in indexes))

    def write(self, table: str, rows: Iterable[Row]) -> None:
        rows = iter(rows)
        write = {
            "account": self._write_accounts,
            "message": self._write_messages,
            "moment": self._set_moment,
            "sequence": self._set_sequences,
        }.get(table, partial(self._copy, table, TABLES[table].columns))
        while chunk := list(islice(rows, _CHUNK)):
            try:
                write(chunk)
            except psycopg.DataError as error:
                raise FileError(f"PostgreSQL does not take what is in {table}: {error}") from error

    def _copy(self, table: str, columns: Sequence[str], rows: Iterable[Row], options: str = "") -> None:
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN {options}"
        with psycopg.Cursor(self.connection.raw) as cursor, cursor.copy(statement.encode()) as stream:
            for row in rows:
                stream.write_row(row)

    def _write_accounts(self, rows: Sequence[Row]) -> None:
        accounts = [dict(zip(TABLES["account"].columns, row, strict=True)) for row in rows]
        self._copy('"user"', _ACCOUNT, [tuple(account[name] for name in _ACCOUNT) for account in accounts])
        markers = [(account["id"], account["read_id"], 0, account["last_seen_at"]) for account in accounts]
        self._copy("marker", ("user_id", "read_id", "read_position", "last_seen_at"), markers)

    def _write_messages(self, rows: Sequence[Row]) -> None:
        messages: list[Row] = []
        seen: list[Row] = []
        unseen: list[Row] = []
        words: list[Row] = []
        for number, sent_at, sender, recipient, room, kind, body, nonce, seen_at, deleted_at, position in rows:
            if recipient is None and room is None:
                self._public += 1
                position = self._public  # noqa: PLW2901
            messages.append((number, sent_at, sender, recipient, room, kind, body, nonce, deleted_at, position))
            if seen_at is not None:
                seen.append((number, seen_at))
            elif recipient is not None:
                unseen.append((recipient, number, sender))
            entries = fulltext.entries((number, sender, recipient, room, body))
            words += [(word, number) for word in entries]
        self._copy("message", (*_MESSAGE, "position"), messages, "(FREEZE)")
        self._copy("seen", ("id", "seen_at"), seen, "(FREEZE)")
        self._copy("unseen", ("recipient_id", "id", "sender_id"), unseen, "(FREEZE)")
        self._copy("search_word", ("word", "id"), words, "(FREEZE)")

    def _set_moment(self, rows: Sequence[Row]) -> None:
        for (time,) in rows:
            self.connection.run("SELECT chat_note_moment(%s)", (time,))

    def _set_sequences(self, rows: Sequence[Row]) -> None:
        for name, newest in rows:
            if name == "message":
                self.connection.run("SELECT setval('message_id', %s)", (newest,))
            else:
                self._raise(name, newest)

    def _raise(self, table: str, newest: int) -> None:
        """Makes the next id of a table a larger one."""
        self.connection.run(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), %s, %s)", (f'"{table}"', max(newest, 1), newest > 0)
        )

    def derive(self, say: Callable[[str], None]) -> None:
        say("making the indexes")
        for definition in (*self._definitions, "ALTER TABLE search_word ADD PRIMARY KEY (word, id)"):
            self.connection.run(definition)
            say("making the indexes")
        say("counting")
        ((newest_ban,),) = self.connection.run("SELECT coalesce(max(id), 0) FROM ban").fetchall()
        self._raise("ban", newest_ban)
        self.connection.run_several(_MARKERS)
        self.connection.run("INSERT INTO search_cursor SELECT coalesce(max(id), 0) FROM message")
        self.connection.run_several('ANALYZE "user"; ANALYZE marker; ANALYZE message; ANALYZE unseen; ANALYZE room')


class _Stop:
    """Stops what a connection is doing, for Task."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def interrupt(self) -> None:
        with suppress(psycopg.Error):  # it was closed at this moment
            self._connection.raw.cancel_safe()


@contextmanager
def reading(url: str, task: Task) -> Iterator[_Database]:
    """Yields a database that no service uses. Raises ConfigError, SchemaError, StorageUnavailable."""
    if schema.read_revision(url) is None:
        raise ConfigError("that database holds no chat yet")
    with _locked(url, task, read_only=True) as connection:
        connection.run("BEGIN ISOLATION LEVEL REPEATABLE READ")
        yield _Database(connection)


@contextmanager
def writing(url: str, task: Task) -> Iterator[_NewDatabase]:
    """Yields a database that holds nothing yet; commits at the end, if there was no exception.

    Raises ConfigError, also if it holds something, SchemaError, StorageUnavailable.
    """
    schema.prepare(url)
    with _locked(url, task) as connection:
        connection.run("BEGIN")
        if connection.run(_EMPTY).fetchone() != (True,):
            raise ConfigError("that database holds a chat already; name another one, or another ?schema=NAME")
        try:
            yield _NewDatabase(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConfigError(f"{error}: copy as the owner of the schema, who ran init-db") from error
        connection.run("COMMIT")


@contextmanager
def _locked(url: str, task: Task, *, read_only: bool = False) -> Iterator[Connection]:
    """Yields a connection that may take its time, and keeps all others from writing."""
    with all_translated(), closing(connect(address.parse(url), read_only=read_only)) as connection:
        connection.set_answer_timeout(_PATIENCE)
        connection.run_several(
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
            "SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'; SELECT pg_advisory_lock(chat_key())"
        )
        users = connection.run("SELECT name FROM node WHERE lease > clock_timestamp()").fetchall()
        if users:
            raise ConfigError(f"a service uses that database: {', '.join(name for (name,) in users)}. Stop it first")
        task.watch(_Stop(connection))
        yield connection
