"""New names are compared with those that are there by all that these look like: see service/names.py."""

from __future__ import annotations

from alembic import op

from service.names import look_of  # to copy its tables is no use: what it says here has to be what it says to new names

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Has each account's look anew, and indexes it as users.check_free asks. Accounts that look alike stay."""
    connection = op.get_bind()
    op.execute("DROP INDEX user_look")
    looks = [(look_of(name), user_id) for user_id, name in connection.exec_driver_sql("SELECT id, name FROM user")]
    if looks:
        connection.exec_driver_sql("UPDATE user SET look = ? WHERE id = ?", looks)
    op.execute("CREATE INDEX user_look ON user (replace(replace(look, '1', 'l'), 'i', 'l'), look)")
