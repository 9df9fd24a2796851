"""A search that sees only what its user may read: one index of the public room, and one of each user's words.

Takes some 2 seconds for a million messages. After that the running service fills both indexes.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

# Before this all texts were in one index, with a column for their readers. The words with a given beginning were looked
# up among all words, and cut where there were too many: so the cut depended on other users' words.
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
    # The service adds each word of a direct message twice, once for each of the two users: the user's id, U+00B7, and
    # the word as the public index has it. It also adds a word for the talk: both ids. The public index takes U+00B7 for
    # a gap between words. To this index U+00B7 is a letter, as are all characters beyond ASCII, so it never splits a
    # word again.
    "CREATE VIRTUAL TABLE direct_search USING fts5 (words, content = '', tokenize = 'ascii')",
    "CREATE VIRTUAL TABLE direct_word USING fts5vocab (direct_search, instance)",
)


def upgrade() -> None:
    """Replaces the old index by two empty ones."""
    for statement in STATEMENTS:
        op.execute(statement)
