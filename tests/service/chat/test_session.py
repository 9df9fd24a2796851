"""service/chat/session.py: the account, what a client takes, and the end."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from service.chat.session import Account, Session
from service.config import MESSAGE_BYTES
from service.errors import PeerError
from service.wire.protocol import Ping, PongReply
from tests.support.helpers import Wire, enter, running_server, until

if TYPE_CHECKING:
    from pathlib import Path

    from service.server import Server
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def session_of(server: Server) -> Session:
    """The session of the only client there is."""
    (connection,) = server.places.connections()
    return connection.session


def test_a_session_ends_once(server: Server, wires: Wires, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is ended there is one goodbye, and one line in the log."""
    caplog.set_level("INFO")
    alice = wires.enter("alice")
    session = session_of(server)
    for _ in range(2):
        session.end("exit", "r")
    session.refuse(PeerError("bad_request", "too late"))
    assert [line for line in alice.read_to_end() if line["type"] != "users"] == [
        {"type": "bye", "reason": "exit", "ref": "r"}
    ]
    until(lambda: not server.places.connections())
    assert caplog.text.count("logout alice") == 1


def test_a_kicked_client_leaves_the_roster(server: Server, wires: Wires) -> None:
    """The client gets a `bye` with the reason, and its name is gone with it."""
    alice = wires.enter("alice")
    server.delivery.run(session_of(server).kick, "kicked")
    assert server.services.roster.names() == []
    assert alice.read_to_end()[-1] == {"type": "bye", "reason": "kicked"}


@pytest.mark.parametrize(("is_entering", "is_dropped"), [(False, True), (True, False)])
def test_a_client_at_its_login_is_not_dropped(
    server: Server, wires: Wires, is_entering: bool, is_dropped: bool
) -> None:
    """A place that is needed is a stranger's, not that of a client whose password is looked at."""
    wire = wires.connect()
    session = session_of(server)
    session.is_entering = is_entering
    was_dropped: list[bool] = []
    server.delivery.run(lambda reason: was_dropped.append(session.drop(reason)), "full")
    assert was_dropped == [is_dropped]
    assert session.outbox.closing == is_dropped
    session.is_entering = False
    assert server.services.refused.counts() == ({"too_many_connections": 1} if is_dropped else {})
    if is_dropped:
        error, bye = wire.read_to_end()
        assert (error["code"], error["message"], error["fatal"]) == ("too_many_connections", "full", True)
        assert bye == {"type": "bye", "reason": "kicked"}


def test_a_client_that_is_in_is_not_dropped(server: Server, wires: Wires) -> None:
    """After its login a client keeps its place."""
    alice = wires.enter("alice")
    was_dropped: list[bool] = []
    server.delivery.run(lambda reason: was_dropped.append(session_of(server).drop(reason)), "full")
    assert was_dropped == [False]
    assert alice.ask("ping")["type"] == "pong"


class RecordedShares:
    """Shares that write down what is taken from which, and ask for no wait."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float]] = []

    def __getattr__(self, name: str) -> Any:
        def take(*given: Any) -> float:
            self.taken.append((name, given[-1]))
            return 0.0

        return take


def test_what_a_client_takes_is_charged_to_its_share(server: Server, wires: Wires) -> None:
    """To its address before the login, and for it; then commands to reading, and messages by their bytes to talking."""
    wires.connect()
    shares: Any = RecordedShares()
    session = Session(replace(server.services, shares=shares), session_of(server).outbox, "", session_of(server).origin)
    session.charge(4)
    session.charge_message(10 * MESSAGE_BYTES)
    session.account = Account(1, "alice", 0, confirm=False)
    session.charge(4)
    session.charge_message(10)
    session.charge_message(10 * MESSAGE_BYTES)
    session.charge_login(50)
    assert shares.taken == [("knock", 4), ("knock", 1), ("read", 4), ("talk", 1.0), ("talk", 10.0), ("knock", 5.0)]


def test_without_shares_nothing_is_charged(server: Server, wires: Wires) -> None:
    """With a rate of 0 no client waits."""
    wires.enter("alice")
    session = session_of(server)
    session.charge(1e9)
    session.charge_message(1 << 40)
    session.charge_login(1 << 40)
    assert session.delay() == 0


def test_a_live_reply_is_made_on_the_delivery_thread(server: Server, wires: Wires) -> None:
    """With the command's `ref`, in the order of what that thread sends."""
    alice = wires.enter("alice")
    names: list[str] = []

    def make_reply() -> PongReply:
        names.append(threading.current_thread().name)
        return PongReply(time="now")

    session_of(server).reply_live(Ping(ref="r"), make_reply)
    assert names == ["chat-delivery"]
    assert alice.read_type("pong") == {"type": "pong", "time": "now", "ref": "r"}


def test_a_client_that_does_not_confirm_is_expected_to_have_read(server: Server, wires: Wires) -> None:
    """From its login until its stream is closed notes may come of what it was sent; of one that confirms none do."""
    receipts = server.services.receipts
    wires.enter("alice", confirm=True)
    assert not receipts.are_expected(1)
    with enter(server.port, "alice"):
        assert receipts.are_expected(1)
    until(lambda: not receipts.are_expected(1))


def test_a_login_in_time_is_asked_for(tmp_path: Path) -> None:
    """The refusal says how long one may take."""
    with running_server(tmp_path, login_timeout=0.2) as server, Wire(server.port) as wire:
        assert wire.read()["message"] == "no login within 0.2 seconds"
