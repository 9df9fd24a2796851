"""Names of databases: which are URLs, and what of a URL is the chat's own. Pure: connects to nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from service.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA: Final = "chat"  # of a URL that names none
_BEGINNINGS: Final = ("postgresql://", "postgres://")
_SCHEMA_NAME: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,40}")


def is_url(db: str | Path) -> bool:
    """Returns whether the name is a URL of PostgreSQL's; any other is a file's."""
    return str(db).startswith(_BEGINNINGS)


def take_apart(url: str) -> tuple[str, str]:
    """Returns the URL as libpq takes it, without `schema`, and the schema. Raises ConfigError.

    Its text has no password, and neither has a URL that is returned.
    """
    place, _, query = url.partition("?")
    fields = query.split("&") if query else []
    user = place.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if ":" in user or any(unquote(field.partition("=")[0]) == "password" for field in fields):
        raise ConfigError(
            "a password in --db shows in the list of processes: put it into a file that PGPASSFILE names, "
            "by default ~/.pgpass, or into a service file, postgresql://?service=NAME"
        )
    schemas = [field.removeprefix("schema=") for field in fields if field.startswith("schema=")] or [SCHEMA]
    if len(schemas) > 1 or _SCHEMA_NAME.fullmatch(schemas[0]) is None:
        raise ConfigError("the schema in --db is one name of a-z, 0-9 and _, such as ?schema=chat")
    rest = "&".join(field for field in fields if not field.startswith("schema="))
    return f"{place}?{rest}" if rest else place, schemas[0]
