"""service/chat/elsewhere.py: what others' commits come to here. The news are made up; no other service is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

import pytest

from service.chat import elsewhere
from service.chat.elsewhere import Elsewhere
from service.storage import news
from service.storage.records import Deleted, MemberChange, RoomChange, RoomRef, RoomView
from tests.support.cast import told
from tests.support.wires import read_users

if TYPE_CHECKING:
    from service.server import Server
    from tests.support.helpers import Line, Wire
    from tests.support.wires import Wires

pytestmark = pytest.mark.engines
NOW = "2026-11-30T05:49:47.123Z"
NODE = 7
FAR = 9  # the id of an account that has no session here


class Hearer:
    """Gives a service news of others, as its storage does."""

    def __init__(self, server: Server) -> None:
        self.services = server.services
        self._elsewhere = Elsewhere()
        self.services.delivery.run(self._elsewhere.begin, self.services)

    def id_of(self, name: str) -> int:
        user_id = self.services.accounts.find_id(name)
        self.services.storage.release()
        assert user_id is not None
        return user_id

    def hear(self, *items: news.News) -> None:
        for item in items:
            self.services.delivery.run(self._elsewhere.take, item)


@pytest.fixture
def hearer(server: Server) -> Hearer:
    return Hearer(server)


def test_there_is_something_to_do_for_all_news() -> None:
    """A new kind needs a line in the table."""
    assert elsewhere._FOLLOWS.keys() == set(get_args(news.News))


def test_what_comes_too_early_waits(server: Server, wires: Wires) -> None:
    """A storage is open before the rest of the service is made."""
    alice, early = wires.enter("alice"), Elsewhere()
    early.take(news.Posted(18, NOW, FAR, "bob", "hi"))
    server.services.delivery.run(early.begin, server.services)
    assert [line["message"] for line in told(alice)] == ["hi"]


# -- messages ---------------------------------------------------------------------------------------------------------
def test_a_public_message_reaches_all(hearer: Hearer, wires: Wires) -> None:
    """The sender's sessions here too; a kind is told; this service counts only what it has stored itself."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    before = hearer.services.stored.copy()
    hearer.hear(news.Posted(18, NOW, hearer.id_of("bob"), "bob", "waves", kind="action"))
    event = {"type": "broadcast", "id": 18, "from": "bob", "message": "waves", "kind": "action"}
    assert told(alice) == told(bob) == [event]
    assert hearer.services.stored == before


def test_a_direct_message_reaches_both(hearer: Hearer, wires: Wires) -> None:
    """All sessions of both, and nobody else; to oneself it comes once."""
    alice, bob, also, carol = (wires.enter(name) for name in ("alice", "bob", "bob", "carol"))
    ids = {"alice": hearer.id_of("alice"), "bob": hearer.id_of("bob")}
    direct = news.Posted(18, NOW, ids["alice"], "alice", "hi", ids["bob"], "bob")
    own = news.Posted(19, NOW, ids["bob"], "bob", "note", ids["bob"], "bob")
    hearer.hear(direct, own)
    events = [
        {"type": "direct", "id": 18, "from": "alice", "to": "bob", "message": "hi"},
        {"type": "direct", "id": 19, "from": "bob", "to": "bob", "message": "note"},
    ]
    assert [told(wire) for wire in (alice, bob, also, carol)] == [events[:1], events, events, []]


def test_a_direct_message_counts_as_seen_by_who_was_sent_it(hearer: Hearer, wires: Wires) -> None:
    """By its reader's session without `confirm`, not by a copy for its sender."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    bob_id, alice_id = hearer.id_of("bob"), hearer.id_of("alice")
    hearer.hear(news.Posted(18, NOW, alice_id, "alice", "hi", bob_id, "bob"))
    for wire in (alice, bob):
        wire.read_until_pong()
    hearer.services.delivery.settle()
    direct = hearer.services.receipts._direct
    assert (direct.get(bob_id, [])[-1:], direct.get(alice_id)) == ([18], None)


def test_a_message_in_a_room_reaches_its_members(hearer: Hearer, wires: Wires) -> None:
    """And nobody else."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
    alice.ask("create", room="ops")
    room = hearer.services.storage.find_room("ops")
    hearer.services.storage.release()
    assert room is not None
    hearer.hear(news.Posted(18, NOW, FAR, "carol", "hi", room_id=room.id, room="ops"))
    event = {"type": "broadcast", "room": "ops", "id": 18, "from": "carol", "message": "hi"}
    assert (told(alice), told(bob)) == ([event], [])


def test_a_deletion_is_told_and_kept_out_of_pages(hearer: Hearer, wires: Wires) -> None:
    """With who did it, but for an operator."""
    alice = wires.enter("alice")
    losses = hearer.services.losses.count
    hearer.hear(news.MessageDeleted(Deleted(18, NOW, True, None), "bob"))
    hearer.hear(news.MessageDeleted(Deleted(19, NOW, True, (hearer.id_of("alice"), FAR))))
    assert told(alice) == [{"type": "deleted", "id": 18, "by": "bob"}, {"type": "deleted", "id": 19}]
    assert hearer.services.losses.count == losses + 2


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"id": 18}, {"id": 18}),
        ({"id": 18, "is_main": True}, {"room": "all", "id": 18}),
        ({"id": 18, "room": "ops"}, {"room": "ops", "id": 18}),
        ({"id": 18, "with_name": "bob"}, {"with": "bob", "id": 18}),
        ({"ids": [18, 21]}, {"ids": [18, 21]}),
    ],
)
def test_what_was_read_is_told(hearer: Hearer, wires: Wires, fields: Line, event: Line) -> None:
    """To the user's sessions that know rooms."""
    alice, old, bob = wires.enter("alice", rooms=True), wires.enter("alice"), wires.enter("bob", rooms=True)
    hearer.hear(news.WasRead(hearer.id_of("alice"), **fields))
    assert [told(wire) for wire in (alice, old, bob)] == [[{"type": "read"} | event], [], []]


# -- rooms and accounts -----------------------------------------------------------------------------------------------
def test_who_joins_elsewhere_is_in_the_room_here(hearer: Hearer, wires: Wires) -> None:
    """The user's sessions get the room and what is said there; after a kick nothing, nor a page from before."""
    alice = wires.enter("alice", rooms=True)
    user_id = hearer.id_of("alice")
    ops = RoomRef(70, "ops", NOW, private=True)
    view = RoomView(70, "ops", NOW, "deploys", True, 2, 17, "member")
    joined = MemberChange("join", user_id, "alice", NOW, "member", by="alice")
    kicked = MemberChange("kick", user_id, "alice", NOW, by="bob", was_member=True)
    said = news.Posted(18, NOW, FAR, "bob", "hi", room_id=70, room="ops")
    hearer.hear(said, news.RoomChanged(RoomChange(ops, [joined], view, 17)), said)
    assert [line["type"] for line in told(alice)] == ["room", "broadcast"]
    losses = hearer.services.losses.count
    hearer.hear(said, news.RoomChanged(RoomChange(ops, [kicked])), said)
    assert [line["type"] for line in told(alice)] == ["broadcast", "member"]
    assert hearer.services.losses.count == losses + 1


def test_a_rename_ends_the_sessions_and_clears_the_ids(hearer: Hearer, wires: Wires) -> None:
    """All are told; nobody is found by the old name that was looked up here, and what follows bears the new one."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    bob_id = hearer.id_of("bob")
    ids = hearer.services.accounts._ids
    posted = news.Posted(18, NOW, bob_id, "bob", "hi")
    hearer.hear(news.Renamed(bob_id, "bob", "bobby", NOW), posted)
    assert told(alice)[0] == {"type": "renamed", "from": "bob", "to": "bobby"}
    assert bob.read_to_end()[-1] == {"type": "bye", "reason": "kicked"}
    assert hearer.services.accounts._ids is not ids
    hearer.hear(posted)
    assert told(alice)[-1]["from"] == "bobby"


def test_a_closed_account_leaves_its_rooms(hearer: Hearer, wires: Wires) -> None:
    """Its sessions end, and nobody finds it by its old name."""
    alice, bob = wires.enter("alice", rooms=True), wires.enter("bob")
    alice.ask("create", room="ops")
    room = hearer.services.storage.find_room("ops")
    bob_id, ids = hearer.id_of("bob"), hearer.services.accounts._ids
    left = RoomChange(room, [MemberChange("leave", bob_id, "bob", NOW, was_member=True)])
    hearer.hear(news.AccountClosed(bob_id, "deleted-2", [left]))
    assert told(alice) == [{"type": "member", "room": "ops", "username": "bob", "action": "leave"}]
    assert bob.read_to_end()[-1] == {"type": "bye", "reason": "kicked"}
    assert hearer.services.accounts._ids is not ids


@pytest.mark.parametrize("reason", get_args(news.EndReason))
def test_sessions_end(hearer: Hearer, wires: Wires, reason: news.EndReason) -> None:
    """All of the account, and nobody else's."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    hearer.hear(news.SessionsEnded(hearer.id_of("bob"), reason))
    assert bob.read_to_end()[-1] == {"type": "bye", "reason": reason}
    assert alice.ask("ping")["type"] == "pong"


def test_a_logout_elsewhere_ends_what_came_by_that_token(hearer: Hearer, wires: Wires) -> None:
    """And not the account's other sessions."""
    one, other = wires.enter("alice"), wires.enter("alice")
    session = hearer.services.roster.all_sessions()[0]
    token = session.logged_in_account().token_hash
    hearer.hear(news.SessionsEnded(hearer.id_of("alice"), "logout", token))
    assert one.read_to_end()[-1] == {"type": "bye", "reason": "logout"}
    assert other.ask("ping")["type"] == "pong"


# -- who is online ----------------------------------------------------------------------------------------------------
def test_who_is_online_elsewhere_is_listed(hearer: Hearer, wires: Wires) -> None:
    """They come and go like those who are here, for each who is told of that."""
    alice, bob = wires.enter("alice"), wires.enter("bob", presence="changes")
    read_users(alice, "alice", "bob")
    bob.read_type("presence")
    hearer.hear(news.Present(NODE, FAR, "zoe"))
    read_users(alice, "alice", "bob", "zoe")
    arrived = bob.read_type("presence")
    assert (arrived["arrived"], arrived["online"]) == (["zoe"], 3)
    assert wires.enter("carol").hello["users"] == ["alice", "bob", "carol", "zoe"]
    hearer.hear(news.Absent(NODE, FAR))
    while "zoe" not in (line := bob.read_type("presence"))["left"]:
        pass
    assert line["online"] == 3


def test_a_service_that_is_gone_takes_its_users_along(hearer: Hearer, wires: Wires) -> None:
    """But for those who are online somewhere else."""
    alice = wires.enter("alice")
    hearer.hear(news.Present(7, FAR, "zoe"), news.Present(8, FAR, "zoe"), news.Present(8, 10, "yan"))
    read_users(alice, "alice", "yan", "zoe")
    hearer.hear(news.NodeGone(8))
    read_users(alice, "alice", "zoe")


def test_all_who_are_present_replace_what_was_known(hearer: Hearer, wires: Wires) -> None:
    """After a long time without the database."""
    alice = wires.enter("alice")
    hearer.hear(news.Present(7, FAR, "zoe"), news.PresenceKnown([news.Present(8, 10, "yan")]))
    read_users(alice, "alice", "yan")


def test_a_message_is_delivered_where_its_reader_is_online_elsewhere(hearer: Hearer, wires: Wires) -> None:
    """And stored where that is nobody."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    bob.ask("ex")
    bob.read_to_end()
    bob_id = hearer.id_of("bob")
    stati = []
    for item in (news.Present(NODE, bob_id, "bob"), news.Absent(NODE, bob_id)):
        hearer.hear(item)
        stati.append(alice.ask("dm", to="bob", message="hi")["status"])
    assert stati == ["delivered", "stored"]


def test_members_are_online_wherever_they_are(hearer: Hearer, wires: Wires) -> None:
    """As they stand in the list of users."""
    alice, bob = wires.enter("alice"), wires.enter("bob")
    bob.ask("ex")
    bob.read_to_end()
    hearer.hear(news.Present(NODE, hearer.id_of("bob"), "bob"))
    assert {row["name"]: row["online"] for row in alice.ask("members", room="all")["members"]} == {
        "alice": True,
        "bob": True,
    }


# -- the end ----------------------------------------------------------------------------------------------------------
def test_after_a_cut_all_come_anew(hearer: Hearer, wires: Wires) -> None:
    """What they hold may be wrong, and so may the ids and names that were kept here."""
    wires_here: list[Wire] = [wires.enter("alice"), wires.enter("bob", quiet=True)]
    bob_id, ids = hearer.id_of("bob"), hearer.services.accounts._ids
    hearer.services.delivery.run(lambda _: hearer.services.roster.rename(bob_id, "bobby"))
    hearer.hear(news.HistoryCut(18, 21))
    for wire in wires_here:
        assert wire.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}
    assert hearer.services.accounts._ids is not ids
    assert hearer.services.roster.name_of(bob_id, "bob") == "bob"
