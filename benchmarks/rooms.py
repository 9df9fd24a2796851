"""The cells rooms100 and rooms1000: many rooms, in which all talk, or a few who are in many."""

from __future__ import annotations

import random
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from benchmarks.cells import Cell, Target
from benchmarks.load import TEXT, Span, talk

if TYPE_CHECKING:
    from benchmarks.peers import Client, Peer


def in_rooms(
    peer: Peer | None, count: int, rooms: int, each: int, senders: int, in_flight: int, span: Span
) -> dict[str, float]:
    """Measures messages to `rooms` rooms, of which each of `count` clients is in `each`; senders take theirs in turn.

    Who is where is the same in each run.
    """
    assert peer is not None
    peer.with_rooms = True
    clients = peer.log_in(count)
    chance = random.Random(1)  # noqa: S311 (no secret, and the same in each run)
    names: dict[Client, list[str]] = {}
    members: dict[str, list[Client]] = {}
    for number, client in enumerate(clients):
        places = [number % rooms] if each == 1 else chance.sample(range(rooms), each)
        names[client] = [f"room{place}" for place in places]
        for room in names[client]:
            members.setdefault(room, []).append(client)
    for room, those in members.items():  # one after the other: ngircd then takes a seventh of the time
        peer.fill_room(room, those)
    messages = {client: cycle([peer.public(TEXT, room) for room in names[client]]) for client in clients[:senders]}

    def say(client: Client, number: int) -> bytes:
        return b"".join(islice(messages[client], number))

    return talk(peer, clients, senders, in_flight, span, say)


def make_cells(span: Span) -> dict[str, Cell]:
    """Returns all cells; each measures for the time of `span`."""
    return {
        "rooms100": Cell(
            "100 clients in 10 rooms of 10, all send, 16 in flight each",
            lambda peer: in_rooms(peer, 100, 10, 1, 100, 16, span),
            ("chat", "ngircd"),
            (Target("messages/s", ">=", 0.9, "ngircd", "fan10"),),
        ),
        "rooms1000": Cell(
            "1,000 clients, each in 20 of 200 rooms, 10 send, 16 in flight each",
            lambda peer: in_rooms(peer, 1000, 200, 20, 10, 16, span),
            ("chat", "ngircd"),
            (Target("deliveries/s", ">=", 0.5, "ngircd"),),
        ),
    }


CELLS: Final = make_cells(Span())
