"""service/storage/postgres/dialect.py: each form that the statements have, and what only looks like one."""

from __future__ import annotations

import pytest

from service.storage.postgres import dialect
from service.storage.statements import connection, ids, moments, operators, retries


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("SELECT ? WHERE a = ?", "SELECT %s WHERE a = %s"),
        ("SELECT :one, :other_1", "SELECT %(one)s, %(other_1)s"),
        ("SELECT a::text, :b::int8", "SELECT a::text, %(b)s::int8"),
        ("SELECT a % 2", "SELECT a %% 2"),
        ("SELECT ':a ? % user''s :b ?', ?", "SELECT ':a ? %% user''s :b ?', %s"),
        ("SELECT '', ?, ''''", "SELECT '', %s, ''''"),
        ('SELECT "a:b?%user" FROM user', 'SELECT "a:b?%%user" FROM "user"'),
        ("SELECT user_id, :user FROM user AS u", 'SELECT user_id, %(user)s FROM "user" AS u'),
        ("UPDATE user INDEXED BY user_muted SET name = ?", 'UPDATE "user" SET name = %s'),
        ("SELECT id FROM message NOT INDEXED WHERE id > ?", "SELECT id FROM message WHERE id > %s"),
        ("SELECT 'x INDEXED BY y'", "SELECT 'x INDEXED BY y'"),
        ("FROM a CROSS JOIN b", "FROM a CROSS JOIN b"),
        ("FROM a CROSS JOIN user AS u ON u.id = 1", 'FROM a JOIN "user" AS u ON u.id = 1'),
        ("FROM a CROSS JOIN b INDEXED BY c\n ON b.id = a.id", "FROM a JOIN b\n ON b.id = a.id"),
        ("FROM a CROSS JOIN b JOIN c ON b.id = c.id", "FROM a CROSS JOIN b JOIN c ON b.id = c.id"),
    ],
)
def test_a_statement_is_translated(ours: str, theirs: str) -> None:
    """Places for values, hints and one table's name; never what is within quotes, but for psycopg's own sign."""
    assert dialect.translate(ours) == theirs


@pytest.mark.parametrize(
    ("ours", "has", "lacks"),
    [
        (connection.BEGIN_STATE, "REPEATABLE READ", "SAVEPOINT"),
        (connection.END_STATE, "COMMIT", "RELEASE"),
        (ids.NEWEST, "FROM message_id", "sqlite_sequence"),
        (moments.NOTE, "chat_note_moment(%(time)s)", "UPDATE"),
        (moments.NEWEST, "chat_moment()", "FROM"),
        (f"{operators.PERSON} WHERE name > ?", 'user_id = "user".id), disabled_at', "?"),
        (operators.MARKER, "JOIN marker", ":id"),
        (f"{operators.STORED} WHERE m.id > :after", "FROM seen", "m.seen_at"),
        (f"{retries.FIRST} WHERE m.nonce = ?", "FROM seen", "m.seen_at"),
    ],
)
def test_what_has_no_common_form_has_its_own(ours: str, has: str, lacks: str) -> None:
    """Wherever it stands in a statement."""
    theirs = dialect.translate(ours)
    assert has in theirs
    assert lacks not in theirs


def test_nothing_that_only_sqlite_knows_is_left() -> None:
    """Of the names of its own that the forms stand for."""
    for ours in dialect.FORMS:
        assert not {"sqlite_sequence", "SAVEPOINT", "INDEXED"} & set(dialect.translate(ours).split())
