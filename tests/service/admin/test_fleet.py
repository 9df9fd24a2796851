"""service/admin/fleet.py: the services over one database, for orders."""

from __future__ import annotations

from unittest.mock import Mock

from service.admin.desk import Desk, Load, Row
from service.admin.fleet import Fleet
from service.admin.orders.status import Status, status
from service.storage.records import NodeView

STARTED = "2026-11-21T09:30:00.000Z"


def fleet(*nodes: NodeView) -> Fleet:
    return Fleet(Mock(nodes=Mock(return_value=list(nodes)), count_present=lambda user_id: user_id == 7))


def node(name: str, started: str = STARTED, **figures: object) -> NodeView:
    return NodeView(1, name, started, 1.25, 3, figures)


def test_what_waits_is_added_up() -> None:
    """Since the first of the services started; one that has told nothing yet counts as none."""
    both = fleet(node("a", "2026-11-21T09:31:00.000Z", connections=2, writer_queue=5), node("b", connections=3))
    assert both.load() == Load(started=STARTED, connections=5, writer_queue=5, delivery_queue=0, bcrypt_queue=0)
    assert both.is_running


def test_where_none_runs_there_is_no_load() -> None:
    """Then nobody has a session; else nobody knows how many."""
    assert fleet().load() is None
    assert not fleet().is_running
    assert fleet().count_sessions(7) == 0
    assert fleet(node("a")).count_sessions(7) is None


def test_what_one_of_them_knows_all_of_them_are() -> None:
    """The main room's name, and where programs reach the web port of one that has one."""
    both = fleet(node("a", main_room="hall", web_address=""), node("b", main_room="hall", web_address="http://h:8080"))
    assert (both.main_room, both.web_address) == ("hall", "http://h:8080")
    assert (fleet().main_room, fleet().web_address) == ("", "")


def test_who_is_online_is_asked_of_the_database() -> None:
    """It has what each service has noted."""
    assert fleet(node("a")).is_online(7)
    assert not fleet(node("a")).is_online(8)


def test_status_has_a_row_for_each_service() -> None:
    """Below the lines for all of them; nothing is said of one service's own file."""
    storage = Mock(
        newest_backup=Mock(return_value=None),
        erasure=Mock(return_value=Mock(pending=0)),
        overview=Mock(return_value=Mock(schema="0008", newest_id=9, recent=0, users=3, disabled=1, rooms=2)),
        sizes=Mock(return_value=Mock(database=1_500_000, wal=0, free=0)),
    )
    whole, row = status(Status(), Desk(storage, fleet(node("a", connections=4, writer_queue=5, bcrypt_queue=2))))
    assert isinstance(whole, Row)
    assert isinstance(row, Row)
    assert "1 service running, the first since 2026-11-21T09:30Z" in whole.lines[0]
    assert whole.lines[1] == "database     1.5 MB; schema 0008"
    assert row.values == {
        "service": "a",
        "since": STARTED,
        "heard_of": "1 s ago",
        "users": 3,
        "connections": 4,
        "waiting": 7,
    }
