"""A search that looks only at words of messages that its asker may read: an index of the room, and one of each user's.

Takes some 2 seconds for a million messages. Both indexes are then filled, by the service as it runs.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

# Until now all texts were in one index, with a column that said who may read them. Which words begin as one that is
# asked for was looked up among the words of all, and cut where they are too many: so the cut told of others' words.
STATEMENTS = (
    "DROP TABLE message_word",
    "DROP TABLE message_search",
    "DROP VIEW searchable",
    "CREATE VIEW public_message (id, body) AS SELECT id, body FROM message WHERE recipient_id IS NULL",
    """
    CREATE VIRTUAL TABLE message_search USING fts5 (
        body, content = 'public_message', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
    )
    """,
    "CREATE VIRTUAL TABLE message_word USING fts5vocab (message_search, instance)",
    # The service puts in each word of a direct message twice, as a word of the one user's and one of the other's: the
    # user's id, U+00B7, and the word as the index above has it. And a word for the talk: both ids. To the index above
    # U+00B7 stands between words; to this one it is a letter, as is all beyond ASCII, so that no word is cut again.
    "CREATE VIRTUAL TABLE direct_search USING fts5 (words, content = '', tokenize = 'ascii')",
    "CREATE VIRTUAL TABLE direct_word USING fts5vocab (direct_search, instance)",
)


def upgrade() -> None:
    """Puts two empty indexes in the place of the old one."""
    for statement in STATEMENTS:
        op.execute(statement)
