"""service/storage/sqlite/engine.py: how SQLite goes about every statement, its connections, and the promised views."""

from __future__ import annotations

import inspect
import re
import sqlite3
import threading
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from service.errors import StorageFull, StorageUnavailable
from service.storage.records import MAX_ID, Post, RoomLimits, Shown, User
from service.storage.sqlite import blocks, fulltext, markers, messages, posting, since, talks, unread, users
from service.storage.statements import (
    accounts,
    acts,
    bans,
    hooks,
    ids,
    membership,
    moderation,
    moments,
    names,
    retries,
    room_lists,
    rooms,
)
from tests.support.hooks import HASH, add_hook
from tests.support.rooms import act
from tests.support.storage import NOW, add, explain, make_room, run, say, skip_ids, store_posts, token_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.sqlite.engine import SqliteStorage


TALK, PAGE = "message_talk (<expr>=? AND <expr>=? AND <expr>=? AND id>? AND id<?)", "message_public (id>? AND id<?)"
ROOM, ROOM_KEY = "message_room (room_id=?", "room USING INTEGER PRIMARY KEY"
MEMBER = "member USING PRIMARY KEY (room_id=? AND user_id=?)"
SINCE = [
    "message_public (id>?)",
    "era USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "d USING PRIMARY KEY (era=? AND user_id=? AND id>? AND id<?)",
    "message USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
    "m USING INTEGER PRIMARY KEY (rowid=?)",
    "message_deleted (deleted_at>?)",
    "member_of_user (user_id=?)",
]
LOOK = "user_look (<expr>=?"
FORMER = "former_name USING PRIMARY KEY (name=?)"
MISSED = "message_missed (recipient_id=?"
STANDING, NAMED = "m USING PRIMARY KEY (room_id=? AND user_id=?)", "r USING INDEX room_name (name=?)"
BAN = "ban USING INDEX ban_of_user (user_id=? AND <expr>=?)"
LIMITS = RoomLimits(9, 9, 9, 9)
COUNTS = "PRIMARY KEY (level=? AND block=? AND sender_id=?)"
PLANS: list[tuple[Callable[..., object], tuple[Any, ...], list[str]]] = [
    (posting.store_all, ([(1, [Post(None, "x", "used")])],), ["message_nonce (nonce=? AND sender_id=?)"]),
    (posting.store_all, ([(1, [Post(2, "x", None)] * 2)],), ["user_muted"]),
    (
        posting.store_all,
        ([(1, [Post(None, "x", None, room="ops")])],),
        ["r USING INDEX room_name (name=?)", "m USING PRIMARY KEY (room_id=? AND user_id=?)", ROOM_KEY, MEMBER],
    ),
    (
        retries.refuse_new,
        ([(1, [Post(None, "x", "used")])], StorageFull()),
        ["message_nonce (nonce=? AND sender_id=?)"],
    ),
    (messages.missed_page, (2, 9, 9), ["message_missed (recipient_id=? AND id<?)"]),
    (messages.history_page, (None, None, None, 9), [PAGE]),
    (messages.history_page, (None, 9, None, 9), [PAGE]),
    (messages.history_page, (None, None, 9, 9), [PAGE]),
    (messages.history_page, ((1, 2), None, None, 9), [TALK, "era USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
    (messages.history_page, ((1, 2), None, 9, 9), [TALK, "era USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
    (since.room_page, (1, "ops", 9, None, 9), [f"{ROOM} AND id>? AND id<?)"]),
    (since.room_page, (1, "ops", None, 1, 9), [f"{ROOM} AND id>? AND id<?)"]),
    (partial(since.since_page, rooms=True, deleted_after=NOW), (1, 0, 1), [*SINCE, f"{ROOM} AND id>? AND id<?)"]),
    (partial(since.since_page, rooms=False, deleted_after=None), (1, 9, 50), SINCE[:5]),
    (moments.note, (NOW,), ["SCAN moment"]),
    (moments.newest, (), ["SCAN moment"]),
    (moments.take, (), ["SCAN moment"]),
    (markers.see_room_up_to, (1, "ops", 9), [ROOM, MEMBER]),
    (markers.see_talk_up_to, (2, 1, 9, NOW), [MISSED]),
    (messages.count_waiting, (2,), [MISSED, "message_public (id>? AND id<?)", COUNTS]),
    (messages.newest_id, (1,), ["message_public", MISSED, "user USING INTEGER PRIMARY KEY"]),
    (messages.note_direct, (1, 9), ["user USING INTEGER PRIMARY KEY"]),
    (messages.mark_seen_up_to, (2, MAX_ID, NOW), [MISSED]),
    (messages.mark_seen, (2, [6], NOW), ["message USING INTEGER PRIMARY KEY"]),
    (unread._count_block, (15,), [PAGE, "(level=? AND block=?)", "(level=? AND block>? AND block<?)"]),
    (talks.add_block, (0,), ["message USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
    (talks.find_ids, (1, 0, 9, 9), SINCE[1:4]),
    (talks.forget, ([(7, 1, 2)],), ["direct USING PRIMARY KEY (era=? AND user_id=? AND id=?)"]),
    (unread.complete_blocks, (), ["tally USING PRIMARY KEY (level=?)", "SEARCH message"]),
    (fulltext.search_page, ("wor", 1, None, None, 9), ["m USING INTEGER PRIMARY KEY"]),
    (fulltext.search_page, ("wor", 1, 2, 9, 9), ["m USING INTEGER PRIMARY KEY"]),
    (
        partial(fulltext.search_page, rooms=True),
        ("wor", 1, None, None, 9),
        ["member_of_user (user_id=?)", "r USING INTEGER PRIMARY KEY"],
    ),
    (partial(fulltext.search_page, room="ops"), ("wor", 1, None, None, 9), ["room_name (name=?)"]),
    (fulltext.index_some, (), ["message USING INTEGER PRIMARY KEY (rowid>?)"]),
    (fulltext.index_some_up_to, (MAX_ID,), ["message USING INTEGER PRIMARY KEY (rowid>?)"]),
    (fulltext.newest_missing, (), ["SEARCH message"]),
    (retries.find_stored, (1, Post(None, "x", "used")), ["message_nonce (nonce=? AND sender_id=?)"]),
    (posting.store_together, (1, None, [Post(None, "x", None)] * 3), ["tally USING"]),
    (retries.is_used, (1, "used"), ["message_nonce (nonce=? AND sender_id=?)"]),
    (hooks.find, (HASH,), ["h USING INDEX hook_hash (hash=?)", "u USING INTEGER PRIMARY KEY"]),
    (
        hooks.post,
        (HASH, [Post(None, "x", "k0"), Post(None, "y", "k1")], "k2", posting.store_together),
        ["message_nonce (nonce=? AND sender_id=?)", "hook USING INTEGER PRIMARY KEY"],
    ),
    (
        hooks.add,
        ("backup", "backup", None, b"another", NOW, users.add),
        ["u USING COVERING INDEX sqlite_autoindex_user_1 (name=?)", "h USING"],
    ),
    (hooks.remove, ("monitor",), ["hook USING INTEGER PRIMARY KEY", "user_1 (name=?)"]),
    (accounts.find_user, ("alice",), ["user USING INDEX sqlite_autoindex_user_1 (name=?)"]),
    (accounts.find_login, ("alice",), ["user_1 (name=?)", FORMER]),
    (users.find_closed, ({1, 2},), ["user USING INTEGER PRIMARY KEY"]),
    (accounts.rename, ("alice", "carol", "carol", NOW), ["user USING INTEGER PRIMARY KEY"]),
    (accounts.delete, ("alice", NOW), [FORMER, "token_of_user (user_id=?)"]),
    (names.check_free, ("carol", "carol"), ["user_1 (name=?)", LOOK, FORMER, "former_name_look (<expr>=?"]),
    (names.find_alike, (["all"], "deleted"), [LOOK, "user_look (<expr>>? AND <expr><?)"]),
    (names.replace_name, (1, "carol", "carol", NOW), ["user USING INTEGER PRIMARY KEY"]),
    (users.add, ("carol", "carol", "hash", NOW), ["SCAN sqlite_sequence"]),
    (accounts.disable, ("alice", NOW), ["user USING INTEGER PRIMARY KEY", "token_of_user (user_id=?)"]),
    (accounts.enable, ("alice",), ["user USING INTEGER PRIMARY KEY"]),
    (users.ensure_server, (), ["user USING INTEGER PRIMARY KEY"]),
    (
        users.register,
        ("carol", "carol", "hash", b"c" * 32, NOW, 60),
        ["user_1 (name=?)", LOOK, "SEARCH message"],
    ),
    (
        users.log_in,
        (User(1, "alice", "hash of alice", None), b"l" * 32, NOW, 60),
        ["token_of_user (user_id=?)"],
    ),
    (
        users.resume,
        (token_of("alice"), NOW),
        ["token USING PRIMARY KEY (hash=?)", "m USING INDEX member_of_user (user_id=?)"],
    ),
    (accounts.find_token_owner, (token_of("alice"),), ["token USING PRIMARY KEY (hash=?)"]),
    (users.note_presence, (1, NOW), ["user USING INTEGER PRIMARY KEY"]),
    (users.move_read_markers, ([1, 2], 9), ["user USING INTEGER PRIMARY KEY", "SCAN sqlite_sequence"]),
    (users.see_up_to, (2, 9, NOW), [MISSED]),
    (accounts.change_password, (User(1, "alice", "hash of alice", None), "new"), ["token_of_user (user_id=?)"]),
    (accounts.set_password, ("alice", "new"), ["token_of_user (user_id=?)"]),
    (
        users.store_receipts,
        ([Shown(2, 9, [6])], NOW),
        ["message USING INTEGER PRIMARY KEY", "user USING INTEGER PRIMARY KEY"],
    ),
    (accounts.delete_expired_tokens, (NOW,), ["token_expiry (expires_at<?)"]),
    (accounts.log_out, (token_of("alice"),), ["token USING PRIMARY KEY (hash=?)"]),
    (acts.note, (NOW, None, "kick"), []),
    (rooms.find_standing, (1, "ops"), [NAMED, STANDING]),
    (rooms.known_standing, (1, "ops"), [NAMED, STANDING]),
    (rooms.membership, (1, "ops"), [NAMED, STANDING]),
    (rooms.find_room, ("ops",), ["room USING INDEX room_name (name=?)"]),
    (rooms.known_room, ("ops",), ["room USING INDEX room_name (name=?)"]),
    (names.is_room_alike, ("ops",), ["room_look (<expr>=?"]),
    (room_lists.own_rooms, (1, NOW), ["m USING INDEX member_of_user (user_id=?)", "r USING INTEGER PRIMARY"]),
    (room_lists.view_of, (1, 1, NOW), ["r USING INTEGER PRIMARY KEY", STANDING]),
    (room_lists.rooms_page, (1, "", 9), ["r USING INDEX room_name (name>?)", STANDING]),
    (room_lists.members_page, (1, "ops", "", 9, ()), ["m USING PRIMARY KEY (room_id=?)", "u USING INTEGER PRIMARY"]),
    (room_lists.members_page, (2, None, "", 9, ["bob"]), ["user USING INDEX user_rank (name>?)", "user_1 (name=?)"]),
    (room_lists.members_page, (1, None, "", 9, ["bob"]), ["user_1 (name>?)"]),
    (room_lists.bans_page, (1, "ops", "", 9), ["ban_in_room (<expr>=? AND until>?)", "b USING INTEGER PRIMARY KEY"]),
    (partial(room_lists.all_rooms, gone=True), (("", ""), 9), ["room_names ((name,created_at)>(?,?))"]),
    (
        partial(acts.moderation_page, room="ops", user="bob", action=None, since=None),
        (0, 9),
        ["m USING INTEGER PRIMARY KEY (rowid>?)"],
    ),
    (
        membership.create_room,
        (1, "dev", "dev", "", False, "member", LIMITS),
        ["room_name (name>?)", "room_names (name=?)", "member_of_user (user_id=?)"],
    ),
    (membership.join_room, (3, "ops", LIMITS), [NAMED, BAN, "member_of_user (user_id=?)"]),
    (membership.leave_room, (1, "ops"), ["member_rank (room_id=? AND role=?)", "m USING COVERING INDEX member_rank"]),
    (membership.leave_all, (1, "alice"), ["m USING COVERING INDEX member_of_user (user_id=?)"]),
    (membership.set_room, (1, "ops", "news", True), ["room USING INTEGER PRIMARY KEY"]),
    (membership.set_room, (1, None, "news", None), ["user USING INTEGER PRIMARY KEY"]),
    (membership.delete_room, ("ops",), ["member USING"]),
    (bans.check, (1, 1, NOW), [BAN]),
    (bans.check_main, (1,), [BAN]),
    *(
        (moderation.moderate, (1, room, name, action, "moderator", None, None, LIMITS), [step])
        for room in ("ops", None)
        for name, action, step in [
            ("erin", "invite", "u USING INDEX sqlite_autoindex_user_1 (name=?)"),
            ("bob", "kick", STANDING),
            ("bob", "ban", BAN),
            ("zoe", "ban", "ban USING INDEX ban_of_name (name=? AND <expr>=?)"),
            ("bob", "unban", BAN),
            ("bob", "mute", STANDING),
            ("bob", "unmute", STANDING),
            ("bob", "role", STANDING),
        ]
        if room or action != "invite"
    ),
    (moderation.moderate, (1, "ops", "alice", "role", "member", None, None, LIMITS), ["member_rank (room_id=?"]),
    (users.find_banned, ({1, 2},), [BAN]),
    (bans.check_name, ("zoe",), ["ban USING INDEX ban_of_name (name=?"]),
    (bans.take_over, (3, "zoe"), ["ban_of_name (name=?"]),
]

# The first two sort what belongs to one room, which is bounded by its limits: no index can have it by names, as they
# change.
SORTS = (room_lists.members_page, room_lists.bans_page)


@pytest.mark.parametrize(("work", "arguments", "steps"), PLANS)
def test_no_statement_scans_a_table(
    storage: SqliteStorage, work: Callable[..., object], arguments: tuple[Any, ...], steps: list[str]
) -> None:
    """Each reaches its rows through the index made for it, and sorts no page."""
    alice, bob, _ = (add(storage, name) for name in ("alice", "bob", "erin"))
    make_room(storage, "ops", alice, bob)
    add_hook(storage)
    run(storage, "UPDATE member SET role = 'owner' WHERE user_id = ?", alice)
    store_posts(storage, 2, *[Post(None, "word", None, room="ops")] * 3)
    store_posts(storage, alice, Post(None, "word", None, room="ops"))
    say(storage, alice, "word", nonce="used")
    say(storage, alice, "words", to="bob")
    storage.index_search()
    skip_ids(storage, 15 << blocks.BLOCK_BITS)  # so that there are counts to read, and blocks to count
    say(storage, alice, "much later")
    storage.call(lambda c: c.execute("DELETE FROM tally WHERE level = 1 OR block > 13") and None)
    storage.call(lambda c: c.execute("DELETE FROM direct") and None)
    storage.call(lambda c: c.execute("UPDATE user SET read_id = 0") and None)
    act(storage, None, "alice", "role", None, role="owner")
    add(storage, "frank")
    act(storage, None, "frank", "role", None, role="owner")
    plan = explain(storage, work, *arguments)
    # FTS5 has no tables to scan, and sqlite_sequence has a row for each table. A recursive query has its own rows
    # before it, a SELECT without FROM one, and so has the main room. Of the muted, who are few, one is looked
    # for, of what was deleted some.
    free = re.compile(
        r"SCAN (\w+ VIRTUAL TABLE INDEX \d+:|CONSTANT ROW$|.*user_muted$"
        r"|(ending|sqlite_sequence|added|next|looked|named|moment|main_room)$)"
    )
    assert [step for step in plan if step.startswith("SCAN") and not free.match(step)] == []
    assert work in SORTS or [step for step in plan if "ORDER BY" in step] == []
    assert [step for step in steps if not any(step in found for found in plan)] == []


def test_every_function_has_its_plan() -> None:
    """What is not in the table is called by what is."""
    inner: set[object] = {messages.read_page, messages.page_of, ids.newest_given}
    inner |= {
        posting.find_eras,
        posting.forget_eras,
        markers.pass_over,
        markers.count_anew,
        unread.count_public,
        unread.discount,
        fulltext.remove,
        fulltext.merge_some,
        bans.find,
        bans.count,
        bans.put,
        bans.delete,
        rooms.higher,
        rooms.outranks,
        rooms.rank_in,
        rooms.to_ref,
        membership.end_membership,
        membership.has_other_owner,
        membership.find_heir,
        membership.hand_over,
        membership.set_role,
        membership.end_invitations,
        hooks.hooks_page,  # an operator's list of a few, sorted by names that are in another table
    }
    modules = [messages, posting, since, markers, unread, fulltext, users]
    modules += [accounts, acts, bans, hooks, ids, membership, moderation, moments, names, retries, room_lists, rooms]
    functions = {f for m in modules for f in vars(m).values() if inspect.isfunction(f) and f.__module__ == m.__name__}
    public = {function for function in functions if not function.__name__.startswith("_")}
    planned = {(work.func if isinstance(work, partial) else work).__name__ for work, _, _ in PLANS}
    assert {f.__name__ for f in public - inner} - planned == set()


def test_each_thread_reads_on_its_own_connection_and_gives_it_back(storage: SqliteStorage) -> None:
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


def test_a_reader_cannot_write(storage: SqliteStorage) -> None:
    """Only the writer thread writes: a slip elsewhere is an error, not a second writer."""
    with pytest.raises(StorageUnavailable, match="readonly"):
        storage.read(lambda connection: connection.execute("DELETE FROM user"))


def test_a_database_that_is_gone_is_unavailable(storage: SqliteStorage, tmp_path: Path) -> None:
    """A file that cannot be opened is an answer, not a crash."""
    (tmp_path / "chat.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(StorageUnavailable, match="unable to open"):
        storage.find_user("alice")


def test_the_promised_views(storage: SqliteStorage, tmp_path: Path) -> None:
    """They have the promised columns; a message to the main room has no recipient, and one to another room a "#"."""
    alice = add(storage, "alice")
    add(storage, "bob")
    make_room(storage, "ops", alice)
    say(storage, alice, "all")
    say(storage, alice, "you", to="bob")
    store_posts(storage, alice, Post(None, "us", None, room="ops"))
    run(storage, "UPDATE room SET gone_at = ?, members = 0", NOW)
    make_room(storage, "ops", alice, private=True)
    store_posts(storage, alice, Post(None, "me", None, room="ops"))
    columns = {
        "history": ["id", "time", "sender", "recipient", "message", "kind", "room"],
        "users": ["name", "created", "last_seen"],
        "rooms": ["name", "topic", "private", "members"],
    }
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        for view, names in columns.items():
            assert [column[0] for column in connection.execute(f"SELECT * FROM {view}").description] == names
        rows = connection.execute("SELECT id, recipient, message, kind, room FROM history").fetchall()
        assert connection.execute("SELECT * FROM users").fetchall() == [("alice", NOW, NOW), ("bob", NOW, NOW)]
        assert connection.execute("SELECT * FROM rooms").fetchall() == [("ops", "", 0, 0), ("ops", "", 1, 1)]
    public, direct = (1, None, "all", "text", None), (2, "bob", "you", "text", None)
    assert rows == [public, direct, (3, "#ops", "us", "text", "ops"), (4, "#ops", "me", "text", "ops")]


def test_reads_under_way_end_when_the_service_stops(storage: SqliteStorage) -> None:
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
