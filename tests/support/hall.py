"""A server where two chat while a third attacks: they must lose nothing. Holds no test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support.helpers import Line, Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.server import Server
    from tests.support.doors import Door

ROUNDS: Final = 5  # messages that each of the other two sends meanwhile


class Hall(NamedTuple):
    """A server with three clients: the one who attacks, and two who chat."""

    server: Server
    mallory: Wire
    others: tuple[Wire, Wire]

    def stored(self) -> tuple[int, int]:
        """How many messages and accounts there are: what a client can add to."""
        storage = self.server.services.storage
        held = storage.overview("")
        storage.release()
        return held.recent, held.users

    def attack(self, data: bytes) -> list[Line]:
        """What the attacker is told for these bytes, while the others talk; they lose nothing."""
        self.mallory.read_until_pong()
        self.talk_while(lambda: self.mallory.send_bytes(data))
        answers = self.mallory.read_until_pong()
        return [line for line in answers if line.get("from") not in {"alice", "bob"}]

    def talk_while(self, attack: Callable[[], object]) -> None:
        """Has the others talk before that and after it, when its outcome has not been waited for."""
        for wire in self.others:
            wire.read_until_pong()
        self.chat("before")
        attack()
        self.chat("during")

    def chat(self, word: str) -> None:
        """Each of the two sends and gets all that the other sent, in order."""
        for wire in self.others:
            wire.send(*({"command": "pm", "message": f"{word} {n}"} for n in range(ROUNDS)))
        for wire in self.others:
            lines = wire.read_until_pong()
            heard = [line["message"] for line in lines if line["type"] == "broadcast" and line["from"] != "mallory"]
            assert [line["type"] for line in lines].count("ack") == ROUNDS
            while len(heard) < ROUNDS:
                heard += [line["message"] for line in [wire.read_type("broadcast")] if line["from"] != "mallory"]
            assert heard == [f"{word} {n}" for n in range(ROUNDS)]


@contextmanager
def open_hall(folder: Path, door: Door | None = None) -> Iterator[Hall]:
    """One for a while; by another door than that for lines of JSON comes who attacks."""
    with (
        running_server(folder, **({} if door is None else door.settings)) as server,
        enter(server.port, "alice") as alice,
        enter(server.port, "bob") as bob,
        enter(server.port, "mallory") if door is None else door.enter(server, "mallory") as mallory,
    ):
        yield Hall(server, mallory, (alice, bob))
