"""What listens to a link of the client, and remembers what it was told. Holds no test."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from service.wire.protocol import BroadcastEvent, DirectEvent, ErrorReply, RenamedEvent
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.net.connection import ConnectionLostError
    from client.net.link import Link
    from service.wire.protocol import AnyCommand, AnyEvent, LoginOkReply, StoredMessage


class Recorder:
    """What a link told: the ids of messages in their order, and its turns."""

    link: Link

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.turns: queue.Queue[str] = queue.Queue()
        self.arrived = threading.Event()

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:  # noqa: ARG002
        if isinstance(event, (BroadcastEvent, DirectEvent)) and event.id not in self.ids:
            self.ids.append(event.id)
            self.arrived.set()
        elif isinstance(event, RenamedEvent):
            self.turns.put(f"{event.from_} is {event.to}, after {self.ids}")

    def lose(self, error: ConnectionLostError) -> None:  # noqa: ARG002
        self.turns.put("lost")

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:  # noqa: ARG002
        self.ids += [message.id for message in messages if message.id not in self.ids]
        self.arrived.set()

    def come_back(self, login: LoginOkReply) -> None:  # noqa: ARG002
        self.turns.put("back")

    def end(self, error: ConnectionLostError) -> None:
        self.turns.put(f"end: {error}")

    def wait_for(self, turn: str) -> None:
        """The next turn, which must be that one."""
        assert self.turns.get(timeout=PATIENCE).startswith(turn)


class Witness(Recorder):
    """Writes down all that it is told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[object] = []

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        self.told.append(event.code if isinstance(event, ErrorReply) else type(event))
        super().receive(event, request)

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:
        self.told.append(([message.id for message in messages], deleted))
        super().catch_up(messages, deleted)

    def come_back(self, login: LoginOkReply) -> None:
        self.told.append(("back", login.missed))
        super().come_back(login)
