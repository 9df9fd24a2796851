"""The same deeds over SQLite and over PostgreSQL: the same answers and pages, and the same views for people."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from random import Random
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
from freezegun import freeze_time

from service.clock import format_time, utcnow
from service.errors import ChatError
from service.storage import open_storage
from service.storage.records import Post
from tests.support.helpers import call_back
from tests.support.rooms import LIMITS
from tests.support.storage import NOW, token_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.storage.contract import Storage
    from tests.support.postgres import Cluster

NAMES: Final = ("alice", "bob", "carol", "dave")
ROOMS: Final = ("ops", "dev", "den")
DEEDS: Final = 250
VIEWS: Final = ("history", "users", "rooms")


class Chats:
    """One chat over each engine, to which the same is done."""

    def __init__(self, *storages: Storage) -> None:
        self.storages = storages

    def do(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Calls a method of each; returns the answer, which is the same."""
        first, second = (_answer(storage, method, arguments, more) for storage in self.storages)
        assert first == second, (method, arguments, more)
        return first


def _answer(storage: Storage, method: str, arguments: tuple[Any, ...], more: dict[str, Any]) -> Any:
    try:
        answer = getattr(storage, method)(*arguments, **more)
        if hasattr(answer, "ended"):  # a write
            answer = storage.result(answer)
    except ChatError as error:
        answer = error
    finally:
        storage.release()
    return _plain(answer)


def _plain(answer: Any) -> Any:
    """Makes what can be compared: refusals by what they say; lists and tuples alike."""
    if isinstance(answer, ChatError):
        return type(answer).__name__, str(answer), vars(answer)
    if isinstance(answer, (list, range)) or (isinstance(answer, tuple) and not hasattr(answer, "_fields")):
        return [_plain(each) for each in answer]
    if isinstance(answer, tuple):
        return type(answer).__name__, [_plain(each) for each in answer]
    return answer


class Play:
    """Draws deeds by lot, mostly sensible ones."""

    def __init__(self, chats: Chats, chance: Random) -> None:
        self.chats, self.chance = chats, chance
        self.ids: dict[str, int] = {}
        self.newest = 0
        self.now = NOW
        for name in NAMES:
            self.chats.do("register", name, name, f"hash of {name}", token_of(name), NOW)
            self.ids[name] = chats.storages[0].find_user(name).id  # type: ignore[union-attr]
            chats.storages[0].release()
        for name in ROOMS:
            self.create(name)

    def user(self) -> int:
        return self.ids[self.chance.choice(NAMES)]

    def create(self, room: str | None = None) -> None:
        room = room or self.chance.choice(ROOMS)
        private = self.chance.random() < 0.3
        self.chats.do("create_room", self.user(), room, room, "topic", private=private, least="member", limits=LIMITS)

    def post(self) -> None:
        posts = []
        count = self.chance.choice((1, 1, 3, 8))
        for number in range(count):
            room, to = self.chance.choice(((None, None), (self.chance.choice(ROOMS), None), (None, self.user())))
            # SQLite may skip an id at a retry, so it is the only one.
            nonce = self.chance.choice(
                (None, f"n{self.chance.randrange(30)}" if count == 1 else f"{self.newest}-{number}")
            )
            kind = self.chance.choice((None, None, "action"))
            posts.append(Post(to, f"text {self.chance.randrange(3)}", nonce, kind, room))
        outcomes = self.chats.do("store_posts", self.user(), posts)
        self.newest = max([self.newest, *(each.id for each in outcomes if hasattr(each, "id"))])

    def see(self) -> None:
        up_to = self.chance.randrange(self.newest + 3)
        user, other, room = self.user(), self.user(), self.chance.choice((None, *ROOMS))
        self.chance.choice(
            (
                lambda: self.chats.do("see_up_to", user, up_to, self.now),
                lambda: self.chats.do("see_talk_up_to", user, other, up_to, self.now),
                lambda: self.chats.do("see_room_up_to", user, room, up_to),
                lambda: self.chats.do("mark_seen", user, [up_to, up_to + 1], self.now),
            )
        )()

    def join(self) -> None:
        self.chats.do("join_room", self.user(), self.chance.choice(ROOMS), limits=LIMITS)

    def leave(self) -> None:
        self.chats.do("leave_room", self.user(), self.chance.choice(ROOMS))

    def moderate(self) -> None:
        action = self.chance.choice(("invite", "kick", "ban", "unban", "mute", "unmute", "role"))
        room = self.chance.choice((None, *ROOMS, *ROOMS))
        more: dict[str, Any] = {"until": "2026-11-21T09:31:00.000Z"} if action in {"ban", "mute"} else {}
        if action == "role":
            more["role"] = self.chance.choice(("member", "moderator", "owner"))
        actor = self.chance.choice((None, self.user(), self.user()))
        self.chats.do("moderate", actor, room, self.chance.choice(NAMES), action, limits=LIMITS, **more)

    def delete(self) -> None:
        actor = self.chance.choice((None, self.user(), self.user()))
        self.chats.do("delete_message", actor, self.chance.randrange(1, self.newest + 2), None)

    def purge(self) -> None:
        # Not direct ones: SQLite keeps the newest id that somebody had as that, and PostgreSQL does not.
        before = self.chance.choice((NOW, "2026-11-21T09:30:20.000Z"))
        room = self.chance.choice((None, *ROOMS))
        self.chats.do("purge_some", before, 0, public=True, direct=False, room=room)

    def log_in(self) -> None:
        self.chats.do("resume", token_of(self.chance.choice(NAMES)), self.now)

    def read(self) -> None:
        """Reads everything that a user can."""
        user, partner = self.user(), self.user()
        before, after = self.chance.choice(((None, None), (self.newest // 2, None), (None, self.newest // 2)))
        self.chats.do("missed_page", user, self.newest, 20)
        self.chats.do("history_page", None, before, after, 10)
        self.chats.do("history_page", (user, partner), before, after, 10)
        self.chats.do("room_page", user, self.chance.choice(ROOMS), before, after, 10)
        since = self.chance.randrange(self.newest + 1)
        self.chats.do("since_page", user, since, 10, rooms=self.chance.random() < 0.7, deleted_after=NOW)
        self.chats.do("rooms_page", user, "", 10)
        self.chats.do("members_page", user, self.chance.choice((None, *ROOMS)), "", 10, ["alice"])
        self.chats.do("count_older", self.now, public=True, direct=self.chance.random() < 0.5)
        self.chats.do("find_dossier", self.chance.choice(NAMES))
        self.chats.do("messages_of", user, 0, 1_000)
        self.chats.do("overview", NOW)


WEIGHTS: Final[dict[Callable[[Play], None], int]] = {
    Play.post: 40,
    Play.see: 15,
    Play.join: 10,
    Play.leave: 2,
    Play.moderate: 10,
    Play.delete: 5,
    Play.purge: 1,
    Play.create: 1,
    Play.log_in: 6,
    Play.read: 10,
}


@pytest.mark.parametrize("seed", range(4))
def test_both_engines_do_the_same(cluster: Cluster, tmp_path: Path, seed: int) -> None:
    """Every answer to 250 deeds, and all promised views at the end, row by row and in the same order."""
    url, path = cluster.create(), tmp_path / "chat.db"
    chance = Random(seed)
    with ExitStack() as stack:
        stopper = stack.enter_context(closing(psycopg.connect(url, autocommit=True)))
        clock = stack.enter_context(freeze_time(NOW))
        stopper.execute("SELECT chat.stop_time(%s)", (NOW,))
        storages = [open_storage(db, call_back) for db in (path, url)]
        for storage in storages:
            stack.callback(storage.close)
        play = Play(Chats(*storages), chance)
        for number in range(DEEDS):
            if number % 5 == 0:
                clock.tick()
                play.now = format_time(utcnow())
                stopper.execute("SELECT chat.stop_time(%s)", (play.now,))
            (deed,) = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))
            deed(play)
            stopper.execute("SELECT setval('chat.message_id', %s)", (given(path),))
    assert look(path, url)
    cluster.drop(url)


def given(path: Path) -> int:
    """The newest id that SQLite has given: at a retry it may skip one."""
    with closing(sqlite3.connect(path)) as file:
        (newest,) = file.execute("SELECT max(seq) FROM sqlite_sequence WHERE name = 'message'").fetchone()
    return newest or 0


def look(path: Path, url: str) -> bool:
    """Compares the views; returns whether there is anything in each."""
    with closing(sqlite3.connect(path)) as file, closing(psycopg.connect(url)) as server:
        for view in VIEWS:
            ours = file.execute(f"SELECT * FROM {view} ORDER BY 1")
            theirs = server.execute(f"SELECT * FROM chat.{view} ORDER BY 1".encode())
            assert [column[0] for column in ours.description] == [column.name for column in theirs.description or ()]
            rows = ours.fetchall()
            assert rows == theirs.fetchall(), view
            if not rows:
                return False
    return True
