"""The first schema: accounts, tokens, messages, their search index, and the views for people with sqlite3."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

# Times are UTC text with milliseconds, as on the wire. Messages are never renumbered, and AUTOINCREMENT never gives a
# number twice, so clients can remember ids. In user, read_id is the public read marker, and direct_id the newest direct
# message that the user has sent or seen. Together with the unseen messages direct_id gives the user's newest direct
# message, at less cost than an index by sender and another by recipient.
STATEMENTS = (
    """
    CREATE TABLE user (
        id            INTEGER PRIMARY KEY AUTOINCREMENT,
        name          TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        created_at    TEXT NOT NULL,
        last_seen_at  TEXT NOT NULL,
        read_id       INTEGER NOT NULL,
        direct_id     INTEGER NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE token (
        hash       BLOB PRIMARY KEY,
        user_id    INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
        created_at TEXT NOT NULL,
        expires_at TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX token_of_user ON token (user_id, expires_at)",
    "CREATE INDEX token_expiry ON token (expires_at)",
    """
    CREATE TABLE message (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        sent_at      TEXT NOT NULL,
        sender_id    INTEGER NOT NULL REFERENCES user (id),
        recipient_id INTEGER REFERENCES user (id),
        body         TEXT NOT NULL,
        nonce        TEXT,
        seen_at      TEXT
    ) STRICT
    """,
    "CREATE UNIQUE INDEX message_nonce ON message (sender_id, nonce) WHERE nonce IS NOT NULL",
    # Each index below ends with the id that orders its pages.
    "CREATE INDEX message_public ON message (id, sender_id, recipient_id) WHERE recipient_id IS NULL",
    """
    CREATE INDEX message_talk ON message (min(sender_id, recipient_id), max(sender_id, recipient_id), id)
        WHERE recipient_id IS NOT NULL
    """,
    "CREATE INDEX message_missed ON message (recipient_id, id) WHERE recipient_id IS NOT NULL AND seen_at IS NULL",
    # Only message holds the text. The writer thread indexes it soon after the commit, in id order, because indexing
    # within the insert makes inserts five times slower.
    """
    CREATE VIRTUAL TABLE message_search USING fts5 (
        body, content = 'message', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    )
    """,
    """
    CREATE VIEW history (id, time, sender, recipient, message) AS
        SELECT m.id, m.sent_at, s.name, r.name, m.body
        FROM message AS m
        JOIN user AS s ON s.id = m.sender_id
        LEFT JOIN user AS r ON r.id = m.recipient_id
        ORDER BY m.id
    """,
    "CREATE VIEW users (name, created, last_seen) AS SELECT name, created_at, last_seen_at FROM user ORDER BY name",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
