"""The soak's own judgement: what it would find if the service went wrong."""

from __future__ import annotations

import random
from math import inf
from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import open_storage
from tests.support.hooks import HASH, add_hook, pieces
from tests.support.storage import add, say
from tests.system.soak.client import Client, Visit
from tests.system.soak.fleet import ENDINGS, at_random, at_times
from tests.system.soak.monitor import Monitor
from tests.system.soak.program import MIB, Level
from tests.system.soak.rooms import make_client
from tests.system.soak.stores import Sqlite
from tests.system.soak.verdict import compare_hook, compare_levels, compare_views
from tests.system.soak.world import World, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

LEVEL = Level(memory=50 * MIB, threads=200, descriptors=220, wal=16 * MIB, database=10 * MIB)


@pytest.fixture
def world() -> World:
    """Three clients: the first has written to all and to the second."""
    world = World([], seed=1)
    world.clients += [Client(world, number, []) for number in range(3)]
    for client in world.clients:
        client.since = 0
    world.clients[0].compose(None, 10)
    world.clients[0].compose("client001", 10)
    return world


def tell_all(world: World, path: Path, *, untold: str = "") -> list[str]:
    """Stores what was written and shows it to whom it is for, but for one; gives the differences."""
    first = world.clients[0]
    with open_storage(path) as storage:
        writers = [add(storage, client.name) for client in world.clients]
        for nonce, command in list(first.unacked.items()):
            message_id = say(storage, writers[0], command["message"], command.get("to"), nonce)
            first.note_ack({"id": message_id, "nonce": nonce, "to": command.get("to")})
            for client in world.clients[1:]:
                if client.name != untold and command.get("to") in {None, client.name}:
                    client.show({"id": message_id, "from": first.name, **command})
    return list(compare_views(Sqlite(path.parent).read, world.clients))


def test_equal_views_are_equal(world: World, tmp_path: Path) -> None:
    """Everyone has what is public and what is theirs: no difference."""
    assert tell_all(world, tmp_path / "chat.db") == []
    assert world.faults == []


def test_a_lost_message_is_found(world: World, tmp_path: Path) -> None:
    """It is said who lacks which."""
    (difference,) = tell_all(world, tmp_path / "chat.db", untold="client001")
    assert difference.startswith("client001 (does not confirm): 2 messages missing [1, 2], 0 too many")


def test_a_message_of_others_is_found(world: World, tmp_path: Path) -> None:
    """Both at once, and at the end."""
    line = {"id": 9, "from": "client000", "to": "client001", "message": "psst"}
    world.clients[2].show(line)
    assert world.faults == ["client002 was told 9, a direct message of others"]
    assert any("1 too many [9]" in difference for difference in tell_all(world, tmp_path / "chat.db"))


def test_a_lost_ack_is_found(world: World, tmp_path: Path) -> None:
    """An id that the database does not have for that message."""
    path = tmp_path / "chat.db"
    tell_all(world, path)
    world.clients[0].acked[1] = 7
    assert list(compare_views(Sqlite(path.parent).read, world.clients)) == [
        "client000's message 1 has the ack 7, but the database has 2"
    ]


@pytest.mark.parametrize(
    ("answered", "is_fault"),
    [
        ({0: (2, 2), 1: (3, 1)}, False),
        ({0: (2, 2)}, True),
        ({0: (2, 2), 1: (4, 1)}, True),
        ({0: (2, 1), 1: (3, 1)}, True),
    ],
)
def test_a_webhook_that_says_otherwise_is_found(
    world: World, tmp_path: Path, answered: dict[int, tuple[int, int]], *, is_fault: bool
) -> None:
    """A text that is there and was not answered, one that is not there, or not whole."""
    path, monitor = tmp_path / "chat.db", Monitor(world)
    with open_storage(path) as storage:
        add_hook(storage)
        for texts in (("00000000.0", "00000000.1"), ("00000001.0",)):
            storage.result(storage.post_by_hook(HASH, pieces(*(f"monitor {text}|xx" for text in texts))))
    monitor.answered.update(answered)
    assert bool(list(compare_hook(Sqlite(path.parent).read, monitor))) == is_fault


@pytest.mark.parametrize(("ids", "is_fault"), [([5, 6, 9], False), ([5, 5], True), ([6, 5], True), ([4], True)])
def test_live_order_is_watched(world: World, ids: list[int], *, is_fault: bool) -> None:
    """After the seam of 4 each live id must be larger than the one before."""
    visit = Visit(world.clients[1], None)  # type: ignore[arg-type]
    visit._take({"type": "login_ok", "last_id": 4})
    for message_id in ids:
        visit._take({"type": "broadcast", "id": message_id, "from": "client000", "message": "hi"})
    assert bool(world.faults) == is_fault


def test_a_line_of_a_room_that_one_is_not_in_is_found(world: World) -> None:
    """One is in the rooms that the login names, those that one joins, and no longer after a kick."""
    client = make_client(world, 3, [])
    visit = client.visits(client, None)  # type: ignore[arg-type]
    row = {"room": "ops", "created": "2026-01-01T00:00:00.000Z", "role": "member"}
    said = {"type": "broadcast", "from": "client000", "message": "hi", "room": "ops"}
    visit._take({"type": "login_ok", "last_id": 4, "rooms": []})
    visit._take({"type": "room", **row})
    visit._take(said | {"id": 5})
    assert world.faults == []
    visit._take({"type": "member", "room": "ops", "username": client.name, "action": "kick"})
    visit._take(said | {"id": 6})
    assert world.faults == ["client003 was told 6, of ops, where it is no member"]


def test_a_deleted_text_that_is_still_held_is_found(world: World, tmp_path: Path) -> None:
    """Who knows rooms is told of each deletion, if not live then by `since`; others may still have the text."""
    keeper, other = make_client(world, 0, []), make_client(world, 1, [])
    with open_storage(tmp_path / "chat.db") as storage:
        sender = add(storage, keeper.name)
        message_id = say(storage, sender, "client000 00000000|hi")
        storage.result(storage.delete_message(None, message_id, None))
    for client in (keeper, other):
        client.show({"id": message_id, "from": keeper.name, "message": "client000 00000000|hi"})
    keeper.final = {message_id: fingerprint(message_id, keeper.name, None, "deleted")}
    (difference,) = compare_views(Sqlite(tmp_path).read, [keeper, other])
    assert "0 messages missing [], 0 too many [], 1 otherwise [1]" in difference
    keeper.forget(message_id)
    assert list(compare_views(Sqlite(tmp_path).read, [keeper, other])) == []


@pytest.mark.parametrize(
    ("later", "names"),
    [
        (LEVEL, []),
        (LEVEL._replace(memory=90 * MIB), ["memory"]),
        (LEVEL._replace(memory=60 * MIB, database=90 * MIB), []),
        (LEVEL._replace(threads=240, descriptors=270, wal=40 * MIB), ["threads", "descriptors", "wal"]),
    ],
)
def test_levels_that_grow_are_found(later: Level, names: list[str]) -> None:
    """Beyond chance; but a database may grow."""
    assert [text.split()[0] for text in compare_levels([LEVEL] * 20 + [later] * 10)] == names


def test_strokes_fall_in_any_order_and_not_while_it_is_quiet() -> None:
    """Each kind once in every round, some seconds after the one before."""
    now, seen = 0.0, []
    plan = at_random("abc", (20.0, 30.0), random.Random(1), lambda: now)
    for _ in range(9):
        now, name = next(plan)
        assert not 20.0 <= now < 30.0
        seen.append(name)
    assert [sorted(seen[n : n + 3]) for n in (0, 3, 6)] == [["a", "b", "c"]] * 3
    assert now > 30.0


def test_the_strokes_on_one_service_are_those_of_its_plan() -> None:
    """Then none."""
    plan = at_times(100.0)
    assert [next(plan) for _ in range(6)] == [*((100 * share, name) for share, name in ENDINGS), (inf, "")]
