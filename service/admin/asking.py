"""The operator's side of an order: the running service carries it out, or this process where none runs.

Over PostgreSQL it is always this process: the services hear of it from the database.
"""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from service import storage
from service.admin.control import socket_path
from service.admin.desk import Desk, Done, Failed, NoService, Note, Progress, Row
from service.admin.fleet import Fleet
from service.admin.handlers import carry_out
from service.errors import PeerError, ServiceError
from service.wire.framing import LineDecoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.admin.desk import Order, Work

SILENCE: Final = 30.0  # seconds without a line of an answer, until the service counts as stuck; a piece takes some
_TICK: Final = 1.0  # seconds after which what is being done is told again, so that a terminal's seconds move
_MAX_LINE: Final = 1 << 22  # bytes of a line of an answer; a row has a message or two
_ANSWER: Final[Any] = Progress | Row | Note | Done | Failed
_MUTE: Final = "the running service gave no answer; look into its log"


def ask(db: str, order: Order) -> Work:
    """Has the order carried out, and yields what it tells. Raises ChatError.

    Closing it, or Ctrl-C, ends the order: what is done by then stays done.
    """
    try:
        yield from _ask(db, order)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("what was done until then stays done") from None


def _ask(db: str, order: Order) -> Work:
    if storage.is_url(db):
        yield from _carry_out_here(db, order)
        return
    with socket.socket(socket.AF_UNIX) as connected:
        try:
            connected.connect(str(socket_path(Path(db))))
        except (FileNotFoundError, ConnectionRefusedError):  # refused: a killed service has left the socket behind
            is_running = False
        except OSError as error:
            # Without a number it is Python's: no socket has so long a path, so no service listens there. If one has the
            # database all the same, its lock says so.
            if error.errno is not None:
                raise ServiceError(f"cannot reach the running service: {error}") from error
            is_running = False
        else:
            is_running = True
            yield from _relay(connected, order)
    if not is_running:
        yield from _carry_out_here(db, order)


def _carry_out_here(db: str, order: Order) -> Work:
    if not storage.exists(db):
        raise PeerError("bad_request", f"there is no database {db}; name it with --db")
    storage.refuse_older(db)
    with closing(storage.open_offline(db)) as opened:
        service = Fleet(opened) if storage.is_url(db) else NoService()
        yield from carry_out(order, Desk(opened, service))


def _relay(connected: socket.socket, order: Order) -> Work:
    with suppress(BrokenPipeError):  # it says why
        connected.sendall(msgspec.json.encode(order) + b"\n")
    for line in _read_lines(connected):
        try:
            told = Progress("") if line is None else msgspec.json.decode(line, type=_ANSWER)
        except ValueError as error:
            raise ServiceError(f"{_MUTE} ({error})") from error
        if isinstance(told, Done):
            return
        if isinstance(told, Failed):
            raise ServiceError(told.message)
        yield told
    raise ServiceError(_MUTE)


def _read_lines(connected: socket.socket) -> Iterator[bytes | None]:
    """Yields the lines up to the end of the stream, and None for each tick without one. Raises ServiceError."""
    decoder = LineDecoder(_MAX_LINE)
    connected.settimeout(_TICK)
    silent = 0.0
    while True:
        try:
            data = connected.recv(65_536)
        except TimeoutError:
            silent += _TICK
            if silent >= SILENCE:
                raise ServiceError(f"{_MUTE} (silent for {SILENCE:.0f} s)") from None
            yield None
            continue
        except OSError as error:
            raise ServiceError(f"{_MUTE} ({error})") from error
        silent = 0.0
        if not data:
            return
        for line in decoder.feed(data):
            if isinstance(line, bytes):
                yield line
