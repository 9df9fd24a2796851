"""Turns the SQL of storage/statements, which is SQLite's, into PostgreSQL's, for psycopg. Pure.

It knows the few forms that stand there, and no more of SQL: what has no common form is a row of FORMS.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from service.storage.statements import connection, ids, moments, operators, retries

if TYPE_CHECKING:
    from collections.abc import Mapping

# When a direct message was seen, and what an account has read, are in narrow tables here: they change most.
_SEEN: Final = ("m.seen_at", "(SELECT seen_at FROM seen WHERE seen.id = m.id)")
FORMS: Final[Mapping[str, str]] = {
    connection.BEGIN_STATE: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    connection.END_STATE: "COMMIT",
    ids.NEWEST: "SELECT last_value FROM message_id",
    moments.NOTE: "SELECT chat_note_moment(:time)",
    moments.NEWEST: "SELECT chat_moment()",
    operators.PERSON: operators.PERSON.replace(
        "last_seen_at", "(SELECT last_seen_at FROM marker WHERE user_id = user.id)"
    ),
    operators.MARKER: "SELECT m.read_id, u.muted_until FROM user AS u JOIN marker AS m ON m.user_id = u.id "
    "WHERE u.id = :id",
    operators.STORED: operators.STORED.replace(*_SEEN),
    retries.FIRST: retries.FIRST.replace(*_SEEN),
}

_HINT: Final = r"\s+(?:NOT\s+INDEXED|INDEXED\s+BY\s+\w+)\b"
_TOKEN: Final = re.compile(
    rf"""
    (?P<quoted> '[^']*' | "[^"]*" )     # a doubled quote inside ends one and begins the next
    | (?P<cast> :: )
    | :(?P<named> \w+ )
    | (?P<place> \? )
    | (?P<percent> % )
    | (?P<hint> {_HINT} )
    | (?P<cross> \bCROSS\s+JOIN\b (?= \s+\w+ (?:\s+AS\s+\w+)? (?:{_HINT})? \s+ON\b ) )
    | (?P<user> \buser\b )
    """,
    re.VERBOSE,
)

_WORDS: Final = {
    "place": "%s",
    "percent": "%%",
    "hint": "",
    "cross": "JOIN",  # in SQLite it fixes the order of the tables
    "user": '"user"',  # a word of PostgreSQL's own
}


@cache  # the statements are few: none is made of a value
def translate(statement: str) -> str:
    """Returns the statement as PostgreSQL takes it, with psycopg's places for its values."""
    for ours, theirs in FORMS.items():
        statement = statement.replace(ours, theirs)
    return _TOKEN.sub(_translate, statement)


def _translate(token: re.Match[str]) -> str:
    if token["named"]:
        return f"%({token['named']})s"
    if token["quoted"]:
        return token[0].replace("%", "%%")
    return _WORDS.get(token.lastgroup or "", token[0])
