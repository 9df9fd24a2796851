"""service/admin/desk.py: orders, and what they do where no service runs."""

from __future__ import annotations

import pytest

from service.admin.desk import NoService, counted
from service.admin.orders.accounts import Add


def test_no_secret_of_an_order_is_logged() -> None:
    """Neither as text nor in an exception."""
    order = Add("alice", "$2b$12$secret")
    assert str(order) == repr(order) == "add alice"


def test_where_no_service_runs_nobody_is_online() -> None:
    """And what is for the delivery thread is done here."""
    service = NoService()
    assert service.run(lambda: (service.count_sessions(1), service.is_online(1))) == (0, False)
    assert (service.is_running, service.online(), service.load(), service.web_address) == (False, [], None, "")


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (2000, "2,000 messages")]
)
def test_one_is_not_several(number: int, text: str) -> None:
    """What is counted for people."""
    assert counted(number, "message") == text
