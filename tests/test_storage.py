"""service/storage: accounts, tokens, messages, pages and search, on a real file."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.config import MAX_ID, MAX_SEARCH_WORDS, TOKENS_PER_USER
from service.errors import PeerError, StorageUnavailable
from service.storage import Storage, messages, users
from tests.helpers import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW, LATER, EXPIRY = "2026-11-21T09:30:00.000Z", "2026-11-21T09:31:00.000Z", "2026-12-21T09:30:00.000Z"


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """An empty, open storage."""
    with open_storage(tmp_path / "chat.db") as storage:
        yield storage


def add(storage: Storage, name: str) -> int:
    """A new account's id."""
    token_hash = name.encode().ljust(32, b".")
    return storage.call(users.register, name, f"hash of {name}", token_hash, NOW, EXPIRY).user_id


def say(storage: Storage, sender: int, text: str, to: str | None = None, nonce: str | None = None) -> int:
    """A stored message's id."""
    receipt = store(storage, sender, text, to, nonce)
    assert isinstance(receipt, messages.Receipt)
    return receipt.id


def store_posts(storage: Storage, sender: int, *posts: messages.Post) -> list[messages.Receipt | PeerError]:
    """What came of storing these, all at once."""
    outcomes: list[list[messages.Receipt | PeerError]] = []
    storage.wait(storage.submit_posts(sender, posts, then=outcomes.append))
    return outcomes[0]


def store(
    storage: Storage, sender: int, text: str, to: str | None = None, nonce: str | None = None
) -> messages.Receipt | PeerError:
    """What came of storing one message."""
    user = storage.read(users.find_user, to) if to else None
    post = messages.Post(user.id if user else None, text, nonce)
    return store_posts(storage, sender, post)[0]


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
    assert again == first._replace(fresh=False)
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
    assert again == first._replace(fresh=False)
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


def ids_of(page: messages.Page) -> list[int]:
    return [message.id for message in page.messages]


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


SEARCHES: list[tuple[str, list[str]]] = [
    ("deploy", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("DEPLOY", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("uber", ["ÜBER-deploy"]),
    ("über-dep", ["ÜBER-deploy"]),
    ("nine deploy", ["we deploy at nine"]),
    ("café", ["un cafe, s'il vous plaît"]),
    ("plait", ["un cafe, s'il vous plaît"]),
    ("eploy", []),
    ("日本", ["日本語 text"]),
    ("deploy !!! ???", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("", []),
    ("   ", []),
    ("!!!", []),
    ('"', []),
    ('deploy"', ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("body:deploy", []),
    ("deploy OR nine", []),
    ("deploy NOT nine", []),
    ("NEAR(deploy nine)", []),
    ("deploy*", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("^deploy", ["we deploy at nine", "Deployment done", "ÜBER-deploy"]),
    ("x' OR 1=1 --", []),
]


@pytest.mark.parametrize(("query", "expected"), SEARCHES)
def test_search_finds_words_and_their_beginnings(storage: Storage, query: str, expected: list[str]) -> None:
    """All words must be there or begin there, whatever their case and accents; nothing in a query is an operator."""
    alice = add(storage, "alice")
    for text in ("we deploy at nine", "Deployment done", "ÜBER-deploy", "un cafe, s'il vous plaît", "日本語 text"):
        say(storage, alice, text)
    storage.index_search()
    page = storage.read(messages.search_page, query, alice, None, None, 20)
    assert [message.body for message in page.messages] == expected[::-1]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(max_size=60))
def test_any_query_text_is_safe(storage: Storage, query: str) -> None:
    """No text makes the search fail."""
    assert isinstance(storage.read(messages.search_page, query, 1, None, None, 20), messages.Page)


def test_search_shows_only_what_one_may_read(storage: Storage) -> None:
    """The public room and one's own direct messages; with a partner, only the talk with that one."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    public = say(storage, alice, "word in public")
    direct = say(storage, alice, "word to bob", to="bob")
    storage.index_search()

    def found(user: int, partner: int | None) -> list[int]:
        return ids_of(storage.read(messages.search_page, "word", user, partner, None, 20))

    assert [found(user, None) for user in (alice, bob, carol)] == [[direct, public], [direct, public], [public]]
    assert [found(bob, alice), found(alice, bob), found(carol, alice)] == [[direct], [direct], []]


def test_search_pages_back(storage: Storage) -> None:
    """`before` goes on where the last page ended, newest first, until there is no more."""
    alice = add(storage, "alice")
    for _ in range(5):
        say(storage, alice, "word")
    storage.index_search()
    first = storage.read(messages.search_page, "word", alice, None, None, 3)
    rest = storage.read(messages.search_page, "word", alice, None, ids_of(first)[-1], 3)
    assert (ids_of(first), first.more) == ([5, 4, 3], True)
    assert (ids_of(rest), rest.more) == ([2, 1], False)


def test_a_token_logs_in_until_it_expires(storage: Storage) -> None:
    """A known token resumes and is renewed; an unknown or expired one is refused."""
    alice = add(storage, "alice")
    token = b"alice".ljust(32, b".")
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
        storage.call(users.resume, b"alice".ljust(32, b"."), NOW, EXPIRY)
    for kept in (b"%032d" % 0, b"bob".ljust(32, b".")):
        assert storage.call(users.resume, kept, NOW, "2026-12-23T00:00:00.000Z")


def test_a_password_change_ends_tokens_and_logins_under_way(storage: Storage) -> None:
    """Tokens are gone, and a login or a change that checked the old password comes too late."""
    add(storage, "alice")
    user = storage.read(users.find_user, "alice")
    assert user is not None
    storage.call(users.change_password, user, "new hash")
    late: list[tuple[Any, ...]] = [
        (users.resume, b"alice".ljust(32, b"."), NOW, EXPIRY),
        (users.log_in, user, b"y" * 32, NOW, EXPIRY),
        (users.change_password, user, "third hash"),
    ]
    for work, *arguments in late:
        with pytest.raises(PeerError):
            storage.call(work, *arguments)


PLANS: list[tuple[str, tuple[Any, ...], list[str]]] = [
    ("missed_page", (1, 9, 9), ["message_missed"]),
    ("history_page", (None, 9, None, 9), ["message_public"]),
    ("history_page", (None, None, 9, 9), ["message_public"]),
    ("history_page", ((1, 2), 9, None, 9), ["message_talk"]),
    ("count_waiting", (1,), ["message_missed", "message_public"]),
    ("newest_id", (1,), ["message_public", "message_missed"]),
    ("mark_seen_up_to", (1, 9, NOW), ["message_missed"]),
]


@pytest.mark.parametrize(("name", "arguments", "indexes"), PLANS)
def test_no_query_scans_the_messages(
    storage: Storage, name: str, arguments: tuple[Any, ...], indexes: list[str]
) -> None:
    """Each statement reaches its rows through the index made for it."""

    def explain(connection: sqlite3.Connection) -> list[str]:
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        getattr(messages, name)(connection, *arguments)
        connection.set_trace_callback(None)
        return [row[3] for sql in statements for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]

    plan = storage.call(explain)
    assert not [step for step in plan if step.startswith("SCAN") and "message" in step.split()[1:2]]
    assert [index for index in indexes if not any(f"INDEX {index}" in step for step in plan)] == []


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


def test_a_search_has_a_bounded_number_of_words(storage: Storage) -> None:
    """Repeats do not count; one word too many is refused with the bound."""
    words = [f"w{n}" for n in range(MAX_SEARCH_WORDS)]
    assert storage.read(messages.search_page, " ".join(words * 2), 1, None, None, 20).messages == []
    with pytest.raises(PeerError, match=f"at most {MAX_SEARCH_WORDS} different words") as caught:
        storage.read(messages.search_page, " ".join([*words, "more"]), 1, None, None, 20)
    assert caught.value.code == "bad_request"


def test_a_damaged_search_index_costs_only_the_search(storage: Storage) -> None:
    """Messages are stored while it cannot be filled; nothing of a failed filling stays."""
    alice = add(storage, "alice")
    storage.call(lambda c: c.execute("DELETE FROM message_search_data") and None)
    say(storage, alice, "word")
    with pytest.raises(StorageUnavailable, match="search index"):
        storage.index_search()
    assert say(storage, alice, "still stored") == 2
    assert len(storage.read(messages.history_page, None, None, None, 9).messages) == 2


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
