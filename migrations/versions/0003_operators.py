"""For operators: accounts can be disabled; and a new name must not look like one that is there."""

from __future__ import annotations

from alembic import op

from service.names import looks_of

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the columns, and fills in how the names that there are look."""
    connection = op.get_bind()
    op.execute("ALTER TABLE user ADD COLUMN disabled_at TEXT")
    op.execute("ALTER TABLE user ADD COLUMN look TEXT NOT NULL DEFAULT ''")
    names = connection.exec_driver_sql("SELECT id, name FROM user").fetchall()
    for user_id, name in names:
        connection.exec_driver_sql("UPDATE user SET look = ? WHERE id = ?", (looks_of(name)[0], user_id))
    op.execute("CREATE INDEX user_look ON user (look)")
