"""service/storage/sqlite/posting.py: many rows at once, who may write where, and what is noted of rooms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from freezegun import freeze_time

from service.storage.records import FOREVER, Muted, NonceReused, NotAMember, Post, Stored, UnknownRoom, UnknownUser
from service.storage.sqlite import posting
from tests.support.storage import LATER, NOW, add, ids_of, make_room, run, say, store_posts, unread_in

if TYPE_CHECKING:
    from service.storage.sqlite.engine import SqliteStorage


@pytest.mark.parametrize("reused", [None, 0, 70, 90])
def test_any_number_is_stored_in_order(storage: SqliteStorage, reused: int | None) -> None:
    """However the rows fall to statements; a nonce used before costs no other row its place."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    say(storage, alice, "before", nonce="used")
    posts = [Post(None, f"{n}", "used" if n == reused else None) for n in range(91)]
    ours, theirs = storage.call(posting.store_all, [(alice, posts), (bob, [Post(None, "last", None)])])
    assert [n for n, outcome in enumerate(ours) if isinstance(outcome, NonceReused)] == [reused] * (reused is not None)
    stored = [outcome for outcome in (*ours, *theirs) if isinstance(outcome, Stored)]
    texts = [post.body for post in posts if not post.nonce] + ["last"]
    rows = storage.call(lambda c: c.execute("SELECT id, body FROM message WHERE id > 1 ORDER BY id").fetchall())
    assert rows == list(zip([outcome.id for outcome in stored], texts, strict=True))
    assert len({outcome.time for outcome in stored}) == 1


def to(room: str | None, nonce: str | None = None, created: str | None = None, text: str = "x") -> Post:
    """A message to a room."""
    return Post(None, text, nonce, room=room, created=created)


def kinds(storage: SqliteStorage, sender: int, *posts: Post) -> list[type]:
    """What becomes of messages."""
    return [type(outcome) for outcome in store_posts(storage, sender, *posts)]


def test_a_room_numbers_its_messages(storage: SqliteStorage) -> None:
    """Among others' in one batch, and on in the next; a retry takes no number."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    ops, dev = make_room(storage, "ops", alice, bob), make_room(storage, "dev", bob)
    calls = [(alice, [to("ops", "n"), to(None), to("ops")]), (bob, [to("dev"), Post(alice, "x", None), to("ops")])]
    storage.call(posting.store_all, calls)
    store_posts(storage, alice, to("ops", "n"), to("ops"))
    rows = run(storage, "SELECT id, position FROM message WHERE room_id = ? ORDER BY id", ops)
    assert rows == [(1, 1), (3, 2), (6, 3), (8, 4)]  # the retry has used up an id
    assert run(storage, "SELECT id, messages, last_id FROM room") == [(ops, 4, 8), (dev, 1, 4)]
    assert [unread_in(storage, *key) for key in ((alice, ops), (bob, ops), (bob, dev))] == [1, 3, 0]
    assert ids_of(storage.room_page(bob, "ops", None, 1, 2)) == [3, 6]


def test_only_members_write_in_a_room(storage: SqliteStorage) -> None:
    """Who may not is told why; a private room, and one made at another time, is as one that there is not."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    make_room(storage, "ops", alice)
    make_room(storage, "secret", alice, private=True)
    assert kinds(storage, bob, to("ops"), to("secret"), to("none")) == [NotAMember, UnknownRoom, UnknownRoom]
    assert kinds(storage, bob, to("ops", created=LATER)) == [UnknownRoom]
    assert kinds(storage, alice, to("secret", created=NOW), to("secret", created=LATER)) == [Stored, UnknownRoom]


@pytest.mark.parametrize("room", ["ops", None])
def test_the_muted_do_not_write(storage: SqliteStorage, room: str | None) -> None:
    """Up to the end of the mute, to its millisecond; elsewhere they do."""
    alice = add(storage, "alice")
    make_room(storage, "ops", alice)
    table = "member" if room else "user"
    run(storage, f"UPDATE {table} SET muted_until = '2030-01-01T00:00:01.000Z'")
    posts = [to(room), to("ops" if room is None else None), Post(alice, "x", None)]
    with freeze_time("2030-01-01 00:00:00.999"):
        assert kinds(storage, alice, *posts) == [Muted, Stored, Stored]
    with freeze_time("2030-01-01 00:00:01"):
        assert kinds(storage, alice, *posts) == [Stored] * 3
    run(storage, f"UPDATE {table} SET muted_until = ?", FOREVER)
    assert kinds(storage, alice, to(room)) == [Muted]


def test_a_mute_that_has_ended_costs_nothing(storage: SqliteStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages to the main room then go the short way again, on which nobody is judged."""
    alice = add(storage, "alice")
    judged: list[object] = []

    def judge(_: object, posts: list[tuple[int, Post]], *__: object) -> list[None]:
        judged.append(posts)
        return [None] * len(posts)

    monkeypatch.setattr(posting, "_judge", judge)
    run(storage, "UPDATE user SET muted_until = '2030-01-01T00:00:01.000Z'")
    with freeze_time("2030-01-01 00:00:00.999"):
        store_posts(storage, alice, to(None))
    assert len(judged) == 1
    with freeze_time("2030-01-01 00:00:01"):
        store_posts(storage, alice, to(None))
    assert len(judged) == 1


def test_a_retry_of_what_was_stored_is_not_refused(storage: SqliteStorage) -> None:
    """Though its sender has left, or is muted, and the room is gone; another room of its name is another target."""
    alice = add(storage, "alice")
    ops = make_room(storage, "ops", alice)
    store_posts(storage, alice, to("ops", "n", NOW), to(None, "m"))
    run(storage, "DELETE FROM member")
    run(storage, "UPDATE user SET muted_until = ?", FOREVER)
    again = [Stored(1, NOW, fresh=False, seen=False, room_id=ops), NonceReused, NotAMember, Stored]

    def told() -> list[object]:
        outcomes = store_posts(storage, alice, to("ops", "n"), to("ops", "n", LATER), to("ops", "new"), to(None, "m"))
        first = outcomes[0]
        assert isinstance(first, Stored)
        return [Stored(first.id, NOW, first.fresh, first.seen, first.room_id), *map(type, outcomes[1:])]

    assert told() == again
    run(storage, "UPDATE room SET gone_at = ?", NOW)
    assert told() == [*again[:2], UnknownRoom, Stored]
    make_room(storage, "ops", alice)
    assert told() == [*again[:2], Stored, Stored]


def test_the_closed_are_refused_in_their_order(storage: SqliteStorage) -> None:
    """What was stored of theirs is acknowledged again; the messages of others around keep their places."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    store_posts(storage, bob, to(None, "n"))
    calls = [(alice, [to(None), Post(bob, "x", None)]), (bob, [to(None), to(None, "n")]), (alice, [to(None)])]
    outcomes = storage.call(posting.store_all, calls, {bob})
    assert [[type(each) for each in call] for call in outcomes] == [
        [Stored, UnknownUser],
        [UnknownUser, Stored],
        [Stored],
    ]
    assert [call[0].id for call in (outcomes[0], outcomes[2]) if isinstance(call[0], Stored)] == [2, 3]
