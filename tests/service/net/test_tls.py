"""The service in TLS: the channel and its stream, the handshake, certificates, and who is at the wrong port."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import sys
import threading
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

import pexpect
import pytest

from service.delivery.loop import Delivery
from service.delivery.run import Note
from service.errors import ConfigError
from service.net import tls as tls_module
from service.net.tls import NotTlsError, TlsChannel, load_certificate
from service.net.transport import HANDSHAKE_TIMEOUT, TlsStream, is_loopback, listen
from tests.support.delivery import BOUND, FILLER, SLOW, Peer, StillDelivery
from tests.support.helpers import PATIENCE, ROOT, Process, Wire, enter, running_server, until
from tests.support.tls import Authority, Pair, tls_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSIONS: Final = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
HALF_HELLO: Final = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the first bytes of a ClientHello of 512


class Ends:
    """The two ends of a connection in TLS, after their handshake."""

    def __init__(self, authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
        with listen("127.0.0.1", 0) as listener:
            self.socket = socket.create_connection(listener.getsockname(), timeout=PATIENCE)
            self.stream = TlsStream(*listener.accept(), pair.context())
        self.client = TlsChannel(self.socket, authority.trusting(version), "localhost")
        shake_hands(self.stream, lambda: self.client.handshake(PATIENCE))
        self.socket.settimeout(PATIENCE)


def shake_hands(stream: TlsStream, client: Any) -> Any:
    thread = threading.Thread(target=stream.handshake)
    thread.start()
    result = client()
    thread.join()
    return result


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def ends(request: pytest.FixtureRequest, authority: Authority, pair: Pair) -> Iterator[Ends]:
    ends = Ends(authority, pair, request.param)
    yield ends
    ends.socket.close()
    ends.stream.close()


class Narrow:
    """A socket whose kernel takes only so many bytes."""

    def __init__(self, connected: socket.socket, room: int) -> None:
        self._socket = connected
        self.room = room

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def send(self, data: memoryview, flags: int) -> int:
        if not self.room:
            raise BlockingIOError
        sent = self._socket.send(data[: self.room], flags)
        self.room -= sent
        return sent


def narrow(stream: TlsStream, room: int) -> Narrow:
    assert stream._channel is not None
    socket_ = Narrow(stream._socket, room)
    stream._channel._socket = cast("socket.socket", socket_)
    return socket_


# -- the stream -------------------------------------------------------------------------------------------------------
def test_bytes_go_both_ways(ends: Ends) -> None:
    """What one end sends the other receives, however long; no byte of it is on the wire as it is."""
    ends.client.sendall(b"ping\n")
    assert ends.stream.receive() == b"ping\n"
    data = bytes(range(256)) * 300
    assert ends.stream.send(data) == len(data)
    received = b""
    while len(received) < len(data):
        received += ends.client.recv(4096)
    assert received == data
    ends.stream.send(b"secret words")
    assert b"secret" not in ends.socket.recv(4096)


def test_records_that_came_together_are_received_together(ends: Ends) -> None:
    """Many small records are as few receives as if they were plain: each costs the service a turn."""
    for _ in range(50):
        ends.client.sendall(b"line\n")
    received = [ends.stream.receive()]
    while len(b"".join(received)) < 250:
        received.append(ends.stream.receive())
    assert len(received) < 10


@pytest.mark.parametrize("room", [0, 1, 5, 1_000, 16_000])
def test_only_what_the_kernel_has_whole_is_counted(ends: Ends, room: int) -> None:
    """Of a record that is partly taken nothing counts; offered again it goes on, and no byte is sent twice."""
    data = bytes(range(256)) * 100
    kernel = narrow(ends.stream, room)
    assert ends.stream.send(data) == 0
    assert ends.stream.send(memoryview(data)) == 0
    assert ends.stream.sealed == 16_384
    kernel.room = 10_000_000
    assert ends.stream.send(memoryview(data)) == len(data)
    assert ends.stream.sealed == 0
    received = b""
    while len(received) < len(data):
        received += ends.client.recv(4096)
    assert received == data


def test_a_record_that_was_taken_counts_before_the_next(ends: Ends) -> None:
    """A send that stops within the second record has sent the first."""
    kernel = narrow(ends.stream, 16_384 + 200)
    assert ends.stream.send(b"x" * 40_000) == 16_384
    kernel.room = 10_000_000
    assert ends.stream.send(b"x" * (40_000 - 16_384)) == 40_000 - 16_384


def test_who_ends_its_side_is_still_answered(ends: Ends) -> None:
    """After a client's close_notify the service can send; it reads that as the end."""
    ends.client.sendall(b"last\n")
    with suppress(ssl.SSLWantReadError):
        ends.client._tls.unwrap()
    assert ends.client._flush(0)
    assert ends.stream.receive() == b"last\n"
    assert ends.stream.receive() == b""
    assert ends.stream.send(b"answer\n") == 7
    assert ends.client.recv(4096) == b"answer\n"


def test_the_end_of_sending_is_said_in_tls(ends: Ends) -> None:
    """The client finds an end that nobody on the way can forge; what it says after that is read and dropped."""
    ends.stream.send(b"bye\n")
    ends.stream.end_sending()
    assert ends.client.recv(4096) == b"bye\n"
    assert ends.client.recv(4096) == b""
    assert ends.client._tls.read() == b""  # close_notify: without it this would be an error
    ends.client.sendall(b"too late\n")
    ends.socket.shutdown(socket.SHUT_WR)
    assert ends.stream.receive() == b""
    assert ends.socket.recv(1) == b""  # an end, no reset


def test_a_forged_record_is_an_end(ends: Ends) -> None:
    """What was said before it is received; the forger is told in TLS that this was nothing."""
    ends.client.sendall(b"good\n")
    ends.socket.sendall(b"\x17\x03\x03\x00\x20" + b"z" * 32)
    received = b""
    while more := ends.stream.receive():
        received += more
    assert received == b"good\n"
    with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
        ends.client.recv(4096)


def test_a_cut_wakes_the_receiving_thread(ends: Ends) -> None:
    """As with plain streams."""
    received: list[bytes] = []
    thread = threading.Thread(target=lambda: received.append(ends.stream.receive()))
    thread.start()
    ends.stream.cut()
    thread.join()
    assert received == [b""]
    with pytest.raises(OSError, match="Broken pipe"):
        ends.stream.send(b"x")


class Alone:
    """What must never be in two threads at once, and says so if it is."""

    def __init__(self, thing: Any, inside: threading.Lock, overlaps: list[str]) -> None:
        self._thing, self._inside, self._overlaps = thing, inside, overlaps

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._thing, name)
        return partial(self._call, name, attribute) if callable(attribute) else attribute

    def _call(self, name: str, method: Callable[..., Any], *arguments: Any) -> Any:
        if not self._inside.acquire(blocking=False):
            self._overlaps.append(name)
            return method(*arguments)
        try:
            return method(*arguments)
        finally:
            self._inside.release()


def test_threads_that_send_and_one_that_receives_do_not_mix(ends: Ends) -> None:
    """Four threads send on each end while one receives: one at a time in TLS, each record sound, each line whole."""
    line, count, overlaps = b"x" * 3_000 + b"\n", 300, list[str]()

    def receive(channel: TlsChannel, into: bytearray) -> None:
        while len(into) < 4 * count * len(line):
            into += channel.recv(4096)

    assert ends.stream._channel is not None
    sides = (ends.client, ends.stream._channel)
    for side in sides:
        inside = threading.Lock()
        for name in ("_tls", "_incoming", "_outgoing"):
            setattr(side, name, Alone(getattr(side, name), inside, overlaps))
    received = bytearray(), bytearray()
    threads = [threading.Thread(target=receive, args=pair) for pair in zip(sides, received, strict=True)]
    threads += [
        threading.Thread(target=lambda side=side: [side.sendall(line) for _ in range(count)])
        for side in sides
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert all(set(bytes(data).split(b"\n")) == {line[:-1], b""} for data in received)
    assert overlaps == []


# -- the outbox over it -----------------------------------------------------------------------------------------------
@pytest.fixture
def tls_peer(delivery: StillDelivery, authority: Authority, pair: Pair) -> Peer:
    """A client of a still delivery, in TLS."""
    context = pair.context()
    context.num_tickets = 0
    peer = delivery.connect(lambda connected, address: TlsStream(connected, address, context))
    assert isinstance(peer.stream, TlsStream)
    peer.socket = shake_hands(
        peer.stream, lambda: authority.trusting().wrap_socket(peer.socket, server_hostname="localhost")
    )
    return peer


@pytest.mark.parametrize("room", [0, 1, 9_000, 16_405, 16_406, 16_407, 32_811, 32_812, 40_000])
def test_framing_and_notes_survive_an_overflow_at_any_byte(delivery: StillDelivery, tls_peer: Peer, room: int) -> None:
    """Wherever the kernel stopped, the client gets what was encrypted, that line's end and the last word; and notes."""
    lines = [bytes([64 + number]) * 9_999 + b"\n" for number in range(1, 6)]
    assert isinstance(tls_peer.stream, TlsStream)
    tls_peer.stream._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    kernel = narrow(tls_peer.stream, room)
    for number, line in enumerate(lines, start=1):
        tls_peer.append(line, Note(number, (number,)))
    tls_peer.outbox.flush()
    begun = 2 if room < 16_406 else 4 if room < 32_812 else 5  # lines in the records of 16,384 bytes up to there
    tls_peer.append(b"x" * BOUND + b"\n", Note(9, (9,)))
    assert tls_peer.outbox.closing
    kernel.room = 10_000_000
    delivery.go()
    assert tls_peer.read_to_end() == b"".join(lines[:begun]) + SLOW
    delivery.settle()
    assert tls_peer.notes == [Note(number, (number,)) for number in range(1, begun + 1)]


def test_a_blocked_outbox_goes_on_by_itself(delivery: StillDelivery, tls_peer: Peer) -> None:
    """When the client reads, the selector has the rest sent, in order, and the notes come when it is out."""
    tls_peer.block()
    tls_peer.append(b"next\n", Note(7))
    assert tls_peer.outbox._blocked
    delivery.go()
    assert tls_peer.read(len(FILLER) + 5) == FILLER + b"next\n"
    delivery.flushed()
    assert tls_peer.told == Note(7)


# -- a chat -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_a_chat_under_load(tmp_path: Path, authority: Authority, pair: Pair, version: ssl.TLSVersion) -> None:
    """Five clients send 200 messages each at once: each gets its acks and every message of the others, in order."""
    clients, count = 5, 200
    with tls_server(tmp_path, pair) as server:
        wires = [enter(server.port, f"user{n}", tls=authority.trusting(version)) for n in range(clients)]
        for wire in wires:
            assert isinstance(wire.socket, ssl.SSLSocket)
            assert wire.socket.version() == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
            wire.send(*({"command": "pm", "message": f"{n} {'x' * 500}"} for n in range(count)))
        for wire in wires:
            ids = {"ack": [], "broadcast": []}  # type: dict[str, list[int]]
            while len(ids["ack"]) + len(ids["broadcast"]) < clients * count:
                line = wire.read()
                ids.get(line["type"], []).append(line.get("id", 0))
            assert len(ids["ack"]) == count
            assert sorted(ids["broadcast"]) == ids["broadcast"]
            page = wire.ask("history", limit=200)["messages"]
            assert len(page) > 50
            wire.close()


def test_a_slow_reader_is_ended_and_catches_up(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """Who stops reading gets `bye slow` last, in whole lines, in TLS too; the others get all, and later so does it."""
    text, count = "x" * 4000, 4000
    context = authority.trusting()
    with tls_server(tmp_path, pair) as server, enter(server.port, "alice", tls=context) as alice:
        slow = enter(server.port, "slow", tls=context)
        slow.read_until_pong()
        alice.send(*({"command": "pm", "message": text, "nonce": f"{n}"} for n in range(count)))
        acked = [alice.read_type("ack")["id"] for _ in range(count)]
        lines = slow.read_to_end()
        slow.close()
        assert lines[-1] == {"type": "bye", "reason": "slow"}
        got = [line["id"] for line in lines if line["type"] == "broadcast"]
        assert got == acked[: len(got)]
        with enter(server.port, "slow", tls=context) as back:
            while (page := back.ask("history", after=got[-1], limit=200))["messages"]:
                got += [message["id"] for message in page["messages"]]
    assert got == acked


def test_a_stop_says_bye(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """As in plain."""
    with tls_server(tmp_path, pair) as server, enter(server.port, "alice", tls=authority.trusting()) as alice:
        stopper = threading.Thread(target=server.stop)
        stopper.start()
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}
        alice.close()
        stopper.join()


def test_who_does_not_log_in_is_sent_away(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """The time to log in ends in TLS as in plain."""
    with tls_server(tmp_path, pair, login_timeout=1.0) as server, Wire(server.port, tls=authority.trusting()) as wire:
        error, bye = wire.read_to_end()
    assert (error["code"], bye["reason"]) == ("login_timeout", "kicked")


def test_bytes_of_a_record_put_off_no_deadline(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """Who sends one byte of a record now and then, none of them whole, goes at the end of the time to log in."""
    with (
        tls_server(tmp_path, pair, login_timeout=1.0) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock,
    ):
        TlsChannel(sock, authority.trusting(), "localhost").handshake(PATIENCE)
        sock.sendall(b"\x17\x03\x03\x40\x00")  # a header: 16,384 bytes follow

        def drip() -> bool:
            with suppress(OSError):
                sock.sendall(b"\0")
            threading.Event().wait(0.02)  # so that the record is not whole before the patience of this test ends
            return not server.places.connections()

        until(drip)


def test_older_versions_are_refused(
    tmp_path: Path, authority: Authority, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """TLS 1.1 has known weaknesses (RFC 8996): a client that can do no better is told so, and the log as well."""
    caplog.set_level("INFO")
    context = authority.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")  # or this side would not even try
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with tls_server(tmp_path, pair) as server, pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        Wire(server.port, tls=context)
    assert "handshake failed" in caplog.text


# -- the handshake holds up nobody ------------------------------------------------------------------------------------
def test_a_stalled_handshake_holds_up_nobody(
    tmp_path: Path, authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While others hang in half a ClientHello people come and chat; a stop cuts them off, and waits for no timer."""
    monkeypatch.setattr("service.server.STOP_TIMEOUT", 3_600.0)
    monkeypatch.setattr("service.listeners.listener.TlsStream", partial(TlsStream, handshake_timeout=3_600.0))
    monkeypatch.setattr("service.server.Delivery", partial(Delivery, linger=3_600.0))
    with tls_server(tmp_path, pair) as server:
        stalled = [socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) for _ in range(20)]
        for sock in stalled:
            sock.sendall(HALF_HELLO)
        context = authority.trusting()
        with enter(server.port, "alice", tls=context) as alice, enter(server.port, "bob", tls=context) as bob:
            alice.ask("pm", message="hello")
            assert bob.read_type("broadcast")["message"] == "hello"
        server.stop()
        for sock in stalled:
            assert sock.recv(100) == b""
            sock.close()


def test_a_handshake_has_a_deadline(
    tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """However the bytes of a ClientHello drip, at the deadline the connection ends, and the log says so."""
    caplog.set_level("INFO")
    monkeypatch.setattr("service.listeners.listener.TlsStream", partial(TlsStream, handshake_timeout=0.3))
    with tls_server(tmp_path, pair) as server:
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=0.02)
        sock.sendall(HALF_HELLO)
        with suppress(ConnectionError):
            while True:
                with suppress(TimeoutError):
                    assert sock.recv(100) == b""
                    break
                sock.sendall(b"\0")
        sock.close()
        while server.places.connections():
            threading.Event().wait(0.01)
    # The deadline is found in a receive or before one.
    assert re.search("the TLS handshake failed: (timed out|the handshake takes too long)", caplog.text)
    assert HANDSHAKE_TIMEOUT < 10  # our client waits so long for a greeting


def test_a_handshake_that_is_left_or_broken_ends(
    tmp_path: Path, authority: Authority, pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that goes within it, or says what is none, is gone without a trace but a line in the log."""
    caplog.set_level("INFO")
    with tls_server(tmp_path, pair) as server:
        for words in (HALF_HELLO, b"\x16\x03\x01\x00\x05hello"):
            with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as sock:
                sock.sendall(words)
                sock.shutdown(socket.SHUT_WR)
                with suppress(ConnectionResetError):
                    while sock.recv(100):
                        pass
        with enter(server.port, "alice", tls=authority.trusting()) as alice:
            assert alice.ask("ping")["type"] == "pong"
    assert caplog.text.count("the TLS handshake failed: ") == 2
    assert "Traceback" not in caplog.text


# -- at the wrong port ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("words", [b'{"command":"ping"}\n', b""], ids=["talks", "waits"])
def test_a_plain_client_at_a_tls_port_is_told(
    tmp_path: Path,
    authority: Authority,
    pair: Pair,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    words: bytes,
) -> None:
    """At its first byte, or at the deadline if it waits for a greeting, it is told in plain; so is the log."""
    caplog.set_level("INFO")
    if not words:
        monkeypatch.setattr("service.listeners.listener.TlsStream", partial(TlsStream, handshake_timeout=0.1))
    with tls_server(tmp_path, pair) as server:
        with Wire(server.port, greet=False) as wire:
            wire.send_bytes(words)
            error, bye = wire.read_to_end()
        assert (error["type"], error["code"], error["fatal"]) == ("error", "bad_request", True)
        assert "speaks only TLS" in error["message"]
        assert bye == {"type": "bye", "reason": "kicked"}
    assert "no TLS" in caplog.text


def test_a_tls_client_at_a_plain_port_is_noticed(
    tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ClientHello is answered with the reason and the end, after the greeting; the log has it as well."""
    caplog.set_level("INFO")
    with running_server(tmp_path) as server:
        with Wire(server.port) as wire:
            wire.send_bytes(HALF_HELLO)
            error, bye = wire.read_to_end()
        assert (error["code"], error["fatal"]) == ("bad_request", True)
        assert "speaks no TLS; check the port, or ask who runs the server" in error["message"]
        assert bye["reason"] == "kicked"
        with pytest.raises(ssl.SSLError, match=r"(?i)wrong version number|record layer"):
            Wire(server.port, tls=authority.trusting())
    assert "refused 127.0.0.1" in caplog.text


# -- certificates -----------------------------------------------------------------------------------------------------
def test_what_is_no_pair_is_explained(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """Each way to name wrong files is one clear line."""
    text, missing, locked = tmp_path / "text", tmp_path / "missing", tmp_path / "locked"
    text.write_text("hello")
    for cert, key, reason in (
        (pair.cert, "", "--tls-cert and --tls-key belong together"),
        ("", pair.key, "--tls-cert and --tls-key belong together"),
        (missing, pair.key, f"cannot read {missing}: No such file"),
        (pair.cert, missing, f"cannot read {missing}: No such file"),
        (tmp_path, pair.key, f"cannot read {tmp_path}: Is a directory"),
        (text, pair.key, "are no certificate"),
        (pair.cert, text, "are no certificate"),
        (pair.cert, authority.issue().key, "does not belong to"),
        (pair.cert, encrypted(pair, locked), "unencrypted key"),
    ):
        with pytest.raises(ConfigError) as refusal:
            load_certificate(str(cert), str(key))
        assert reason in str(refusal.value)
        assert "\n" not in str(refusal.value)


def test_a_key_under_a_password_is_refused_not_asked_about(tmp_path: Path, pair: Pair) -> None:
    """At a terminal, too: a service that waits for a person does not start again by itself."""
    key = encrypted(pair, tmp_path / "key.pem")
    arguments = [
        "-m",
        "service",
        "0",
        "--db",
        str(tmp_path / "chat.db"),
        "--tls-cert",
        pair.cert,
        "--tls-key",
        str(key),
    ]
    program = pexpect.spawn(sys.executable, arguments, cwd=str(ROOT), encoding="utf-8", timeout=PATIENCE)
    said = program.read()
    program.close()
    assert program.exitstatus == 1
    assert "unencrypted key" in said
    assert len(said.splitlines()) == 1


def encrypted(pair: Pair, path: Path) -> Path:
    """Its key, under a password."""
    from cryptography.hazmat.primitives import serialization as pem

    with open(pair.key, "rb") as file:  # noqa: PTH123
        key = pem.load_pem_private_key(file.read(), None)
    path.write_bytes(
        key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.BestAvailableEncryption(b"password"))
    )
    return path


def test_sighup_renews_the_certificate_and_drops_nobody(tmp_path: Path, authority: Authority) -> None:
    """Who comes later sees the new one, who is there talks on; of bad files the log tells, and the old one stays."""
    pair, other, context = authority.issue(), authority.issue(), authority.trusting()
    with Process(tmp_path, "--tls-cert", pair.cert, "--tls-key", pair.key) as service:
        assert pair.fingerprint in "".join(service.log)
        with enter(service.port, "alice", tls=context) as alice:
            copy(other, pair)
            assert other.fingerprint in renew(service)
            assert seen(service.port, context) == other.fingerprint
            copy(Pair(other.key, other.cert), pair)
            assert "the certificate stays as it was" in renew(service)
            assert seen(service.port, context) == other.fingerprint != pair_fingerprint(alice)
            assert alice.ask("pm", message="still here")["type"] == "ack"
        assert service.stop() == 0


def copy(source: Pair, target: Pair) -> None:
    for old, new in zip(target, source, strict=True):
        with open(new, "rb") as file, open(old, "wb") as into:  # noqa: PTH123
            into.write(file.read())


def renew(service: Process) -> str:
    """Sends SIGHUP; gives the line that tells what came of it."""
    assert service.program.stderr is not None
    service.program.send_signal(signal.SIGHUP)
    while "certificate" not in (line := service.program.stderr.readline()):
        assert line
    return line


def pair_fingerprint(wire: Wire) -> str:
    assert isinstance(wire.socket, ssl.SSLSocket)
    return tls_module.fingerprint(wire.socket.getpeercert(binary_form=True) or b"")


def seen(port: int, context: ssl.SSLContext) -> str:
    """The fingerprint that a new client finds."""
    with Wire(port, tls=context) as wire:
        return pair_fingerprint(wire)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("::", False), ("192.0.2.1", False)],  # noqa: S104
)
def test_what_is_this_machine_alone(host: str, is_local: bool) -> None:
    """Only loopback is; every network is not."""
    assert is_loopback((host, 1)) is is_local


def test_listening_for_all_without_tls_warns(tmp_path: Path, pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    """In words, with what to do; not on loopback, and not in TLS."""
    everywhere = "0.0.0.0"  # noqa: S104
    with running_server(tmp_path, host=everywhere):
        assert "without TLS everyone on the way can read passwords and messages" in caplog.text
    caplog.clear()
    with tls_server(tmp_path, pair, host=everywhere), running_server(tmp_path / ".."):
        assert "without TLS" not in caplog.text


def test_nothing_at_all_is_told_from_something(authority: Authority, pair: Pair) -> None:
    """A server that says nothing in time speaks no TLS; one that says something else is quoted in the error."""
    for words in (b"", b"SSH-2.0\r\n"):
        one, other = socket.socketpair()
        with one, other:
            other.sendall(words)
            with pytest.raises(NotTlsError) as refusal:
                TlsChannel(one, pair.context()).handshake(0.05)
            assert refusal.value.received == words
