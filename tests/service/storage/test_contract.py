"""service/storage/contract.py: what every engine does. No SQL here: the tests know an engine's methods only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from freezegun import freeze_time

from service.errors import StorageUnavailable
from service.storage.records import (
    MAX_ID,
    SERVER_ID,
    SERVER_NAME,
    TOKENS_PER_USER,
    AccountDisabled,
    LooksAlike,
    Message,
    NameTaken,
    NonceReused,
    NotAllowed,
    PasswordChanged,
    Post,
    Shown,
    Stored,
    UnknownMessage,
    UnknownToken,
    UnknownUser,
)
from tests.support.erasure import purge
from tests.support.rooms import act
from tests.support.storage import EXPIRY, LATER, NOW, add, ids_of, say, store, store_posts, token_of

if TYPE_CHECKING:
    from pathlib import Path

    from service.storage.contract import Storage, Write
    from service.storage.records import Login, Role, User
    from tests.service.storage.conftest import Engine

pytestmark = pytest.mark.engines


def look(storage: Storage, name: str) -> Login:
    """What waits for the user with the token that the account was made with."""
    return storage.result(storage.resume(token_of(name), NOW))


def waiting(storage: Storage, name: str) -> tuple[int, int]:
    """How many direct messages are missed, and how many public ones unread."""
    login = look(storage, name)
    return login.missed, login.unread


def known_user(storage: Storage, name: str) -> User:
    """The account of that name, which there is."""
    user = storage.find_user(name)
    assert user is not None
    return user


# -- accounts ---------------------------------------------------------------------------------------------------------
def test_a_name_is_registered_once(storage: Storage) -> None:
    """The second to choose a name, or one that looks like it, is refused, and the first stays."""
    add(storage, "alice")
    with pytest.raises(NameTaken) as taken:
        add(storage, "alice")
    assert taken.value.name == "alice"
    with pytest.raises(LooksAlike):
        storage.result(storage.register("other", "al1ce", "hash", b"o" * 32, NOW))
    assert known_user(storage, "alice").password_hash == "hash of alice"
    assert storage.find_user("other") is None


def test_whether_a_name_is_free_can_be_asked_before(storage: Storage) -> None:
    """A `1` in a look is an i or an l, too, whichever of the two came first."""
    add(storage, "will")
    storage.check_free("wall", "wall")
    for name, look_of_name, refusal in (("will", "will", NameTaken), ("w1ll", "w1ll", LooksAlike)):
        with pytest.raises(refusal):
            storage.check_free(name, look_of_name)


def test_a_renamed_account_goes_on(storage: Storage) -> None:
    """Its token, its messages and its password stay; the old name is nobody's, also not its own."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    say(storage, alice, "hi", to="bob")
    assert storage.result(storage.rename_user("bob", "bobby", "bobby", LATER)) == known_user(storage, "bobby")
    assert (storage.find_user("bob"), known_user(storage, "bobby").id) == (None, bob)
    assert look(storage, "bob").name == "bobby"  # by the token of the account that was bob
    assert storage.history_page((alice, bob), None, None, 9).messages[0].recipient == "bobby"
    for name, look_of_name, refusal in (("bob", "bob", NameTaken), ("b0b", "bob", LooksAlike)):
        again: list[Write[Any]] = [storage.add_user(name, look_of_name, "x", NOW)]
        again.append(storage.rename_user("bobby", name, look_of_name, NOW))
        for write in again:
            with pytest.raises(refusal):
                storage.result(write)


def test_of_a_deleted_account_the_messages_stay(storage: Storage) -> None:
    """Nobody logs in to it, nobody writes to it, and nobody can give it a password or a name."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    say(storage, bob, "hi", to="alice")
    left = storage.result(storage.delete_user("bob", LATER)).user
    assert (left.id, left.name, left.is_closed) == (bob, f"deleted-{bob}", True)
    assert [message.sender for message in storage.missed_page(alice, MAX_ID, 9).messages] == [left.name]
    with pytest.raises(UnknownToken):
        look(storage, "bob")
    for name in ("bob", left.name, "server"):
        orders: list[Write[Any]] = [storage.set_password(name, "new"), storage.disable(name, NOW), storage.enable(name)]
        orders += [storage.rename_user(name, "carl", "carl", NOW), storage.delete_user(name, NOW)]
        for write in orders:
            with pytest.raises(UnknownUser):
                storage.result(write)


def test_a_deleted_account_keeps_no_rank(storage: Storage) -> None:
    """A moderator may delete what its owner wrote, and it is not among those that are shut out."""
    add(storage, "bob")
    act(storage, None, "bob", "role", None, role="owner")
    storage.result(storage.disable("bob", NOW))
    left = storage.result(storage.delete_user("bob", LATER)).user
    held = storage.find_dossier(left.name)
    assert held is not None
    assert (held.person.role, held.person.disabled_at) == ("member", None)


def test_a_deleted_account_gets_a_name_that_is_free(storage: Storage) -> None:
    """An older account can have the one that it would get."""
    bob = add(storage, "bob")
    add(storage, f"deleted-{bob}")
    storage.result(storage.rename_user(f"deleted-{bob}", "carl", "carl", LATER))
    add(storage, f"deleted-{bob}-2")
    assert storage.result(storage.delete_user("bob", LATER)).user.name == f"deleted-{bob}-3"


def test_a_former_name_logs_in_to_nothing(storage: Storage) -> None:
    """It is found for a login only, as a closed account."""
    add(storage, "bob")
    storage.result(storage.rename_user("bob", "bobby", "bobby", LATER))
    found = [storage.find_login(name) for name in ("bob", "server", "bobby", "zoe")]
    assert [user and user.is_closed for user in found] == [True, True, False, None]
    assert found[2] == known_user(storage, "bobby")


def test_nothing_is_written_by_or_to_a_deleted_account(storage: Storage) -> None:
    """Also not by who found it before; what was stored before keeps its ack, and other messages are stored."""
    alice, bob, carol = add(storage, "alice"), add(storage, "bob"), add(storage, "carol")
    first = store(storage, alice, "before", to="bob", nonce="n")
    storage.result(storage.delete_user("bob", LATER))
    posts = [Post(bob, "before", "n"), Post(bob, "late", None), Post(None, "hi", None), Post(carol, "you", None)]
    retried, late, *others = store_posts(storage, alice, *posts)
    assert isinstance(first, Stored)
    assert retried == Stored(first.id, first.time, fresh=False, seen=False)
    assert isinstance(late, UnknownUser)
    assert [stored.id for stored in others if isinstance(stored, Stored)] == [first.id + 1, first.id + 2]
    assert isinstance(store(storage, bob, "I am"), UnknownUser)
    assert [message.body for message in storage.history_page(None, None, None, 9).messages] == ["hi"]


def test_a_new_account_has_read_everything(storage: Storage) -> None:
    """Messages before it are not unread; those of others after it are, its own are not."""
    bob = add(storage, "bob")
    say(storage, bob, "early")
    alice = add(storage, "alice")
    assert waiting(storage, "alice") == (0, 0)
    say(storage, bob, "late")
    say(storage, alice, "mine")
    assert waiting(storage, "alice") == (0, 1)


def test_a_token_logs_in_until_it_expires(storage: Storage) -> None:
    """A known token resumes and is renewed; an unknown or expired one is refused."""
    alice, token, end = add(storage, "alice"), token_of("alice"), "2026-12-21T09:31:00.000Z"
    assert storage.result(storage.resume(token, LATER)).user_id == alice
    for hash_, now in ((b"x" * 32, NOW), (token, end)):
        with pytest.raises(UnknownToken):
            storage.result(storage.resume(hash_, now))
    assert storage.result(storage.find_token_owner(token)) == alice
    assert storage.result(storage.delete_expired_tokens(end)) == 1
    assert storage.result(storage.find_token_owner(token)) is None


def test_an_account_keeps_its_newest_tokens(storage: Storage) -> None:
    """One login too many ends the oldest token, of that account only."""
    add(storage, "alice")
    add(storage, "bob")
    user = known_user(storage, "alice")
    for n in range(TOKENS_PER_USER):
        storage.result(storage.log_in(user, b"%032d" % n, f"2026-11-22T09:30:00.{n:03d}Z"))
    with pytest.raises(UnknownToken):
        look(storage, "alice")
    for kept in (b"%032d" % 0, token_of("bob")):
        assert storage.result(storage.resume(kept, NOW))


def test_a_password_change_ends_tokens_and_logins_under_way(storage: Storage) -> None:
    """Tokens are gone, and a login or a change that checked the old password comes too late."""
    add(storage, "alice")
    user = known_user(storage, "alice")
    storage.result(storage.change_password(user, "new hash"))
    with pytest.raises(UnknownToken):
        look(storage, "alice")
    late: list[Write[Any]] = [
        storage.log_in(user, b"y" * 32, NOW),
        storage.change_password(user, "third hash"),
    ]
    for write in late:
        with pytest.raises(PasswordChanged):
            storage.result(write)
    assert known_user(storage, "alice").password_hash == "new hash"


def test_a_disabled_account_is_shut_out(storage: Storage) -> None:
    """Its tokens are gone and a login under way comes too late; enabled again, it logs in."""
    alice = add(storage, "alice")
    user = known_user(storage, "alice")
    assert storage.result(storage.disable("alice", LATER)) == alice
    assert known_user(storage, "alice").disabled_at == LATER
    with pytest.raises(UnknownToken):
        look(storage, "alice")
    with pytest.raises(AccountDisabled):
        storage.result(storage.log_in(user, b"y" * 32, NOW))
    assert storage.result(storage.enable("alice")) == alice
    assert storage.result(storage.log_in(user, b"y" * 32, NOW)).user_id == alice


def test_an_operator_makes_accounts_and_sets_passwords(storage: Storage) -> None:
    """The account has no token; a new password ends those that it has by then."""
    alice = storage.result(storage.add_user("alice", "alice", "hash", NOW))
    assert known_user(storage, "alice") == (alice, "alice", "hash", None)
    storage.result(storage.log_in(known_user(storage, "alice"), token_of("alice"), NOW))
    assert storage.result(storage.set_password("alice", "new hash")) == alice
    assert known_user(storage, "alice").password_hash == "new hash"
    with pytest.raises(UnknownToken):
        look(storage, "alice")
    with pytest.raises(LooksAlike):
        storage.result(storage.add_user("a1ice", "a1ice", "hash", NOW))


def test_an_order_for_an_unknown_name_is_refused(storage: Storage) -> None:
    """With the name, for the operator."""
    for write in (storage.set_password("bob", "x"), storage.disable("bob", NOW), storage.enable("bob")):
        with pytest.raises(UnknownUser) as refused:
            storage.result(write)
        assert refused.value.name == "bob"


# -- messages ---------------------------------------------------------------------------------------------------------
def test_a_nonce_stores_once(storage: Storage) -> None:
    """The same nonce gives the first id and time again; with another text or target it is refused."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    first, again = (store(storage, alice, "hi", nonce="n1") for _ in range(2))
    assert isinstance(first, Stored)
    assert again == msgspec.structs.replace(first, fresh=False)
    for recipient, text in ((None, "ho"), ("bob", "hi")):
        assert isinstance(store(storage, alice, text, recipient, "n1"), NonceReused)
    assert say(storage, bob, "hi", nonce="n1") > first.id
    assert len(storage.history_page(None, None, None, 200).messages) == 2


def test_a_retry_tells_whether_it_was_seen(storage: Storage) -> None:
    """So that its ack can say that the message was delivered."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    message_id = say(storage, alice, "hi", to="bob", nonce="n")
    storage.result(storage.mark_seen(bob, [message_id], NOW))
    again = store(storage, alice, "hi", "bob", "n")
    assert isinstance(again, Stored)
    assert (again.id, again.fresh, again.seen) == (message_id, False, True)


def test_a_refused_message_spares_the_others_of_its_batch(storage: Storage) -> None:
    """Messages that come together are stored in order; a reused nonce among them concerns itself alone."""
    alice = add(storage, "alice")
    posts = [Post(None, text, nonce) for text, nonce in (("1", "n"), ("other", "n"), ("1", "n"), ("2", None))]
    first, refused, again, last = store_posts(storage, alice, *posts)
    assert isinstance(refused, NonceReused)
    assert isinstance(first, Stored)
    assert again == msgspec.structs.replace(first, fresh=False)
    page = storage.history_page(None, None, 0, 9)
    assert isinstance(last, Stored)
    assert [(m.id, m.body) for m in page.messages] == [(first.id, "1"), (last.id, "2")]


def test_what_was_stored_is_there_after_a_restart(engine: Engine, tmp_path: Path) -> None:
    """And ids go on after it."""
    with engine(tmp_path) as storage:
        first = say(storage, add(storage, "alice"), "hi")
    with engine(tmp_path) as storage:
        assert ids_of(storage.history_page(None, None, None, 9)) == [first]
        assert say(storage, known_user(storage, "alice").id, "again") > first


def test_direct_messages_wait_until_seen(storage: Storage) -> None:
    """They are counted and paged oldest first until seen, by id or by list; others' ids change nothing."""
    alice, bob, _ = (add(storage, name) for name in ("alice", "bob", "carol"))
    ids = [say(storage, alice, f"{n}", to="bob") for n in range(5)]
    other = say(storage, alice, "not for bob", to="carol")
    page = storage.missed_page(bob, MAX_ID, 3)
    assert (ids_of(page), page.more) == (ids[:3], True)
    assert ids_of(storage.missed_page(bob, ids[1], 3)) == ids[:2]
    storage.result(storage.mark_seen(bob, [ids[3], other, 999], LATER))
    storage.result(storage.see_up_to(bob, ids[1], LATER))
    assert ids_of(storage.missed_page(bob, MAX_ID, 3)) == [ids[2], ids[4]]
    assert (waiting(storage, "bob")[0], waiting(storage, "carol")[0]) == (2, 1)


@pytest.mark.parametrize(
    ("marks", "left"), [([2], 2), ([3, 1], 1), ([MAX_ID], 0), ([2, MAX_ID, 1], 0), ([2**64], 0), ([0], 4)]
)
def test_the_read_marker_never_goes_back_nor_beyond(storage: Storage, marks: list[int], left: int) -> None:
    """It moves to the largest id given, at most to the newest message there is: the next one is unread."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for n in range(4):
        say(storage, alice, f"{n}")
    for mark in marks:
        storage.result(storage.store_receipts([Shown(bob, mark, [])], LATER))
    assert waiting(storage, "bob") == (0, left)
    say(storage, alice, "next")
    assert waiting(storage, "bob") == (0, left + 1)


def test_receipts_of_several_users_are_stored_together(storage: Storage) -> None:
    """A public id moves that user's marker and sees no direct message; a direct id sees just that one."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    public = [say(storage, alice, "all") for _ in range(2)]
    direct = [say(storage, alice, "you", to="bob") for _ in range(2)]
    mine = say(storage, alice, "you", to="carol")
    shown = [Shown(bob, public[0], [direct[1], mine]), Shown(carol, public[1], []), Shown(alice, 0, [])]
    storage.result(storage.store_receipts(shown, LATER))
    assert (waiting(storage, "bob"), waiting(storage, "carol")) == ((1, 1), (1, 0))
    assert ids_of(storage.missed_page(bob, MAX_ID, 9)) == [direct[0]]


def test_newest_id_counts_only_what_one_may_see(storage: Storage) -> None:
    """Public messages and one's own direct ones, sent or received, seen or not, but never a stranger's."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))

    def newest() -> list[int]:
        return [look(storage, name).last_id for name in ("alice", "bob", "carol")]

    assert newest() == [0, 0, 0]
    public = say(storage, alice, "all")
    direct = say(storage, alice, "you", to="bob", nonce="n")
    assert newest() == [direct, direct, public]
    for user in (carol, bob):
        storage.result(storage.mark_seen(user, [direct], NOW))
    assert newest() == [direct, direct, public]
    later = say(storage, bob, "and you", to="alice")
    storage.result(storage.see_up_to(alice, later, NOW))
    say(storage, alice, "you", to="bob", nonce="n")
    assert newest() == [later, later, public]


# -- pages ------------------------------------------------------------------------------------------------------------
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
    page = storage.history_page(None, before, after, limit)
    assert (ids_of(page), page.more) == (expected, more)


def test_a_talk_holds_both_sides_and_nobody_else(storage: Storage) -> None:
    """A page of a talk has the direct messages between the two, both ways, and no others."""
    alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
    say(storage, alice, "public")
    there = say(storage, alice, "there", to="bob")
    back = say(storage, bob, "back", to="alice")
    say(storage, alice, "aside", to="carol")
    note = say(storage, alice, "note to self", to="alice")
    assert ids_of(storage.history_page((bob, alice), None, None, 9)) == [back, there]
    assert ids_of(storage.history_page((alice, bob), None, there, 9)) == [back]
    assert ids_of(storage.history_page((alice, alice), None, None, 9)) == [note]
    assert ids_of(storage.history_page((bob, carol), None, None, 9)) == []


def test_a_page_has_all_of_a_message(storage: Storage) -> None:
    """Names in place of ids; a public message has no recipient."""
    alice, _ = add(storage, "alice"), add(storage, "bob")
    public, direct = store(storage, alice, "all"), store(storage, alice, "you", to="bob")
    assert isinstance(public, Stored)
    assert isinstance(direct, Stored)
    assert storage.history_page(None, None, None, 9).messages == [Message(public.id, public.time, "alice", None, "all")]
    assert storage.missed_page(2, MAX_ID, 9).messages == [Message(direct.id, direct.time, "alice", "bob", "you")]


def test_each_write_calls_back_once_in_order(storage: Storage) -> None:
    """`done` with the result, or `refused` with the error; by then it can be read, and `wait` returns after it."""
    told: list[tuple[str, Any]] = []
    seen: list[bool] = []

    def done(result: object) -> None:
        told.append(("done", result))
        seen.append(storage.find_user("alice") is not None)
        storage.release()

    def refused(error: Exception) -> None:
        told.append(("refused", type(error)))

    storage.add_user("alice", "alice", "x", NOW, done=done, refused=refused)
    storage.add_user("alice", "alice", "x", NOW, done=done, refused=refused)
    storage.store_posts(1, [Post(None, "hi", None)], done=done, refused=refused)
    last = storage.enable("bob", done=done, refused=refused)
    storage.wait(last)
    (stored,) = told[2][1]
    assert isinstance(stored, Stored)
    assert told == [("done", 1), ("refused", NameTaken), ("done", [stored]), ("refused", UnknownUser)]
    assert seen == [True, True]


def test_the_result_of_a_write_can_be_had_again(storage: Storage) -> None:
    """It returns, or raises, the same each time, whether or not there were callbacks."""
    made, refused = storage.add_user("alice", "alice", "x", NOW), storage.enable("bob")
    storage.settle()
    for _ in range(2):
        assert storage.result(made) == 1
        with pytest.raises(UnknownUser):
            storage.result(refused)


def test_writes_of_many_threads_are_all_stored(storage: Storage) -> None:
    """Each thread's in its own order; ids grow with the order of the callbacks."""
    senders = [add(storage, name) for name in ("anna", "berta", "cleo", "dora")]
    ids: list[int] = []

    def note(outcomes: Any) -> None:
        ids.extend(outcome.id for outcome in outcomes)

    def work(sender: int) -> None:
        for n in range(50):
            storage.store_posts(sender, [Post(None, f"{n}", None)] * 2, done=note)

    threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    storage.settle()
    page = storage.history_page(None, None, 0, 1_000)
    assert ids_of(page) == ids == sorted(ids)
    for name in ("anna", "berta", "cleo", "dora"):
        assert [int(m.body) for m in page.messages if m.sender == name] == [n for n in range(50) for _ in range(2)]


def test_after_the_end_writes_are_refused(engine: Engine, tmp_path: Path) -> None:
    """What was submitted before is stored; what comes later fails at once, and its callback says so."""
    errors: list[Exception] = []
    with engine(tmp_path) as storage:
        before = storage.add_user("alice", "alice", "x", NOW)
        storage.close()
        assert storage.result(before) == 1
        late = storage.add_user("bob", "bob", "x", NOW, refused=errors.append)
        with pytest.raises(StorageUnavailable, match="stopping"):
            storage.result(late)
    assert [type(error) for error in errors] == [StorageUnavailable]
    with engine(tmp_path) as storage:
        assert [storage.find_user(name) is not None for name in ("alice", "bob")] == [True, False]


def test_a_storage_names_its_engine(storage: Storage) -> None:
    """With a version, for the log."""
    name, _, version = storage.engine.partition(" ")
    assert name
    assert version[0].isdigit()


def test_a_probe_stores_and_changes_nothing(storage: Storage) -> None:
    """It takes the way of every write, and is told of as one; the sizes are those on the disk."""
    told, failed = threading.Event(), threading.Event()
    before = storage.figures()
    written = before.written
    storage.probe(done=lambda _: told.set(), refused=lambda _: failed.set())
    storage.settle()
    after = storage.figures()
    assert (told.is_set(), failed.is_set(), after.queued, after.written - written) == (True, False, 0, 2)
    assert after.database_bytes + after.wal_bytes > 0
    assert storage.history_page(None, None, None, 10).messages == []


# -- for an operator --------------------------------------------------------------------------------------------------
def test_accounts_are_listed_by_name(storage: Storage) -> None:
    """In pages that follow each other; those that are shut out alone, too."""
    for name in ("carl", "anna", "zoë", "bob"):
        add(storage, name)
    storage.result(storage.disable("bob", LATER))
    page = storage.users_page("", 2)
    assert [(person.name, person.created, person.disabled_at) for person in page] == [
        ("anna", NOW, None),
        ("bob", NOW, LATER),
    ]
    assert [person.name for person in storage.users_page("bob", 10)] == ["carl", "zoë"]
    assert [person.name for person in storage.users_page("", 10, disabled=True)] == ["bob"]
    assert storage.users_page("zoë", 10) == []


def test_an_overview_counts(storage: Storage) -> None:
    """Accounts, and the newest message of all, also a direct one."""
    anna = add(storage, "anna")
    add(storage, "bob")
    storage.result(storage.disable("bob", NOW))
    say(storage, anna, "hi")
    newest = say(storage, anna, "hi", "bob")
    held = storage.overview(NOW)
    assert (held.users, held.disabled, held.newest_id, held.recent) == (2, 1, newest, 2)


def test_sizes_are_measured(storage: Storage) -> None:
    """Those of the files, and what is left on their disk; of a server's disk nothing is known."""
    add(storage, "anna")
    sizes = storage.sizes()
    assert sizes.database + sizes.wal > 0
    assert (sizes.free > 0) == storage.engine.startswith("SQLite")


def test_no_backup_is_known_of_a_new_database(storage: Storage) -> None:
    """Nor is one looked for."""
    assert storage.newest_backup() is None


def test_an_account_has_a_role(storage: Storage) -> None:
    """It is a member at first; nobody is refused."""
    add(storage, "anna")
    assert storage.users_page("", 1)[0].role == "member"
    act(storage, None, "anna", "role", None, role="moderator")
    assert storage.users_page("", 1)[0].role == "moderator"
    with pytest.raises(UnknownUser):
        act(storage, None, "bob", "role", None, role="owner")


def test_the_account_of_the_service_is_there(storage: Storage) -> None:
    """It sends messages, and is no user whom an operator can change."""
    storage.result(storage.ensure_server())
    (stored,) = storage.result(storage.store_posts(SERVER_ID, [Post(None, "hi", None, "notice")]))
    assert isinstance(stored, Stored)
    assert storage.history_page(None, None, None, 1).messages[0].sender == SERVER_NAME
    assert storage.users_page("", 10) == []
    for order in (storage.disable(SERVER_NAME, NOW), storage.set_password(SERVER_NAME, "hash")):
        with pytest.raises(UnknownUser):
            storage.result(order)


def test_a_dossier_has_what_is_stored_of_a_person(storage: Storage) -> None:
    """Besides messages; no hash is in it."""
    add(storage, "anna")
    act(storage, None, "anna", "role", None, role="owner")
    held = storage.find_dossier("anna")
    assert held is not None
    assert (held.person.name, held.person.role, held.read_id) == ("anna", "owner", 0)
    assert (held.former_names, held.tokens) == ([], [(NOW, EXPIRY)])
    (noted,) = held.acts
    assert (noted.actor, noted.action, noted.user, noted.role, noted.room) == (None, "role", "anna", "owner", None)
    assert storage.find_dossier("bob") is None


def test_the_messages_of_a_person_are_found_in_pieces(storage: Storage) -> None:
    """Those it sent, and the direct ones it got, in order; no others, however many there are between."""
    anna, bob, carl = (add(storage, name) for name in ("anna", "bob", "carl"))
    mine = [say(storage, anna, "public", nonce="n"), say(storage, anna, "to carl", "carl")]
    say(storage, bob, "public")
    say(storage, bob, "to carl", "carl")
    mine += [say(storage, carl, "to anna", "anna"), say(storage, anna, "to myself", "anna")]
    found, after, pieces = [], 0, 0
    while (page := storage.messages_of(anna, after, 2)).up_to:
        found += page.messages
        after, pieces = page.up_to, pieces + 1
    assert [kept.message.id for kept in found] == mine
    assert (found[0].nonce, found[0].seen_at, found[0].message.recipient) == ("n", None, None)
    assert pieces == 3
    storage.result(storage.mark_seen(anna, [mine[2]], LATER))
    assert storage.messages_of(anna, mine[2] - 1, 1).messages[0].seen_at == LATER


# -- deletion ---------------------------------------------------------------------------------------------------------
WHO_DELETES = [
    # who, with what role; whose message, with what role, to whom; the refusal
    ("alice", "member", "alice", "member", None, None),
    ("alice", "member", "alice", "owner", None, None),
    ("bob", "member", "alice", "member", None, NotAllowed),
    ("bob", "moderator", "alice", "member", None, None),
    ("bob", "moderator", "alice", "moderator", None, NotAllowed),
    ("bob", "owner", "alice", "moderator", None, None),
    ("bob", "owner", "alice", "owner", None, NotAllowed),
    ("bob", "owner", "alice", "member", "bob", NotAllowed),
    ("bob", "owner", "alice", "member", "carol", UnknownMessage),
    ("alice", "member", "alice", "member", "bob", None),
    (None, "member", "alice", "owner", None, None),
    (None, "member", "alice", "member", "bob", None),
]


@pytest.mark.parametrize(("who", "role", "sender", "sender_role", "to", "refused"), WHO_DELETES)
def test_who_may_delete(
    storage: Storage,
    who: str | None,
    role: Role,
    sender: str,
    sender_role: Role,
    to: str | None,
    refused: type[Exception] | None,
) -> None:
    """The sender, and of a public message who has a higher role; None is the operator."""
    ids = {name: add(storage, name) for name in ("alice", "bob", "carol")}
    act(storage, None, who or "carol", "role", None, role=role)
    if sender != who or sender_role != "member":
        act(storage, None, sender, "role", None, role=sender_role)
    said = say(storage, ids[sender], "secret", to)
    deletion = storage.delete_message(ids[who] if who else None, said, None)
    if refused is None:
        assert storage.result(deletion).fresh
    else:
        with pytest.raises(refused):
            storage.result(deletion)


def test_no_command_gives_a_deleted_text(storage: Storage) -> None:
    """Pages have the message without text and kind; the search does not find it, and it is not missed."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    post = Post(None, "secret word", None, "action")
    for outcome in store_posts(storage, alice, post, Post(bob, "secret word", None), Post(None, "other word", None)):
        storage.index_search()
        if outcome.id < 3:  # type: ignore[union-attr]
            deleted = storage.result(storage.delete_message(alice, outcome.id, None))  # type: ignore[union-attr]
            talk = (alice, bob) if deleted.reader_ids else None
            (page,) = [m for m in storage.history_page(talk, None, None, 9).messages if m.id == deleted.id]
            assert (page.body, page.kind, page.deleted) == ("", None, deleted.time)
    assert ids_of(storage.search_page("word", alice, None, None, 9)) == [3]
    assert ids_of(storage.search_page("word", alice, bob, None, 9)) == []
    assert storage.missed_page(bob, MAX_ID, 9).messages == []
    assert waiting(storage, "bob") == (0, 2)
    assert look(storage, "bob").last_id == 3


def test_a_second_deletion_and_a_retry_get_the_first_answer(storage: Storage) -> None:
    """The deletion is not fresh; the nonce is known, whatever its text now, but for another target."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    said = say(storage, alice, "secret", nonce="n")
    first = storage.result(storage.delete_message(alice, said, None))
    assert storage.result(storage.delete_message(alice, said, None)) == first._replace(fresh=False)
    retries = store_posts(storage, alice, Post(None, "other", "n", "notice"), Post(bob, "secret", "n"))
    assert isinstance(retries[0], Stored)
    assert (retries[0].id, retries[0].fresh) == (said, False)
    assert isinstance(retries[1], NonceReused)


def test_what_there_is_not_cannot_be_deleted(storage: Storage) -> None:
    """Neither an id that was never given nor one that is too large for a database's integers."""
    alice = add(storage, "alice")
    for message_id in (0, 1, MAX_ID):
        with pytest.raises(UnknownMessage):
            storage.result(storage.delete_message(alice, message_id, None))


# -- purging ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("public", "direct", "left"),
    [(True, True, []), (True, False, [2, 4]), (False, True, [1, 3]), (False, False, [1, 2, 3, 4])],
)
def test_a_purge_removes_what_is_old(storage: Storage, public: bool, direct: bool, left: list[int]) -> None:
    """Public and direct messages apart; what is younger stays, and no page or search has the rest."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    for n in range(4):
        say(storage, alice, f"old word {n}", "bob" if n % 2 else None)
    storage.index_search()
    expected = storage.count_older("9999", public=public, direct=direct)
    assert purge(storage, public=public, direct=direct) == expected == 4 - len(left)
    kept = [
        *ids_of(storage.history_page(None, None, None, 9)),
        *ids_of(storage.history_page((alice, bob), None, None, 9)),
    ]
    assert sorted(kept) == left
    assert sorted(ids_of(storage.search_page("word", alice, None, None, 9))) == left
    assert waiting(storage, "bob") == (left.count(2) + left.count(4), left.count(1) + left.count(3))


def test_a_purge_stops_at_the_time(storage: Storage) -> None:
    """Messages of that time and later stay; nothing is counted or removed where all are younger."""
    alice = add(storage, "alice")
    with freeze_time("2030-01-01"):
        say(storage, alice, "old")
    with freeze_time("2030-01-02"):
        new = say(storage, alice, "new")
    assert purge(storage, before="2030-01-01T00:00:00.000Z") == 0
    assert storage.count_older("2030-01-02T00:00:00.000Z", public=True, direct=True) == 1
    assert purge(storage, before="2030-01-02T00:00:00.000Z") == 1
    assert ids_of(storage.history_page(None, None, None, 9)) == [new]


def test_after_a_purge_of_all_ids_and_markers_go_on(storage: Storage) -> None:
    """No id is given twice; `seen` of a purged id moves the marker there; who registers has nothing unread."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    said = [say(storage, alice, f"{n}") for n in range(3)]
    assert purge(storage) == 3
    storage.result(storage.see_up_to(bob, MAX_ID, NOW))
    add(storage, "carol")
    assert say(storage, alice, "next") == said[-1] + 1
    assert [waiting(storage, name) for name in ("bob", "carol")] == [(0, 1), (0, 1)]
    storage.index_search()
    assert ids_of(storage.search_page("next", bob, None, None, 9)) == [said[-1] + 1]


def test_a_purged_nonce_is_forgotten(storage: Storage) -> None:
    """A retry that is older than the retention is stored anew."""
    alice = add(storage, "alice")
    said = say(storage, alice, "text", nonce="n")
    purge(storage)
    assert say(storage, alice, "text", nonce="n") == said + 1


def test_presence_is_noted_without_a_wait(storage: Storage) -> None:
    """Whatever the state was before, and for accounts that are not there."""
    for present in (True, True, False, False):
        storage.set_present(1, present)
        storage.set_present(MAX_ID, present)
