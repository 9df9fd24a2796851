"""service/admin/desk.py: orders, and what they do where no service runs."""

from __future__ import annotations

from service.admin.desk import NoService
from service.admin.orders.accounts import Add


def test_no_secret_of_an_order_is_logged() -> None:
    """Neither as text nor in an exception."""
    order = Add("alice", "$2b$12$secret")
    assert str(order) == repr(order) == "add alice"


def test_where_no_service_runs_nobody_is_online() -> None:
    """And what is for the delivery thread is done here."""
    service = NoService()
    assert service.run(lambda: (service.count_sessions(1), service.is_online(1))) == (0, False)
    assert (service.is_running, service.online(), service.load()) == (False, [], None)
