"""A chat with something in each table, and all that the storage tells of one, for tests of copies. Holds no test."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from service.storage.records import Post, Refused, RoomLimits
from tests.support.helpers import open_storage
from tests.support.storage import LATER, NOW, add, say, skip_ids, store_posts, token_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.contract import Storage

LIMITS: Final = RoomLimits(members=100, rooms=100, per_account=100, invitations=100)
NAMES: Final = ("alice", "bob", "bobby", "carol", "dave", "erin", "server", "disk")
ROOMS: Final = ("ops", "dev", "secret", "gone")
SECRET: Final = b"s" * 32  # the hash of a webhook's


def make_rich_chat(path: Path) -> None:
    """Makes a file of a chat in which everything has happened."""
    with open_storage(path) as storage:
        alice, bob, carol, dave, _ = (add(storage, name) for name in ("alice", "bob", "carol", "dave", "erin"))
        run = storage.result
        moderate = partial(storage.moderate, limits=LIMITS)
        for name, private in (("ops", False), ("dev", False), ("secret", True), ("gone", False)):
            run(storage.create_room(alice, name, name, f"about {name}", private=private, least="member", limits=LIMITS))
        for room in ("ops", "dev"):
            run(storage.join_room(bob, room, limits=LIMITS))
            run(storage.join_room(dave, room, limits=LIMITS))
        run(moderate(None, None, "alice", "role", role="owner"))
        run(moderate(alice, "secret", "carol", "invite"))
        run(moderate(alice, "ops", "bob", "role", role="moderator"))
        run(moderate(bob, "ops", "erin", "ban", reason="spam, \U0001f600"))
        run(moderate(bob, "ops", "nobody", "ban", until="2030-01-01T00:00:00.000Z"))
        run(storage.join_room(carol, "dev", limits=LIMITS))
        run(moderate(alice, "dev", "carol", "mute"))
        run(storage.leave_room(carol, "dev"))
        run(moderate(None, None, "erin", "mute", until="2030-01-01T00:00:00.000Z"))
        run(storage.set_room(alice, None, topic="welcome"))
        for n in range(30):
            sender = (alice, bob, carol)[n % 3]
            store_posts(storage, sender, Post(None, f"public {n} caf\u00e9", f"p{n}" if n % 2 else None))
            say(storage, alice, f"direct {n}", to="bob", nonce=f"d{n}")
            store_posts(storage, bob, Post(alice, "back\tslash \\N\nline", None, "action"))
            store_posts(storage, (alice, bob)[n % 2], Post(None, f"in ops {n}", f"o{n}", room="ops"))
            store_posts(storage, alice, Post(None, f"secret {n}", None, "notice", room="secret"))
            store_posts(storage, alice, Post(None, "once", None, room="gone"))
        skip_ids(storage, 9_000)  # past complete blocks of ids
        say(storage, carol, "note to self", to="carol")
        newest = say(storage, carol, "last", to="dave")
        run(storage.see_up_to(bob, 60, LATER))
        run(storage.see_up_to(carol, newest, LATER))
        run(storage.see_room_up_to(bob, "ops", 100))
        run(storage.delete_message(alice, 1, None))
        run(storage.delete_message(None, 7, "rude"))
        run(storage.delete_message(alice, 2, None))
        run(storage.purge_some("9999", 0, public=False, direct=False, room="ops"))
        run(storage.rename_user("bob", "bobby", "bobby", LATER))
        run(storage.delete_user("dave", LATER))
        run(storage.disable("erin", LATER))
        run(storage.delete_room("gone"))
        run(storage.add_hook("disk", "disk", "ops", SECRET, NOW))
        run(storage.post_by_hook(SECRET, [Post(None, "full", "h1", room="ops")]))
        run(storage.log_out(token_of("carol")))


def read_all(storage: Storage) -> dict[str, Any]:
    """Returns what each read of the contract tells, by what was asked."""
    told: dict[str, Any] = {}

    def note(read: Callable[..., Any], *arguments: Any, **more: Any) -> None:
        try:
            answer = read(*arguments, **more)
        except Refused as refused:
            answer = repr(refused)
        told[f"{read.__name__}{arguments}{more}"] = answer

    storage.index_search()
    names = [*NAMES, "deleted-4"]
    ids = {name: user.id for name in names if (user := storage.find_login(name)) is not None}
    for name in names:
        told[f"login {name}"] = tuple(storage.find_login(name) or ())
        note(storage.check_free, name, name)
        note(storage.find_dossier, name)
    for disabled in (False, True):
        note(storage.users_page, "", 99, disabled=disabled)
    note(storage.find_alike, ["alice", "bobby"], "c")
    note(storage.moderation_page, 0, 999)
    note(storage.all_rooms, ("", ""), 99, gone=True)
    note(storage.hooks_page, "", 99)
    note(storage.find_hook, SECRET)
    note(storage.count_older, "9999", public=True, direct=True)
    note(storage.history_page, None, None, None, 200)
    for user_id in ids.values():
        note(storage.messages_of, user_id, 0, 99_999)
        note(storage.missed_page, user_id, 99_999, 200)
        note(storage.rooms_page, user_id, "", 99)
        for rooms in (False, True):
            since = storage.since_page(user_id, 0, 200, rooms=rooms, deleted_after=NOW)
            told[f"since {user_id} {rooms}"] = since._replace(time="")
            note(storage.search_page, "e", user_id, None, None, 200, rooms=rooms)
        note(storage.history_page, (ids["alice"], user_id), None, None, 200)
        note(storage.search_page, "di", user_id, ids["alice"], None, 200)
        for room in ROOMS:
            note(storage.room_page, user_id, room, None, None, 200)
            note(storage.members_page, user_id, room, "", 99, ())
            note(storage.bans_page, user_id, room, "", 99)
            note(storage.search_page, "cafe ops", user_id, None, None, 99, room=room)
    return told


def log_all_in(storage: Storage) -> dict[str, Any]:
    """Returns what each login tells: how much is unread and missed, everywhere. It stores that they were here."""
    told: dict[str, Any] = {}
    for name in NAMES:
        user = storage.find_user(name)
        if user is None or user.is_closed:
            continue
        try:
            told[name] = storage.result(storage.log_in(user, None, LATER))
        except Refused as refused:
            told[name] = repr(refused)
    return told
