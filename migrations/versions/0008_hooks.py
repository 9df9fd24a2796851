"""Webhooks: accounts that speak for programs, without a password. Takes no time."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

# The name is that of the account: a row of user without a password, so nobody logs in as it, and no list has it. The
# row of a hook that was removed stays, without a hash: its name can be a hook's again, and nobody else's. Of the secret
# in its web address only the hash is kept. Where room_id is NULL, it speaks in the main room.
STATEMENTS = (
    """
    CREATE TABLE hook (
        user_id    INTEGER PRIMARY KEY REFERENCES user (id),
        room_id    INTEGER REFERENCES room (id),
        hash       BLOB,
        created_at TEXT NOT NULL,
        used_at    TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX hook_hash ON hook (hash) WHERE hash IS NOT NULL",
)


def upgrade() -> None:
    """Adds the table."""
    for statement in STATEMENTS:
        op.execute(statement)
