"""service/storage/hook_contract.py: what every engine does about webhooks. The tests know an engine's methods only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.storage.records import (
    HookExists,
    KeptHook,
    LooksAlike,
    NameTaken,
    NonceReused,
    UnknownHook,
    UnknownRoom,
    UnknownUser,
)
from tests.support.hooks import HASH, add_hook, known_hook, pieces
from tests.support.rooms import act, create, join
from tests.support.storage import LATER, NOW, add, ids_of, say, store

if TYPE_CHECKING:
    from service.storage.contract import Storage, Write
    from service.storage.records import Post, Stored

pytestmark = pytest.mark.engines


def post(storage: Storage, *posts: Post, beyond: str | None = None) -> list[Stored]:
    """What is stored of a text."""
    return storage.result(storage.post_by_hook(HASH, posts, beyond=beyond))


def test_a_webhook_says_something_in_the_main_room(storage: Storage) -> None:
    """As notices by its name, which all who were there before have unread."""
    add(storage, "alice")
    add_hook(storage)
    stored = post(storage, *pieces("one", "two"))
    assert [outcome.id for outcome in stored] == [1, 2]
    page = storage.history_page(None, None, None, 9).messages
    assert [(message.sender, message.body, message.kind) for message in page] == [
        ("monitor", "two", "notice"),
        ("monitor", "one", "notice"),
    ]
    (listed,) = storage.hooks_page("", 9)
    assert listed == KeptHook("monitor", None, None, NOW, stored[0].time)


def test_it_says_it_in_its_room_as_no_member(storage: Storage) -> None:
    """Also in a private one; members have it unread, find it and get it by `since`, and nobody else does."""
    alice, bob = add(storage, "alice"), add(storage, "bob")
    create(storage, alice, "ops", private=True)
    add_hook(storage, room="ops")
    hook = known_hook(storage)
    post(storage, *pieces("the disk is full", room="ops", created=hook.created))
    assert storage.rooms_page(alice, "", 9).rooms[0].unread == 1
    assert [member.name for member in storage.members_page(alice, "ops", "", 9, []).members] == ["alice"]
    storage.index_search()
    assert ids_of(storage.room_page(alice, "ops", None, None, 9)) == [1]
    for user, found in ((alice, [1]), (bob, [])):
        assert ids_of(storage.search_page("disk", user, None, None, 9, rooms=True)) == found
        assert ids_of(storage.since_page(user, 0, 9, rooms=True, deleted_after=None).page) == found


def test_a_retry_is_stored_once(storage: Storage) -> None:
    """It gets the ids of the first time, also when its room is gone; another text with these nonces is refused."""
    alice = add(storage, "alice")
    create(storage, alice, "ops")
    add_hook(storage, room="ops")
    created = known_hook(storage).created

    def again(*texts: str) -> list[Stored]:
        return post(storage, *pieces(*texts, key="k", room="ops", created=created), beyond=f"k{len(texts)}")

    first = again("one", "two")
    storage.result(storage.leave_room(alice, "ops"))
    assert [(outcome.id, outcome.fresh) for outcome in again("one", "two")] == [
        (first[0].id, False),
        (first[1].id, False),
    ]
    for other in (("one", "2"), ("one",), ("one", "two", "three"), ("two", "one")):
        with pytest.raises(NonceReused):
            again(*other)
    assert storage.overview(NOW).newest_id == 2


def test_what_was_deleted_is_not_said_again(storage: Storage) -> None:
    """A retry of it gets its id, as a user's would."""
    add_hook(storage)
    (first,) = post(storage, *pieces("oops", key="k"), beyond="k1")
    storage.result(storage.delete_message(None, first.id, None))
    (again,) = post(storage, *pieces("oops", key="k"), beyond="k1")
    assert (again.id, again.fresh) == (first.id, False)


def test_a_room_that_is_gone_gets_nothing(storage: Storage) -> None:
    """Nor does one of the same name that was made later; the list says since when."""
    alice = add(storage, "alice")
    create(storage, alice, "ops")
    add_hook(storage, room="ops")
    created = known_hook(storage).created
    storage.result(storage.delete_room("ops"))
    create(storage, alice, "ops")
    with pytest.raises(UnknownRoom) as unknown:
        post(storage, *pieces("hi", room="ops", created=created))
    assert unknown.value.name == "ops"
    assert known_hook(storage).is_gone
    (listed,) = storage.hooks_page("", 9)
    assert (listed.room, listed.gone_at is None, listed.used) == ("ops", False, None)


def test_its_room_must_be_there(storage: Storage) -> None:
    """Then nothing is made, and the name stays free."""
    with pytest.raises(UnknownRoom):
        add_hook(storage, room="ops")
    assert storage.find_login("monitor") is None


def test_its_name_is_one_for_an_account(storage: Storage) -> None:
    """Nobody can register it, or one that looks like it; it may be no user's, and no other webhook's."""
    add(storage, "alice")
    add_hook(storage, "monitor")
    for name, refusal in (("alice", NameTaken), ("a1ice", LooksAlike), ("monitor", HookExists)):
        with pytest.raises(refusal):
            add_hook(storage, name, secret="another")
    with pytest.raises(NameTaken):
        storage.check_free("monitor", "monitor")


def test_nobody_logs_in_as_it_or_writes_to_it(storage: Storage) -> None:
    """It is as a closed account: no operator's order for users finds it, and no list has it."""
    alice = add(storage, "alice")
    add_hook(storage)
    user = storage.find_login("monitor")
    assert user is not None
    assert user.is_closed
    assert [person.name for person in storage.users_page("", 9)] == ["alice"]
    assert storage.overview(NOW).users == 1
    act(storage, None, "alice", "role", None, role="owner")
    assert [member.name for member in storage.members_page(alice, None, "", 9, ()).members] == ["alice"]
    writes: list[Write[Any]] = [
        storage.set_password("monitor", "a hash"),
        storage.enable("monitor"),
        storage.rename_user("monitor", "other", "other", LATER),
        storage.delete_user("monitor", LATER),
    ]
    for write in writes:
        with pytest.raises(UnknownUser):
            storage.result(write)
    for action in ("mute", "ban", "kick"):
        with pytest.raises(UnknownUser):
            act(storage, None, "monitor", action, None)


def test_a_webhook_that_was_removed_says_nothing(storage: Storage) -> None:
    """What it said stays under its name, which can be a webhook's again and nobody else's."""
    add_hook(storage)
    post(storage, *pieces("one"))
    storage.result(storage.remove_hook("monitor"))
    assert storage.find_hook(HASH) is None
    assert storage.hooks_page("", 9) == []
    with pytest.raises(UnknownHook):
        post(storage, *pieces("two"))
    with pytest.raises(UnknownHook):
        storage.result(storage.remove_hook("monitor"))
    with pytest.raises(NameTaken):
        add(storage, "monitor")
    add_hook(storage, secret="another")
    assert known_hook(storage, "another").name == "monitor"
    assert [message.sender for message in storage.history_page(None, None, None, 9).messages] == ["monitor"]


def test_users_are_no_webhooks(storage: Storage) -> None:
    """Nor is one that was deleted."""
    add(storage, "alice")
    storage.result(storage.delete_user("alice", LATER))
    for name in ("alice", "deleted-1", "nobody"):
        with pytest.raises(UnknownHook):
            storage.result(storage.remove_hook(name))


def test_they_are_listed_by_name(storage: Storage) -> None:
    """A page at a time."""
    for name in ("one", "two", "three"):
        add_hook(storage, name, secret=name)
    assert [hook.name for hook in storage.hooks_page("", 2)] == ["one", "three"]
    assert [hook.name for hook in storage.hooks_page("three", 2)] == ["two"]


def test_what_may_come_to_a_log_has_no_hash(storage: Storage) -> None:
    """Of a webhook it names the account."""
    add_hook(storage)
    assert repr(known_hook(storage)) == "Hook(user_id=1, name='monitor')"


def test_others_messages_stay_beside_it(storage: Storage) -> None:
    """A user's nonce is no webhook's, and the sequence of ids is one."""
    alice = add(storage, "alice")
    create(storage, alice, "ops")
    join(storage, add(storage, "bob"), "ops")
    add_hook(storage)
    store(storage, alice, "mine", nonce="k0")
    assert [outcome.id for outcome in post(storage, *pieces("its", key="k"), beyond="k1")] == [2]
    assert say(storage, alice, "on") == 3
