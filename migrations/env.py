"""Runs the migrations on the connection that service/storage/sqlite/schema.py passes in. It opens no database."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
# By default Alembic commits each DDL statement in SQLite separately. With this setting one transaction holds the whole
# upgrade, and a failure leaves the file unchanged. The "begin" hook in schema.py makes it BEGIN IMMEDIATE.
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
