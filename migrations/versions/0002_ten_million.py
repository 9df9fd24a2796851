"""For ten million messages: counts of public messages, talks and nonces in the order of time, a search by who may read.

Takes some 3 seconds for a million messages. The search index is then filled anew, by the service as it runs.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # An index whose new entries fall anywhere costs a page read and two written for each message, once it is large: at
    # ten million messages inserts took four times as long. So each begins with something that grows: a nonce with the
    # time, as clients of ours make them, and a talk with its era of 32,768 ids.
    "DROP INDEX message_nonce",
    "CREATE UNIQUE INDEX message_nonce ON message (nonce, sender_id) WHERE nonce IS NOT NULL",
    "DROP INDEX message_talk",
    """
    CREATE INDEX message_talk ON message (id >> 15, min(sender_id, recipient_id), max(sender_id, recipient_id), id)
        WHERE recipient_id IS NOT NULL
    """,
    # The eras that have direct messages: a page of a talk looks into one after the other.
    "CREATE TABLE era (id INTEGER PRIMARY KEY) STRICT",
    "INSERT INTO era SELECT DISTINCT id >> 15 FROM message WHERE recipient_id IS NOT NULL",
    # How many public messages each sender has, and all have (sender 0), in each block of ids that is complete. A block
    # has 4,096 ids on level 0, and 16 blocks of the level below on the next. Thus a login counts what is unread from a
    # few rows, and an insert writes them side by side.
    """
    CREATE TABLE tally (
        level     INTEGER NOT NULL,
        block     INTEGER NOT NULL,
        sender_id INTEGER NOT NULL,
        messages  INTEGER NOT NULL,
        PRIMARY KEY (level, block, sender_id)
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO tally SELECT 0, id >> 12, sender_id, count(*) FROM message
        WHERE recipient_id IS NULL AND id >> 12 < (SELECT max(id) >> 12 FROM message)
        GROUP BY id >> 12, sender_id
    """,
    """
    INSERT INTO tally
        WITH RECURSIVE complete (block) AS (
            SELECT 0 WHERE 0 < (SELECT max(id) >> 12 FROM message)
            UNION ALL
            SELECT block + 1 FROM complete WHERE block + 1 < (SELECT max(id) >> 12 FROM message)
        )
        SELECT 0, block, 0, (SELECT coalesce(sum(messages), 0) FROM tally AS t WHERE level = 0 AND t.block = c.block)
        FROM complete AS c
    """,
    *(
        f"""
        INSERT INTO tally SELECT {level}, block >> 4, sender_id, sum(messages) FROM tally
            WHERE level = {level} - 1 AND block >> 4 < (SELECT max(id) >> (12 + 4 * {level}) FROM message)
            GROUP BY block >> 4, sender_id
        """  # noqa: S608
        for level in range(1, 13)  # 2^60 ids: there cannot be more
    ),
    # Beside the text stands who may read it: U+E000 for everyone, U+E000 and a number for a user, U+E000 and two for a
    # talk. A word of a text has no such character, unless somebody types it on purpose; column filters tell them apart.
    "DROP TABLE message_search",
    """
    CREATE VIEW searchable (id, body, readers) AS
        SELECT id, body,
            CASE
                WHEN recipient_id IS NULL THEN char(57344)
                ELSE char(57344) || sender_id || ' ' || char(57344) || recipient_id || ' '
                    || char(57344) || min(sender_id, recipient_id) || 'x' || max(sender_id, recipient_id)
            END
        FROM message
    """,
    """
    CREATE VIRTUAL TABLE message_search USING fts5 (
        body, readers, content = 'searchable', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    )
    """,
    # Which words there are.
    "CREATE VIRTUAL TABLE message_word USING fts5vocab (message_search, instance)",
)


def upgrade() -> None:
    """Makes the new tables and indexes, from the messages that there are."""
    for statement in STATEMENTS:
        op.execute(statement)
