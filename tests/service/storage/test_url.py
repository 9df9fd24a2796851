"""service/storage/url.py: names of databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.errors import ConfigError
from service.storage.url import is_url, take_apart


def test_a_url_names_no_file() -> None:
    """Both of its beginnings are known; any other name is a file's."""
    assert is_url("postgresql://host/chat")
    assert is_url("postgres://host/chat")
    assert not is_url("chat.db")
    assert not is_url(Path("postgresql.db"))


@pytest.mark.parametrize(
    ("url", "bare", "schema"),
    [
        ("postgresql://zoe@host:5433/chat", "postgresql://zoe@host:5433/chat", "chat"),
        ("postgresql://host/chat?schema=lab", "postgresql://host/chat", "lab"),
        ("postgresql://host/chat?sslmode=require&schema=lab", "postgresql://host/chat?sslmode=require", "lab"),
        ("postgresql://[::1]:5433/chat", "postgresql://[::1]:5433/chat", "chat"),
    ],
)
def test_the_schema_is_the_chats_own(url: str, bare: str, schema: str) -> None:
    """The library of PostgreSQL does not know it; another one is another chat."""
    assert take_apart(url) == (bare, schema)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://zoe:secret@host/chat",
        "postgresql://zoe:@host/chat",
        "postgresql://a@b:secret@host/chat",
        "postgresql://host/chat?password=secret",
        "postgresql://host/chat?sslmode=require&pass%77ord=secret",
    ],
)
def test_a_password_is_refused(url: str) -> None:
    """Everybody on the machine could read it; the error does not have it."""
    with pytest.raises(ConfigError, match="PGPASSFILE") as refused:
        take_apart(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("schema", ["", "Chat", "pg_chat", "a b", "chat%00", '"', "a&schema=b", "x" * 42])
def test_a_schema_is_a_plain_name(schema: str) -> None:
    """It stands in statements and in the name of a channel."""
    with pytest.raises(ConfigError, match="schema"):
        take_apart(f"postgresql://host/chat?schema={schema}")
