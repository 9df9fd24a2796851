"""What a link asks by itself, against a scripted server."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from client.net.catch_up import ask, fetch_gap, fetch_since, fetch_token, resume
from client.net.connection import CannotConnectError, ConnectionLostError, connect
from service.wire.protocol import Ping, PongReply
from tests.support.fake_server import TIME, FakeServer, Peer, connected, login_ok


def test_a_reply_is_waited_for() -> None:
    """A lost connection is no reply."""

    def script(peer: Peer) -> None:
        peer.answer(peer.expect("ping"), type="pong", time=TIME)
        peer.expect("ping")

    with connected(script) as connection:
        assert isinstance(ask(connection, Ping()), PongReply)
        with pytest.raises(ConnectionLostError):
            ask(connection, Ping())


@pytest.mark.parametrize(
    ("reply", "may_be_renewed", "error", "is_final"),
    [
        ({"type": "error", "code": "bad_token", "message": "no"}, False, ConnectionLostError, True),
        ({"type": "error", "code": "bad_token", "message": "no"}, True, CannotConnectError, False),
        ({"type": "error", "code": "storage_unavailable", "message": "no"}, False, CannotConnectError, False),
        ({"type": "pong", "time": TIME}, False, ConnectionLostError, False),
    ],
)
def test_a_token_that_is_not_taken(
    reply: dict[str, Any], may_be_renewed: bool, error: type[Exception], is_final: bool
) -> None:
    """It is the end only if it is of no use and no other one is on its way."""

    def script(peer: Peer) -> None:
        peer.answer(peer.expect("resume"), **reply)
        peer.see_off()

    with connected(script) as connection:
        with pytest.raises(error) as raised:
            resume(connection, "t", may_be_renewed=may_be_renewed)
        assert isinstance(raised.value, (ConnectionLostError, CannotConnectError))
        assert raised.value.is_final is is_final


def test_a_login_by_token() -> None:
    """With `confirm`, so that what nobody has seen stays unseen."""

    def script(peer: Peer) -> None:
        command = peer.expect("resume")
        assert (command["token"], command["confirm"]) == ("t", True)
        peer.answer(command, **login_ok())
        peer.see_off()

    with connected(script) as connection:
        assert resume(connection, "t", may_be_renewed=False).username == "alice"


@pytest.mark.parametrize(
    ("reply", "token"),
    [(login_ok(token="new"), "new"), ({"type": "error", "code": "rate_limited", "message": "no"}, "")],
)
def test_a_new_token(reply: dict[str, Any], token: str) -> None:
    """It comes over a connection of its own; a refusal is no error."""

    def script(peer: Peer) -> None:
        peer.greet()
        command = peer.expect("login")
        assert (command["username"], command["password"]) == ("alice", "secret")
        peer.answer(command, **reply)
        peer.see_off()

    with FakeServer(script) as server:
        assert fetch_token(partial(connect, "127.0.0.1", server.port), "alice", "secret") == token


def test_no_connection_gives_no_token() -> None:
    """Nor is it an error."""

    def fail() -> Any:
        raise CannotConnectError("nothing there")

    assert fetch_token(fail, "alice", "secret") == ""


def message(message_id: int, to: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": message_id, "time": TIME, "from": "bob", "message": "hi"} | ({"to": to} if to else {}) | more


def answer_gap(peer: Peer, after: int, public: list[int], direct: list[int], more: tuple[bool, bool]) -> None:
    """Answers the two questions of one step."""
    command = peer.expect("history")
    assert (command["after"], command["limit"]) == (after, 3)
    peer.answer(command, type="history", messages=[message(n) for n in public], more=more[0])
    command = peer.expect("missed")
    assert command["limit"] == 3
    peer.answer(command, type="missed", messages=[message(n, "alice") for n in direct], more=more[1])


def test_a_gap_comes_in_the_order_of_ids() -> None:
    """No page runs ahead of one that has more; direct messages are confirmed once the next step is asked for."""

    def script(peer: Peer) -> None:
        answer_gap(peer, 10, [11, 12, 15], [13, 16, 17], (True, True))
        command = peer.expect("seen")
        assert command["ids"] == [13]
        peer.answer(command, type="ack", command="seen")
        answer_gap(peer, 15, [18], [16, 17, 25], (False, False))
        peer.see_off()

    with connected(script) as connection:
        steps = fetch_gap(connection, 10, 20, 3)
        assert [one.id for one in next(steps)] == [11, 12, 13, 15]
        assert [one.id for one in next(steps)] == [16, 17, 18]


def test_nothing_is_fetched_twice_when_all_is_there() -> None:
    """Without more behind the pages, one step is all; an empty one ends, too."""

    def script(peer: Peer) -> None:
        answer_gap(peer, 10, [11], [], (False, False))
        answer_gap(peer, 11, [], [], (False, False))
        peer.see_off()

    with connected(script) as connection:
        assert [[one.id for one in step] for step in fetch_gap(connection, 10, 20, 3)] == [[11]]
        assert list(fetch_gap(connection, 11, 20, 3)) == [[]]
        assert list(fetch_gap(connection, 20, 0, 3)) == []


def test_another_answer_is_no_page() -> None:
    """It ends the connection rather than to lose a message."""

    def script(peer: Peer) -> None:
        peer.answer(peer.expect("history"), type="pong", time=TIME)
        peer.see_off()

    with connected(script) as connection, pytest.raises(ConnectionLostError, match="something else"):
        next(fetch_gap(connection, 0, 20, 3))


def test_rooms_are_merged_and_one_that_is_lost_is_left_out() -> None:
    """The page of each is asked for; nothing direct is asked for or confirmed unless it is wanted."""

    def script(peer: Peer) -> None:
        for room, ids, more in (("lab", [13, 16], False), ("ops", [11, 12], True)):
            command = peer.expect("history")
            assert (command["room"], command["after"]) == (room, 10)
            messages = [message(n, room=room) for n in ids]
            peer.answer(command, type="history", room=room, messages=messages, more=more)
        command = peer.expect("history")
        peer.answer(command, type="error", code="not_a_member", message="no", command="history")
        for room, ids in (("lab", [13, 16]), ("ops", []), ("pub", [])):
            command = peer.expect("history")
            assert (command["room"], command["after"]) == (room, 12)
            peer.answer(command, type="history", messages=[message(n, room=room) for n in ids], more=False)
        peer.see_off()

    with connected(script, features=["rooms"]) as connection:
        steps = fetch_gap(connection, 10, 20, 3, ("lab", "ops", "pub"), direct=False)
        assert [[(one.room, one.id) for one in step] for step in steps] == [
            [("ops", 11), ("ops", 12)],
            [("lab", 13), ("lab", 16)],
        ]


def test_what_came_since_comes_page_by_page() -> None:
    """Each page asks for deletions since the one before; what is later than the seam comes live, and ends it."""

    def script(peer: Peer) -> None:
        for after, before, ids, time in ((10, "t0", [11, 14], "t1"), (14, "t1", [19, 21], "t2")):
            command = peer.expect("since")
            assert (command["id"], command["limit"], command["deleted_after"]) == (after, 2, before)
            peer.answer(
                command, type="since", messages=[message(n) for n in ids], more=True, time=time, deleted=[after]
            )
        peer.see_off()

    with connected(script, features=["since"]) as connection:
        steps = list(fetch_since(connection, 10, 20, 2, "t0"))
        assert [[one.id for one in step.messages] for step in steps] == [[11, 14], [19]]
        assert [(step.time, step.deleted) for step in steps] == [("t1", [10]), ("t2", [14])]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        ({"type": "pong", "time": TIME}, "something else"),
        ({"type": "error", "code": "storage_unavailable", "message": "no"}, "something else"),
        ({"type": "since", "messages": [message(9)], "more": True, "time": TIME}, "again and again"),
    ],
)
def test_a_page_that_leads_nowhere(reply: dict[str, Any], problem: str) -> None:
    """It ends the connection: the client neither loses a message nor asks for ever."""

    def script(peer: Peer) -> None:
        peer.answer(peer.expect("since"), **reply)
        peer.see_off()

    with connected(script, features=["since"]) as connection, pytest.raises(ConnectionLostError, match=problem):
        list(fetch_since(connection, 10, 20, 3, ""))


def test_an_empty_page_is_the_last() -> None:
    """Whatever it says of more."""

    def script(peer: Peer) -> None:
        peer.answer(peer.expect("since"), type="since", messages=[], more=True, time=TIME)
        peer.see_off()

    with connected(script, features=["since"]) as connection:
        assert len(list(fetch_since(connection, 10, 20, 3, ""))) == 1
