"""What a link asks by itself, against a scripted server."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from client.net.catch_up import ask, fetch_gap, fetch_token, resume
from client.net.connection import CannotConnectError, Connection, ConnectionLostError, connect
from service.wire.protocol import Ping, PongReply
from tests.support.fake_server import TIME, FakeServer, Peer, login_ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def connected(script: Callable[[Peer], object]) -> Iterator[Connection]:
    """A connection to a server that greets, then does as the script says."""

    def greet_and_do(peer: Peer) -> None:
        peer.greet()
        script(peer)

    with FakeServer(greet_and_do) as server:
        connection = Connection(connect("127.0.0.1", server.port), lambda *_: None, lambda _: None)
        connection.start()
        try:
            yield connection
        finally:
            connection.leave()


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


def message(message_id: int, to: str | None = None) -> dict[str, Any]:
    return {"id": message_id, "time": TIME, "from": "bob", "message": "hi"} | ({"to": to} if to else {})


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
        peer.answer(peer.expect("missed"), type="missed", messages=[], more=False)
        peer.see_off()

    with connected(script) as connection, pytest.raises(ConnectionLostError, match="something else"):
        next(fetch_gap(connection, 0, 20, 3))
