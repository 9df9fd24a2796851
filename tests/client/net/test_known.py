"""client/net/known.py: a server that is known to speak TLS is never talked to without; passwords leave warned."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pytest

from client.__main__ import VARIABLE, main
from client.net.connection import CannotConnectError, connect
from client.net.known import Known
from client.net.trust import Pins, Plain
from client.settings import Profile
from client.tokens import Tokens
from tests.conftest import CONFIG, STATE
from tests.support.fake_server import HELLO, TIMEOUT, FakeServer, Peer
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, enter, running_server
from tests.support.terminal import terminal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.tls import Authority

HOST = "127.0.0.1"
PINS, PROFILES = CONFIG / "servers", CONFIG / "profiles.toml"


class Recorder:
    """Whoever is on the way: takes each connection at a port, greets as a chat does, and keeps all that is said."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._listener = socket.create_server((HOST, port))
        self.port: int = self._listener.getsockname()[1]
        self._tls = tls
        self.heard = b""
        self.count = 0  # connections
        self.ended = threading.Event()  # a first one did
        self._thread = threading.Thread(target=self._serve, name="recorder")

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.count += 1
            sock.settimeout(TIMEOUT)
            with suppress(OSError):  # an SSLError, too
                sock = self._tls.wrap_socket(sock, server_side=True) if self._tls else sock
                sock.sendall(json.dumps(HELLO).encode() + b"\n")
                while data := sock.recv(65_536):
                    self.heard += data
            sock.close()
            self.ended.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()


def pin(port: int) -> None:
    Pins(PINS).add("LocalHost", port, "AA")


def note(port: int) -> None:
    Pins(PINS).note("localhost", port)


def token(port: int) -> None:
    Tokens(STATE / "tokens", "Localhost", port, tls=True).keep("carol", "secret")


def profile(port: int, more: str = "tls = true") -> None:
    CONFIG.mkdir(parents=True, exist_ok=True)
    PROFILES.write_text(f'[work]\nserver = "LOCALHOST"\nport = {port}\n{more}\n')


def profile_with_ca(port: int) -> None:
    profile(port, 'ca = "ca.pem"')


KNOWN = [pin, note, token, profile, profile_with_ca]


def add_plain_profile(port: int) -> None:
    CONFIG.mkdir(parents=True, exist_ok=True)
    with PROFILES.open("a") as file:
        file.write(f'[plain]\nserver = "localhost"\nport = {port}\nname = "alice"\n')


# -- refused ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("learn", KNOWN)
@pytest.mark.parametrize(
    "asked",
    [
        "localhost {port} alice",
        "localhost {port} alice --no-tls",
        "LOCALHOST {port} alice --send x",
        "localhost. {port} alice --send x",
        "localhost {port} alice --tail",
        "--profile plain",
        "--profile plain --no-tls --history 1",
    ],
)
def test_a_server_known_in_tls_is_not_talked_to_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], learn: Callable[[int], None], asked: str
) -> None:
    """By whichever way it was asked for, in a pipe; not so much as a connection is made."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with Recorder() as server:
        learn(server.port)
        add_plain_profile(server.port)
        assert main(asked.format(port=server.port).split()) == 1
    assert server.count == 0
    said = capsys.readouterr().err
    assert f"port {server.port}, speaks TLS" in said
    assert said.endswith((f" {server.port} --forget-server\n", "change the profile.\n"))
    assert "Start with --tls, or --tls-ca FILE (make: TLS=1, or CA=FILE)." in said
    assert "ask who runs it" in said
    assert "Without TLS, whoever" not in said


def test_a_person_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    """At a terminal, too."""
    with Process(tmp_path) as service:
        Pins(PINS).add(HOST, service.port, "AA")
        with terminal(service, "alice") as alice:
            alice.wait_for(f"{HOST}, port {service.port}, speaks TLS: it was trusted in TLS before.")
            assert alice.wait_for_end() == 1
            assert not any("assword for" in line or "name:" in line for line in alice.lines())


def test_what_is_known_of_another_server_does_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another port, another host, a token or a profile without TLS; on this machine, a broken file of profiles."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with running_server(tmp_path) as server:
        for learn in KNOWN:
            learn(server.port - 1)
        Pins(PINS).add("elsewhere", server.port, "AA")
        Tokens(STATE / "tokens", HOST, server.port, tls=False).keep("alice", "t")
        add_plain_profile(server.port)
        assert main([HOST, str(server.port), "alice", "--send", "x"]) == 0
        PROFILES.write_text("[work\n")
        assert main([HOST, str(server.port), "alice", "--send", "x"]) == 0


def test_what_cannot_be_read_may_be_known(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A damaged file of certificates is no way to be talked out of TLS."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    CONFIG.mkdir(parents=True)
    PINS.write_text("x\n")
    with Recorder() as server:
        assert main([HOST, str(server.port), "alice", "--send", "x"]) == 1
    assert (server.count, "is damaged" in capsys.readouterr().err) == (0, True)


BROKEN = [b'[work]\nserver = "chat.example\n', b"\xff", b'[work]\nserver = "chat.example"\nprot = 1\n']


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_of_profiles_opens_no_way_to_plain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: bytes
) -> None:
    """Beyond this machine: what is wrong is said, and what to do; not so much as a connection is made."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("connected"))
    CONFIG.mkdir(parents=True)
    PROFILES.write_bytes(broken)
    assert main(["chat.example", "12000", "alice", "--send", "x"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(str(PROFILES))
    assert "that file may say that chat.example, port 12000, speaks TLS" in said
    assert "Mend the file, or move it away; or start with --tls." in said


def test_what_is_known_is_said_beside_a_broken_file(tmp_path: Path) -> None:
    """What to do about that matters more."""
    (tmp_path / "profiles.toml").write_text("[")
    pins = Pins(tmp_path / "servers")
    pins.note("chat.example", 1)
    tokens = Tokens(tmp_path, "chat.example", 1, tls=False)
    known = Known(Profile("chat.example", 1), pins, tokens, tmp_path / "profiles.toml")
    assert "it was trusted in TLS before" in known.why_not_plain()


def test_where_no_file_can_be_there_is_none(tmp_path: Path) -> None:
    """A service's user, whose home is /dev/null, may go to a server without TLS."""
    (tmp_path / "null").touch()
    tokens = Tokens(tmp_path / "null" / "tokens", "chat.example", 1, tls=False)
    pins, profiles = Pins(tmp_path / "null" / "servers"), tmp_path / "null" / "profiles.toml"
    assert Known(Profile("chat.example", 1), pins, tokens, profiles).why_not_plain() == ""


def test_it_is_looked_at_for_each_connection(tmp_path: Path) -> None:
    """What another client learned meanwhile counts when a lost connection is made again; which then is for good."""
    pins = Pins(tmp_path / "servers")
    with Recorder() as server:
        known = Known(Profile("localhost", server.port), pins, Tokens(tmp_path, "localhost", 1, tls=False), PROFILES)
        warnings: list[str] = []
        trust = Plain(known.why_not_plain, lambda: warnings.append("warned"))
        for _ in range(2):
            connect("localhost", server.port, trust=trust).leave()
        assert warnings == ["warned"]
        pins.note("localhost", server.port)
        with pytest.raises(CannotConnectError, match="speaks TLS") as refusal:
            connect("localhost", server.port, trust=trust)
    assert (refusal.value.is_final, server.count) == (True, 2)


# -- forgotten --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("learned", "said"),
    [
        ((pin,), "no kept logins"),
        ((note,), "no kept logins"),
        ((token,), "1 kept login."),
        ((pin, note, token), "1 kept login."),
    ],
)
def test_a_server_can_be_forgotten(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    learned: tuple[Callable[[int], None], ...],
    said: str,
) -> None:
    """Of that host and port all goes, and plain works; what is known of others stays, and a login without TLS."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    with running_server(tmp_path) as server:
        here, other = str(server.port), str(server.port - 1)
        plain = Tokens(STATE / "tokens", "localhost", server.port, tls=False)
        plain.keep("alice", "t")
        for learn in learned:
            learn(server.port)
            learn(server.port - 1)
        assert main(["localhost", here, "alice", "--send", "x"]) == 1
        assert main(["LOCALHOST", here, "--forget-server"]) == 0
        assert said in capsys.readouterr().err
        assert plain.find("alice") == "t"
        assert main(["localhost", here, "alice", "--send", "x"]) == 0
        assert main(["localhost", here, "--forget-server"]) == 0
        assert "Nothing was kept" in capsys.readouterr().err
        assert main(["localhost", other, "alice", "--send", "x"]) == 1
        assert "speaks TLS" in capsys.readouterr().err


def test_a_profile_is_its_owners_to_change(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """--forget-server leaves it alone, and the refusal says what to change."""
    monkeypatch.setenv(VARIABLE, PASSWORD)
    profile(1)
    assert main(["--profile", "work", "--forget-server"]) == 0
    assert main(["--profile", "work", "--no-tls", "alice"]) == 1
    assert "If they say that it is so,\nchange the profile." in capsys.readouterr().err


def test_forgetting_a_login_forgets_no_server() -> None:
    """--forget alone leaves what is known of TLS; both options together do both."""
    pin(1)
    token(1)
    assert main(["localhost", "1", "--forget"]) == 0
    assert Pins(PINS).knows("localhost", 1)
    plain = Tokens(STATE / "tokens", "localhost", 2, tls=False)
    plain.keep("alice", "t")
    assert main(["localhost", "1", "--forget", "--forget-server"]) == 0
    assert (Pins(PINS).knows("localhost", 1), plain.find("alice")) == (False, "")


# -- never given away -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("case", ["unknown", "changed", "signed by another", "for another name"])
def test_no_password_goes_to_a_server_that_is_refused(
    authority: Authority, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Nor a token, nor a name: nothing is said within that TLS."""
    from tests.support.tls import Authority as Another

    monkeypatch.setenv(VARIABLE, PASSWORD)
    pair = authority.issue("other.example") if case == "for another name" else authority.issue()
    options = {
        "signed by another": ["--tls-ca", Another(tmp_path_factory.mktemp("another")).file],
        "for another name": ["--tls-ca", authority.file],
    }.get(case, ["--tls"])
    with Recorder(tls=pair.context()) as server:
        token(server.port)
        if case == "changed":
            pin(server.port)
        for name in ("alice", "carol"):
            assert main(["localhost", str(server.port), name, *options, "--send", "x"]) == 1
    assert (server.count > 0, server.heard) == (True, b"")


def test_no_token_goes_to_a_server_that_lost_its_tls(tmp_path: Path, authority: Authority) -> None:
    """A connection in TLS that is lost is made again in TLS, whatever greets there."""
    pair = authority.issue()
    with Process(tmp_path, "--tls-cert", pair.cert, "--tls-key", pair.key) as service:
        with enter(service.port, "alice", tls=authority.trusting()) as alice:
            token_got = alice.hello["token"]
            alice.ask("pm", message="hello", nonce="n")
        Tokens(STATE / "tokens", "localhost", service.port, tls=True).keep("alice", token_got)
        options = ["--history", "1", "--tail", "--tls-ca", authority.file]
        program = subprocess.Popen(
            [sys.executable, "-m", "client", "localhost", str(service.port), "alice", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert program.stdout is not None
            assert program.stdout.readline().endswith("alice: hello\n")
            service.stop()
            with Recorder(service.port) as server:
                assert server.ended.wait(PATIENCE)
                program.terminate()
                program.communicate(timeout=PATIENCE)
        finally:
            program.kill()
            program.communicate()
    assert server.heard[:1] == b"\x16"  # a ClientHello
    assert token_got.encode() not in server.heard
    assert b"command" not in server.heard


# -- warned -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("host", "is_warned"),
    [
        ("chat.example", True),
        ("192.0.2.1", True),
        ("2001:db8::1", True),
        ("127.0.0.1.example", True),
        ("localhost", False),
        ("LOCALHOST", False),
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("::1", False),
    ],
)
@pytest.mark.parametrize("option", ["--send", ""])
def test_in_plain_beyond_this_machine_the_price_is_said_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, is_warned: bool, option: str
) -> None:
    """In a pipe: once, on stderr, before a password is sent; and the script goes on."""
    real, said, error = socket.create_connection, [], io.StringIO()
    # Whatever the name, nobody but this machine is asked.
    monkeypatch.setattr(socket, "create_connection", lambda place, timeout: real((HOST, place[1]), timeout))
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.setenv(VARIABLE, PASSWORD)
    empty = tmp_path / "stdin"
    empty.touch()

    def script(peer: Peer) -> None:
        peer.greet()
        login = peer.expect("login")
        said.append((login["password"], error.getvalue().count("Without TLS, whoever is on the way to")))
        peer.answer(login, type="error", code="bad_credentials", message="no")
        peer.see_off()

    with FakeServer(script) as server, empty.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        status = main([host, str(server.port), "alice", *([option, "x"] if option else [])])
    assert (status, said) == (4, [(PASSWORD, int(is_warned))])
    assert error.getvalue().count("start with --tls") == int(is_warned)


@pytest.mark.parametrize("error", [None, "closed"])
def test_a_warning_that_nobody_can_read_ends_no_script(monkeypatch: pytest.MonkeyPatch, error: str | None) -> None:
    """Without stderr, or with one whose reader is gone, it goes on."""
    from client.__main__ import _warn

    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Gone() if error else None)
    _warn("chat.example")


def test_a_person_is_warned_before_the_password(tmp_path: Path) -> None:
    """At a terminal, above the question. 127.1 is this machine, but not to who only reads it."""
    with Process(tmp_path) as service:
        with terminal(service, "alice", server="127.1") as alice:
            alice.wait_for("New password:")
            lines = "\n".join(alice.lines())
            assert lines.index("Without TLS, whoever is on the way to 127.1 can read") < lines.index("New password:")
            assert "leave now and start with --tls." in lines
        with terminal(service, "alice") as alice:
            alice.wait_for("New password:")
            assert not any("TLS" in line for line in alice.lines())
