"""An operator's orders for accounts: the running service carries them out, over a socket beside the database.

Only the writer of a running service may write, so `python3 -m service.admin` asks it. An order and its answer are one
line of JSON each. Only the database's owner can reach the socket. A password never crosses it, only its hash.
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
from service.accounts.refusals import to_peer_error
from service.clock import format_time, utcnow
from service.errors import ChatError, ServiceError, StorageUnavailable
from service.storage.contract import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.contract import AccountStorage, Done, Write

_log: Final = logging.getLogger("chat.control")
TIMEOUT: Final = 5.0  # seconds that an operator waits for an answer; the service gives up a locked database earlier
PATIENCE: Final = 1.0  # seconds that the service waits for a connected program's order
_MAX_LINE: Final = 4_096  # bytes of an order: a name and a hash
_SUFFIX: Final = "-control"
_MODE: Final = 0o600

Action = Literal["add", "password", "disable", "enable"]
ENDS_SESSIONS: Final[frozenset[Action]] = frozenset({"password", "disable"})


class Order(msgspec.Struct, frozen=True):
    """What to do with an account; `password_hash` is for actions that set one."""

    action: Action
    name: str
    password_hash: str = ""


class Answer(msgspec.Struct, frozen=True):
    """The result of an order; `error` is empty if the order was carried out."""

    error: str = ""


def carry_out(storage: AccountStorage, order: Order, done: Done[int] = None) -> Write[int]:
    """Hands the order to the storage; the result is the account's id."""
    now = format_time(utcnow())
    if order.action == "add":
        return storage.add_user(order.name, look_of(order.name), order.password_hash, now, done=done)
    if order.action == "password":
        return storage.set_password(order.name, order.password_hash, done=done)
    if order.action == "disable":
        return storage.disable(order.name, now, done=done)
    return storage.enable(order.name, done=done)


def ask(db: Path, order: Order) -> bool:
    """Asks the running service to carry out the order; returns False if none runs. Raises ServiceError."""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(TIMEOUT)
        try:
            connected.connect(str(_path(db)))
        except (FileNotFoundError, ConnectionRefusedError):  # refused: a killed service has left the socket behind
            return False
        except OSError as error:
            raise ServiceError(f"cannot reach the running service: {error}") from error
        try:
            connected.sendall(msgspec.json.encode(order) + b"\n")
            answer = msgspec.json.decode(connected.recv(_MAX_LINE), type=Answer)
        except (OSError, ValueError) as error:
            raise ServiceError(f"the running service gave no answer; look into its log ({error})") from error
    if answer.error:
        raise ServiceError(answer.error)
    return True


def _path(db: Path) -> Path:
    whole = db.resolve()
    return whole.with_name(whole.name + _SUFFIX)


class Control:
    """Owns the thread `chat-control` and the socket for operators."""

    def __init__(self, db: Path, handle: Callable[[Order], None], *, patience: float = PATIENCE) -> None:
        """`handle` carries an order out, or raises. If no socket can be made, all else still works."""
        self._handle = handle
        self._patience = patience
        self._path = _path(db)
        self._listener: socket.socket | None = socket.socket(socket.AF_UNIX)
        try:
            self._path.unlink(missing_ok=True)  # a killed service may have left it
            self._listener.bind(str(self._path))
            self._path.chmod(_MODE)  # before `listen`, so that no other user can connect
            self._listener.listen()
        except OSError as error:
            _log.warning("operators cannot reach this service while it runs: %s: %s", self._path, error)
            self._listener.close()
            self._listener = None
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="chat-control")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread after its current order, and removes the socket."""
        self._end.send(b"\0")
        self._thread.join()
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):  # it is gone already
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
            connected.settimeout(self._patience)
            with suppress(OSError):  # the program has gone, or is silent
                connected.sendall(msgspec.json.encode(self._answer(connected.recv(_MAX_LINE))) + b"\n")

    def _answer(self, line: bytes) -> Answer:
        try:
            order = msgspec.json.decode(line, type=Order)
            self._handle(order)
        except (ChatError, ValueError) as error:
            if isinstance(error, StorageUnavailable):
                return Answer("the database cannot be used just now; try again")
            return Answer(str(to_peer_error(error) if isinstance(error, Refused) else error))
        _log.info("%s %s by the operator", order.action, order.name)
        return Answer()
