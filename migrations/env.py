"""Runs the migrations on the connection that service/storage/sqlite/schema.py hands over. Knows no address."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
# Alembic's SQLite default commits each DDL statement by itself; with this, one transaction holds the whole upgrade, and
# a failure leaves the file as it was. The "begin" hook in schema.py makes it BEGIN IMMEDIATE.
context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
