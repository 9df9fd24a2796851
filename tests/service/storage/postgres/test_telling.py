"""service/storage/postgres/telling.py: which works other services hear of, and when they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.storage.news import (
    AccountClosed,
    MessageDeleted,
    Renamed,
    RoomChanged,
    SessionsEnded,
    WasRead,
)
from service.storage.postgres import deletion, markers, messages, posting, telling, users
from service.storage.records import Post, User
from service.storage.statements import accounts, membership, moderation, names
from tests.support.rooms import LIMITS
from tests.support.storage import LATER, NOW, token_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.storage.news import Event
    from service.storage.postgres.connection import Connection

ALICE = User(1, "alice", "x", None)
ROOM = (1, "ops", "ops", "", False, "member", LIMITS)


@pytest.fixture
def told(connection: Connection) -> Iterator[Callable[..., list[Event]]]:
    """Does a work as a write, in one transaction with the others; returns what it tells."""
    connection.run("BEGIN")

    def do(work: Callable[..., Any], *arguments: Any) -> list[Event]:
        connection.told.clear()
        telling.told(work)(connection, *arguments)
        return [event for event, _ in connection.told]

    for name in ("alice", "bob"):
        do(users.register, name, name, "x", token_of(name), NOW, 60)
    do(posting.store_posts, [(2, [Post(None, "hi", None), Post(1, "you", None), Post(1, "you", None)])])
    yield do
    connection.run("ROLLBACK")


def test_what_ends_sessions_is_told(told: Callable[..., list[Event]]) -> None:
    """With the reason; a logout with its token, if there is such a token."""
    assert told(accounts.change_password, ALICE, "y") == [SessionsEnded(1, "password_changed")]
    assert told(accounts.set_password, "alice", "x") == [SessionsEnded(1, "password_changed")]
    assert told(accounts.log_out, token_of("bob")) == [SessionsEnded(2, "logout", token_of("bob"))]
    assert told(accounts.log_out, token_of("bob")) == []
    assert told(accounts.disable, "bob", NOW) == [SessionsEnded(2, "kicked")]
    assert told(accounts.enable, "bob") == []
    assert told(accounts.rename, "bob", "carl", "carl", LATER) == [Renamed(2, "bob", "carl", LATER)]
    assert told(accounts.delete, "carl", LATER) == [AccountClosed(2, "deleted-2", [])]


def test_what_changes_in_a_room_is_told_once(told: Callable[..., list[Event]]) -> None:
    """What was so before is nothing to tell."""
    assert [type(event) for event in told(membership.create_room, *ROOM)] == [RoomChanged]
    for times in (1, 0):
        assert len(told(membership.join_room, 2, "ops", LIMITS)) == times
        assert len(told(membership.set_room, 1, "ops", "news", None)) == times
        assert len(told(moderation.moderate, 1, "ops", "bob", "mute", None, None, None, LIMITS)) == times
    assert len(told(membership.leave_room, 2, "ops")) == 1
    (deleted,) = told(membership.delete_room, "ops")
    assert isinstance(deleted, RoomChanged)
    assert deleted.change.gone


def test_what_was_read_is_told_if_it_was_unread(told: Callable[..., list[Event]]) -> None:
    """With where the marker is now, and of which conversation it is."""
    assert told(messages.mark_seen, 1, [2], NOW) == [WasRead(1, ids=[2])]
    assert told(markers.see_talk_up_to, 1, 2, 99, NOW) == [WasRead(1, 3, with_name="bob")]
    assert told(markers.see_room_up_to, 1, None, 1) == [WasRead(1, 1, is_main=True)]
    assert told(users.see_up_to, 1, 99, NOW) == [WasRead(1, 3)]
    assert told(users.see_up_to, 1, 99, NOW) == []
    assert told(messages.mark_seen, 1, [2], NOW) == []


def test_a_deleted_message_is_told_with_who_did_it(told: Callable[..., list[Event]]) -> None:
    """Once; nobody's name is the operator's."""
    (first,) = told(deletion.delete, 2, 1, None)
    (second,) = told(deletion.delete, None, 2, "spam")
    assert isinstance(first, MessageDeleted)
    assert isinstance(second, MessageDeleted)
    assert [(event.deleted.id, event.by) for event in (first, second)] == [(1, "bob"), (2, None)]
    assert told(deletion.delete, 2, 1, None) == []


def test_what_concerns_nobody_elsewhere_is_as_it_was() -> None:
    """It is not even wrapped."""
    assert telling.told(names.replace_name) is names.replace_name
