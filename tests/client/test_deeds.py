"""What a session does for operations, beyond single commands."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from client.chat.addressing import EVERYONE
from client.chat.conversations import Opening
from client.chat.operations import OPERATIONS
from client.deeds import Deeds, Reading, Tabs
from client.net.link import OfflineError
from client.render.layout import Size
from client.view import View
from service.wire.protocol import AckReply, ErrorReply, HelloEvent, History, HistoryReply, Leave
from tests.support.events import model_after_login, public, stored

if TYPE_CHECKING:
    from client.chat.paging import Page
    from service.wire.protocol import AnyCommand, AnyEvent

HELLO = HelloEvent(protocol=1, server="", version="", registration="open", max_line=1000, max_message=500)


class Desk:
    """Deeds of alice, in ops and dev: notes what was shown and sent."""

    def __init__(self, *, has_screen: bool = True) -> None:
        self.shown: list[str] = []
        self.sent: list[AnyCommand] = []
        self.is_offline = False
        self.view = View(model_after_login("ops", "dev"), lambda lines: self.shown.extend(line.text for line in lines))
        self.deeds = Deeds(self.view, self.send, HELLO, (lambda: Size(80, 24)) if has_screen else None)

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        if self.is_offline:
            raise OfflineError("Not connected.")
        self.sent.append(command)
        return Future()


def test_holding_asks_for_what_is_unread() -> None:
    """And shows where one is, before it comes."""
    desk = Desk()
    assert desk.deeds.hold("#ops")
    assert (desk.shown, desk.sent) == (["-- #ops --"], [Opening(room="ops", limit=3)])


def test_holding_without_a_connection() -> None:
    """The conversation is held all the same; what is unread is shown later, when the user asks."""
    desk = Desk()
    desk.view.look(lambda model: model.receive(public(11, room="ops")))
    desk.is_offline = True
    for target in ("#ops", "#dev"):
        assert desk.deeds.hold(target) is None
    desk.view.tell(lambda model: model.receive(public(12, room="dev")))
    assert desk.shown == [
        "-- #ops --",
        "1 unread: NEW shows them once the connection is back.",
        "-- #dev --",
        "09:30 bob: hi",
    ]


@pytest.mark.parametrize(("context", "sent"), [(0, []), (40, [Opening(room="ops", limit=40)])])
def test_how_much_stands_before_the_unread(context: int, sent: list[Opening]) -> None:
    """As many messages as a face has space for; nothing is asked for where nothing would come."""
    desk = Desk()
    deeds = Deeds(desk.view, desk.send, HELLO, context=lambda: context)
    deeds.hold("#ops")
    assert desk.sent == sent


def test_help_is_for_the_width_of_the_talk() -> None:
    """Where a face has columns beside it, that is less than the screen's."""
    desk = Desk()
    deeds = Deeds(desk.view, desk.send, HELLO, lambda: Size(30, 24))
    deeds.show_help(OPERATIONS, about_rooms=False)
    assert max(map(len, desk.shown)) <= 30


@pytest.mark.parametrize(
    ("held", "target", "count", "asked"),
    [
        (EVERYONE, None, None, History(limit=20)),
        ("#ops", None, None, History(room="ops", limit=20)),
        ("bob", None, 5, History(with_="bob", limit=5)),
        ("#ops", EVERYONE, 5, History(limit=5)),
        ("#ops", "#dev", 5, History(room="dev", limit=5)),
    ],
)
def test_history_is_of_the_held_conversation(held: str, target: str | None, count: int | None, asked: History) -> None:
    """Unless another one is named; as many as fit."""
    desk = Desk()
    desk.view.model.conversations.hold(held)
    desk.deeds.show_history(target, count)
    assert desk.sent == [asked]


def test_leaving_the_held_room_holds_the_main_one() -> None:
    """Once the server has answered; another one changes nothing."""
    desk = Desk()
    desk.deeds.hold("#ops")
    for room in ("dev", "ops"):
        reply = desk.deeds.leave(room)
        assert (reply, desk.view.model.conversations.held) == (reply, "#ops")
        reply.set_result(AckReply(command="leave"))
    assert desk.sent[1:] == [Leave(room="dev"), Leave(room="ops"), Opening(limit=3)]
    assert desk.view.model.conversations.held == EVERYONE


def test_news_are_those_of_the_held_conversation() -> None:
    """If it has none, it is said where there are some."""
    desk = Desk()
    desk.deeds.show_news()
    desk.view.tell(lambda model: [line for line in model.receive(public(11, room="ops")) if line.is_aside])
    desk.deeds.show_news()
    assert (desk.shown, desk.sent) == (["Nothing new.", " 1 all  (here)", " 2 #dev", " 3 #ops  1 unread"], [])


def test_where_keys_lead() -> None:
    """By number, to the side, or to what is new; a number too high leads nowhere."""
    desk = Desk()
    tabs = Tabs(desk.view)
    desk.view.tell(lambda model: model.receive(public(11, room="ops")))
    assert (tabs.is_on, tabs.number(1), tabs.number(2), tabs.number(9)) == (True, None, "#dev", None)
    assert (tabs.neighbour(1), tabs.neighbour(-1), tabs.unread()) == ("#dev", "#ops", "#ops")


def test_a_page_is_read_by_who_asked() -> None:
    """Each reply once; another one is not theirs; a refusal is told in words."""
    desk = Desk()
    reading = Reading(desk.view, desk.send)
    given: list[Page | str] = []
    reading.ask(History(limit=40), given.append)
    page = HistoryReply(messages=[stored(5)], more=False)
    assert not reading.take(page, History(limit=41))
    assert reading.take(page, History(limit=40, ref="r"))
    assert not reading.take(page, History(limit=40))
    reading.ask(History(limit=40), given.append)
    reading.take(ErrorReply(code="internal", message="incident 5"), History(limit=40))
    desk.is_offline = True
    reading.ask(History(limit=40), given.append)
    assert given[1:] == ["Incident 5.", "Not connected."]
