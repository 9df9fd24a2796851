"""Statements about all services over the database, for whoever asks how they do. They change nothing.

node.py has what a service writes about itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.postgres.node import LEASE
from service.storage.records import NodeView

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection

_NODES: Final = """
    SELECT n.id, n.name, to_char(n.started AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        %s - extract(epoch FROM n.lease - clock_timestamp())::float8,
        (SELECT count(*) FROM presence AS p WHERE p.node_id = n.id), n.figures
    FROM node AS n WHERE n.lease > clock_timestamp() ORDER BY n.name, n.id
"""
_PRESENT: Final = """
    SELECT count(*) FROM presence AS p JOIN node AS n ON n.id = p.node_id
    WHERE p.user_id = %s AND n.lease > clock_timestamp()
"""


def views(connection: Connection) -> list[NodeView]:
    """As `AccountStorage.nodes`."""
    return [NodeView(*row) for row in connection.run(_NODES, (LEASE,)).fetchall()]


def count_present(connection: Connection, user_id: int) -> int:
    """As `AccountStorage.count_present`."""
    ((count,),) = connection.run(_PRESENT, (user_id,)).fetchall()
    return int(count)


def size(connection: Connection) -> int:
    """Returns how many bytes the database has, with all that others keep in it."""
    ((count,),) = connection.run("SELECT pg_database_size(current_database())").fetchall()
    return int(count)
