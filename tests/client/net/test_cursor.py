"""How far a link has all that was said, against a scripted server."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from client.net.cursor import Cursor, rooms_of
from service.wire.protocol import AckReply, BroadcastEvent, DirectEvent, LoginOkReply
from tests.support.fake_server import TIME, Peer, connected, login_ok

LOGIN = msgspec.convert(login_ok(last_id=20), LoginOkReply)
ROOM = {"created": TIME, "topic": "", "private": False, "members": 1}


def message(message_id: int, **more: Any) -> dict[str, Any]:
    return {"id": message_id, "time": TIME, "from": "bob", "message": "hi", **more}


def after_login() -> Cursor:
    cursor = Cursor()
    cursor.start(msgspec.convert(login_ok(last_id=10, time="t0"), LoginOkReply))
    return cursor


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], 10),
        ([BroadcastEvent(12, TIME, "bob", "hi")], 12),
        ([BroadcastEvent(12, TIME, "bob", "hi", room="ops")], 12),
        ([DirectEvent(13, TIME, "bob", "alice", "hi"), BroadcastEvent(12, TIME, "bob", "hi")], 13),
        ([BroadcastEvent(11, TIME, "bob", "hi"), AckReply("pm", id=14, time=TIME)], 11),
    ],
)
def test_what_is_taken_in_moves_it(events: list[Any], expected: int) -> None:
    """Messages of every conversation do, and no ack: what was said before it may still be on its way."""

    def script(peer: Peer) -> None:
        command = peer.expect("since")
        assert (command["id"], command["deleted_after"]) == (expected, "t0")
        peer.answer(command, type="since", messages=[], more=False, time="t1")
        peer.see_off()

    cursor = after_login()
    for event in events:
        cursor.take(event)
    with connected(script, features=["since"]) as connection:
        assert list(cursor.fetch(connection, LOGIN, 20, 3)) == [([], ())]


def test_it_moves_once_the_next_step_is_asked_for() -> None:
    """A try that ends half-way is gone on with behind what was taken in, with the time of that page."""

    def script(peer: Peer) -> None:
        for after, before, time in ((10, "t0", "t1"), (12, "t1", "t2"), (12, "t1", "t3")):
            command = peer.expect("since")
            assert (command["id"], command["deleted_after"]) == (after, before)
            peer.answer(command, type="since", messages=[message(after + 2)], more=after == 10, time=time, deleted=[7])
        peer.see_off()

    cursor = after_login()
    with connected(script, features=["since"]) as connection:
        steps = cursor.fetch(connection, LOGIN, 20, 3)
        assert [next(steps)[0][0].id, next(steps)[0][0].id] == [12, 14]
        ((messages, deleted),) = cursor.fetch(connection, LOGIN, 20, 3)
        assert ([one.id for one in messages], deleted) == ([14], [7])


def test_too_many_deletions_are_not_told() -> None:
    """None stands for them."""

    def script(peer: Peer) -> None:
        reply = {"messages": [], "more": False, "time": TIME, "deleted": [], "deleted_more": True}
        peer.answer(peer.expect("since"), type="since", **reply)
        peer.see_off()

    with connected(script, features=["since"]) as connection:
        assert list(after_login().fetch(connection, LOGIN, 20, 3)) == [([], None)]


def test_without_since_it_goes_by_the_pages_of_each_room() -> None:
    """Those that the login names, the main room and what is missed; then all of the gap is taken in."""
    info = [{**ROOM, "room": "lab", "role": "member"}, {**ROOM, "room": "new", "invited": True}]
    login = msgspec.convert(login_ok(last_id=20, rooms=info), LoginOkReply)

    def script(peer: Peer) -> None:
        for after in (10, 20):
            for room in (None, "lab"):
                command = peer.expect("history")
                assert (command.get("room"), command["after"]) == (room, after)
                peer.answer(command, type="history", messages=[], more=False)
            peer.answer(peer.expect("missed"), type="missed", messages=[], more=False)
        peer.see_off()

    cursor = after_login()
    with connected(script, features=["rooms"]) as connection:
        assert cursor.gives_all_missed(connection)
        for _ in range(2):
            assert list(cursor.fetch(connection, login, 20, 3)) == [([], ())]


def test_a_beginning_is_read_by_pages_and_a_gap_by_since() -> None:
    """From the id that is asked for, of these rooms only."""

    def script(peer: Peer) -> None:
        command = peer.expect("history")
        assert (command["room"], command["after"]) == ("ops", 3)
        peer.answer(command, type="history", messages=[message(5, room="ops")], more=False)
        command = peer.expect("since")
        assert command["id"] == 20
        peer.answer(command, type="since", messages=[], more=False, time=TIME)
        peer.see_off()

    cursor = after_login()
    cursor.begin(3, ("ops",), direct=False)
    with connected(script, features=["rooms", "since"]) as connection:
        assert not cursor.gives_all_missed(connection)
        assert [[one.id for one in messages] for messages, _ in cursor.fetch(connection, LOGIN, 20, 3)] == [[5]]
        assert len(list(cursor.fetch(connection, LOGIN, 25, 3))) == 1
        assert not cursor.gives_all_missed(connection)


def test_an_invitation_is_no_membership() -> None:
    """Of a login without rooms there are none."""
    info = [{**ROOM, "room": "lab", "role": "member"}, {**ROOM, "room": "new", "invited": True}]
    assert rooms_of(msgspec.convert(login_ok(rooms=info), LoginOkReply)) == {"lab": TIME}
    assert rooms_of(LOGIN) == {}
