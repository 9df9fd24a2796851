"""service/storage/statements/acts.py: the log of moderation, by pages and by what is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from freezegun import freeze_time

from tests.support.rooms import SOON, act, make_ops
from tests.support.storage import LATER, NOW, say

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


def log_acts(storage: SqliteStorage) -> None:
    """Six acts: in the room "ops" and in the main one, by alice, bob and the operator; the last two later."""
    ids = make_ops(storage, alice="owner", bob="moderator", carl="member")
    said = say(storage, ids["zoe"], "spam")
    with freeze_time(NOW) as clock:
        act(storage, ids["alice"], "carl", "mute", until=SOON, reason="loud")
        act(storage, ids["bob"], "yan", "ban")
        storage.result(storage.set_room(ids["bob"], "ops", topic="news"))
        act(storage, None, "bob", "role", None, role="moderator")
        clock.move_to(LATER)
        storage.result(storage.delete_message(ids["bob"], said, "spam"))
        storage.result(storage.delete_room("ops"))


def test_an_act_has_all_that_is_known_of_it(storage: SqliteStorage) -> None:
    """Who, whom or what, where, until when and why."""
    log_acts(storage)
    acts = [tuple(act) for act in storage.moderation_page(0, 9)]
    assert acts[:4] == [
        (1, NOW, "alice", "mute", "carl", None, None, "loud", "ops", SOON),
        (2, NOW, "bob", "ban", "yan", None, None, None, "ops", "9999-12-31T23:59:59.999Z"),
        (3, NOW, "bob", "topic", None, None, None, "news", "ops", None),
        (4, NOW, None, "role", "bob", None, "moderator", None, None, None),
    ]
    assert [act[3:6] for act in acts[4:]] == [("delete", "zoe", 1), ("delete_room", None, None)]


@pytest.mark.parametrize(
    ("after", "limit", "wanted", "ids"),
    [
        (0, 2, {}, [1, 2]),
        (2, 2, {}, [3, 4]),
        (6, 2, {}, []),
        (0, 9, {"room": "ops"}, [1, 2, 3, 6]),
        (0, 9, {"room": ""}, [4, 5]),
        (0, 9, {"room": "dev"}, []),
        (0, 9, {"user": "bob"}, [2, 3, 4, 5]),
        (0, 9, {"user": "yan"}, [2]),
        (0, 9, {"action": "delete"}, [5]),
        (0, 9, {"since": LATER}, [5, 6]),
        (0, 9, {"user": "bob", "room": "ops", "action": "ban", "since": NOW}, [2]),
        (3, 1, {"user": "bob"}, [4]),
    ],
)
def test_acts_are_found_by_what_is_asked(
    storage: SqliteStorage, after: int, limit: int, wanted: dict[str, Any], ids: list[int]
) -> None:
    """By or to a user; in a room by its name, the main one by none; oldest first, from an id on."""
    log_acts(storage)
    assert [act.id for act in storage.moderation_page(after, limit, **wanted)] == ids


def test_a_dossier_has_the_acts_in_rooms(storage: SqliteStorage) -> None:
    """By the person and to the person."""
    log_acts(storage)
    for name, ids in (("carl", [1]), ("bob", [2, 3, 4, 5]), ("zoe", [5])):
        held = storage.find_dossier(name)
        assert held is not None
        assert [(act.id, act.room) for act in held.acts] == [(n, "ops" if n < 4 else None) for n in ids]
