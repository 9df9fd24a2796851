"""For operators: accounts can be disabled, and a new name must not look like an existing one."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the columns. A later migration computes the looks of existing names."""
    op.execute("ALTER TABLE user ADD COLUMN disabled_at TEXT")
    op.execute("ALTER TABLE user ADD COLUMN look TEXT NOT NULL DEFAULT ''")
    op.execute("CREATE INDEX user_look ON user (look)")
