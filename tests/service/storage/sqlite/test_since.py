"""service/storage/sqlite/since.py: pages of rooms, for those who may read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.records import NotAMember, Post, RoomRef, UnknownRoom
from tests.support.storage import NOW, add, ids_of, make_room, run, say, store_posts

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize(
    ("before", "after", "limit", "expected", "more"),
    [
        (None, None, 2, [7, 5], True),
        (5, None, 2, [3, 1], False),
        (None, 3, 2, [5, 7], False),
        (7, 1, 1, [3], True),
        (1, None, 9, [], False),
    ],
)
def test_a_page_of_a_room(
    storage: SqliteStorage, before: int | None, after: int | None, limit: int, expected: list[int], more: bool
) -> None:
    """Its messages only, in the order of a page of the main room; each names the room."""
    alice = add(storage, "alice")
    ops = make_room(storage, "ops", alice)
    for _ in range(4):
        store_posts(storage, alice, Post(None, "x", None, room="ops"))
        say(storage, alice, "to all")
    ref, page = storage.room_page(alice, "ops", before, after, limit)
    assert ref == RoomRef(ops, "ops", NOW, private=False)
    assert (ids_of(page), page.more) == (expected, more)
    assert {(message.room, message.room_id, message.recipient) for message in page.messages} <= {("ops", ops, None)}
    assert not [message for message in storage.history_page(None, None, None, 9).messages if message.room]


def test_only_members_read_a_room(storage: SqliteStorage) -> None:
    """Who is invited to a private one knows that it is there; a gone one is read by nobody."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    make_room(storage, "ops", alice)
    secret = make_room(storage, "secret", alice, private=True)

    def refusal(user: int, room: str) -> type[Exception] | None:
        try:
            storage.room_page(user, room, None, None, 9)
        except (NotAMember, UnknownRoom) as refused:
            return type(refused)
        return None

    assert [refusal(bob, room) for room in ("ops", "secret", "none")] == [NotAMember, UnknownRoom, UnknownRoom]
    run(storage, "INSERT INTO invitation VALUES (?, ?, NULL, ?)", secret, bob, NOW)
    assert [refusal(bob, "secret"), refusal(alice, "secret")] == [NotAMember, None]
    run(storage, "UPDATE room SET gone_at = ?", NOW)
    assert refusal(alice, "secret") is UnknownRoom
