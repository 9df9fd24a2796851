"""The client in TLS: whom it trusts, what it pins, and what it says of a server that is not what it should be."""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest

from client.files import reserved
from client.net.connection import CannotConnectError, Connection, Greeted, connect, new_nonce
from client.net.trust import Pins, Trust, UntrustedError
from service.net.transport import TlsStream
from service.wire.protocol import AckReply, AnyEvent, BroadcastEvent, Pm
from tests.support.fake_server import TIMEOUT, FakeServer, Peer
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, enter, running_server
from tests.support.terminal import ENVIRONMENT, terminal
from tests.support.tls import Authority, Pair, tls_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(name="pins")
def new_pins(tmp_path: Path) -> Pins:
    return Pins(tmp_path / "config" / "servers")


def never(question: str) -> bool:
    pytest.fail(f"asked: {question}")


def says(answer: bool, questions: list[str]) -> Callable[[str], bool]:
    """Someone who answers so, and keeps what was asked."""

    def answer_so(question: str) -> bool:
        questions.append(question)
        return answer

    return answer_so


@contextmanager
def connected(port: int, trust: Trust) -> Iterator[Greeted]:
    connection = connect("localhost", port, trust=trust)
    try:
        yield connection
    finally:
        connection.leave()


# -- trust ------------------------------------------------------------------------------------------------------------
def test_a_certificate_by_whom_one_trusts_is_taken(
    tmp_path: Path, authority: Authority, pair: Pair, pins: Pins
) -> None:
    """Named by --tls-ca, an authority's word is enough: nobody is asked, nothing is pinned; the TLS is noted."""
    with tls_server(tmp_path, pair) as server:
        for _ in range(2):
            with connected(server.port, Trust(authority.file, pins, never)) as connection:
                assert connection.hello.server == "chat"
        assert pins.path.read_text() == f"localhost {server.port}/tls signed\n"
        assert pins.find("localhost", server.port) is None
    pins.add("localhost", 1, "AA")
    assert pins.path.read_text() == f"localhost {server.port}/tls signed\nlocalhost 1 AA\n"


def test_what_cannot_be_noted_is_no_reason_to_stay_away(tmp_path: Path, authority: Authority, pair: Pair) -> None:
    """A script's home may be read-only, or the file damaged: the connection is as safe without the note."""
    (tmp_path / "file").write_text("")
    (tmp_path / "damaged").write_text("x\n")
    with tls_server(tmp_path, pair) as server:
        for path in (tmp_path / "file" / "servers", tmp_path / "damaged"):
            with connected(server.port, Trust(authority.file, Pins(path), never)):
                pass
    assert (tmp_path / "damaged").read_text() == "x\n"


def test_a_certificate_may_stand_for_itself(tmp_path: Path, pair: Pair, pins: Pins) -> None:
    """--tls-ca may name a self-signed certificate, and then no other is taken."""
    from service.net.certificates import make_pair

    make_pair(tmp_path / "certs", [])
    own = Pair(str(tmp_path / "certs" / "cert.pem"), str(tmp_path / "certs" / "key.pem"))
    with tls_server(tmp_path, own) as server, connected(server.port, Trust(own.cert, pins, never)):
        pass
    with tls_server(tmp_path, pair) as server, pytest.raises(CannotConnectError, match=r"Is .*cert.pem the right file"):
        connect("localhost", server.port, trust=Trust(own.cert, pins, never))


@pytest.mark.parametrize(
    ("names", "year", "reason"),
    [
        (["other.example"], 2099, "not valid for 'localhost'"),
        (["127.0.0.1"], 2099, "not valid for 'localhost'"),
        (["localhost"], 2020, "certificate has expired"),
    ],
)
def test_a_certificate_for_another_name_or_time_is_refused(
    tmp_path: Path, authority: Authority, pins: Pins, names: list[str], year: int, reason: str
) -> None:
    """With the reason; nobody is asked to overlook it, and no word is said to that server."""
    pair = authority.issue(*names, not_after=datetime(year, 1, 1, tzinfo=UTC))
    with tls_server(tmp_path, pair) as server, pytest.raises(CannotConnectError, match=reason):
        connect("localhost", server.port, trust=Trust(authority.file, pins, never))
    assert not pins.path.exists()


def test_an_unknown_certificate_is_pinned_by_the_users_word(tmp_path: Path, pair: Pair, pins: Pins) -> None:
    """The question shows the server and the fingerprint; after a yes it is not asked again, there and only there."""
    questions: list[str] = []
    with tls_server(tmp_path, pair) as server:
        with connected(server.port, Trust("", pins, says(True, questions))):
            pass
        (question,) = questions
        assert f"localhost, port {server.port}" in question
        assert pair.fingerprint in question
        assert pins.path.read_text() == f"localhost {server.port} {pair.fingerprint}\n"
        assert (pins.path.stat().st_mode & 0o777, pins.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        with connected(server.port, Trust("", pins, never)):
            pass
        with pytest.raises(CannotConnectError, match="Not connected"):
            connect("127.0.0.1", server.port, trust=Trust("", pins, says(False, questions)))


@pytest.mark.parametrize("someone", [True, False], ids=["says no", "a pipe"])
def test_without_a_yes_nothing_is_trusted(tmp_path: Path, pair: Pair, pins: Pins, someone: bool) -> None:
    """Where nobody can be asked the fingerprint is told, and how to trust it."""
    ask = says(False, []) if someone else None
    with tls_server(tmp_path, pair) as server, pytest.raises(CannotConnectError, match="Not connected") as refusal:
        connect("localhost", server.port, trust=Trust("", pins, ask))
    if not someone:
        assert pair.fingerprint in str(refusal.value)
        assert "--tls-ca FILE" in str(refusal.value)
    assert not pins.path.exists()


def test_a_changed_certificate_is_refused(tmp_path: Path, authority: Authority, pair: Pair, pins: Pins) -> None:
    """The reason says how to forget the old one; nobody is asked. Without its line the new one may be taken."""
    pins.add("elsewhere", 1, "AA")
    with tls_server(tmp_path, pair) as server:
        pins.add("localhost", server.port, authority.issue().fingerprint)
        with pytest.raises(CannotConnectError, match="not the one that you trust") as refusal:
            connect("localhost", server.port, trust=Trust("", pins, never))
        assert "first forget the old one with --forget-server" in str(refusal.value)
        assert pair.fingerprint in str(refusal.value)
        pins.path.write_text("elsewhere 1 AA\n")
        with connected(server.port, Trust("", pins, says(True, []))):
            pass
    assert pins.find("elsewhere", 1) == "AA"


@pytest.mark.parametrize("someone", [True, False], ids=["a person", "a pipe"])
def test_where_an_authority_has_signed_none_may_be_unknown(
    tmp_path: Path, authority: Authority, pair: Pair, pins: Pins, someone: bool
) -> None:
    """It is refused as a changed one is, and nobody is asked, until the server is forgotten or the authority named."""
    with tls_server(tmp_path, pair) as server:
        with connected(server.port, Trust(authority.file, pins, never)):
            pass
        with pytest.raises(CannotConnectError, match="The one before was signed by an authority") as refusal:
            connect("localhost", server.port, trust=Trust("", pins, never if someone else None))
        assert all(word in str(refusal.value) for word in (pair.fingerprint, "--tls-ca FILE", "--forget-server"))
        assert pins.path.read_text() == f"localhost {server.port}/tls signed\n"
        with connected(server.port, Trust(authority.file, pins, never)):
            pass
        pins.forget("localhost", server.port)
        with connected(server.port, Trust("", pins, says(True, []))):
            pass


def test_pins_that_cannot_be_read_or_written_are_told(tmp_path: Path, pins: Pins) -> None:
    """A damaged file pins nothing and forgets nothing: it is named, and left as it is."""
    pins.add("Host", 1, "AA")
    assert (pins.find("host", 1), pins.find("HOST", 1), pins.find("host", 2)) == ("AA", "AA", None)
    for damage in (b"host 1\n", b"host 1 AA BB\n", b"\xff"):
        pins.path.write_bytes(damage)
        with pytest.raises(UntrustedError, match="is damaged"):
            pins.add("other", 1, "BB")
        assert pins.path.read_bytes() == damage
    with pytest.raises(UntrustedError, match=r"Cannot read .*Is a directory"):
        Pins(tmp_path).find("host", 1)
    (tmp_path / "file").write_text("")
    assert Pins(tmp_path / "file" / "servers").find("host", 1) is None
    with pytest.raises(UntrustedError, match=r"Cannot write .*File exists"):
        Pins(tmp_path / "file" / "servers").add("host", 1, "AA")


def test_a_pin_is_found_by_any_spelling_of_its_host(pins: Pins) -> None:
    """Also one of an older client, which wrote it as typed; a new one takes its place, and it can be forgotten."""
    pins.path.parent.mkdir()
    pins.path.write_text("chat.example. 1 AA\n0:0:0:0:0:0:0:1 1 BB\n0:0:0:0:0:0:0:1 2/tls signed\n")
    assert (pins.find("Chat.Example", 1), pins.find("chat.example.", 1)) == ("AA", "AA")
    assert (pins.find("::1", 1), pins.knows("[::1]", 2), pins.knows("::2", 2)) == ("BB", True, False)
    pins.add("::0:1", 1, "CC")
    pins.note("::1", 2)
    assert pins.path.read_text() == "chat.example 1 AA\n::1 1 CC\n::1 2/tls signed\n"
    assert (pins.forget("CHAT.example.", 1), pins.forget("::0001", 1)) == (True, True)


def test_a_write_that_fails_leaves_the_old_pins(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    """All or nothing, and no other file is left but the lock."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    pins.add("host", 1, "AA")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UntrustedError, match="No space left"):
        pins.add("other", 1, "BB")
    assert {path.name: path.read_text() for path in pins.path.parent.iterdir()} == {
        "servers": "host 1 AA\n",
        "servers-lock": "",
    }


def test_clients_that_write_at_once_lose_nothing(pins: Pins) -> None:
    """Each is a program of its own; the second reads what the first has written."""
    script = (
        "import sys; from pathlib import Path; from client.net.trust import Pins\n"
        "pins = Pins(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read(1)\n"
        "for port in range(10):\n"
        "    pins.add(sys.argv[2], port, 'AA'); pins.note(sys.argv[2], port); pins.forget(sys.argv[2], port - 5)\n"
    )
    hosts = [f"host{number}" for number in range(4)]
    with ExitStack() as programs:
        started = [
            programs.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", script, str(pins.path), host],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=ROOT,
                )
            )
            for host in hosts
        ]
        for program in started:
            assert program.stdout is not None
            assert program.stdout.readline() == b"ready\n"
        for program in started:
            assert program.stdin is not None
            program.stdin.close()
        assert [program.wait(PATIENCE) for program in started] == [0] * len(hosts)
    for host in hosts:
        assert [port for port in range(10) if pins.is_signed(host, port)] == list(range(5, 10))
        assert [port for port in range(10) if pins.find(host, port) == "AA"] == list(range(5, 10))


def test_one_who_changes_the_file_is_waited_for(pins: Pins) -> None:
    """What is written meanwhile is not lost."""
    pins.add("first", 1, "AA")
    with ThreadPoolExecutor(1) as pool:
        with reserved(pins.path):
            added = pool.submit(pins.add, "second", 1, "BB")
            with pytest.raises(TimeoutError):
                added.result(0.1)
            pins.path.write_text("third 1 CC\n")
        added.result(PATIENCE)
    assert pins.path.read_text() == "third 1 CC\nsecond 1 BB\n"


def test_a_file_system_without_locks_is_no_reason_to_stay_away(pins: Pins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network ones have none."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    pins.add("host", 1, "AA")
    assert pins.find("host", 1) == "AA"


@pytest.mark.parametrize("content", [None, "hello"])
def test_a_bad_file_of_authorities_is_told(tmp_path: Path, pins: Pins, content: str | None) -> None:
    """By name."""
    path = tmp_path / "authorities"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UntrustedError, match=f"no certificates to read in {path}"):
        Trust(str(path), pins, never)


# -- what answers there -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("first_words", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not speak TLS. Check the port"),
        (
            b'{"type":"error","code":"too_many_connections","message":"full\\u001b"}\n',
            "anyone on the way .* words: full\u241b",
        ),
        (b"", "There is no TLS with localhost, port [0-9]+: closed within the handshake"),
        (b"\x15\x03\x03\x00\x02\x02\x46", "There is no TLS with .*: TLSV1_ALERT_PROTOCOL_VERSION"),
        (b"\x16\x03\x03\x00\x05hello", "There is no TLS with .*: [A-Z_]+"),
    ],
)
def test_what_does_not_answer_in_tls(authority: Authority, pins: Pins, first_words: bytes, reason: str) -> None:
    """The error says what to check; nothing that came unprotected is acted upon."""

    def script(peer: Peer) -> None:
        peer.raw(first_words)
        peer._socket.shutdown(socket.SHUT_WR)
        with suppress(OSError, ValueError):
            while peer._file.read(1):
                pass

    with FakeServer(script) as server, pytest.raises(CannotConnectError, match=reason):
        connect("localhost", server.port, trust=Trust(authority.file, pins, never))


def test_a_silent_server_is_given_up_on(authority: Authority, pins: Pins) -> None:
    """In the time for it."""
    done = threading.Event()
    with FakeServer(lambda _: done.wait(TIMEOUT)) as server:
        with pytest.raises(CannotConnectError, match="does not speak TLS"):
            connect("localhost", server.port, timeout=0.05, trust=Trust(authority.file, pins, never))
        done.set()


def test_in_tls_at_a_plain_port(tmp_path: Path, authority: Authority, pins: Pins) -> None:
    """The person learns whom to ask, never to leave TLS out: what is said in plain may be said by an attacker."""
    with running_server(tmp_path) as server, pytest.raises(CannotConnectError, match="ask who runs") as refusal:
        connect("localhost", server.port, trust=Trust(authority.file, pins, never))
    assert "--" not in str(refusal.value)


def test_in_plain_at_a_tls_port(tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person learns what to add."""
    monkeypatch.setattr("service.listeners.listener.TlsStream", partial(TlsStream, handshake_timeout=0.1))
    with tls_server(tmp_path, pair) as server, pytest.raises(CannotConnectError, match=r"speaks only TLS.*: --tls"):
        connect("localhost", server.port)


# -- a chat -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
def test_many_threads_send_while_one_listens(
    authority: Authority, pair: Pair, pins: Pins, version: ssl.TLSVersion
) -> None:
    """Lines of many threads stay whole, as do those that come meanwhile: the listener and they share one TLS."""
    context, count = pair.context(), 60
    context.maximum_version = version

    def script(peer: Peer) -> None:
        peer.greet()
        for number in range(count):
            peer.say(type="broadcast", id=1_000 + number, time="t", from_="bob", message="y" * 40_000)
            peer.ack(peer.expect("pm"), number + 1)
        peer.see_off()

    events: queue.Queue[AnyEvent] = queue.Queue()
    with FakeServer(script, context) as server, ThreadPoolExecutor(8) as pool:
        greeted = connect("localhost", server.port, trust=Trust(authority.file, pins, never))
        connection = Connection(greeted, lambda event, _: events.put(event), lambda _: None)
        connection.start()
        replies = list(pool.map(lambda _: connection.send(Pm(nonce=new_nonce(), message="x" * 50_000)), range(count)))
        ids = {reply.id for reply in (future.result(TIMEOUT) for future in replies) if isinstance(reply, AckReply)}
        assert ids == set(range(1, count + 1))
        connection.leave()
    broadcasts = [event for event in events.queue if isinstance(event, BroadcastEvent)]
    assert [(event.id, len(event.message)) for event in broadcasts] == [(1_000 + n, 40_000) for n in range(count)]


def test_clients_of_ours_chat_with_our_service(tmp_path: Path, authority: Authority, pair: Pair, pins: Pins) -> None:
    """In a pipe, with a file of authorities or with a pin; without trust the password does not leave the machine."""
    config = tmp_path / "config"

    def pipe(port: int, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "client", "localhost", str(port), "alice", *options],
            input="pm hi\nex\n",
            env=os.environ | {"CHAT_PASSWORD": PASSWORD, "XDG_CONFIG_HOME": str(config)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    with tls_server(tmp_path, pair) as server, enter(server.port, "bob", tls=authority.trusting()) as bob:
        refused = pipe(server.port, "--tls")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert pair.fingerprint in refused.stderr
        assert bob.ask("users")["users"] == ["bob"]
        ended = pipe(server.port, "--tls-ca", authority.file)
        assert (ended.returncode, bob.read_type("broadcast")["message"]) == (0, "hi")
        assert "you: hi" in ended.stdout
        Pins(config / "chat" / "servers").add("localhost", server.port, pair.fingerprint)
        assert pipe(server.port, "--tls").returncode == 0
        mistaken = pipe(server.port, "--tls-ca", str(tmp_path / "none"))
        assert (mistaken.returncode, "no certificates to read" in mistaken.stderr) == (2, True)


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("y", 1), ("no", 1), ("", 1), ("\x04", 1)])
def test_a_person_is_asked_at_the_terminal(
    tmp_path: Path, pair: Pair, monkeypatch: pytest.MonkeyPatch, answer: str, status: int
) -> None:
    """Only a clear yes is one; and it is asked before the password."""
    monkeypatch.setitem(ENVIRONMENT, "XDG_CONFIG_HOME", str(tmp_path / "config"))
    with tls_server(tmp_path, pair) as server, terminal(server, "alice", "--tls") as alice:
        alice.wait_for("Type yes to trust it", f"127.0.0.1, port {server.port}", pair.fingerprint[:70])
        assert not any("assword" in line for line in alice.lines())
        alice.enter(answer)
        if status == 0:
            alice.wait_for("New password:")
            alice.type("\x03\x03")
        else:
            alice.wait_for("Not connected. No password was sent.")
        assert alice.wait_for_end() == status
    assert (tmp_path / "config" / "chat" / "servers").exists() is (status == 0)
