"""Clients of one server for a test, closed at its end, and functions that such tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.helpers import Wire, enter

if TYPE_CHECKING:
    from tests.support.helpers import Line


class Wires:
    """Opens clients and closes all of them."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._open: list[Wire] = []

    def connect(self) -> Wire:
        self._open.append(Wire(self.port))
        return self._open[-1]

    def enter(self, name: str, **fields: Any) -> Wire:
        self._open.append(enter(self.port, name, **fields))
        return self._open[-1]

    def close(self) -> None:
        for wire in self._open:
            wire.close()


def said(lines: list[Line]) -> list[tuple[str, int]]:
    return [(line["message"], line["id"]) for line in lines if line["type"] in ("broadcast", "direct")]


def away(wires: Wires, name: str, **fields: Any) -> None:
    """Registers a name and leaves."""
    wire = wires.enter(name, **fields)
    wire.ask("ex")
    wire.read_to_end()


def read_users(wire: Wire, *names: str) -> Line:
    """Returns the next users list of exactly these names; drops older lists."""
    while (line := wire.read_type("users"))["users"] != list(names):
        pass
    return line
