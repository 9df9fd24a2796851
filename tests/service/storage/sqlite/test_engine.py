"""service/storage: accounts, tokens, messages and pages, on a real file, and how SQLite goes about every statement."""

from __future__ import annotations

import inspect
import re
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from service.config import MAX_ID, TOKENS_PER_USER
from service.errors import PeerError, StorageFull, StorageUnavailable
from service.storage.sqlite import fulltext, messages, unread, users
from tests.support.helpers import open_storage
from tests.support.storage import EXPIRY, LATER, NOW, add, explain, ids_of, say, skip_ids, store, store_posts, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.storage.sqlite.engine import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """An empty, open storage."""
    with open_storage(tmp_path / "chat.db") as storage:
        yield storage


def waiting(storage: Storage, user_id: int) -> tuple[int, int]:
    return storage.read(messages.count_waiting, user_id)


def test_a_name_is_registered_once(storage: Storage) -> None:
    """The second to choose a name is refused, and the first stays."""
    add(storage, "alice")
    with pytest.raises(PeerError) as caught:
        add(storage, "alice")
    assert caught.value.code == "username_taken"
    user = storage.read(users.find_user, "alice")
    assert user is not None
    assert user.password_hash == "hash of alice"


def test_a_new_account_has_read_everything(storage: Storage) -> None:
    """What was said before she came is not unread; what others say after is, her own words are not."""
    bob = add(storage, "bob")
    say(storage, bob, "early")
    alice = add(storage, "alice")
    assert waiting(storage, alice) == (0, 0)
    say(storage, bob, "late")
    say(storage, alice, "mine")
    assert waiting(storage, alice) == (0, 1)


def test_a_nonce_stores_once(storage: Storage) -> None:
    """The same nonce gives the first id and time again; with another text or target it is refused."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    first, again = (store(storage, alice, "hi", nonce="n1") for _ in range(2))
    assert isinstance(first, messages.Receipt)
    assert again == msgspec.structs.replace(first, fresh=False)
    for recipient, text in ((None, "ho"), ("bob", "hi")):
        refused = store(storage, alice, text, recipient, "n1")
        assert isinstance(refused, PeerError)
        assert refused.code == "nonce_reused"
    assert say(storage, bob, "hi", nonce="n1") > first.id
    assert len(storage.read(messages.history_page, None, None, None, 200).messages) == 2


def test_a_refused_message_spares_the_others_of_its_batch(storage: Storage) -> None:
    """Messages that come together are stored in order; a reused nonce among them concerns itself alone."""
    alice = add(storage, "alice")
    posts = [messages.Post(None, text, nonce) for text, nonce in (("1", "n"), ("other", "n"), ("1", "n"), ("2", None))]
    first, refused, again, last = store_posts(storage, alice, *posts)
    assert isinstance(refused, PeerError)
    assert isinstance(first, messages.Receipt)
    assert again == msgspec.structs.replace(first, fresh=False)
    page = storage.read(messages.history_page, None, None, 0, 9)
    assert isinstance(last, messages.Receipt)
    assert [(m.id, m.body) for m in page.messages] == [(first.id, "1"), (last.id, "2")]


def test_direct_messages_wait_until_seen(storage: Storage) -> None:
    """They are counted and paged oldest first until seen, by id or by list; others' ids change nothing."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    ids = [say(storage, alice, f"{n}", to="bob") for n in range(5)]
    other = say(storage, alice, "not for bob", to="carol")
    page = storage.read(messages.missed_page, bob, MAX_ID, 3)
    assert ([message.id for message in page.messages], page.more) == (ids[:3], True)
    storage.call(messages.mark_seen, bob, [ids[3], other, 999], LATER)
    storage.call(users.see_up_to, bob, ids[1], LATER)
    assert [m.id for m in storage.read(messages.missed_page, bob, MAX_ID, 3).messages] == [ids[2], ids[4]]
    assert (waiting(storage, bob)[0], waiting(storage, carol)[0]) == (2, 1)


def test_the_first_sight_is_kept(storage: Storage) -> None:
    """A message seen again keeps the time at which it was seen first."""
    alice = add(storage, "alice")
    add(storage, "bob")
    message_id = say(storage, alice, "hi", to="bob")
    for now in (NOW, LATER):
        storage.call(messages.mark_seen, 2, [message_id], now)
    assert storage.call(lambda c: c.execute("SELECT seen_at FROM message").fetchall()) == [(NOW,)]


@pytest.mark.parametrize(("marks", "expected"), [([2], 2), ([3, 1], 3), ([MAX_ID], 4), ([2, MAX_ID, 1], 4)])
def test_the_read_marker_never_goes_back_nor_beyond(storage: Storage, marks: list[int], expected: int) -> None:
    """It moves to the largest id given, at most to the newest message there is."""
    alice = add(storage, "alice")
    for n in range(4):
        say(storage, alice, f"{n}")
    add(storage, "bob")
    storage.call(lambda c: c.execute("UPDATE user SET read_id = 0") and None)
    for mark in marks:
        storage.call(users.move_read_markers, [2], mark)
    assert storage.call(lambda c: c.execute("SELECT read_id FROM user WHERE id = 2").fetchone()) == (expected,)


def test_newest_id_counts_only_what_one_may_see(storage: Storage) -> None:
    """Public messages and one's own direct ones, sent or received, seen or not, but never a stranger's."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))

    def newest() -> list[int]:
        return [storage.read(messages.newest_id, user) for user in (alice, bob, carol)]

    public = say(storage, alice, "all")
    direct = say(storage, alice, "you", to="bob", nonce="n")
    assert newest() == [direct, direct, public]
    storage.call(messages.mark_seen, carol, [direct], NOW)
    storage.call(messages.mark_seen, bob, [direct], NOW)
    assert newest() == [direct, direct, public]
    later = say(storage, bob, "and you", to="alice")
    storage.call(messages.mark_seen_up_to, alice, later, NOW)
    say(storage, alice, "you", to="bob", nonce="n")
    assert newest() == [later, later, public]


@pytest.mark.parametrize(
    ("before", "after", "limit", "expected", "more"),
    [
        (None, None, 3, [10, 9, 8], True),
        (None, None, 10, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1], False),
        (4, None, 3, [3, 2, 1], False),
        (5, None, 3, [4, 3, 2], True),
        (1, None, 3, [], False),
        (None, 0, 3, [1, 2, 3], True),
        (None, 7, 3, [8, 9, 10], False),
        (None, 10, 3, [], False),
        (6, 2, 9, [3, 4, 5], False),
        (MAX_ID, None, 1, [10], True),
    ],
)
def test_history_pages(
    storage: Storage, before: int | None, after: int | None, limit: int, expected: list[int], more: bool
) -> None:
    """Back from the newest or from `before`, or on from `after`, both exclusive, with word of more."""
    alice = add(storage, "alice")
    for n in range(10):
        say(storage, alice, f"{n}")
    page = storage.read(messages.history_page, None, before, after, limit)
    assert (ids_of(page), page.more) == (expected, more)


def test_a_talk_holds_both_sides_and_nobody_else(storage: Storage) -> None:
    """A page of a talk has the direct messages between the two, both ways, and no others."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    say(storage, alice, "public")
    there = say(storage, alice, "there", to="bob")
    back = say(storage, bob, "back", to="alice")
    say(storage, alice, "aside", to="carol")
    note = say(storage, alice, "note to self", to="alice")
    assert ids_of(storage.read(messages.history_page, (bob, alice), None, None, 9)) == [back, there]
    assert ids_of(storage.read(messages.history_page, (alice, alice), None, None, 9)) == [note]
    assert ids_of(storage.read(messages.history_page, (bob, carol), None, None, 9)) == []


def test_a_token_logs_in_until_it_expires(storage: Storage) -> None:
    """A known token resumes and is renewed; an unknown or expired one is refused."""
    alice = add(storage, "alice")
    token = token_of("alice")
    assert storage.call(users.resume, token, LATER, "2026-12-21T09:31:00.000Z").user_id == alice
    for hash_, now in ((b"x" * 32, NOW), (token, "2026-12-21T09:31:00.000Z")):
        with pytest.raises(PeerError) as caught:
            storage.call(users.resume, hash_, now, "2027-01-01T00:00:00.000Z")
        assert caught.value.code == "bad_token"
    assert storage.call(users.delete_expired_tokens, "2026-12-21T09:31:00.000Z") == 1


def test_an_account_keeps_its_newest_tokens(storage: Storage) -> None:
    """One login too many ends the oldest token, of that account only."""
    add(storage, "alice")
    add(storage, "bob")
    user = storage.read(users.find_user, "alice")
    assert user is not None
    for n in range(TOKENS_PER_USER):
        storage.call(users.log_in, user, b"%032d" % n, NOW, f"2026-12-22T09:30:00.{n:03d}Z")
    with pytest.raises(PeerError):
        storage.call(users.resume, token_of("alice"), NOW, EXPIRY)
    for kept in (b"%032d" % 0, token_of("bob")):
        assert storage.call(users.resume, kept, NOW, "2026-12-23T00:00:00.000Z")


def test_a_password_change_ends_tokens_and_logins_under_way(storage: Storage) -> None:
    """Tokens are gone, and a login or a change that checked the old password comes too late."""
    add(storage, "alice")
    user = storage.read(users.find_user, "alice")
    assert user is not None
    storage.call(users.change_password, user, "new hash")
    late: list[tuple[Any, ...]] = [
        (users.resume, token_of("alice"), NOW, EXPIRY),
        (users.log_in, user, b"y" * 32, NOW, EXPIRY),
        (users.change_password, user, "third hash"),
    ]
    for work, *arguments in late:
        with pytest.raises(PeerError):
            storage.call(work, *arguments)


TALK, PAGE = "message_talk (<expr>=? AND <expr>=? AND <expr>=? AND id>? AND id<?)", "message_public (id>? AND id<?)"
LOOK = "user_look (<expr>=?"
MISSED = "message_missed (recipient_id=?"
COUNTS = "PRIMARY KEY (level=? AND block=? AND sender_id=?)"
PLANS: list[tuple[Callable[..., object], tuple[Any, ...], list[str]]] = [
    (messages.store_all, ([(1, [messages.Post(None, "x", "used")])],), ["message_nonce (nonce=? AND sender_id=?)"]),
    (messages.store_all, ([(1, [messages.Post(2, "x", None)] * 2)],), ["user USING INTEGER PRIMARY KEY"]),
    (
        messages.refuse_new,
        ([(1, [messages.Post(None, "x", "used")])], StorageFull()),
        ["message_nonce (nonce=? AND sender_id=?)"],
    ),
    (messages.missed_page, (2, 9, 9), ["message_missed (recipient_id=? AND id<?)"]),
    (messages.history_page, (None, None, None, 9), [PAGE]),
    (messages.history_page, (None, 9, None, 9), [PAGE]),
    (messages.history_page, (None, None, 9, 9), [PAGE]),
    (messages.history_page, ((1, 2), None, None, 9), [TALK, "era USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
    (messages.history_page, ((1, 2), None, 9, 9), [TALK, "era USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
    (messages.count_waiting, (2,), [MISSED, "message_public (id>? AND id<?)", COUNTS]),
    (messages.newest_id, (1,), ["message_public", MISSED]),
    (messages.mark_seen_up_to, (2, MAX_ID, NOW), [MISSED, "user USING INTEGER PRIMARY KEY"]),
    (messages.mark_seen, (2, [2], NOW), ["message USING INTEGER PRIMARY KEY", "user USING INTEGER PRIMARY KEY"]),
    (unread._count_block, (15,), [PAGE, "(level=? AND block=?)", "(level=? AND block>? AND block<?)"]),
    (unread.complete_blocks, (), ["tally USING PRIMARY KEY (level=?)", "SEARCH message"]),
    (fulltext.search_page, ("wor", 1, None, None, 9), ["m USING INTEGER PRIMARY KEY"]),
    (fulltext.search_page, ("wor", 1, 2, 9, 9), ["m USING INTEGER PRIMARY KEY"]),
    (fulltext.index_some, (), ["message USING INTEGER PRIMARY KEY (rowid>?)"]),
    (fulltext.index_some_up_to, (MAX_ID,), ["message USING INTEGER PRIMARY KEY (rowid>?)"]),
    (fulltext.newest_missing, (), ["SEARCH message"]),
    (users.find_user, ("alice",), ["user USING INDEX sqlite_autoindex_user_1 (name=?)"]),
    (users.check_free, ("carol", "carol"), ["user_1 (name=?)", LOOK]),
    (users.add, ("carol", "carol", "hash", NOW), ["SEARCH message"]),
    (users.disable, (1, NOW), ["user USING INTEGER PRIMARY KEY", "token_of_user (user_id=?)"]),
    (users.enable, (1,), ["user USING INTEGER PRIMARY KEY"]),
    (
        users.register,
        ("carol", "carol", "hash", b"c" * 32, NOW, EXPIRY),
        ["user_1 (name=?)", LOOK, "SEARCH message"],
    ),
    (
        users.log_in,
        (users.User(1, "alice", "hash of alice", None), b"l" * 32, NOW, EXPIRY),
        ["token_of_user (user_id=?)"],
    ),
    (users.resume, (token_of("alice"), NOW, EXPIRY), ["t USING PRIMARY KEY (hash=?)", "u USING INTEGER PRIMARY KEY"]),
    (users.find_token_owner, (token_of("alice"),), ["token USING PRIMARY KEY (hash=?)"]),
    (users.note_presence, (1, NOW), ["user USING INTEGER PRIMARY KEY"]),
    (users.move_read_markers, ([1, 2], 9), ["user USING INTEGER PRIMARY KEY", "SEARCH message"]),
    (users.see_up_to, (2, 9, NOW), [MISSED]),
    (users.change_password, (users.User(1, "alice", "hash of alice", None), "new"), ["token_of_user (user_id=?)"]),
    (users.delete_expired_tokens, (NOW,), ["token_expiry (expires_at<?)"]),
]


@pytest.mark.parametrize(("work", "arguments", "steps"), PLANS)
def test_no_statement_scans_a_table(
    storage: Storage, work: Callable[..., object], arguments: tuple[Any, ...], steps: list[str]
) -> None:
    """Each reaches its rows through the index made for it, and sorts no page."""
    alice = add(storage, "alice")
    add(storage, "bob")
    say(storage, alice, "word", nonce="used")
    say(storage, alice, "words", to="bob")
    storage.index_search()
    skip_ids(storage, 15 << unread.BLOCK_BITS)  # so that there are counts to read, and blocks to count
    say(storage, alice, "much later")
    storage.call(lambda c: c.execute("DELETE FROM tally WHERE level = 1 OR block > 13") and None)
    storage.call(lambda c: c.execute("UPDATE user SET read_id = 0") and None)
    plan = explain(storage, work, *arguments)
    # FTS5 has no tables to scan; a recursive query has its own rows before it, and a SELECT without FROM one.
    free = re.compile(r"SCAN (\w+ VIRTUAL TABLE INDEX \d+:|ending$|CONSTANT ROW$)")
    assert [step for step in plan if step.startswith("SCAN") and not free.match(step)] == []
    assert [step for step in plan if "ORDER BY" in step] == []
    assert [step for step in steps if not any(step in found for found in plan)] == []


def test_every_function_has_its_plan() -> None:
    """What is not in the table is called by what is."""
    inner = {messages.read_page, unread.count_public}
    rooms = (messages, unread, fulltext, users)
    functions = {
        f for room in rooms for f in vars(room).values() if inspect.isfunction(f) and f.__module__ == room.__name__
    }
    public = {function for function in functions if not function.__name__.startswith("_")}
    assert {f.__name__ for f in public - inner} - {work.__name__ for work, _, _ in PLANS} == set()


def test_each_thread_reads_on_its_own_connection_and_gives_it_back(storage: Storage) -> None:
    """A reader that was released is closed, though its thread lives on; the next read opens another."""
    opened: list[sqlite3.Connection] = []

    def read() -> None:
        opened.extend(storage.read(lambda connection: connection) for _ in range(2))
        storage.release()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    mine = storage.read(lambda connection: connection)
    assert opened[0] is opened[1] is not mine
    storage.release()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        mine.execute("SELECT 1")


def test_a_reader_cannot_write(storage: Storage) -> None:
    """Only the writer thread writes: a slip elsewhere is an error, not a second writer."""
    with pytest.raises(StorageUnavailable, match="readonly"):
        storage.read(lambda connection: connection.execute("DELETE FROM user"))


def test_a_database_that_is_gone_is_unavailable(storage: Storage, tmp_path: Path) -> None:
    """A file that cannot be opened is an answer, not a crash."""
    (tmp_path / "chat.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(StorageUnavailable, match="unable to open"):
        storage.read(users.find_user, "alice")


def test_the_promised_views(storage: Storage, tmp_path: Path) -> None:
    """`history` and `users` have the promised columns, and no recipient for a public message."""
    alice = add(storage, "alice")
    add(storage, "bob")
    say(storage, alice, "all")
    say(storage, alice, "you", to="bob")
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        rows = connection.execute("SELECT id, sender, recipient, message FROM history").fetchall()
        names = [
            [column[0] for column in connection.execute(f"SELECT * FROM {view}").description]
            for view in ("history", "users")
        ]
        assert connection.execute("SELECT * FROM users").fetchall() == [("alice", NOW, NOW), ("bob", NOW, NOW)]
    assert rows == [(1, "alice", None, "all"), (2, "alice", "bob", "you")]
    assert names == [["id", "time", "sender", "recipient", "message"], ["name", "created", "last_seen"]]


def test_reads_under_way_end_when_the_service_stops(storage: Storage) -> None:
    """A query without end is interrupted."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    started = threading.Event()
    caught: list[StorageUnavailable] = []

    def read(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(started.set, 1000)  # None goes on
        connection.execute(endless).fetchone()

    def run() -> None:
        with pytest.raises(StorageUnavailable, match="interrupted") as info:
            storage.read(read)
        caught.append(info.value)
        storage.release()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    storage.hurry()
    thread.join()
    assert len(caught) == 1
