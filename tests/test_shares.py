"""service/shares.py, and that the service keeps to it: what accounts and addresses may take, over all connections."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING, Final

import pytest

from service.config import (
    KNOCK_BURST,
    KNOCK_RATE,
    MESSAGE_BYTES,
    NETWORK_SHARE,
    READ_BURST,
    READ_RATE,
    RECEIVE_COST_BYTES,
    SHARE_BURST,
    Settings,
)
from service.origin import origin_of
from service.shares import Shares
from tests.helpers import Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

HERE, THERE = origin_of("192.0.2.1"), origin_of("192.0.2.2")
ELSEWHERE: Final = "127.0.0.2"  # another address of this machine
SHARE: Final = 10.0  # the default of --address-share


def make(rate: float = 20, burst: int = 200, share: float = SHARE) -> Shares:
    return Shares(Settings(rate=rate, burst=burst, address_share=share))


# -- the budgets ------------------------------------------------------------------------------------------------------
def test_what_comes_before_the_login_is_the_addresss(clock: FrozenDateTimeFactory) -> None:
    """A burst is free; then each has to wait, as long as it takes for the rate to make up for it."""
    shares = make()
    assert shares.knock(HERE, SHARE * KNOCK_BURST) == 0
    assert shares.knock(HERE, SHARE * KNOCK_RATE) == pytest.approx(1)
    assert shares.knock(THERE, 1) == 0
    clock.tick(timedelta(seconds=2))
    assert shares.knock(HERE, 1) == 0


@pytest.mark.parametrize(
    ("take", "rate", "burst"),
    [
        (lambda shares, origin, user, cost: shares.read(origin, user, cost), READ_RATE, READ_BURST),
        (lambda shares, origin, user, cost: shares.talk(origin, user, cost), 20, 200),
    ],
)
def test_an_account_and_an_address_have_their_shares(
    clock: FrozenDateTimeFactory, take: Callable[..., float], rate: float, burst: float
) -> None:
    """One account has the same share from everywhere; an address has several accounts' worth, and no more."""
    shares = make()
    assert take(shares, HERE, 1, burst) == 0
    assert take(shares, THERE, 1, rate) == pytest.approx(1)
    assert take(shares, HERE, 2, 1) == 0
    for user in range(2, round(SHARE_BURST * SHARE)):
        assert take(shares, HERE, 10 + user, burst) == 0
    assert take(shares, HERE, 3, burst - 1) == 0
    assert take(shares, HERE, 4, SHARE * rate) == pytest.approx(1)
    assert take(shares, THERE, 100, 0) == 0


def test_a_network_of_many_addresses_has_a_share_as_well(clock: FrozenDateTimeFactory) -> None:
    """Who has a whole network of IPv6 gains little by using all of it."""
    shares = make()
    households = [origin_of(f"2001:db8:1:{number}::1") for number in range(NETWORK_SHARE + 1)]
    waits = [shares.knock(household, SHARE * KNOCK_BURST) for household in households]
    assert waits[:-1] == [0] * NETWORK_SHARE
    assert waits[-1] > 0
    assert shares.knock(origin_of("2001:db8:2::1"), 1) == 0


def test_zero_means_no_share(clock: FrozenDateTimeFactory) -> None:
    """Without a rate nobody waits for anything; without a share of addresses, accounts still have theirs."""
    for shares in (make(rate=0), make(rate=0, share=0)):
        assert [shares.knock(HERE, 1e9), shares.read(HERE, 1, 1e9), shares.talk(HERE, 1, 1e9)] == [0, 0, 0]
    shares = make(share=0)
    assert shares.knock(HERE, 1e9) == 0
    assert shares.read(HERE, 1, READ_BURST + READ_RATE) == pytest.approx(1)
    assert shares.read(HERE, 2, READ_BURST) == 0


# -- over the wire ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "flood",
    [b"{}\n", b'{"command":"ping"}\n', b'{"command":"login","username":"u"}\n', b'{"command":"resume","token":"x"}\n'],
)
def test_lines_before_the_login_are_slowed(tmp_path: Path, clock: FrozenDateTimeFactory, flood: bytes) -> None:
    """Whatever they say, over all connections of an address; other addresses notice nothing."""
    with running_server(tmp_path, rate=20) as server, ExitStack() as wires:
        for wire in [wires.enter_context(Wire(server.port)) for _ in range(3)]:
            wire.send_bytes(flood * round(SHARE * KNOCK_BURST))
        with Wire(server.port, source=ELSEWHERE) as other:
            assert other.ask("ping")["type"] == "pong"
        sessions = [connection.session for connection in server._connections]
        while sum(session._debt._left > 0 for session in sessions) < 3:
            Event().wait(0.001)
        budget = server.services.shares._knocking
        assert budget is not None
        # What is owed is bounded: one step of each of the connections.
        assert budget.spend(origin_of("127.0.0.1"), 0) * SHARE * KNOCK_RATE < 3 * 100
        late = Wire(server.port, greet=False)
        wires.enter_context(late)
        clock.tick(timedelta(seconds=60))
        assert late.read()["type"] == "hello"


@pytest.mark.parametrize("flood", [b"\n", b" \n", b"\r\n", b"a", b" "])
def test_bytes_that_say_nothing_are_slowed(tmp_path: Path, clock: FrozenDateTimeFactory, flood: bytes) -> None:
    """Line ends, and a line without an end, are paid for by the bytes, before anybody looks at them."""
    with running_server(tmp_path, rate=20) as server, Wire(server.port) as wire:
        (connection,) = server._connections
        size = round(SHARE * KNOCK_BURST) * RECEIVE_COST_BYTES
        wire.socket.setblocking(False)
        sent, data = 0, flood * (65_536 // len(flood))
        while not connection.session._debt._left:
            try:
                sent += wire.socket.send(data)
            except BlockingIOError:
                Event().wait(0.001)
        assert sent < 3 * size  # the kernel's buffers hold some
        with Wire(server.port, source=ELSEWHERE) as other:
            assert other.ask("ping")["type"] == "pong"


def test_reconnecting_does_not_help(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """A connection counts as a line does, and one of an address in debt is greeted later."""
    with running_server(tmp_path, rate=20, address_share=0.1) as server:
        for _ in range(round(0.1 * KNOCK_BURST)):
            Wire(server.port).close()
        with Wire(server.port, greet=False) as wire, Wire(server.port, source=ELSEWHERE) as other:
            assert other.ask("ping")["type"] == "pong"
            assert wire._received == b""
            clock.tick(timedelta(seconds=30))
            assert wire.read()["type"] == "hello"


def test_an_account_talks_no_faster_over_many_connections(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Its messages are counted together; others talk on."""
    with running_server(tmp_path, rate=20, burst=6) as server, ExitStack() as wires:
        bob = wires.enter_context(enter(server.port, "bob"))
        alices = [wires.enter_context(enter(server.port, "alice")) for _ in range(3)]
        for alice in alices:
            for n in range(2):
                assert alice.ask("pm", message=f"{n}")["type"] == "ack"
        alices[0].send({"command": "pm", "message": "one in debt"})
        alices[0].read_type("ack")
        alices[1].send(*[{"command": "pm", "message": "not yet"}] * 2)
        alices[1].read_type("ack")
        assert bob.ask("pm", message="I talk on")["type"] == "ack"
        assert len(bob.ask("history")["messages"]) == 9
        clock.tick(timedelta(seconds=1))
        alices[1].read_type("ack")


def test_a_long_message_counts_as_several(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """The share is of messages and of bytes."""
    text = "\U0001f600" * MESSAGE_BYTES  # four times as many bytes
    with running_server(tmp_path, rate=20, burst=10) as server, enter(server.port, "alice") as alice:
        line = b'{"command":"pm","message":"' + text.encode() + b'"}\n'
        alice.send_bytes(line * 4)
        for _ in range(3):
            alice.read_type("ack")
        with enter(server.port, "bob") as bob:
            assert len(bob.ask("history")["messages"]) == 3
        clock.tick(timedelta(seconds=1))
        alice.read_type("ack")
