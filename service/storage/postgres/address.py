"""What an operator's postgresql:// URL asks for, and what is added to it. Pure: connects to nothing."""

from __future__ import annotations

import hashlib
import os
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import conninfo

from service.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMA: Final = "chat"
_SCHEMA_NAME: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,40}")
# How the kernel and libpq notice a host that is gone, in seconds but for the last, which is in milliseconds. What the
# operator says in the URL comes first.
_LIVELINESS: Final[Mapping[str, Any]] = {
    "connect_timeout": 2,  # libpq's smallest
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 6_000,
}


class Address(NamedTuple):
    """Where a database is, and which schema in it is the chat's."""

    options: dict[str, Any]  # as libpq takes them; no password among them
    schema: str
    is_bare: bool  # whether a service file may name a host beyond this machine without a word on TLS

    @property
    def key(self) -> int:
        """The key of the advisory lock that orders all writes of this chat; `chat_key()` in SQL."""
        digest = hashlib.sha256(f"chat {self.schema}".encode()).digest()
        return int.from_bytes(digest[:8], "big", signed=True)

    @property
    def channel(self) -> str:
        """The channel on which services wake each other; `chat_channel()` in SQL."""
        return f"chat_{self.key & (1 << 64) - 1:016x}"


def parse(url: str) -> Address:
    """Takes the URL apart. Raises ConfigError; its text has no password."""
    bare, schema = _take_schema(url)
    if "\0" in bare:
        raise ConfigError("the database's URL may not contain NUL")
    try:
        options: dict[str, Any] = conninfo.conninfo_to_dict(bare)
    except psycopg.Error:
        raise ConfigError("this is no URL of PostgreSQL; one is postgresql://user@host/name") from None
    if "password" in options:
        raise ConfigError(
            "a password in --db shows in the list of processes: put it into a file that PGPASSFILE names, "
            "by default ~/.pgpass, or into a service file, postgresql://?service=NAME"
        )
    with_file = "service" in options or "PGSERVICE" in os.environ
    is_asked = "sslmode" in options or "PGSSLMODE" in os.environ
    hosts = ",".join(filter(None, (options.get("host"), options.get("hostaddr")))) or os.environ.get("PGHOST", "")
    if not is_asked and not is_near(hosts):
        options["sslmode"] = "verify-full"
    if "," in hosts:
        options.setdefault("target_session_attrs", "read-write")
    return Address({**_LIVELINESS, **options}, schema, with_file and not is_asked and "sslmode" not in options)


def is_near(hosts: str) -> bool:
    """Returns whether each of the hosts, with commas between them, is this machine: a socket's folder or loopback."""
    return all(_is_near(host) for host in hosts.split(","))


def _is_near(host: str) -> bool:
    if not host or host[0] in "/@" or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _take_schema(url: str) -> tuple[str, str]:
    """Returns the URL without `schema`, which libpq does not know, and the schema."""
    place, _, query = url.partition("?")
    fields = query.split("&") if query else []
    schemas = [field.removeprefix("schema=") for field in fields if field.startswith("schema=")] or [_SCHEMA]
    if len(schemas) > 1 or _SCHEMA_NAME.fullmatch(schemas[0]) is None:
        raise ConfigError("the schema in --db is one name of a-z, 0-9 and _, such as ?schema=chat")
    rest = "&".join(field for field in fields if not field.startswith("schema="))
    return f"{place}?{rest}" if rest else place, schemas[0]
