"""service/storage/postgres/nodes.py: what is told of the services over a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.storage.postgres import nodes

if TYPE_CHECKING:
    from service.storage.postgres.connection import Connection

ENTER = (
    "INSERT INTO node (id, name, started, lease, figures) VALUES (%s, %s, '2026-11-21T09:30:00.125Z', "
    "clock_timestamp() + make_interval(secs => %s), '{\"queued\": 2}')"
)


def enter(connection: Connection, number: int, name: str, lease: float, *present: int) -> None:
    """Makes a service of that lease, in seconds from now, with whom its clients are."""
    connection.run(ENTER, (number, name, lease))
    for user_id in present:
        connection.run("INSERT INTO presence VALUES (%s, %s)", (number, user_id))


def test_services_are_told_by_name(connection: Connection) -> None:
    """With how many users are in the list of each, the age of the last sign of life, and its figures; no dead one."""
    enter(connection, 1, "west", 7.5, 1, 2)
    enter(connection, 2, "east", 10)
    enter(connection, 3, "dead", -1)
    east, west = nodes.views(connection)
    assert (east.name, west.name) == ("east", "west")
    assert (west.id, west.started, west.users, west.figures) == (1, "2026-11-21T09:30:00.125Z", 2, {"queued": 2})
    assert (round(west.beat_age - 2.5), round(east.beat_age)) == (0, 0)


def test_who_is_at_a_dead_service_is_not_online(connection: Connection) -> None:
    """At each other one, once."""
    for number, lease in enumerate((10, 10, -1), 1):
        enter(connection, number, "one", lease, 1)
    assert [nodes.count_present(connection, user_id) for user_id in (1, 2)] == [2, 0]


def test_a_database_has_a_size(connection: Connection) -> None:
    """In bytes: an empty one has some megabytes."""
    assert 1_000_000 < nodes.size(connection) < 100_000_000
