"""Brings a database to this program's schema, or refuses it untouched. The migrations are the schema's source.

Alembic is imported only for an upgrade: the import takes a quarter of a second.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg import sql

from service import programs
from service.errors import SchemaError
from service.storage.postgres import address
from service.storage.postgres.connection import connect, translated_errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.postgres.connection import Connection

MIGRATIONS: Final = Path(__file__).resolve().parents[3] / "migrations"
UPGRADE_TIMEOUT: Final = 3_600.0  # seconds; an upgrade of ten million messages takes minutes
TABLE_TIMEOUT: Final = 10.0  # seconds to wait for a table that somebody reads, as pg_dump does: all services wait, too

# In one row: whether there is the schema, may be made, and may be changed; whether its tables are the chat's.
_LOOK: Final = """
    SELECT n.oid IS NOT NULL AS exists,
        CASE WHEN n.oid IS NULL THEN has_database_privilege(current_database(), 'CREATE')
            ELSE has_schema_privilege(n.oid, 'CREATE') END AS may_create,
        EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid) AS is_filled,
        EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'alembic_version')
            AND EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid AND relname = 'message_id') AS is_chat,
        coalesce((SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
            WHERE relnamespace = n.oid AND relname = 'alembic_version'), true) AS is_owner
    FROM (SELECT 1) AS one LEFT JOIN pg_namespace AS n ON n.nspname = %s
"""
# Who had the rights before an upgrade has them after it: new tables, and views that were made anew, have none.
_GRANTED: Final = """
    SELECT r.rolname FROM pg_roles AS r, pg_class AS c
    WHERE c.relnamespace = %s::regnamespace AND c.relname = %s AND r.oid <> c.relowner AND NOT r.rolsuper
        AND EXISTS (SELECT FROM aclexplode(c.relacl) AS a WHERE a.grantee = r.oid AND a.privilege_type = %s)
"""
_SERVICE_RIGHTS: Final = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}",
)
_READER_RIGHTS: Final = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "GRANT SELECT ON {schema}.history, {schema}.users, {schema}.rooms TO {role}",
)


class _Found(NamedTuple):
    """What is in the schema's place."""

    exists: bool
    may_create: bool
    is_filled: bool
    is_chat: bool
    is_owner: bool


class Rights(NamedTuple):
    """The roles that may do the service's work, and those that may read the promised views."""

    services: Sequence[str] = ()
    readers: Sequence[str] = ()


def revisions(migrations: Path = MIGRATIONS) -> list[str]:
    """Returns the revisions that this program knows, oldest first: the numbers at the start of the files' names."""
    return sorted(path.name.split("_")[0] for path in (migrations / "postgres" / "versions").glob("[0-9]*_*.py"))


def init_db(url: str, rights: Rights | None = None) -> str:
    """As `prepare`, and gives other roles of the server the rights that they need, also in a current schema."""
    place = address.parse(url)
    done = prepare(url)
    if rights is not None:
        with closing(connect(place)) as connection, translated_errors():
            try:
                _grant(connection, place.schema, rights)
            except psycopg.errors.UndefinedObject as error:
                raise SchemaError(f"{_say(error)}. Make it first: CREATE ROLE … LOGIN") from error
    return done


def prepare(url: str, migrations: Path = MIGRATIONS) -> str:
    """Creates, upgrades or accepts the chat's schema; returns "created", "upgraded" or "current".

    Several programs may do so at once. Raises SchemaError with one line for the operator if the schema is newer,
    another program's, or not to be made or changed by this role; ConfigError, StorageUnavailable. The database is
    unchanged then.
    """
    place = address.parse(url)
    known = revisions(migrations)
    with closing(connect(place)) as connection, translated_errors():
        found = _read_revision(connection, place.schema, known)
        if found == known[-1]:
            _check_fit(connection, place)
            return "current"
        return _upgrade(connection, place, migrations, known)


def read_revision(url: str) -> str | None:
    """Returns the schema's revision; None if there is none yet. Changes nothing.

    Raises SchemaError if it is newer, or another program's; ConfigError, StorageUnavailable.
    """
    place = address.parse(url)
    with closing(connect(place, read_only=True)) as connection, translated_errors():
        return _read_revision(connection, place.schema, revisions())


def _look(connection: Connection, schema: str) -> _Found:
    row = connection.run(_LOOK, (schema,)).fetchone()
    assert row is not None  # noqa: S101 (it always has one)
    return _Found(*row)


def _read_revision(connection: Connection, schema: str, known: Sequence[str]) -> str | None:
    found = _look(connection, schema)
    if not found.is_filled:
        return None
    if not found.is_chat:
        raise SchemaError(
            f"the schema {schema} is another program's; it was left as it is. "
            "Name another one in --db: postgresql://…?schema=NAME"
        )
    try:
        row = connection.run("SELECT version_num FROM alembic_version").fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable):  # no USAGE: no table is found
        raise SchemaError(_lacks_rights(connection, schema)) from None
    if row is not None and row[0] not in known:
        raise SchemaError(
            f"the schema {schema} was made by a newer version of the service (schema {row[0]}, this one knows "
            f"{known[-1]}); it was left as it is. Update this program"
        )
    return None if row is None else str(row[0])


def _lacks_rights(connection: Connection, schema: str) -> str:
    role = connection.raw.info.user
    return (
        f"the role {role} lacks rights in the schema {schema}. Its owner types: "
        f"{programs.ADMIN} init-db postgresql://OWNER@… --service {role}"
    )


def _check_fit(connection: Connection, place: address.Address) -> None:
    """Raises SchemaError where writes could not be ordered, or not be done at all."""
    may_write = "SELECT has_table_privilege('message', 'INSERT') AND has_function_privilege('chat_key()', 'EXECUTE')"
    if connection.run(may_write).fetchone() != (True,):
        raise SchemaError(_lacks_rights(connection, place.schema))
    if connection.run("SELECT chat_key()").fetchone() != (place.key,):
        raise SchemaError(f"the schema {place.schema} had another name when it was made: give it that name again")


# -- creation and upgrade ---------------------------------------------------------------------------------------------
def _upgrade(connection: Connection, place: address.Address, migrations: Path, known: Sequence[str]) -> str:
    """Runs the missing migrations in one transaction. Of two programs at once the second finds nothing to do."""
    import alembic.command  # noqa: PLC0415 (see the module's first lines)
    import alembic.config  # noqa: PLC0415
    import sqlalchemy  # noqa: PLC0415

    connection.set_answer_timeout(UPGRADE_TIMEOUT)
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        connection.run(f"SET {name} = 0")
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connection.raw, poolclass=sqlalchemy.pool.StaticPool
    )

    @sqlalchemy.event.listens_for(engine, "begin")
    def begin(_: sqlalchemy.Connection) -> None:
        connection.run("BEGIN")
        # Whoever stores messages waits meanwhile: they take the same lock.
        connection.run("SELECT pg_advisory_xact_lock(%s)", (place.key,))
        connection.run(f"SET LOCAL lock_timeout = {TABLE_TIMEOUT * 1000:.0f}")

    config = alembic.config.Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("version_locations", str(migrations / "postgres" / "versions").replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    try:
        with engine.begin() as bound:
            config.attributes["connection"] = bound
            before = _make_ready(connection, place.schema, known)
            rights = Rights() if before is None else _find_rights(connection, place.schema)
            alembic.command.upgrade(config, "head")
            _grant(connection, place.schema, rights)
    except (psycopg.Error, sqlalchemy.exc.DBAPIError) as error:
        cause = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
        raise SchemaError(f"cannot make the schema {place.schema}: {_say(cause)}; it was left as it was") from error
    return "created" if before is None else "current" if before == known[-1] else "upgraded"


def _make_ready(connection: Connection, schema: str, known: Sequence[str]) -> str | None:
    """Makes the schema, where it is missing and its tables are; returns the revision that is there."""
    before = _read_revision(connection, schema, known)
    found = _look(connection, schema)
    if before != known[-1] and not (found.may_create and found.is_owner):
        raise SchemaError(_describe_lack(connection, schema, before))
    if not found.exists:
        connection.run(f'CREATE SCHEMA "{schema}"')
    return before


def _describe_lack(connection: Connection, schema: str, before: str | None) -> str:
    info = connection.raw.info
    what = (
        f"the database {info.dbname} has no schema {schema} yet"
        if before is None
        else f"the schema {schema} is of an older version"
    )
    return (
        f"{what}, and the role {info.user} may not change that. Its owner types: "
        f"{programs.ADMIN} init-db postgresql://OWNER@…/{info.dbname} --service {info.user}"
    )


def _find_rights(connection: Connection, schema: str) -> Rights:
    def find(table: str, right: str) -> list[str]:
        return [role for (role,) in connection.run(_GRANTED, (schema, table, right)).fetchall()]

    return Rights(find("message", "INSERT"), find("history", "SELECT"))


def _grant(connection: Connection, schema: str, rights: Rights) -> None:
    for roles, statements in ((rights.services, _SERVICE_RIGHTS), (rights.readers, _READER_RIGHTS)):
        for role in roles:
            for statement in statements:
                text = sql.SQL(statement).format(schema=sql.Identifier(schema), role=sql.Identifier(role))
                connection.raw.execute(text)


def _say(error: BaseException | None) -> str:
    message = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return message or " ".join(str(error).split())
