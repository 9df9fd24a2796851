"""service/storage/postgres/advice.py: what PostgreSQL's own programs do."""

from __future__ import annotations

import pytest

from service.errors import ConfigError
from service.storage.postgres.advice import advise


def test_a_line_can_be_pasted_into_a_shell() -> None:
    """The chat's own part of the URL is taken out, as these programs do not know it."""
    line = advise("backup", "postgresql://chat@db.example/chat?sslmode=require&schema=lab")
    assert line.endswith(
        "pg_dump --format=custom --schema=lab --file=chat.dump 'postgresql://chat@db.example/chat?sslmode=require'"
    )


def test_a_password_is_not_repeated() -> None:
    """It is refused as at a start of the service."""
    with pytest.raises(ConfigError, match="PGPASSFILE"):
        advise("backup", "postgresql://zoe:secret@host/chat")
