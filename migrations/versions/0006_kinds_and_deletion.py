"""Kinds of messages, deletion, the rank of each account, and names that were somebody's.

Takes under a second for a million messages.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

# kind is NULL for an ordinary text. A deleted message keeps its row, with an empty body: its id, nonce and place stay.
# An account without a password cannot log in: the service's own, named server, and those that were deleted. The
# service's has an id beside those of people, which begin with 1.
STATEMENTS = (
    "ALTER TABLE message ADD COLUMN kind TEXT",
    "ALTER TABLE message ADD COLUMN deleted_at TEXT",
    "CREATE INDEX message_deleted ON message (deleted_at, id) WHERE deleted_at IS NOT NULL",
    "ALTER TABLE user ADD COLUMN role TEXT NOT NULL DEFAULT 'member'",  # in the main room: member, moderator, owner
    """
    INSERT INTO user (id, name, look, password_hash, created_at, last_seen_at, read_id, direct_id)
        SELECT -1, 'server', 'server', '', '1970-01-01T00:00:00.000Z', '1970-01-01T00:00:00.000Z', 0, 0
        WHERE NOT EXISTS (SELECT 1 FROM user WHERE name = 'server')
    """,
    # Names that accounts had before a rename or deletion. Nobody may take one of them, or one that looks like it.
    """
    CREATE TABLE former_name (
        name     TEXT PRIMARY KEY,
        look     TEXT NOT NULL,
        user_id  INTEGER NOT NULL REFERENCES user (id),
        ended_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX former_name_look ON former_name (replace(replace(look, '1', 'l'), 'i', 'l'), look)",
    # What moderators and operators did: to whom, or to which message, and why. actor_id is NULL for an operator.
    """
    CREATE TABLE moderation (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        time       TEXT NOT NULL,
        actor_id   INTEGER REFERENCES user (id),
        action     TEXT NOT NULL,
        user_id    INTEGER REFERENCES user (id),
        message_id INTEGER,
        role       TEXT,
        reason     TEXT
    ) STRICT
    """,
    # What was deleted, and may still stand in the file: a range of rows ("message"), the words of an index (by the name
    # of its table), or the -wal ("wal"). Done in the order of the ids.
    """
    CREATE TABLE erasure (
        id       INTEGER PRIMARY KEY,
        place    TEXT NOT NULL,
        begun    INTEGER NOT NULL DEFAULT 0,
        first_id INTEGER NOT NULL DEFAULT 0,
        last_id  INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE UNIQUE INDEX erasure_place ON erasure (place, begun) WHERE place <> 'message'",
    "DROP VIEW history",
    """
    CREATE VIEW history (id, time, sender, recipient, message, kind) AS
        SELECT m.id, m.sent_at, s.name, r.name, m.body, coalesce(m.kind, 'text')
        FROM message AS m
        JOIN user AS s ON s.id = m.sender_id
        LEFT JOIN user AS r ON r.id = m.recipient_id
        ORDER BY m.id
    """,
    "DROP VIEW users",
    """
    CREATE VIEW users (name, created, last_seen) AS
        SELECT name, created_at, last_seen_at FROM user WHERE password_hash <> '' ORDER BY name
    """,
)


def upgrade() -> None:
    """Adds the columns and tables, and makes the views anew."""
    for statement in STATEMENTS:
        op.execute(statement)
