"""service/accounts/shares.py, and that the service keeps to it: what accounts and addresses may take."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, suppress
from datetime import timedelta
from itertools import pairwise
from threading import Event
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import InvalidState

from benchmarks.attacks.tls_records import APPLICATION_DATA, RecordWriter, find_secret
from service.accounts.shares import KNOCK_BURST, KNOCK_RATE, READ_BURST, READ_RATE, SHARE_BURST, Shares
from service.config import (
    MESSAGE_BYTES,
    RECEIVE_COST_BYTES,
    RECORD_COST,
    Settings,
)
from service.net.tls import _RecordCounter
from service.origin import NETWORK_SHARE, origin_of
from tests.support.doors import at
from tests.support.helpers import PATIENCE, Wire, enter, running_server, seconds, until
from tests.support.tls import tls_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from tests.support.doors import Door
    from tests.support.tls import Authority

HERE, THERE = origin_of("192.0.2.1"), origin_of("192.0.2.2")
ELSEWHERE: Final = "127.0.0.2"  # another address of this machine
SHARE: Final = 10.0  # the default of --address-share


def make(rate: float = 20, burst: int = 200, share: float = SHARE) -> Shares:
    return Shares(Settings(rate=rate, burst=burst, address_share=share), seconds)


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
    """Without a share of addresses, accounts still have theirs."""
    shares = make(share=0)
    assert shares.knock(HERE, 1e9) == 0
    assert shares.read(HERE, 1, READ_BURST + READ_RATE) == pytest.approx(1)
    assert shares.read(HERE, 2, READ_BURST) == 0


def test_without_a_rate_nobody_waits(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Neither before the login nor after it, whatever is said and how much of it."""
    lines = b"{}\n" * round(SHARE * KNOCK_BURST)
    with running_server(tmp_path, rate=0) as server, Wire(server.port) as wire, enter(server.port, "alice") as alice:
        for sender in (wire, alice):
            for _ in range(3):
                sender.send_bytes(lines)
                while sender.read().get("code") != "bad_request":
                    pass
                for _ in range(round(SHARE * KNOCK_BURST) - 1):
                    assert sender.read()["type"] == "error"
        assert {connection.session.delay() for connection in server.places.connections()} == {0.0}


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
        sessions = [connection.session for connection in server.places.connections()]
        until(lambda: sum(session.delay() > 0 for session in sessions) == 3)
        shares = server.services.shares
        assert shares is not None
        # What is owed is bounded: one step of each of the connections.
        assert shares.knock(origin_of("127.0.0.1"), 0) * SHARE * KNOCK_RATE < 3 * 100
        late = Wire(server.port, greet=False)
        wires.enter_context(late)
        clock.tick(timedelta(seconds=60))
        assert late.read()["type"] == "hello"


FRAMES: Final = {  # with a mask of zeros, as the first frame after others
    "pings": b"\x89\x80\0\0\0\0",
    "pongs": b"\x8a\x80\0\0\0\0",
    "empty messages": b"\x81\x80\0\0\0\0",
    "line ends": b"\x81\x81\0\0\0\0\n",
    "messages of two pieces": b"\x01\x80\0\0\0\0\x80\x80\0\0\0\0",
}


@pytest.mark.parametrize("flood", [b"\n", b" \n", b"\r\n", b"a", b" "])
def test_bytes_that_say_nothing_are_slowed(tmp_path: Path, clock: FrozenDateTimeFactory, flood: bytes) -> None:
    """Line ends, and a line without an end, are paid for by the bytes, before anybody looks at them."""
    with running_server(tmp_path, rate=20) as server, Wire(server.port) as wire:
        (connection,) = server.places.connections()
        size = round(SHARE * KNOCK_BURST) * RECEIVE_COST_BYTES
        wire.socket.setblocking(False)
        sent, data = 0, flood * (65_536 // len(flood))
        while not connection.session.delay():
            try:
                sent += wire.socket.send(data)
            except BlockingIOError:
                Event().wait(0.001)
        assert sent < 3 * size  # the kernel's buffers hold some
        with Wire(server.port, source=ELSEWHERE) as other:
            assert other.ask("ping")["type"] == "pong"


@at("web")
@pytest.mark.parametrize("flood", FRAMES.values(), ids=FRAMES)
def test_frames_that_say_nothing_are_slowed(
    door: Door, tmp_path: Path, clock: FrozenDateTimeFactory, flood: bytes
) -> None:
    """Each has its cost, whatever it holds, before anybody looks at it."""
    with (
        running_server(tmp_path, rate=20, address_share=1.0, **door.settings) as server,
        door.connect(server) as wire,
        door.connect(server, source=ELSEWHERE) as other,
    ):
        (session,) = [c.session for c in server.places.connections() if c.session.origin.address == "127.0.0.1"]
        for _ in range(100):
            with suppress(OSError):  # it is cut off where it is a fault besides
                wire.send_raw(flood * round(KNOCK_BURST / RECORD_COST / 100))
        until(lambda: session.delay() or session.ended)
        assert session.delay() < 100 / KNOCK_RATE
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


@at("streams")
def test_who_is_on_the_way_out_leaves_no_debt(door: Door, tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """After a goodbye nothing is looked at, and nothing is charged: neighbours would have to wait for it."""
    with running_server(tmp_path, rate=20, **door.settings) as server, door.connect(server) as wire:
        wire.send({"command": "ex"})
        assert wire.read()["type"] == "bye"
        with suppress(OSError, InvalidState):  # it is cut off at some time
            for _ in range(200):
                wire.send_bytes(b"x" * 65_536)
        until(lambda: not server.places.connections())
        shares = server.services.shares
        assert shares is not None
        assert shares.knock(origin_of("127.0.0.1"), 0) == 0


def test_a_network_sends_no_more_at_once_than_an_address(clock: FrozenDateTimeFactory) -> None:
    """Its addresses together fill nobody's outbox, either."""
    shares = make()
    for user in range(round(SHARE_BURST * SHARE)):
        assert shares.talk(origin_of(f"2001:db8:1:{user}::1"), user, 200) == 0
    assert shares.talk(origin_of("2001:db8:1:ffff::1"), 99, NETWORK_SHARE * SHARE * 5) == pytest.approx(0.25)


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


# -- TLS --------------------------------------------------------------------------------------------------------------
def write_records(wire: Wire, key_log: Path) -> RecordWriter:
    """What makes the records that follow the handshake of a client; they are sent by `send_raw`."""
    assert isinstance(wire.socket, ssl.SSLSocket)
    cipher = wire.socket.cipher()
    assert cipher is not None
    return RecordWriter(cipher[0], find_secret(key_log.read_text()))


def send_raw(wire: Wire, records: bytes) -> None:
    """Past the TLS of Python, as they are."""
    socket.socket.sendall(wire.socket, records)


def logging_keys(authority: Authority, key_log: Path) -> ssl.SSLContext:
    """For a client whose secrets are written down."""
    context = authority.trusting()
    context.keylog_filename = str(key_log)
    return context


@pytest.mark.parametrize("kind", ["new keys", "no content"])
def test_records_that_say_nothing_are_slowed(
    tmp_path: Path, clock: FrozenDateTimeFactory, authority: Authority, kind: str
) -> None:
    """A TLS record has its cost, whatever it holds: who asks for new keys again and again is soon read from no more."""
    key_log = tmp_path / "keys"
    with (
        tls_server(tmp_path, authority.issue(), rate=20, address_share=1.0) as server,
        Wire(server.port, tls=logging_keys(authority, key_log)) as wire,
    ):
        writer = write_records(wire, key_log)
        (connection,) = server.places.connections()
        for number in range(round(KNOCK_BURST / RECORD_COST)):
            if kind == "new keys":
                record = writer.update_keys(asks=True)
            else:  # OpenSSL takes only so many without any content
                record = writer.seal(APPLICATION_DATA, b"" if number % 30 else b"\n")
            send_raw(wire, record)
        until(connection.session.delay)
        assert connection.session.delay() < 100 / KNOCK_RATE


@given(st.lists(st.integers(0, 300), max_size=30), st.lists(st.integers(0, 5_000), max_size=20))
def test_records_are_counted_however_they_are_torn(sizes: list[int], cuts: list[int]) -> None:
    """Each once, when its header is there."""
    stream = b"".join(b"\x17\x03\x03" + size.to_bytes(2, "big") + b"\x17" * size for size in sizes)
    ends = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    counter = _RecordCounter()
    assert sum(counter.count(stream[start:end]) for start, end in pairwise(ends)) == len(sizes)


def test_who_reads_no_answers_is_given_up(tmp_path: Path, authority: Authority) -> None:
    """Answers to new keys that nobody reads are not piled up without a bound."""
    key_log = tmp_path / "keys"
    with (
        tls_server(tmp_path, authority.issue()) as server,
        Wire(server.port, tls=logging_keys(authority, key_log)) as wire,
    ):
        writer = write_records(wire, key_log)
        (connection,) = server.places.connections()
        channel = connection._stream._channel  # type: ignore[attr-defined]
        with channel._send_lock:  # as if the kernel took nothing
            send_raw(wire, b"".join(writer.update_keys(asks=True) for _ in range(3_000)))
            connection.thread.join(PATIENCE)
        assert not connection.thread.is_alive()
