"""What an operator asks for accounts: done by the running service, over a socket beside the database, or without one.

The writer of a running service is the only one that may write, so `python3 -m service.admin` asks it. One order is one
JSON line each way. Only the owner of the database can reach the socket, and no password crosses it, only its hash.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from service.accounts.names import look_of
from service.clock import format_time, utcnow
from service.config import CONTROL_PATIENCE, CONTROL_TIMEOUT, MAX_CONTROL_LINE
from service.errors import ChatError, PeerError, ServiceError, StorageUnavailable
from service.storage.sqlite import users

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

_log: Final = logging.getLogger("chat.control")
_SUFFIX: Final = "-control"
_MODE: Final = 0o600

Action = Literal["add", "password", "disable", "enable"]
ENDS_SESSIONS: Final[frozenset[Action]] = frozenset({"password", "disable"})


class Order(msgspec.Struct, frozen=True):
    """What to do with an account; `password_hash` for those that set one."""

    action: Action
    name: str
    password_hash: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What came of it; `error` is empty if it is done."""

    error: str = ""


def carry_out(connection: sqlite3.Connection, order: Order) -> int:
    """Does it, and gives the id of the account. Raises PeerError; begins and ends no transaction."""
    now = format_time(utcnow())
    if order.action == "add":
        return users.add(connection, order.name, look_of(order.name), order.password_hash, now)
    user = users.find_user(connection, order.name)
    if user is None:
        raise PeerError("unknown_user", f'there is no user "{order.name}"')
    if order.action == "disable":
        users.disable(connection, user.id, now)
    elif order.action == "enable":
        users.enable(connection, user.id)
    else:
        users.change_password(connection, user, order.password_hash)
    return user.id


def ask(db: Path, order: Order) -> bool:
    """Has the running service do it; False if none runs. Raises ServiceError if it could not be done."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(CONTROL_TIMEOUT)
        try:
            connected.connect(str(_path(db)))
        except (FileNotFoundError, ConnectionRefusedError):  # refused: left there by a service that was killed
            return False
        except OSError as error:
            raise ServiceError(f"cannot reach the running service: {error}") from error
        try:
            connected.sendall(msgspec.json.encode(order) + b"\n")
            answer = msgspec.json.decode(connected.recv(MAX_CONTROL_LINE), type=Answer)
        except (OSError, ValueError) as error:
            raise ServiceError(f"the running service gave no answer; look into its log ({error})") from error
    if answer.error:
        raise ServiceError(answer.error)
    return True


def _path(db: Path) -> Path:
    whole = db.resolve()
    return whole.with_name(whole.name + _SUFFIX)


class Control:
    """Owns the thread `chat-control`, and the socket that operators reach it by."""

    def __init__(self, db: Path, handle: Callable[[Order], None]) -> None:
        """`handle` does an order, or raises. Without a socket, such as for too long a path, all else works."""
        self._handle = handle
        self._path = _path(db)
        self._listener: socket.socket | None = socket.socket(socket.AF_UNIX)
        try:
            self._path.unlink(missing_ok=True)  # of a service that was killed
            self._listener.bind(str(self._path))
            self._path.chmod(_MODE)  # before it listens, so nobody else can have connected
            self._listener.listen()
        except OSError as error:
            _log.warning("operators cannot reach this service while it runs: %s: %s", self._path, error)
            self._listener.close()
            self._listener = None
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="chat-control")

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after the order it is in, and removes the socket."""
        self._end.send(b"\0")
        self._thread.join()
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):  # somebody has removed it
                self._path.unlink()
        self._end.close()
        self._ended.close()

    def _run(self) -> None:
        waiting = [self._ended] if self._listener is None else [self._ended, self._listener]
        while self._ended not in (ready := select.select(waiting, [], [])[0]):
            for listener in ready:
                try:
                    self._serve(listener)
                except Exception:  # noqa: BLE001 (logged; the next order may fare better)
                    _log.exception("an operator's order failed")

    def _serve(self, listener: socket.socket) -> None:
        connected, _ = listener.accept()
        with connected:
            connected.settimeout(CONTROL_PATIENCE)
            with suppress(OSError):  # gone, or silent
                connected.sendall(msgspec.json.encode(self._answer(connected.recv(MAX_CONTROL_LINE))) + b"\n")

    def _answer(self, line: bytes) -> Answer:
        try:
            order = msgspec.json.decode(line, type=Order)
            self._handle(order)
        except (ChatError, ValueError) as error:
            reason = "the database cannot be used just now; try again"
            return Answer(reason if isinstance(error, StorageUnavailable) else str(error))
        _log.info("%s %s by the operator", order.action, order.name)
        return Answer()
