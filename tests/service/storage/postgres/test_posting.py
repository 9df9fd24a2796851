"""service/storage/postgres/posting.py: messages are stored once, in order, by who may write there."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from service.storage.postgres import address, posting
from service.storage.postgres.connection import connect
from service.storage.records import (
    FOREVER,
    SERVER_ID,
    Banned,
    Muted,
    NonceReused,
    NotAMember,
    Post,
    Stored,
    UnknownRoom,
    UnknownUser,
)
from tests.support.pg_statements import add, make_room, rows
from tests.support.storage import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.storage.postgres.connection import Connection
    from service.storage.records import Outcome


def post(connection: Connection, sender: int, *posts: Post) -> list[Outcome]:
    (outcomes,) = posting.store_posts(connection, [(sender, posts)])
    return outcomes


def ids(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.id for outcome in outcomes if isinstance(outcome, Stored)]


def test_new_messages_get_ids_in_order(connection: Connection) -> None:
    """The ids of a batch follow each other, over all its senders, and the next batch goes on."""
    alice, bob = add(connection, "alice", "bob")
    say = [Post(None, f"text {number}", f"n{number}") for number in range(3)]
    first, second = posting.store_posts(connection, [(alice, say), (bob, say[:2])])
    assert ids(first) + ids(second) == [1, 2, 3, 4, 5]
    assert ids(post(connection, alice, Post(bob, "direct", None))) == [6]
    assert rows(connection, "SELECT id, sender, recipient, message FROM history WHERE id IN (3, 4, 6) ORDER BY id") == [
        (3, "alice", None, "text 2"),
        (4, "bob", None, "text 0"),
        (6, "alice", "bob", "direct"),
    ]


@pytest.mark.parametrize("text", ['"quoted" \\ back', "{a,b}", "NULL", "", " ", "line\nline", "\u00e4\U0001f600", "%s"])
def test_every_text_is_kept_as_it_is(connection: Connection, text: str) -> None:
    """What means something in an array of PostgreSQL, or to its client, comes back as it was."""
    (alice,) = add(connection, "alice")
    post(connection, alice, Post(None, text, text), Post(None, "other", None))
    assert rows(connection, "SELECT body, nonce FROM message ORDER BY id") == [(text, text), ("other", None)]


def test_a_retry_gets_the_first_result(connection: Connection) -> None:
    """The same nonce again stores nothing, in another batch as in the same one; another text is refused."""
    alice, bob = add(connection, "alice", "bob")
    (first,) = post(connection, alice, Post(bob, "hi", "n"))
    assert isinstance(first, Stored)
    again, new, twice, other, to_all = post(
        connection,
        alice,
        *(Post(bob, "hi", "n"), Post(None, "new", "m"), Post(None, "new", "m")),
        *(Post(bob, "hu", "n"), Post(None, "hi", "n")),
    )
    assert again == Stored(first.id, first.time, fresh=False, seen=False)
    assert isinstance(new, Stored)
    assert twice == Stored(new.id, new.time, fresh=False, seen=False)
    assert new.id == first.id + 1
    assert isinstance(other, NonceReused)
    assert isinstance(to_all, NonceReused)
    assert rows(connection, "SELECT count(*) FROM message") == [(2,)]
    assert ids(post(connection, bob, Post(None, "hi", "n"))) == [3]  # the nonces of each sender are its own


def test_who_may_not_write_is_told_why(connection: Connection) -> None:
    """Each refusal concerns its own message; the others of the batch are stored."""
    alice, bob, carol, dave = add(connection, "alice", "bob", "carol", "dave")
    ops = make_room(connection, "ops", alice, bob)
    make_room(connection, "den", carol, private=True)
    connection.run("UPDATE member SET muted_until = %s WHERE user_id = %s", (FOREVER, bob))
    connection.run('UPDATE "user" SET muted_until = %s WHERE id = %s', (FOREVER, carol))
    connection.run("""UPDATE "user" SET password_hash = '' WHERE id = %s""", (dave,))
    calls = [
        (alice, [Post(None, "a", "1", room="ops"), Post(None, "b", "2", room="den"), Post(None, "c", "3", room="no")]),
        (alice, [Post(None, "d", "4", room="ops", created="other"), Post(dave, "e", "5")]),
        (bob, [Post(None, "f", "6", room="ops"), Post(None, "g", "7")]),
        (carol, [Post(None, "h", "8", room="ops"), Post(None, "i", "9"), Post(alice, "j", "10")]),
        (dave, [Post(None, "k", "11")]),
        (SERVER_ID, [Post(None, "l", None)]),
    ]
    outcomes = [outcome for each in posting.store_posts(connection, calls) for outcome in each]
    assert [type(outcome) for outcome in outcomes] == [
        *(Stored, UnknownRoom, UnknownRoom, UnknownRoom, UnknownUser, Muted, Stored),
        *(NotAMember, Muted, Stored, UnknownUser, Stored),
    ]
    assert ids(outcomes) == [1, 2, 3, 4]
    assert isinstance(outcomes[0], Stored)
    assert outcomes[0].room_id == ops
    assert [str(outcome) for outcome in outcomes[1:3]] == ["den", "no"]


def test_who_is_banned_writes_nothing_but_a_retry(connection: Connection) -> None:
    """A ban from the main room holds for every message; what was stored before is acknowledged again."""
    (alice,) = add(connection, "alice")
    (before,) = post(connection, alice, Post(None, "hi", "n"))
    connection.run("INSERT INTO ban (user_id, time, until) VALUES (%s, %s, %s)", (alice, NOW, FOREVER))
    again, new = post(connection, alice, Post(None, "hi", "n"), Post(alice, "note", None))
    assert isinstance(before, Stored)
    assert again == Stored(before.id, before.time, fresh=False, seen=False)
    assert isinstance(new, Banned)
    assert new.until == FOREVER


def test_messages_are_numbered_in_each_room(connection: Connection) -> None:
    """Positions count those of the main room and of each other one; a room's row and its members' follow."""
    alice, bob = add(connection, "alice", "bob")
    ops = make_room(connection, "ops", alice, bob)
    everywhere = [Post(None, "a", None), Post(None, "b", None, room="ops"), Post(bob, "c", None), Post(None, "d", None)]
    for _ in range(2):
        posting.store_posts(connection, [(alice, everywhere), (bob, everywhere[:2])])
    post(connection, bob, Post(None, "plain", None))
    places = "SELECT room_id, array_agg(position ORDER BY id) FROM message WHERE recipient_id IS NULL GROUP BY room_id"
    assert dict(rows(connection, places)) == {None: [1, 2, 3, 4, 5, 6, 7], ops: [1, 2, 3, 4]}
    assert rows(connection, "SELECT messages, last_id FROM room") == [(4, 12)]
    assert rows(connection, "SELECT user_id, own_unread FROM member ORDER BY user_id") == [(alice, 2), (bob, 2)]
    assert rows(connection, "SELECT user_id, own_unread FROM marker WHERE user_id > 0 ORDER BY user_id") == [
        (alice, 4),
        (bob, 3),
    ]
    assert rows(connection, "SELECT recipient_id, id, sender_id FROM unseen") == [(bob, 3, alice), (bob, 9, alice)]


def test_a_webhook_speaks_without_being_judged(connection: Connection) -> None:
    """Its pieces follow each other in its room, though nobody can log in to its account."""
    alice, hook = add(connection, "alice", "hook")
    connection.run("""UPDATE "user" SET password_hash = '' WHERE id = %s""", (hook,))
    ops = make_room(connection, "ops", alice)
    pieces = [Post(None, "one", "n-1", room="ops"), Post(None, "two", "n-2", room="ops")]
    assert ids(posting.store_together(connection, hook, ops, pieces)) == [1, 2]
    assert ids(posting.store_together(connection, hook, None, [Post(None, "all", None)])) == [3]
    assert rows(connection, "SELECT room_id, position FROM message ORDER BY id") == [(ops, 1), (ops, 2), (None, 1)]


# -- the batch of a service --------------------------------------------------------------------------------------------
def add_node(connection: Connection) -> None:
    ((connection.node,),) = connection.run("INSERT INTO node (name, lease) VALUES ('n', now()) RETURNING id").fetchall()


def test_a_batch_is_done_once(connection: Connection) -> None:
    """Its number and its answer are noted with it; the same number again stores nothing."""
    (alice,) = add(connection, "alice")
    add_node(connection)
    connection.batch = 7
    calls = [(alice, [Post(None, "hi", None)])]
    outcomes = posting.store_posts(connection, calls)
    ((batch, *answer),) = rows(connection, "SELECT number, (outcome).* FROM batch")
    assert batch == 7
    assert posting.outcomes_of(answer, calls) == posting.outcomes_of(connection.answer, calls) == outcomes
    with pytest.raises(psycopg.Error) as refused:
        posting.store_posts(connection, calls)
    assert refused.value.sqlstate == "CHAT1"
    assert rows(connection, "SELECT count(*) FROM message") == [(1,)]


def test_other_services_are_woken(connection: Connection, database: str) -> None:
    """A notice goes out if there is another service; without one it would be for nobody."""
    (alice,) = add(connection, "alice")
    place = address.parse(database)
    with closing(psycopg.connect(database, autocommit=True)) as listener:
        listener.execute(f"LISTEN {place.channel}".encode())
        add_node(connection)
        for batch in (1, 2):
            connection.batch = batch
            post(connection, alice, Post(None, f"to {batch}", None))
            connection.run("INSERT INTO node (name, lease) VALUES ('other', now())")
        listener.execute("SELECT 1")
        assert [notice.payload for notice in listener.notifies(timeout=0)] == [""]


def test_a_reader_by_id_neither_skips_nor_doubles(database: str) -> None:
    """While many write at once, who always asks for what follows the newest id seen gets every message once."""
    with closing(connect(address.parse(database))) as connection:
        (alice,) = add(connection, "alice")
    writers, each = 6, 40

    def write(number: int) -> None:
        with closing(psycopg.connect(database, autocommit=True)) as own:
            for turn in range(each):
                count = 1 + turn % 3
                own.execute(
                    "SELECT chat.chat_store(0, 0, %s::bigint[], NULL, NULL, NULL, NULL, %s, %s)",
                    ([alice] * count, [f"{number}-{turn}-{place}" for place in range(count)], ["text"] * count),
                )

    threads = [threading.Thread(target=write, args=(number,), name=f"write-{number}") for number in range(writers)]
    seen: list[int] = []
    with closing(psycopg.connect(database, autocommit=True)) as reader:
        for thread in threads:
            thread.start()
        while True:
            is_over = not any(thread.is_alive() for thread in threads)
            after = seen[-1] if seen else 0
            found = reader.execute("SELECT id FROM chat.message WHERE id > %s ORDER BY id LIMIT 7", (after,)).fetchall()
            seen += [number for (number,) in found]
            if is_over and not found:
                break
    for thread in threads:
        thread.join()
    assert seen == list(range(1, 1 + writers * sum(1 + turn % 3 for turn in range(each))))


def test_nul_in_the_time_of_a_room_spares_the_others(connection: Connection) -> None:
    """A client may send it as any text: no room was made then. Other messages of the batch are stored."""
    alice, bob = add(connection, "alice", "bob")
    make_room(connection, "den", alice)
    bad = Post(None, "a", None, room="den", created="\0")
    refused, stored = posting.store_posts(connection, [(alice, [bad]), (bob, [Post(None, "b", None)])])
    assert [type(outcome) for outcome in refused] == [UnknownRoom]
    assert ids(stored) == [1]
