"""service/storage/postgres/users.py: accounts are made, and log in by one call that tells all that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.storage.postgres import users
from service.storage.records import (
    FOREVER,
    SERVER_ID,
    SERVER_NAME,
    TOKENS_PER_USER,
    AccountDisabled,
    Banned,
    NameTaken,
    PasswordChanged,
    RoomView,
    Shown,
    UnknownToken,
    User,
)
from tests.support.long_history import MESSAGES, ROOMS
from tests.support.pg_statements import add, make_room, rows, say
from tests.support.storage import EXPIRY, LATER, NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.storage.postgres.connection import Connection

    Count = Callable[[Callable[[Connection], object]], int]

ALICE = b"a" * 32


def alice_is(connection: Connection) -> User:
    (alice,) = add(connection, "alice")
    return User(alice, "alice", "hash of alice", None)


def test_a_login_tells_what_waits(connection: Connection) -> None:
    """The counts, the rank, the topic and the newest id at that point of the order of writes."""
    alice, bob = alice_is(connection), add(connection, "bob")[0]
    say(connection, bob, "one", "two")
    say(connection, alice.id, "own")
    say(connection, bob, "direct", to=alice.id)
    say(connection, bob, "not hers", to=bob)
    connection.run("UPDATE main_room SET topic = 'the topic'")
    connection.run("""UPDATE "user" SET role = 'owner', muted_until = %s WHERE id = %s""", (FOREVER, alice.id))
    login = users.log_in(connection, alice, None, NOW, 60)
    assert login == (alice.id, "alice", 1, 2, 4, "owner", 0, FOREVER, "the topic", [])
    assert rows(connection, "SELECT last_seen FROM users WHERE name = 'alice'") == [(NOW,)]
    assert rows(connection, "SELECT chat_moment()") == [(NOW,)]
    assert users.log_in(connection, alice, None, FOREVER, 60).muted_until is None


def test_a_login_tells_the_rooms(connection: Connection) -> None:
    """Those of the account, and those that it is invited to, by name, with their counts."""
    alice, bob = alice_is(connection), add(connection, "bob")[0]
    ops, den = make_room(connection, "ops", alice.id, bob), make_room(connection, "den", bob, private=True)
    connection.run("INSERT INTO invitation VALUES (%s, %s, NULL, %s)", (den, alice.id, NOW))
    say(connection, bob, "x", "y", room="ops")
    say(connection, alice.id, "z", room="ops")
    assert users.log_in(connection, alice, None, NOW, 60).rooms == [
        RoomView(den, "den", NOW, "", private=True, members=1, last_id=0, invited=True),
        RoomView(ops, "ops", NOW, "", private=False, members=2, last_id=3, role="member", unread=2),
    ]


def test_a_token_is_renewed_and_the_newest_stay(connection: Connection) -> None:
    """It lives on for its lifetime after each use; of too many the least recently used ones go."""
    alice = alice_is(connection)
    users.log_in(connection, alice, ALICE, NOW, 2_592_000)
    assert rows(connection, "SELECT expires_at FROM token") == [(EXPIRY,)]
    assert users.resume(connection, ALICE, LATER).name == "alice"
    ((renewed,),) = rows(connection, "SELECT expires_at FROM token")
    assert renewed > EXPIRY
    for number in range(TOKENS_PER_USER):
        moment = f"2026-11-21T10:00:{number:02d}.000Z"
        users.log_in(connection, alice, b"%d" % number, moment, 60 * (1 + number % 2))
    assert rows(connection, "SELECT count(*), bool_or(hash = %s) FROM token", ALICE) == [(TOKENS_PER_USER, False)]
    users.log_in(connection, alice, b"earlier", NOW, 60)  # the clock was set back
    assert rows(connection, "SELECT count(*) FROM token WHERE hash = %s", b"earlier") == [(1,)]
    with pytest.raises(UnknownToken):
        users.resume(connection, b"earlier", FOREVER)


def test_a_refused_login_changes_nothing(connection: Connection) -> None:
    """Whatever the reason, no token and no presence is stored."""
    alice = alice_is(connection)
    users.log_in(connection, alice, ALICE, NOW, 60)

    def refuse(error: type[Exception], user: User = alice) -> None:
        with pytest.raises(error):
            users.log_in(connection, user, b"new", LATER, 60)

    refuse(PasswordChanged, alice._replace(password_hash="other"))
    refuse(PasswordChanged, alice._replace(name="other"))
    connection.run("INSERT INTO ban (user_id, time, until) VALUES (%s, %s, %s)", (alice.id, NOW, EXPIRY))
    with pytest.raises(Banned) as banned:
        users.resume(connection, ALICE, NOW)
    assert banned.value.until == EXPIRY
    refuse(Banned)
    connection.run('UPDATE "user" SET disabled_at = %s WHERE id = %s', (NOW, alice.id))
    refuse(AccountDisabled)
    assert rows(connection, "SELECT hash, last_seen FROM token, users") == [(ALICE, NOW)]


def test_a_new_account_has_read_all(connection: Connection) -> None:
    """Earlier messages of the main room count as read, later ones do not."""
    (bob,) = add(connection, "bob")
    say(connection, bob, "before", "it")
    login = users.register(connection, "alice", "alice", "hash", ALICE, NOW, 60)
    assert (login.unread, login.read_id, login.last_id) == (0, 2, 2)
    say(connection, bob, "after")
    assert users.resume(connection, ALICE, NOW).unread == 1


def test_receipts_of_several_users_are_stored_together(connection: Connection) -> None:
    """Markers move to what was shown, and direct messages are seen."""
    alice, bob = add(connection, "alice", "bob")
    say(connection, alice, "1", "2", "3")
    say(connection, alice, "4", to=bob)
    users.store_receipts(connection, [Shown(alice, 2, []), Shown(bob, 2, [4]), Shown(bob, 3, [])], LATER)
    assert rows(connection, "SELECT user_id, read_id, read_position, own_unread FROM marker WHERE user_id > 0") == [
        (alice, 2, 2, 1),
        (bob, 3, 3, 0),
    ]
    assert rows(connection, "SELECT * FROM seen") == [(4, LATER)]
    assert users.see_up_to(connection, bob, 99, NOW) == 4
    assert users.see_up_to(connection, bob, 99, NOW) == 0


def test_the_services_own_account_is_there(connection: Connection) -> None:
    """The schema has made it; where a file was copied in which a user had the name, it is made once that is free."""
    users.ensure_server(connection)
    connection.run("DELETE FROM marker WHERE user_id = -1")
    connection.run('DELETE FROM "user" WHERE id = -1')
    (named,) = add(connection, SERVER_NAME)
    with pytest.raises(NameTaken):
        users.ensure_server(connection)
    connection.run("""UPDATE "user" SET name = 'other' WHERE id = %s""", (named,))
    users.ensure_server(connection)
    assert rows(connection, 'SELECT name FROM "user" WHERE id = %s', SERVER_ID) == [(SERVER_NAME,)]


def test_a_login_looks_at_no_message_but_the_newest(looked_at: Count) -> None:
    """Of a user with 200 rooms, who has read nothing of a long history."""
    user = User(3, "user3", "hash of user3", None)
    rows = looked_at(lambda connection: users.log_in(connection, user, ALICE, NOW, 60))
    assert rows <= 4 + MESSAGES // 200  # and those that are unseen, which are counted: a hundred, of all users
    assert looked_at(lambda connection: len(users.log_in(connection, user, ALICE, NOW, 60).rooms) == ROOMS) == rows
