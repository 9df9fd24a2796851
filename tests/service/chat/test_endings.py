"""service/chat/endings.py: what ends sessions from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.chat import endings

if TYPE_CHECKING:
    from service.server import Server
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_one_session_may_stay(server: Server, wires: Wires) -> None:
    """That of who asked for it; those of other accounts stay, too."""
    first, second, bob = wires.enter("alice"), wires.enter("alice"), wires.enter("bob")
    roster, delivery = server.services.roster, server.services.delivery
    asker = next(iter(roster.sessions_of(1)))
    delivery.run(lambda _: endings.end_sessions(server.services, 1, "password_changed", besides=asker))
    assert second.read_to_end()[-1] == {"type": "bye", "reason": "password_changed"}
    assert [wire.ask("ping")["type"] for wire in (first, bob)] == ["pong", "pong"]


def test_who_has_no_session_is_renamed_and_closed_all_the_same(server: Server, wires: Wires) -> None:
    """The others are told of the new name."""
    alice = wires.enter("alice")
    server.services.delivery.run(lambda _: endings.tell_renamed(server.services, 9, "bob", "bobby", "now"))
    server.services.delivery.run(lambda _: endings.tell_closed(server.services, 9, "deleted-9", ()))
    assert alice.read_type("renamed") == {"type": "renamed", "from": "bob", "to": "bobby", "time": "now"}
    assert server.services.roster.name_of(9, "bob") == "deleted-9"
