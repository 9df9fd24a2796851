"""What was said before: pages become lines, and lead to the next ones."""

from __future__ import annotations

import pytest

from client.chat.model import Model
from client.render.layout import Size
from service.wire.protocol import (
    AnyCommand,
    AnyEvent,
    History,
    HistoryReply,
    Login,
    Missed,
    MissedReply,
    Search,
    SearchReply,
    Seen,
)
from tests.support.events import direct, login_ok, model_after_login, public, stored, texts


@pytest.fixture(name="model")
def model_of_alice() -> Model:
    return model_after_login()


def test_unread_begins_with_a_line(model: Model) -> None:
    """NEW shows a little of what came before the first unread message, and a line between; then nothing is new."""
    model.receive(login_ok(unread=2), Login(username="alice"))
    (command,) = model.backlog.news()
    page = HistoryReply(messages=[stored(3), stored(4), stored(5, sender="alice"), stored(7)], more=True)
    assert texts(model.receive(page, command))[1:5] == [
        "09:30 bob: hi",
        "-- unread from here --",
        "09:30 bob: hi",
        "09:30 > you: hi",
    ]
    assert model.backlog.news() == []


def test_missed_leaves_out_what_came_live(model: Model) -> None:
    """MISSED does not repeat a message that came live, and a message that it showed does not come live again."""
    model.receive(direct(12))
    page = MissedReply(messages=[stored(5, to="alice"), stored(12, to="alice"), stored(13, to="alice")], more=True)
    assert texts(model.receive(page, Missed())) == [
        "-- 2 direct messages missed --",
        "09:30 bob -> you: hi",
        "09:30 bob -> you: hi",
        "There are more: MISSED shows the next ones.",
    ]
    assert model.receive(direct(13)) == []


def test_history_pages_back(model: Model) -> None:
    """HISTORY shows a page, and OLDER asks for the one before it, until there is none."""
    page = HistoryReply(messages=[stored(4), stored(6, sender="alice")], more=True)
    lines = texts(model.receive(page, History()))
    assert lines == [
        "-- the room: 2 messages --",
        "09:30 bob: hi  #4",
        "09:30 > you: hi  #6",
        "OLDER shows what came before.",
    ]
    assert model.backlog.older() == History(before=4)
    model.receive(HistoryReply(messages=[stored(3)], more=False), History(before=4))
    assert model.backlog.older() is None


def test_history_says_how_many_are_unread() -> None:
    """While unread messages lie before the page, HISTORY says how many."""
    model = Model()
    model.receive(login_ok(unread=5), Login(username="alice"))
    lines = model.receive(HistoryReply(messages=[stored(9), stored(10)], more=True), History())
    assert lines[-1].text == "3 older ones are unread: OLDER shows what came before."


def test_history_with_one_person(model: Model) -> None:
    """HISTORY bob shows both directions, and OLDER stays with bob."""
    page = HistoryReply(with_="bob", messages=[stored(4, to="alice"), stored(6, sender="alice", to="bob")], more=True)
    assert texts(model.receive(page, History(with_="Bob")))[:3] == [
        "-- you and bob: 2 messages --",
        "09:30 bob -> you: hi  #4",
        "09:30 > you -> bob: hi  #6",
    ]
    assert model.backlog.older() == History(with_="Bob", before=4)


def test_search_shows_the_newest_last(model: Model) -> None:
    """SEARCH turns the page round, and OLDER goes on from its oldest message."""
    page = SearchReply(query="h", messages=[stored(9, "second"), stored(4, "first")], more=True)
    lines = texts(model.receive(page, Search(query="h")))
    assert lines == [
        '-- 2 messages with "h" --',
        "09:30 bob: first  #4",
        "09:30 bob: second  #9",
        "AROUND 9 shows the talk around a match. OLDER shows older ones.",
    ]
    assert model.backlog.older() == Search(query="h", before=4)


@pytest.mark.parametrize(
    ("page", "request_"),
    [
        (HistoryReply(with_="bob", messages=[stored(4, to="alice")], more=False), History(with_="bob")),
        (SearchReply(query="h", messages=[stored(4, to="alice")], more=False), Search(query="h")),
    ],
)
def test_a_missed_message_in_another_page_is_seen(page: AnyEvent, request_: AnyCommand) -> None:
    """A missed direct message that HISTORY or SEARCH showed is confirmed."""
    model = Model()
    model.receive(login_ok(missed=2), Login(username="alice"))
    model.receive(page, request_)
    assert model.receipts.take() == [Seen(ids=[4])]


def test_matches_are_set_off_and_lead_to_the_talk_around(model: Model) -> None:
    """SEARCH sets off what it found, with its number; AROUND asks for what was said before and after it."""
    page = SearchReply(query="hell", messages=[stored(9, "hello, Othello", to="alice")], more=False)
    lines = model.receive(page, Search(query="hell"))
    assert [text for style, text in lines[1].parts if style == "match"] == ["hello"]
    assert texts(lines)[1:] == ["09:30 bob -> you: hello, Othello  #9", "AROUND 9 shows the talk around a match."]
    assert model.backlog.around(8) == []
    before, after = model.backlog.around(9)
    assert (before, after) == (History(with_="bob", before=10, limit=8), History(with_="bob", after=9, limit=8))
    pages = [HistoryReply(with_="bob", messages=[stored(n, to="alice")], more=True) for n in (9, 11)]
    assert texts([*model.receive(pages[0], before), *model.receive(pages[1], after)]) == [
        "-- around #9, you and bob --",
        "09:30 bob -> you: hi  #9",
        "09:30 bob -> you: hi",
        "OLDER shows what came before.",
    ]
    pages = [HistoryReply(with_="bob", messages=[stored(n, to="alice")], more=False) for n in (9, 11)]
    model.backlog.around(9)
    assert texts([*model.receive(pages[0], before), *model.receive(pages[1], after)])[-1] == "09:30 bob -> you: hi"


def test_history_fills_the_screen(model: Model) -> None:
    """Of its page the messages that fit are shown; OLDER goes on before them, and they alone are read."""
    model.receive(login_ok(unread=8), Login(username="alice"))
    asked = model.backlog.fill(History(), Size(80, 12))
    assert (asked.limit, model.backlog.fill(History(), Size(80, 1_000)).limit) == (8, 200)
    model.backlog.fill(History(), Size(80, 12))
    page = [stored(number, "two\nlines") for number in range(1, 9)]
    lines = texts(model.receive(HistoryReply(messages=page, more=False), asked))
    assert lines[0] == "-- the room: 4 messages --"
    assert lines[-1] == "4 older ones are unread: OLDER shows what came before."
    assert model.backlog.older() == History(before=5)


def test_reading_begins_with_the_last_listing(model: Model) -> None:
    """At first with the newest messages, then with those of HISTORY, AROUND or SEARCH, unless nothing is older."""
    assert model.backlog.reading(40) == History(limit=40)
    model.receive(HistoryReply(with_="bob", messages=[stored(5)], more=True), History(with_="bob"))
    assert model.backlog.reading(500) == History(with_="bob", limit=200)
    model.receive(SearchReply(query="hi", messages=[stored(5)], more=True), Search(query="hi"))
    assert model.backlog.reading(40) == Search(query="hi", limit=40)
    before = model.backlog.around(5)[0]
    model.receive(HistoryReply(messages=[stored(5)], more=True), before)
    assert model.backlog.reading(40) == History(before=6, limit=40)
    model.receive(HistoryReply(messages=[], more=False), History())
    assert model.backlog.reading(40) is None


def test_a_page_to_read(model: Model) -> None:
    """It begins with its day, says what comes before it, counts as shown, and leaves the days of the talk alone."""
    model.receive(login_ok(unread=3, missed=1), Login(username="alice"))
    messages = [stored(8), stored(9, sender="alice"), stored(10)]
    page = model.backlog.read(HistoryReply(messages=messages, more=True), History(limit=40, ref="r"))
    assert texts(page.lines) == [
        "-- Saturday, 21 November 2026 --",
        "09:30 bob: hi",
        "09:30 > you: hi",
        "09:30 bob: hi",
    ]
    assert page.older == History(before=8, limit=40)
    assert model.receipts.main.unread == 1
    model.backlog.read(HistoryReply(with_="bob", messages=[stored(7, to="alice")], more=False), History(with_="bob"))
    assert model.receipts.take() == [Seen(ids=[7])]
    last = model.backlog.read(HistoryReply(messages=[stored(3), stored(4)], more=False), page.older)
    assert texts(last.lines)[2] == "-- unread from here --"
    assert (last.older, model.receipts.main.unread) == (None, 0)
    assert texts(model.receive(public())) == ["09:30 bob: hi"]


def test_matches_to_read(model: Model) -> None:
    """The matches of SEARCH stand the oldest first, and AROUND knows them."""
    asked = Search(query="hi", limit=40)
    page = model.backlog.read(SearchReply(query="hi", messages=[stored(9), stored(4)], more=True), asked)
    assert texts(page.lines)[1:] == ["09:30 bob: hi  #4", "09:30 bob: hi  #9"]
    assert page.older == Search(query="hi", limit=40, before=4)
    assert model.backlog.around(4)
    assert model.backlog.read(SearchReply(query="hi", messages=[], more=True), asked).older is None


def test_pages_of_a_room() -> None:
    """HISTORY, OLDER, reading on and AROUND go on in the room that they began in; hits in others bear its name."""
    model = model_after_login("ops")
    page = [stored(4, room="ops"), stored(6, room="ops")]
    said = model.receive(HistoryReply(room="ops", messages=page, more=True), History(room="ops", limit=20))
    rows = ["-- #ops: 2 messages --", "09:30 bob: hi  #4", "09:30 bob: hi  #6", "OLDER shows what came before."]
    assert texts(said) == rows
    assert model.backlog.older() == History(room="ops", before=4)
    assert model.backlog.reading(40) == History(room="ops", limit=40)
    read = model.backlog.read(HistoryReply(room="ops", messages=page, more=True), History(room="ops", limit=40))
    assert (texts(read.lines)[1:], read.older) == (["09:30 bob: hi"] * 2, History(room="ops", before=4, limit=40))
    found = SearchReply(query="hi", messages=[stored(6, room="ops"), stored(5), stored(3, to="alice")], more=False)
    assert texts(model.receive(found, Search(query="hi")))[1:4] == [
        "09:30 bob -> you: hi  #3",
        "09:30 bob: hi  #5",
        "09:30 #ops bob: hi  #6",
    ]
    assert [command.room for command in model.backlog.around(6) if isinstance(command, History)] == ["ops", "ops"]


def test_news_are_of_the_held_conversation() -> None:
    """Where conversations stand apart; what is missed elsewhere is read there."""
    model = model_after_login("ops", unread=2, missed=1)
    assert model.backlog.news() == [History(before=11, limit=5)]
    model.receive(public(12, room="ops"))
    model.conversations.hold("#ops")
    assert model.backlog.news() == [History(room="ops", before=13, limit=4)]
    model.conversations.hold("bob")
    assert (model.backlog.news(), model.backlog.has_news()) == ([], True)
