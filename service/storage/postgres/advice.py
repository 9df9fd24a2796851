"""What is done with a database by PostgreSQL's own programs: the line to type. Runs none of them."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from service.storage.url import take_apart

if TYPE_CHECKING:
    from collections.abc import Mapping

# For each command that needs the file of a database; tests/system/test_postgres_programs.py runs the lines.
_LINES: Final[Mapping[str, str]] = {
    "backup": "its own program copies it, also while services run: "
    "pg_dump --format=custom --schema={schema} --file=chat.dump {url}",
    "restore": "its own program puts a copy back, while no service runs: "
    "pg_restore --clean --if-exists --single-transaction --dbname={url} chat.dump && "
    "psql {url} --command='UPDATE {schema}.timeline SET number = 0'",
    "verify": "its own program checks it, as a superuser: "
    "pg_amcheck --install-missing --heapallindexed --schema={schema} {url}",
    "compact": "while no service runs: psql {url} --command='VACUUM (FULL, ANALYZE)'",
    "repair": "change no rows by hand there. A damaged index: psql {url} --command='REINDEX SCHEMA {schema}'",
    "erase": "what was deleted is out of every answer and of pg_dump, and goes from the files with "
    "psql {url} --command=VACUUM and as the WAL is recycled; it stays in archives of it",
}


def advise(command: str, url: str) -> str:
    """Returns why there is no such command for the database, and what to type instead. Raises ConfigError."""
    bare, schema = take_apart(url)
    return f"no {command} of a PostgreSQL by this program; " + _LINES[command].format(url=quote(bare), schema=schema)
