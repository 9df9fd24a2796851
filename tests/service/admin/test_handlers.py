"""service/admin/handlers.py: the table of orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from service.admin.desk import Desk, NoService
from service.admin.handlers import HANDLERS, ORDERS, carry_out
from service.admin.orders.accounts import Add, Enable
from service.admin.orders.status import Users
from service.errors import PeerError
from tests.support.helpers import open_storage
from tests.support.storage import add, count_readers

if TYPE_CHECKING:
    from pathlib import Path


def test_each_order_is_known_by_its_tag() -> None:
    """The decoder gives back what was encoded."""
    assert len({kind.__struct_config__.tag for kind in HANDLERS}) == len(HANDLERS)
    for order in (Enable("alice"), Add("zoë", "hash")):
        assert msgspec.json.decode(msgspec.json.encode(order), type=ORDERS) == order


def test_no_place_for_reading_is_held_while_an_order_tells(tmp_path: Path) -> None:
    """Who reads an answer slowly keeps no chat from reading."""
    with open_storage(tmp_path / "chat.db") as storage:
        add(storage, "alice")
        held = [count_readers(storage) for _ in carry_out(Users(), Desk(storage, NoService()))]
        assert held == [0]


def test_a_refusal_is_in_words(tmp_path: Path) -> None:
    """As peers are told it."""
    with open_storage(tmp_path / "chat.db") as storage, pytest.raises(PeerError, match="there is no user"):
        list(carry_out(Enable("nobody"), Desk(storage, NoService())))
