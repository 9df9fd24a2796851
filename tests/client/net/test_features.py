"""What belongs to a feature of the server's hello."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import UNSET

from client.net.features import Wishes, refusal, with_wishes
from service.wire.protocol import (
    Bans,
    Create,
    Delete,
    Dm,
    History,
    Join,
    Leave,
    Login,
    Logout,
    Members,
    Moderate,
    Pm,
    Rooms,
    Search,
    Seen,
    SetRoom,
    Since,
    Users,
)

if TYPE_CHECKING:
    from service.wire.protocol import AnyCommand

EVERY = ("delete", "kind", "quiet", "rooms", "since", "presence")


@pytest.mark.parametrize(
    ("command", "feature", "code"),
    [
        (Pm(message="waves", kind="action"), "kind", "unknown_kind"),
        (Dm(to="bob", message="waves", kind="action"), "kind", "unknown_kind"),
        (Delete(id=1), "delete", "unknown_command"),
        (Since(id=1), "since", "unknown_command"),
        (Pm(room="ops", message="hi"), "rooms", "unknown_room"),
        (Pm(room="ops"), "rooms", "unknown_room"),
        (History(room="ops"), "rooms", "unknown_room"),
        (Search(query="x", room="ops"), "rooms", "unknown_room"),
        (Seen(room="ops", id=1), "rooms", "unknown_room"),
        (Seen(with_="bob", id=1), "rooms", "unknown_command"),
        *(
            (command, "rooms", "unknown_command")
            for command in (
                Rooms(),
                Create(room="ops"),
                Join(room="ops"),
                Leave(room="ops"),
                Members(room="ops"),
                SetRoom(room="ops", topic="x"),
                Moderate(room="ops", username="bob", action="kick"),
                Bans(room="ops"),
                Logout(),
            )
        ),
    ],
)
def test_what_the_server_does_not_know_is_refused(command: AnyCommand, feature: str, code: str) -> None:
    """Unless its hello names the feature, whatever else that names."""
    assert refusal(command, EVERY) is None
    refused = refusal(command, [name for name in EVERY if name != feature])
    assert refused is not None
    assert refused[0] == code


@pytest.mark.parametrize(
    "command", [Pm(message="hi"), Dm(to="bob", message="hi"), History(with_="bob"), Seen(id=1), Seen(ids=[1]), Users()]
)
def test_what_every_server_knows_is_not_refused(command: AnyCommand) -> None:
    """Those of the first version."""
    assert refusal(command, ()) is None


@pytest.mark.parametrize(
    ("wishes", "features", "asked"),
    [
        (Wishes(), EVERY, (False, False, UNSET)),
        (Wishes(quiet=True, rooms=True, presence=True), (), (False, False, UNSET)),
        (Wishes(quiet=True, rooms=True, presence=True), EVERY, (True, True, "changes")),
        (Wishes(rooms=True, presence=True), ("presence",), (False, False, "changes")),
        (Wishes(rooms=True, presence=True), ("rooms",), (False, True, UNSET)),
    ],
)
def test_a_login_asks_for_what_the_server_has(
    wishes: Wishes, features: tuple[str, ...], asked: tuple[bool, bool, object]
) -> None:
    """And for no more than the session wishes."""
    login = with_wishes(Login(username="bob", confirm=True), wishes, features)
    assert (login.quiet, login.rooms, login.presence) == asked
    assert (login.username, login.confirm) == ("bob", True)
