"""Two services over one PostgreSQL, and their clients. Holds no test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.admin.asking import ask
from tests.support.wires import Wires

if TYPE_CHECKING:
    from service.admin.desk import Order
    from service.server import Server
    from tests.support.helpers import Line, Wire

OPS: Final = {"room": "ops"}
ALL: Final = "also bob carol erin"
MEMBERS: Final = "also bob"

Told = dict[str, list["Line"]]


class Cast:
    """Alice at the first service and twice at the other; there bob and carol, too, and erin, who knows no rooms.

    Alice owns the room ops; bob and erin are in it, carol is not.
    """

    def __init__(self, first: Server, second: Server, url: str) -> None:
        self.first, self.second, self.url = first, second, url
        self.here, self.there = Wires(first.port), Wires(second.port)
        self.alice = self.here.enter("alice", rooms=True)
        self.zoe = self.here.enter("zoe")
        self.wires: dict[str, Wire] = {
            "also": self.there.enter("alice", rooms=True),
            "bob": self.there.enter("bob", rooms=True),
            "carol": self.there.enter("carol", rooms=True),
            "erin": self.there.enter("erin"),
        }
        self.also, self.bob, self.carol, self.erin = self.wires.values()
        self.alice.ask("create", **OPS)
        for wire in (self.bob, self.erin):
            assert wire.ask("join", **OPS)["type"] == "room"
        self._marks = 0
        self.heard()

    def close(self) -> None:
        self.here.close()
        self.there.close()

    def act(self, name: str, action: str, room: str = "ops", **fields: Any) -> None:
        assert self.alice.ask("moderate", room=room, username=name, action=action, **fields)["type"] == "ack"

    def order(self, order: Order) -> None:
        """An operator's, through the database."""
        for _ in ask(self.url, order):
            pass

    def say(self, text: str = "hi", **fields: Any) -> int:
        ack = self.alice.ask("dm" if "to" in fields else "pm", message=text, **fields)
        assert ack["type"] == "ack", ack
        number: int = ack["id"]
        return number

    def heard(self) -> Told:
        """What each client at the other service was sent since the last mark, without lists of users and times."""
        self._marks += 1
        mark = f"mark {self._marks}"
        self.zoe.ask("pm", message=mark)
        return {name: _read_to(wire, mark) for name, wire in self.wires.items()}


def _read_to(wire: Wire, mark: str) -> list[Line]:
    """The lines up to the mark, or to the end of the session."""
    lines: list[Line] = []
    while not lines or lines[-1].get("message") != mark:
        try:
            line = wire.read()
        except EOFError:
            return lines
        if line["type"] not in ("users", "presence"):
            lines.append({key: value for key, value in line.items() if key not in ("time", "created", "by")})
    return lines[:-1]


def to(names: str, *lines: Line) -> Told:
    """These lines for each of these clients."""
    return {name: list(lines) for name in names.split()}


def said(number: int, message: str = "hi", *, by: str = "alice", **more: Any) -> Line:
    """What is sent of a message to a room."""
    return {"type": "broadcast", "id": number, "from": by, "message": message, **more}
