"""service/storage/statements/deletion.py: who may delete what in a room, and what is noted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.records import NotAllowed, Post, RoomRef, Stored, UnknownMessage
from tests.support.storage import NOW, add, make_room, run, say, store_posts, unread_in

if TYPE_CHECKING:
    from service.storage.records import Role
    from service.storage.sqlite.engine import SqliteStorage


# The actor's role in the main room, and in the room; the sender's; whether the room is private; the refusal.
IN_ROOMS: list[tuple[Role, Role | None, Role, Role | None, bool, type[Exception] | None]] = [
    ("member", "member", "member", "member", False, NotAllowed),
    ("member", "moderator", "member", "member", False, None),
    ("member", "moderator", "member", None, False, None),
    ("member", "moderator", "member", "moderator", False, NotAllowed),
    ("member", "owner", "member", "moderator", False, None),
    ("member", "moderator", "moderator", "member", False, NotAllowed),
    ("member", "owner", "moderator", None, False, None),
    ("moderator", "member", "member", "member", False, None),
    ("moderator", None, "member", "member", False, None),
    ("owner", None, "member", "moderator", False, None),
    ("moderator", None, "member", "moderator", False, UnknownMessage),
    ("member", None, "member", "member", False, UnknownMessage),
    ("member", "moderator", "member", "member", True, None),
    ("member", "moderator", "owner", "member", True, None),
    ("owner", "member", "member", "member", True, NotAllowed),
    ("owner", "moderator", "member", "moderator", True, NotAllowed),
    ("owner", None, "member", "member", True, UnknownMessage),
    ("owner", None, "member", None, True, UnknownMessage),
]


def say_in_room(storage: SqliteStorage, private: bool = False) -> tuple[int, int, int]:
    """Returns the ids of a message by bob, of its room, and of alice, the other member."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    room = make_room(storage, "ops", alice, bob, private=private)
    (said,) = store_posts(storage, bob, Post(None, "secret", "n", room="ops"))
    assert isinstance(said, Stored)
    return said.id, room, alice


@pytest.mark.parametrize(("main", "role", "others_main", "others_role", "private", "refusal"), IN_ROOMS)
def test_in_a_room_who_ranks_higher_deletes(
    storage: SqliteStorage,
    main: Role,
    role: Role | None,
    others_main: Role,
    others_role: Role | None,
    private: bool,
    refusal: type[Exception] | None,
) -> None:
    """In a public one by the higher of both roles, for both; to who is no member there is no such message."""
    said, room, alice = say_in_room(storage, private)
    for user, main_role, room_role in ((alice, main, role), (2, others_main, others_role)):
        run(storage, "UPDATE user SET role = ? WHERE id = ?", main_role, user)
        run(storage, "UPDATE member SET role = ? WHERE user_id = ?", room_role or "", user)
    run(storage, "DELETE FROM member WHERE role = ''")
    if refusal is None:
        ref = RoomRef(room, "ops", NOW, private)
        assert storage.result(storage.delete_message(alice, said, "why"))[2:] == (True, None, ref)
        assert run(storage, "SELECT room_id, message_id FROM moderation") == [(room, said)]
    else:
        with pytest.raises(refusal):
            storage.result(storage.delete_message(alice, said, None))


def test_senders_and_operators_delete_in_a_room_that_is_gone(storage: SqliteStorage) -> None:
    """Also who has left it; for others there is no such message."""
    said, room, alice = say_in_room(storage)
    run(storage, "DELETE FROM member WHERE user_id = 2")
    run(storage, "UPDATE member SET role = 'owner'")
    run(storage, "UPDATE room SET gone_at = ?", NOW)
    with pytest.raises(UnknownMessage):
        storage.result(storage.delete_message(alice, said, None))
    first = storage.result(storage.delete_message(2, said, None))
    assert first.fresh
    assert storage.result(storage.delete_message(None, said, None)) == first._replace(fresh=False)
    kept = run(storage, "SELECT body, room_id, position FROM message WHERE id = ?", said)
    assert kept == [("", room, 1)]


def test_a_deleted_message_of_a_room_goes_on_counting(storage: SqliteStorage) -> None:
    """As unread, until the marker passes it. No search finds it, a page has it without text, a retry its id."""
    said, room, alice = say_in_room(storage)
    storage.index_search()
    storage.result(storage.delete_message(2, said, None))
    assert unread_in(storage, alice, room) == 1
    assert storage.search_page("secret", alice, None, None, 9, rooms=True).messages == []
    (left,) = storage.room_page(alice, "ops", None, None, 9).messages
    assert (left.body, left.deleted is None) == ("", False)
    assert store_posts(storage, 2, Post(None, "other", "n", room="ops"))[0].id == said  # type: ignore[union-attr]
    storage.result(storage.see_room_up_to(alice, "ops", said))
    assert unread_in(storage, alice, room) == 0


@pytest.mark.parametrize(("actor", "reason", "noted"), [(1, None, 0), (1, "why", 1), (None, None, 1)])
def test_what_others_delete_or_with_a_reason_is_noted(
    storage: SqliteStorage, actor: int | None, reason: str | None, noted: int
) -> None:
    """The log of moderation has who, whose, which and why; one's own deletion without a reason is no moderation."""
    said = say(storage, add(storage, "alice"), "secret")
    storage.result(storage.delete_message(actor, said, reason))
    rows = storage.read(lambda c: c.execute("SELECT actor_id, user_id, message_id, reason FROM moderation").fetchall())
    assert rows == [(actor, 1, said, reason)] * noted
