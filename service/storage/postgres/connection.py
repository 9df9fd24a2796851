"""Connections to PostgreSQL, with the settings that the promises need. Holds none of the chat's statements.

No wait for the server is without an end: a host may acknowledge what comes and answer nothing.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import psycopg
from psycopg import errors, generators
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper, Int8Dumper

from service.errors import ConfigError, PeerError, StorageUnavailable
from service.storage.postgres import address, dialect

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGresult

    from service.storage.news import Event

    Values = Sequence[Any] | Mapping[str, Any]

T = TypeVar("T")

_log: Final = logging.getLogger("chat.storage")
LEAST_VERSION: Final = 150_000  # as PostgreSQL numbers itself: 15
IDLE_TIMEOUT: Final = 1.5  # seconds a transaction may do nothing: a stopped service holds the lock of all that long
LOCK_TIMEOUT: Final = 3.0  # seconds to wait for a lock: longer than IDLE_TIMEOUT
STATEMENT_TIMEOUT: Final = 4.0  # seconds a statement may take, with its wait for a lock
# Seconds to wait for an answer. Then the host is taken for dead: PostgreSQL itself would have said no by now.
ANSWER_TIMEOUT: Final = 5.0
_SLICE: Final = 0.25  # seconds of a wait that are counted at once: a process that was stopped loses one, not all
_SETTINGS: Final = {
    "default_transaction_isolation": "read committed",  # a snapshot from before the lock would show too little
    "synchronous_commit": "on",
    "client_encoding": "UTF8",
    "timezone": "UTC",
    "datestyle": "ISO",
    "bytea_output": "hex",
    "jit": "off",  # compiling costs more than any statement here
    "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT * 1000:.0f}",
    "lock_timeout": f"{LOCK_TIMEOUT * 1000:.0f}",
    "statement_timeout": f"{STATEMENT_TIMEOUT * 1000:.0f}",
    # The server's own look at us: a session whose host is gone would keep its place there for hours, and the lock of
    # all for as long as it cannot send. address.py has the same for this end.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "6000",
}
_CHECK: Final = (
    "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), "
    "current_setting('fsync'), pg_is_in_recovery(), pg_backend_pid()"
)
_NO_NUL: Final = "text may not contain NUL"
_UNAVAILABLE: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,  # the connection is closed
    psycopg.InternalError,  # read-only, idle for too long, damaged
    errors.InsufficientPrivilege,
)
_UNPREPARED: Final = (errors.InvalidSqlStatementName, errors.FeatureNotSupported)


class Places(NamedTuple):
    """How far messages and events have come: the newest ids that were given."""

    message: int
    event: int


class _Raw(psycopg.Connection[Any]):
    """psycopg's connection, whose waits end."""

    answer_timeout = ANSWER_TIMEOUT

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        waited = 0.0
        while True:
            limit = self.answer_timeout if timeout is None else timeout
            try:
                return super().wait(gen, interval, min(_SLICE, limit))
            except errors._WaitTimeout:  # noqa: SLF001 (psycopg names it in the docstring of `wait`)
                waited += _SLICE
                if waited >= limit:
                    self.pgconn.finish()  # its answer may come yet, and would be taken for another's
                    raise psycopg.OperationalError("the database does not answer") from None


class Connection:
    """A connection for one thread at a time. Transactions begin and end by statements only."""

    def __init__(self, raw: _Raw) -> None:
        self.raw = raw
        self._prepared: dict[str, bytes] = {}  # the names of statements, for `call`
        self.node = 0  # the service whose writes these are; 0 for an order without a service
        self.batch = 0  # the number of the transaction that is under way, of those of this service
        self.told: list[tuple[Event, int | None]] = []  # in this transaction, with the newest message before it
        self.answer: Sequence[Any] = ()  # the row of the last chat_store
        self.place: Places | None = None  # where the transaction that is under way began, if it is no chat_store

    def execute(self, statement: str, values: Values = ()) -> psycopg.Cursor[Any]:
        """Runs a statement that both engines share: in SQLite's SQL, its values put in here.

        Raises PeerError for text with NUL, which PostgreSQL cannot hold.
        """
        cursor = psycopg.ClientCursor(self.raw)
        with self._guarded():
            cursor.execute(dialect.translate(statement), values)
        return cursor

    def executemany(self, statement: str, rows: Iterable[Values]) -> None:
        """As `execute`, for each of the rows."""
        cursor = psycopg.ClientCursor(self.raw)
        with self._guarded():
            translated = dialect.translate(statement)
            together = "; ".join([cursor.mogrify(translated, values) for values in rows])
            if together:
                cursor.execute(together.encode())

    def run(self, statement: str, values: Values = ()) -> psycopg.Cursor[Any]:
        """Runs a statement in PostgreSQL's own SQL, prepared, its values sent beside it; a whole number is an int8.

        Raises PeerError as `execute` does.
        """
        cursor = psycopg.Cursor(self.raw)
        with self._guarded():
            cursor.execute(statement.encode(), values, prepare=True)
        return cursor

    def call(self, statement: str, values: Sequence[str | None]) -> list[str | None]:
        """Runs a statement that returns one row, with `$1` and so on for its values, prepared; all of it as text.

        It takes a third of what `run` does: it is for what is done with every message. Raises PeerError as `execute`.
        """
        pgconn = self.raw.pgconn
        texts = [None if value is None else value.encode() for value in values]
        if any(text is not None and b"\0" in text for text in texts):
            raise PeerError("bad_request", _NO_NUL)
        name = self._prepared.get(statement)
        if name is None:
            name = f"call{len(self._prepared)}".encode()
            pgconn.send_prepare(name, statement.encode())
            self._answer()
            self._prepared[statement] = name
        pgconn.send_query_prepared(name, texts)
        result = self._answer()
        cells = (result.get_value(0, column) for column in range(result.nfields))
        return [None if cell is None else cell.decode() for cell in cells]

    def _answer(self) -> PGresult:
        result: PGresult
        (result,) = self.raw.wait(generators.execute(self.raw.pgconn))
        if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            with self._guarded():
                raise errors.error_from_result(result, "utf-8")
        return result

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Raises PeerError for text with NUL, which psycopg refuses before it sends anything.

        Closes the connection where its prepared statements have gone, or fit no more as the schema was changed.
        """
        try:
            yield
        except psycopg.DataError as error:
            if error.sqlstate is None:
                raise PeerError("bad_request", _NO_NUL) from None
            raise
        except _UNPREPARED:
            self.close()
            raise

    def run_several(self, statements: str, values: Values = ()) -> psycopg.Cursor[Any]:
        """Runs several in one round trip, its values put in here; `nextset` of the cursor leads to the next answer."""
        cursor = psycopg.ClientCursor(self.raw)
        with self._guarded():
            cursor.execute(statements.encode(), values or None)
        return cursor

    def roll_back(self) -> None:
        """Ends a transaction. Raises psycopg.Error.

        Not by psycopg, which would have the server forget all prepared statements then.
        """
        self.raw.pgconn.send_query(b"ROLLBACK")
        self._answer()

    def tell(self, news: Event) -> None:
        """Has the other services told of it, with the commit of the transaction that is under way."""
        self.told.append((news, None))

    def set_answer_timeout(self, seconds: float) -> None:
        """Sets how long each wait for the server may take, the present one, too. For any thread."""
        self.raw.answer_timeout = seconds

    def take_notices(self) -> None:
        """Takes what the socket has brought while nothing was asked. Raises psycopg.OperationalError at its end."""
        pgconn = self.raw.pgconn
        pgconn.consume_input()
        while (notice := pgconn.notifies()) is not None:
            if pgconn.notify_handler is not None:
                pgconn.notify_handler(notice)

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is under way."""
        return self.raw.pgconn.transaction_status == TransactionStatus.IDLE

    @property
    def is_lost(self) -> bool:
        """Whether nothing more can be asked of it."""
        return self.raw.closed

    def close(self) -> None:
        """Closes it; what is under way is rolled back. Never waits."""
        with suppress(psycopg.Error):
            self.raw.close()


def connect(place: address.Address, *, read_only: bool = False, name: str = "chat") -> Connection:
    """Opens a connection. Raises StorageUnavailable if that cannot be done now, ConfigError if it must not be used."""
    with translated_errors():
        raw = _Raw.connect(**{"application_name": name, **place.options}, autocommit=True)
    try:
        with translated_errors():
            _prepare(raw, place, read_only=read_only)
    except BaseException:
        raw.close()
        raise
    return Connection(raw)


def warn_of_superuser(connection: Connection) -> None:
    """Logs a line if the role may do anything on the server. For the start: it is no reason to refuse."""
    if connection.run("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (True,):
        _log.warning("the database's role is a superuser: docs/scaling.txt says how to give the service one of its own")


def _prepare(raw: _Raw, place: address.Address, *, read_only: bool) -> None:
    """Refuses what breaks a promise; else sets what the promises need."""
    info = raw.info
    if place.is_bare and not address.is_near(info.host) and info.get_parameters().get("sslmode", "prefer") == "prefer":
        raise ConfigError("the service file names a host beyond this machine: say sslmode=verify-full there")
    settings = {**_SETTINGS, "search_path": f'"{place.schema}", pg_temp'}
    settings["default_transaction_read_only"] = "on" if read_only else "off"
    calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    (row,) = raw.execute(f"{_CHECK}, {calls}".encode()).fetchall()
    version, encoding, fsync, is_standby, pid, *_ = row
    if version < LEAST_VERSION:
        raise ConfigError(f"PostgreSQL must be of version 15 or newer, not {version // 10_000}")
    if encoding != "UTF8":
        raise ConfigError(f"the database's encoding must be UTF8, not {encoding}: CREATE DATABASE … ENCODING 'UTF8'")
    if fsync != "on":
        raise ConfigError("the server has fsync=off, so a crash would lose what was acknowledged: set fsync=on")
    if is_standby:
        raise ConfigError("this server is a standby, which takes no messages: name the primary in --db")
    if pid != info.backend_pid:
        raise ConfigError("there is a pooler before the server, which keeps notices back: name the server itself")
    raw.adapters.register_dumper(int, Int8BinaryDumper)
    raw.adapters.register_dumper(int, Int8Dumper)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raises StorageUnavailable for errors of the server's state; leaves those of a bug as they are."""
    try:
        yield
    except _UNAVAILABLE as error:
        raise translated(error) from error


@contextmanager
def all_translated() -> Iterator[None]:
    """Raises StorageUnavailable for every error of the database: for callers that know no PostgreSQL."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error) from error


def is_unavailable(error: BaseException) -> bool:
    """Returns whether the server's state is the cause, not a statement or its values."""
    return isinstance(error, _UNAVAILABLE)


def translated(error: psycopg.Error) -> StorageUnavailable:
    """Returns the service's error, in one line: without what libpq guesses, and where in a function it was."""
    said = str(error).partition("CONTEXT:")[0].splitlines()
    return StorageUnavailable("; ".join(line for line in said if line.strip() and not line.startswith("\t")))
