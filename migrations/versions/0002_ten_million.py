"""For ten million messages: counts of public messages, indexes that grow at their end, a search by reader.

Takes some 3 seconds for a million messages. After that the running service fills the search index again.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # An index whose new entries fall anywhere costs a page read and two page writes for each message, once it is large:
    # with ten million messages inserts took four times as long. So each index begins with something that grows: a nonce
    # with the time, as our clients make them, and a talk with its era of 32,768 ids.
    "DROP INDEX message_nonce",
    "CREATE UNIQUE INDEX message_nonce ON message (nonce, sender_id) WHERE nonce IS NOT NULL",
    "DROP INDEX message_talk",
    """
    CREATE INDEX message_talk ON message (id >> 15, min(sender_id, recipient_id), max(sender_id, recipient_id), id)
        WHERE recipient_id IS NOT NULL
    """,
    # The eras with direct messages: a page of a talk searches one after the other.
    "CREATE TABLE era (id INTEGER PRIMARY KEY) STRICT",
    "INSERT INTO era SELECT DISTINCT id >> 15 FROM message WHERE recipient_id IS NOT NULL",
    # The number of public messages of each sender, and of all (sender 0), in each complete block of ids. A block on
    # level 0 has 4,096 ids; one on the next level has 16 blocks of the level below. So a login counts unread messages
    # from a few rows, and an insert writes rows that are adjacent.
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
        for level in range(1, 13)  # 2^60 ids: enough for all
    ),
    # The column readers says who may read the text: U+E000 for everyone, U+E000 and a number for a user, U+E000 and two
    # numbers for a talk. Words of a text do not have this character, unless a user types it on purpose; column filters
    # tell them apart.
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
    # The words of the index.
    "CREATE VIRTUAL TABLE message_word USING fts5vocab (message_search, instance)",
)


def upgrade() -> None:
    """Creates the new tables and indexes from the existing messages."""
    for statement in STATEMENTS:
        op.execute(statement)
