"""Rooms: their members, invitations and bans, and messages to them; the lifetime of a token; what `since` needs.

Takes some 2 seconds for a million messages.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

# The main room has no row in room: where room_id is NULL, it is meant. A mute or ban without an end has the last moment
# that the form of times can say, 9999-12-31T23:59:59.999Z.
STATEMENTS = (
    # A room that is gone keeps its row, for its messages. messages counts all that were ever sent there, and last_id is
    # the newest of them; members are counted, as lists of rooms show it.
    """
    CREATE TABLE room (
        id         INTEGER PRIMARY KEY AUTOINCREMENT,
        name       TEXT NOT NULL,
        look       TEXT NOT NULL,
        topic      TEXT NOT NULL,
        private    INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        gone_at    TEXT,
        members    INTEGER NOT NULL DEFAULT 0,
        messages   INTEGER NOT NULL DEFAULT 0,
        last_id    INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    "CREATE UNIQUE INDEX room_name ON room (name) WHERE gone_at IS NULL",
    "CREATE INDEX room_names ON room (name, created_at)",
    "CREATE INDEX room_look ON room (replace(replace(look, '1', 'l'), 'i', 'l'), look) WHERE gone_at IS NULL",
    # The read marker is read_id. read_position is the position in the room of the newest message up to there, and
    # own_unread counts the member's own messages after it: so unread messages are counted without looking at them.
    """
    CREATE TABLE member (
        room_id       INTEGER NOT NULL REFERENCES room (id),
        user_id       INTEGER NOT NULL REFERENCES user (id),
        role          TEXT NOT NULL,
        joined_at     TEXT NOT NULL,
        muted_until   TEXT,
        read_id       INTEGER NOT NULL,
        read_position INTEGER NOT NULL,
        own_unread    INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (room_id, user_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX member_of_user ON member (user_id, room_id)",
    "CREATE INDEX member_rank ON member (room_id, role, joined_at)",  # finds who takes over from the last owner
    """
    CREATE TABLE invitation (
        room_id INTEGER NOT NULL REFERENCES room (id),
        user_id INTEGER NOT NULL REFERENCES user (id),
        by_id   INTEGER REFERENCES user (id),
        time    TEXT NOT NULL,
        PRIMARY KEY (room_id, user_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX invitation_of_user ON invitation (user_id, room_id)",
    # Of who was muted when the membership ended: until when it holds, should they come back.
    """
    CREATE TABLE kept_mute (
        room_id INTEGER NOT NULL REFERENCES room (id),
        user_id INTEGER NOT NULL REFERENCES user (id),
        until   TEXT NOT NULL,
        PRIMARY KEY (room_id, user_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX kept_mute_of_user ON kept_mute (user_id)",
    # Of an account, or of a name that no account has: the account that registers it gets the ban.
    """
    CREATE TABLE ban (
        id      INTEGER PRIMARY KEY,
        room_id INTEGER REFERENCES room (id),
        user_id INTEGER REFERENCES user (id),
        name    TEXT,
        by_id   INTEGER REFERENCES user (id),
        reason  TEXT,
        time    TEXT NOT NULL,
        until   TEXT NOT NULL,
        CHECK ((user_id IS NULL) <> (name IS NULL))
    ) STRICT
    """,
    "CREATE UNIQUE INDEX ban_of_user ON ban (user_id, coalesce(room_id, 0)) WHERE user_id IS NOT NULL",
    "CREATE UNIQUE INDEX ban_of_name ON ban (name, coalesce(room_id, 0)) WHERE name IS NOT NULL",
    # Whoever bans has them counted and lists have them sorted: that takes no look at their rows.
    "CREATE INDEX ban_in_room ON ban (coalesce(room_id, 0), until, user_id, name)",
    "CREATE TABLE main_room (topic TEXT NOT NULL) STRICT",  # one row
    "INSERT INTO main_room VALUES ('')",
    "ALTER TABLE user ADD COLUMN muted_until TEXT",  # in the main room
    "CREATE INDEX user_muted ON user (id) WHERE muted_until IS NOT NULL",
    "CREATE INDEX user_rank ON user (name) WHERE role <> 'member'",
    "ALTER TABLE token ADD COLUMN lifetime INTEGER NOT NULL DEFAULT 2592000",  # seconds; 30 days, as before
    "ALTER TABLE moderation ADD COLUMN room_id INTEGER REFERENCES room (id)",
    "ALTER TABLE moderation ADD COLUMN until TEXT",
    "ALTER TABLE moderation ADD COLUMN name TEXT",  # of a ban, where there is no account
    "ALTER TABLE message ADD COLUMN room_id INTEGER REFERENCES room (id)",
    "ALTER TABLE message ADD COLUMN position INTEGER",  # in its room, from 1 on
    "DROP INDEX message_public",
    """
    CREATE INDEX message_public ON message (id, sender_id) WHERE recipient_id IS NULL AND room_id IS NULL
    """,
    "CREATE INDEX message_room ON message (room_id, id, sender_id, position) WHERE room_id IS NOT NULL",
    # Who may read what was deleted is told without the rows.
    "DROP INDEX message_deleted",
    """
    CREATE INDEX message_deleted ON message (deleted_at, id, sender_id, recipient_id, room_id)
        WHERE deleted_at IS NOT NULL
    """,
    # The newest time that a client was told: deletions have no earlier one.
    "CREATE TABLE moment (time TEXT NOT NULL) STRICT",
    """
    INSERT INTO moment SELECT coalesce(max(deleted_at), '1970-01-01T00:00:00.000Z') FROM message
        WHERE deleted_at IS NOT NULL
    """,
    # The direct messages of each user in order, for `since`: in complete blocks of ids, by eras, as message_talk.
    """
    CREATE TABLE direct (
        era     INTEGER NOT NULL,
        user_id INTEGER NOT NULL,
        id      INTEGER NOT NULL,
        PRIMARY KEY (era, user_id, id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO direct
        WITH complete (id, sender_id, recipient_id) AS (
            SELECT id, sender_id, recipient_id FROM message WHERE recipient_id IS NOT NULL
                AND id < (SELECT coalesce(max(block) + 1, 0) FROM tally WHERE level = 0) << 12
        )
        SELECT id >> 15, sender_id, id FROM complete UNION SELECT id >> 15, recipient_id, id FROM complete
        ORDER BY 1, 2, 3
    """,
    "DROP VIEW public_message",
    """
    CREATE VIEW public_message (id, body) AS
        SELECT id, body FROM message WHERE recipient_id IS NULL AND room_id IS NULL
    """,
    "DROP VIEW history",
    # A message to a room has # and the room's name as its recipient: so no query from before shows it as public.
    """
    CREATE VIEW history (id, time, sender, recipient, message, kind, room) AS
        SELECT m.id, m.sent_at, s.name, coalesce(r.name, '#' || o.name), m.body, coalesce(m.kind, 'text'), o.name
        FROM message AS m
        JOIN user AS s ON s.id = m.sender_id
        LEFT JOIN user AS r ON r.id = m.recipient_id
        LEFT JOIN room AS o ON o.id = m.room_id
        ORDER BY m.id
    """,
    "CREATE VIEW rooms (name, topic, private, members) AS SELECT name, topic, private, members FROM room ORDER BY name",
)


def upgrade() -> None:
    """Adds the columns, tables and indexes, and makes the views anew."""
    for statement in STATEMENTS:
        op.execute(statement)
