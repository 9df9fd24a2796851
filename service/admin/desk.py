"""What an operator's order is, what it tells while it is carried out, and what it may use. Carries out none itself.

An order is carried out by one generator function, with a running service and without one. What it yields goes to the
operator at once. Between two of these it may be ended, so a piece of work takes some seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from service.storage.contract import AccountStorage
    from service.storage.records import Closed, Deleted, NodeView, RoomChange, User
    from service.wire.protocol import BroadcastEvent

T = TypeVar("T")
Reason = Literal["kicked", "password_changed"]


def counted(number: int, word: str) -> str:
    """Returns such as ``1 message`` or ``2,000 messages``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


class Order(Struct, frozen=True, tag_field="order", forbid_unknown_fields=True):
    """What the operator wants. A subclass has a tag and the fields; names in it are mapped ones, passwords hashes."""

    changes: ClassVar[bool] = True  # whether the log says that it was carried out

    def __str__(self) -> str:  # for the log: only what is no secret
        return f"{self.__struct_config__.tag} {getattr(self, 'name', '')}".rstrip()

    def __repr__(self) -> str:
        return str(self)


class Progress(Struct, frozen=True, tag="progress"):
    """What is being done just now, for a terminal."""

    doing: str


class Row(Struct, frozen=True, tag="row"):
    """A part of the result: its values by name, and as lines for people; without these it is a row of a table."""

    values: dict[str, Any]
    lines: list[str] = []


class Note(Struct, frozen=True, tag="note"):
    """What the operator should know besides the result; it goes to stderr."""

    text: str


Told = Progress | Row | Note
Work = Generator[Told, None, None]


class Done(Struct, frozen=True, tag="done"):
    """The last line of an answer: all is done."""


class Failed(Struct, frozen=True, tag="error"):
    """The last line of an answer: why not all is done."""

    message: str


class Online(Struct, frozen=True):
    """One session of who is logged in."""

    name: str
    peer: str  # address and port
    since: str
    way: str  # plain or TLS
    quiet: bool  # announces nobody
    waiting_bytes: int  # sent to it and not taken yet


class Load(Struct, frozen=True):
    """What a running service has to do just now."""

    started: str
    connections: int
    writer_queue: int  # messages and other writes
    delivery_queue: int
    bcrypt_queue: int


class Service(Protocol):
    """The running service, as far as orders concern it. Where none runs all of it does nothing."""

    is_running: bool
    main_room: str  # its name; empty where no service runs
    web_address: str  # such as https://chat.example:8443; empty where it is not known

    def run(self, function: Callable[[], T]) -> T:
        """Returns what the function returns on the delivery thread; where none runs, here. Not for that thread."""

    def online(self) -> list[Online]:
        """Returns all sessions, by name."""

    def load(self) -> Load | None:
        """Returns None where none runs."""

    def nodes(self) -> list[NodeView] | None:
        """Returns the services that run over a database that several can share; None over one's own."""

    # on the delivery thread
    def count_sessions(self, user_id: int) -> int | None:
        """How many sessions the account has; None where nobody knows."""

    def is_online(self, user_id: int) -> bool:
        """Whether the account is in the list of users online: a quiet session is not enough."""

    def end_sessions(self, reason: Reason, user_id: int) -> None:
        """Ends the account's sessions, with a `bye`. As the `done` of a write it follows what was committed before."""

    def broadcast(self, event: BroadcastEvent) -> None:
        """Sends a message, which was stored, to everyone who is there."""

    def tell_renamed(self, old: str, time: str, user: User) -> None:
        """As the `done` of a rename: everyone is told, and the account's sessions end."""

    def tell_deleted(self, deleted: Deleted) -> None:
        """As the `done` of a message's deletion: those who may read it are told."""

    def tell_closed(self, closed: Closed) -> None:
        """As the `done` of a deletion: nobody finds the account by its old name, and its sessions end.

        Its rooms see it leave.
        """

    def tell_room(self, change: RoomChange) -> None:
        """As the `done` of a change in a room: those whom it concerns are told."""


class Desk(NamedTuple):
    """What an order works with."""

    storage: AccountStorage
    service: Service

    def await_delivery(self) -> None:
        """Returns once what follows from the writes so far was done, such as the end of sessions."""
        self.service.run(lambda: None)


class NoService:
    """Where no service runs."""

    is_running = False
    main_room = ""
    web_address = ""

    def run(self, function: Callable[[], T]) -> T:
        return function()

    def online(self) -> list[Online]:
        return []

    def load(self) -> Load | None:
        return None

    def nodes(self) -> list[NodeView] | None:
        return None

    def count_sessions(self, user_id: int) -> int | None:  # noqa: ARG002 (as in Service)
        return 0

    def is_online(self, user_id: int) -> bool:  # noqa: ARG002
        return False

    def end_sessions(self, reason: Reason, user_id: int) -> None:
        """There are none."""

    def broadcast(self, event: BroadcastEvent) -> None:
        """Nobody is there."""

    def tell_renamed(self, old: str, time: str, user: User) -> None:
        """There is nobody."""

    def tell_deleted(self, deleted: Deleted) -> None:
        """There is nobody."""

    def tell_closed(self, closed: Closed) -> None:
        """There is nobody."""

    def tell_room(self, change: RoomChange) -> None:
        """There is nobody."""
