"""A scripted server for the client's tests: one connection, one script, no rules of its own."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from client.net.connection import Connection, connect

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from types import TracebackType

TIMEOUT = 10.0  # seconds; only a failing test waits so long
TIME = "2026-11-21T09:30:00.000Z"
HELLO = {
    "type": "hello",
    "protocol": 1,
    "server": "test",
    "version": "0",
    "registration": "open",
    "max_line": 65536,
    "max_message": 4096,
}


class Peer:
    """The server's side of the connection, for a script."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._file = sock.makefile("rb")
        self.seen: list[dict[str, Any]] = []  # the `seen` commands so far, which may come at any time

    def raw(self, data: bytes) -> None:
        """Sends bytes unchanged."""
        self._socket.sendall(data)

    def say(self, **fields: Any) -> None:
        """Sends one object; `from_` stands for `from`, `with_` for `with`."""
        self.raw(json.dumps({name.rstrip("_"): value for name, value in fields.items()}).encode() + b"\n")

    def greet(self, **changes: Any) -> None:
        self.say(**{**HELLO, **changes})

    def hear(self) -> dict[str, Any]:
        """Returns the next command. Raises EOFError if the client is gone."""
        line = self._file.readline()
        if not line:
            raise EOFError
        command: dict[str, Any] = json.loads(line)
        return command

    def expect(self, name: str) -> dict[str, Any]:
        """Returns the next command, which must be `name`; collects `seen` commands before it."""
        while (command := self.hear())["command"] == "seen" != name:
            self.seen.append(command)
        assert command["command"] == name, command
        return command

    def answer(self, command: dict[str, Any], /, **fields: Any) -> None:
        """Sends a reply with the command's `ref`."""
        self.say(**fields, ref=command["ref"])

    def log_in(self, name: str = "alice", **changes: Any) -> dict[str, Any]:
        """Greets, and accepts `name` at the first login with a password; returns that command.

        With `rooms` it is a server that has rooms.
        """
        self.greet(**({"features": ["rooms", "presence"]} if "rooms" in changes else {}))
        command = self.expect("login")
        if "password" not in command:
            self.answer(command, type="password_required", username=name, registered=True)
            command = self.expect("login")
        self.answer(command, **login_ok(name, **changes))
        return command

    def ack(self, command: dict[str, Any], message_id: int, /, **fields: Any) -> None:
        self.answer(
            command, type="ack", command=command["command"], id=message_id, time=TIME, nonce=command["nonce"], **fields
        )

    def see_off(self) -> None:
        """Waits for `ex` and says bye."""
        self.answer(self.expect("ex"), type="bye", reason="exit")

    def stop(self) -> None:
        """Ends the connection, and the script's wait for it. For any thread."""
        with suppress(OSError):  # the client has reset it
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


class FakeServer:
    """Listens on a free port, and runs `script` with the first client. Its failure is raised at the end."""

    def __init__(self, script: Callable[[Peer], object], tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="fake-server")
        self._failure: BaseException | None = None

    def _serve(self) -> None:
        peer: Peer | None = None
        try:
            sock, _ = self._listener.accept()
            sock.settimeout(TIMEOUT)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            peer = Peer(sock)
            self._script(peer)
        except BaseException as error:  # noqa: BLE001  # raised again on the test's thread
            self._failure = error
        finally:
            if peer:
                peer.close()

    def __enter__(self) -> FakeServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.join()
        self._listener.close()
        if self._failure:
            raise self._failure


@contextmanager
def connected(script: Callable[[Peer], object], **hello: Any) -> Iterator[Connection]:
    """A connection to a server that greets, then does as the script says."""

    def greet_and_do(peer: Peer) -> None:
        peer.greet(**hello)
        script(peer)

    with FakeServer(greet_and_do) as server:
        connection = Connection(connect("127.0.0.1", server.port), lambda *_: None, lambda _: None)
        connection.start()
        try:
            yield connection
        finally:
            connection.leave()


def room(name: str, **changes: Any) -> dict[str, Any]:
    """A room as `login_ok` has it, of which the user is a member."""
    fields = {"topic": "", "private": False, "role": "member", "members": 2, "unread": 0, "read_id": 10}
    return {"room": name, "created": TIME, **fields, **changes}


def login_ok(name: str = "alice", **changes: Any) -> dict[str, Any]:
    """Returns the fields of a `login_ok`."""
    return {
        "type": "login_ok",
        "username": name,
        "users": sorted({name, "bob"}),
        "missed": 0,
        "unread": 0,
        "last_id": 10,
        "token": "t",
        "time": TIME,
        **changes,
    }
