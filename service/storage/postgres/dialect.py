"""Turns SQLite's SQL of the statements that both engines share into PostgreSQL's, for psycopg. Pure."""

from __future__ import annotations

from functools import cache


@cache
def translate(statement: str) -> str:
    """Returns the statement as PostgreSQL takes it."""
    return statement.replace("%", "%%").replace("?", "%s")
