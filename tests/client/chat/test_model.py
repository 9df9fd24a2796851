"""Events come in, lines to show come out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from client.chat.model import Model
from client.render.layout import Size
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    BroadcastEvent,
    ByeReply,
    DirectEvent,
    Dm,
    ErrorReply,
    History,
    HistoryReply,
    Login,
    LoginOkReply,
    Missed,
    MissedReply,
    Pm,
    PongReply,
    ReadyReply,
    RenamedEvent,
    Resume,
    Search,
    SearchReply,
    Seen,
    StoredMessage,
    Users,
    UsersReply,
)

if TYPE_CHECKING:
    from client.text import Line

TIME = "2026-11-21T09:30:00.123Z"
EVIL = "e\x1b[2J\nv\u202e"


def login_ok(**changes: Any) -> LoginOkReply:
    fields = {"users": ["alice", "bob"], "missed": 0, "unread": 0, "last_id": 10, "token": "", "time": TIME, **changes}
    return LoginOkReply(username="alice", **fields)


@pytest.fixture(name="model")
def model_after_login() -> Model:
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC)
    model.receive(login_ok(), Login(username="alice"))
    return model


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


def public(message_id: int = 11, text: str = "hi", sender: str = "bob", time: str = TIME) -> BroadcastEvent:
    return BroadcastEvent(id=message_id, time=time, from_=sender, message=text)


def direct(message_id: int = 11, text: str = "hi", sender: str = "bob", to: str = "alice") -> DirectEvent:
    return DirectEvent(id=message_id, time=TIME, from_=sender, to=to, message=text)


def stored(message_id: int, text: str = "hi", sender: str = "bob", to: str | None = None) -> StoredMessage:
    return StoredMessage(id=message_id, time=TIME, from_=sender, to=to or UNSET, message=text)


@pytest.mark.parametrize(
    ("event", "request_", "expected"),
    [
        (public(), None, ["09:30 bob: hi"]),
        (direct(), None, ["09:30 bob -> you: hi"]),
        (direct(sender="alice", to="bob"), None, ["09:30 > you -> bob: hi"]),
        (public(sender="alice"), None, ["09:30 > you: hi"]),
        (AckReply(command="pm", id=11, time=TIME), Pm(message="hi"), ["09:30 > you: hi"]),
        (
            AckReply(command="dm", id=11, time=TIME, to="bob", status="delivered"),
            Dm(to="Bob", message="hi"),
            ["09:30 > you -> bob (delivered): hi"],
        ),
        (
            AckReply(command="dm", id=11, time=TIME, to="bob", status="stored"),
            Dm(to="bob", message="hi"),
            ["09:30 > you -> bob (stored until they log in): hi"],
        ),
        (
            ErrorReply(code="unknown_user", message='there is no user "bobb"'),
            Dm(to="bobb", message="hi"),
            ['Not sent: there is no user "bobb". Your text was: hi'],
        ),
        (ErrorReply(code="internal", message="incident 5"), None, ["incident 5"]),
        (ErrorReply(code="unknown_user", message="no bobb"), History(with_="bobb"), ["no bobb"]),
        (ErrorReply(code="bad_credentials", message="wrong"), Login(username="alice"), []),
        (ErrorReply(code="storage_unavailable", message="later"), Seen(id=5), []),
        (AckReply(command="seen", id=5), Seen(id=5), []),
        (ReadyReply(command="pm"), Pm(), []),
        (PongReply(time=TIME), None, []),
        (ByeReply(reason="exit"), None, []),
        (login_ok(), None, []),
        (UsersReply(users=["alice", "bob"], time=TIME), None, []),
        (UsersReply(users=["alice", "bob", "carol"], time=TIME), None, ["09:30 * carol is online"]),
        (
            UsersReply(users=["alice", "carol", "dave"], time=TIME),
            None,
            ["09:30 * carol and dave are online", "09:30 * bob is gone"],
        ),
        (UsersReply(users=["bob"], time=TIME), None, []),
        (UsersReply(users=["alice", "bob"], time=TIME), Users(), ["Online (2): alice (you), bob"]),
    ],
)
def test_an_event_becomes_lines(
    model: Model, event: AnyEvent, request_: AnyCommand | None, expected: list[str]
) -> None:
    """Each event is shown as a user would want it, with the command that it answers, or not at all."""
    assert texts(model.receive(event, request_)) == expected


@pytest.mark.parametrize(("users", "here"), [(["alice", "bob"], "Online: bob."), (["alice"], "Nobody else is online.")])
def test_the_welcome(users: list[str], here: str) -> None:
    """A login says who is online, and what to type."""
    lines = texts(Model().receive(login_ok(users=users), Login(username="alice")))
    assert lines == [f"You are alice. {here}", "Nothing missed."]


def test_the_message_of_the_day_is_shown_at_the_login_only() -> None:
    """Under the welcome, made safe, and so that no line of it passes for a message; not when the link comes back."""
    model, login = Model(), login_ok(motd="Hi!\r\n09:30 bob: \x1b[2J")
    assert texts(model.receive(login, Resume(token="t")))[1] == "The server says: Hi!\n    09:30 bob: \u241b[2J"
    model.lose("gone")
    assert not any("Hi!" in text for text in texts(model.come_back(login)))


def test_the_summary_comes_with_the_last_page_asked_for(model: Model) -> None:
    """The pages that it is made from are not shown, not confirmed, and asked for again by NEW."""
    model.receive(login_ok(missed=1, unread=1), Login(username="alice"))
    missed, public_ = model.ask_for_summary()
    assert model.receive(MissedReply(messages=[stored(4, to="alice")], more=False), missed) == []
    assert texts(model.receive(HistoryReply(messages=[stored(5)], more=True), public_)) == [
        "1 direct message missed from bob, 1 public since 09:30.",
        "Enter alone, or NEW, shows them.",
    ]
    assert model.receipts.take() == []
    assert model.news() == [Missed(), History(before=11, limit=4)]


def test_unread_begins_with_a_line(model: Model) -> None:
    """NEW shows a little of what came before the first unread message, and a line between; then nothing is new."""
    model.receive(login_ok(unread=2), Login(username="alice"))
    (command,) = model.news()
    page = HistoryReply(messages=[stored(3), stored(4), stored(5, sender="alice"), stored(7)], more=True)
    assert texts(model.receive(page, command))[1:5] == [
        "09:30 bob: hi",
        "-- unread from here --",
        "09:30 bob: hi",
        "09:30 > you: hi",
    ]
    assert model.news() == []


@pytest.mark.parametrize("twin", [public(11), direct(11)])
def test_a_message_is_shown_once(model: Model, twin: AnyEvent) -> None:
    """A message whose id was shown live is dropped when it comes again."""
    assert model.receive(twin)
    assert model.receive(twin) == []


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


def test_own_messages_do_not_come_again(model: Model) -> None:
    """After its ack, an own message is not shown as news."""
    model.receive(AckReply(command="pm", id=11, time=TIME), Pm(message="hi"))
    assert model.receive(public(11, sender="alice")) == []


def test_history_pages_back(model: Model) -> None:
    """HISTORY shows a page, and OLDER asks for the one before it, until there is none."""
    page = HistoryReply(messages=[stored(4), stored(6, sender="alice")], more=True)
    lines = texts(model.receive(page, History()))
    assert lines == ["-- the room: 2 messages --", "09:30 bob: hi", "09:30 > you: hi", "OLDER shows what came before."]
    assert model.older() == History(before=4)
    model.receive(HistoryReply(messages=[stored(3)], more=False), History(before=4))
    assert model.older() is None


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
        "09:30 bob -> you: hi",
        "09:30 > you -> bob: hi",
    ]
    assert model.older() == History(with_="Bob", before=4)


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
    assert model.older() == Search(query="h", before=4)


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


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-21T09:30:00.000Z", "14:30 "),
        ("2026-11-20T20:00:00.000Z", "01:00 "),
        ("2026-11-20T17:02:00.000Z", "22:02 "),
        ("yesterday", "--:-- "),
        ("", "--:-- "),
        ("9999-12-31T23:59:59Z", "--:-- "),
        ("0001-01-01T00:00:00+09:00", "--:-- "),
    ],
)
def test_times_are_the_users(time: str, shown: str) -> None:
    """Times are shown in the user's zone; nonsense does no harm."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), timezone(timedelta(hours=5)))
    line = model.receive(public(time=time))[-1].text
    assert line == f"{shown}bob: hi"


def test_days_are_set_apart(model: Model) -> None:
    """A line with the day stands wherever the day changes, also when the talk goes on after a page of history."""
    page = HistoryReply(
        messages=[
            StoredMessage(id=number, time=time, from_="bob", message=str(number))
            for number, time in enumerate(("2026-11-19T08:00:00Z", "2026-11-19T23:59:59Z", "2026-11-20T00:00:00Z"))
        ],
        more=False,
    )
    assert texts([*model.receive(page, History()), *model.receive(public())]) == [
        "-- the room: 3 messages --",
        "-- Thursday, 19 November 2026 --",
        "08:00 bob: 0",
        "23:59 bob: 1",
        "-- Friday, 20 November 2026 --",
        "00:00 bob: 2",
        "-- Saturday, 21 November 2026 --",
        "09:30 bob: hi",
    ]


@pytest.mark.parametrize(
    ("event", "request_"),
    [
        (public(sender=EVIL, text="\x1b]0;x\x07\x9b"), None),
        (direct(sender=EVIL), None),
        (RenamedEvent(EVIL, EVIL, TIME), None),
        (ErrorReply(code=EVIL, message=EVIL), None),
        (ErrorReply(code="x", message=EVIL), Pm(message=EVIL)),
        (UsersReply(users=[EVIL], time=EVIL), Users()),
        (AckReply(command="dm", id=1, time=EVIL, to=EVIL, status=EVIL), Dm(to=EVIL, message="hi")),
        (HistoryReply(with_=EVIL, messages=[stored(1, EVIL, EVIL, EVIL)], more=True), History(with_=EVIL)),
        (SearchReply(query=EVIL, messages=[stored(1, EVIL, EVIL, EVIL)], more=True), Search(query=EVIL)),
        (MissedReply(messages=[stored(1, "\x1b", EVIL, EVIL)], more=True), Missed()),
        (
            LoginOkReply(username=EVIL, users=[EVIL], missed=0, unread=0, last_id=0, token=EVIL, time=EVIL),
            Login(username="a"),
        ),
    ],
)
def test_nothing_raw_is_shown(model: Model, event: AnyEvent, request_: AnyCommand | None) -> None:
    """Whatever field a hostile server or user fills with control characters, none is in a line."""
    lines = model.receive(event, request_)
    assert lines
    for line in lines:
        assert line.text.replace("\n    ", "").isprintable(), line


def test_unconfirmed_messages_are_named(model: Model) -> None:
    """Of commands without a reply, those that carry a message are shown with their text."""
    lines = model.unconfirmed([Pm(message="hi"), Users(), Dm(to="bob", message="ho")])
    assert [line.text for line in lines if line.is_trouble] == [
        "Not confirmed, so perhaps not sent: hi",
        "Not confirmed, so perhaps not sent: ho",
    ]


def test_people_in_messages_are_known(model: Model) -> None:
    """Senders, and those written to, can be completed from then on."""
    model.receive(public(11, sender="zoe"))
    model.receive(AckReply(command="dm", id=14, time=TIME, to="dave", status="stored"), Dm(to="Dave", message="x"))
    assert model.people.names() == ["bob", "dave", "zoe"]


def test_memory_is_bounded(model: Model) -> None:
    """A long evening does not fill the memory: old ids are let go."""
    for number in range(11, 12_000):
        model.receive(public(number))
    assert len(model._shown) == 10_000


def test_shown_messages_reach_the_receipts(model: Model) -> None:
    """What was shown live is confirmed, also a note to oneself, whose ack is all that comes."""
    model.receive(direct(11))
    model.receive(public(12))
    model.receive(AckReply(command="dm", id=13, time=TIME, to="alice", status="delivered"), Dm(to="alice", message="x"))
    assert model.receipts.take() == [Seen(id=12), Seen(ids=[13])]


def test_muted_people_are_hidden(model: Model) -> None:
    """What they write counts as seen, live and in pages; MUTE again shows them."""
    model.people.mute("bob")
    assert model.receive(direct(11)) == []
    assert model.receipts.take() == [Seen(id=11)]
    page = HistoryReply(messages=[stored(4), stored(5, sender="carol")], more=False)
    assert texts(model.receive(page, History()))[1:] == ["09:30 carol: hi", "(1 message of muted people not shown.)"]
    model.people.mute("bob")
    assert texts(model.receive(direct(12))) == ["09:30 bob -> you: hi"]


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        (public(text="hi"), False),
        (public(text="hi ALICE!"), True),
        (public(text="hi alicent"), False),
        (public(text="alice", sender="alice"), False),
        (direct(), True),
        (direct(sender="alice", to="bob"), False),
    ],
)
def test_who_is_meant_is_called(model: Model, event: AnyEvent, calls: bool) -> None:
    """A direct message, and one with the user's name as a word, ring the bell; the user's own do not."""
    assert model.receive(event)[-1].calls is calls


def test_matches_are_set_off_and_lead_to_the_talk_around(model: Model) -> None:
    """SEARCH sets off what it found, with its number; AROUND asks for what was said before and after it."""
    page = SearchReply(query="hell", messages=[stored(9, "hello, Othello", to="alice")], more=False)
    lines = model.receive(page, Search(query="hell"))
    assert [text for style, text in lines[1].parts if style == "match"] == ["hello"]
    assert texts(lines)[1:] == ["09:30 bob -> you: hello, Othello  #9", "AROUND 9 shows the talk around a match."]
    assert model.around(8) == []
    before, after = model.around(9)
    assert (before, after) == (History(with_="bob", before=10, limit=8), History(with_="bob", after=9, limit=8))
    pages = [HistoryReply(with_="bob", messages=[stored(n, to="alice")], more=True) for n in (9, 11)]
    assert texts([*model.receive(pages[0], before), *model.receive(pages[1], after)]) == [
        "-- around #9, you and bob --",
        "09:30 bob -> you: hi  #9",
        "09:30 bob -> you: hi",
        "OLDER shows what came before.",
    ]
    pages = [HistoryReply(with_="bob", messages=[stored(n, to="alice")], more=False) for n in (9, 11)]
    model.around(9)
    assert texts([*model.receive(pages[0], before), *model.receive(pages[1], after)])[-1] == "09:30 bob -> you: hi"


def test_whom_a_reply_is_for(model: Model) -> None:
    """It is the sender of the newest direct message that came, live, missed, or while the connection was lost."""
    assert model.people.last_sender == ""
    model.receive(public(11, sender="carol"))
    model.receive(direct(12, sender="alice", to="alice"))
    model.receive(direct(13, sender="alice", to="bob"))
    assert model.people.last_sender == ""
    model.receive(MissedReply(messages=[stored(3, sender="dave", to="alice")], more=False), Missed())
    assert model.people.last_sender == "dave"
    model.receive(direct(14, sender="erin"))
    model.receive(MissedReply(messages=[stored(4, sender="dave", to="alice")], more=False), Missed())
    assert model.people.last_sender == "erin"
    model.catch_up([stored(15, sender="zoe", to="alice"), stored(16, sender="bob")])
    assert model.people.last_sender == "zoe"


def test_a_refused_text_is_kept(model: Model) -> None:
    """What the service refuses is there to be edited."""
    model.receive(ErrorReply(code="unknown_user", message="no"), Dm(to="bobb", message="a long text"))
    assert model.unsent == Dm(to="bobb", message="a long text")
    model.receive(ErrorReply(code="bad_request", message="no"), Users())
    assert model.unsent == Dm(to="bobb", message="a long text")


def test_presence_folds() -> None:
    """What changes is told in one line, at the time of what came last, unless a message told it."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, presence="folded")
    model.receive(login_ok(), Login(username="alice"))
    assert model.receive(UsersReply(users=["alice", "carol", "zoe"], time=TIME)) == []
    model.receive(public(sender="zoe"))
    wait = model.presence.take_wait()
    assert wait
    assert texts(model.tell_presence(wait.number)) == ["09:30 * carol is online, bob is gone"]


def test_people_are_back_after_a_restart() -> None:
    """Who was online before a loss and returns soon after is back, all in one line."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, presence="folded")
    model.receive(login_ok(users=["alice", "bob", "carol"]), Login(username="alice"))
    model.lose("lost")
    assert len(model.come_back(login_ok(users=["alice"]))) == 1
    assert model.receive(UsersReply(users=["alice", "bob"], time=TIME)) == []
    assert texts(model.receive(UsersReply(users=["alice", "bob", "carol"], time=TIME))) == [
        "09:30 * bob and carol are back"
    ]


def test_history_fills_the_screen(model: Model) -> None:
    """Of its page the messages that fit are shown; OLDER goes on before them, and they alone are read."""
    model.receive(login_ok(unread=8), Login(username="alice"))
    asked = model.fill(History(), Size(80, 12))
    assert (asked.limit, model.fill(History(), Size(80, 1_000)).limit) == (8, 200)
    model.fill(History(), Size(80, 12))
    page = [stored(number, "two\nlines") for number in range(1, 9)]
    lines = texts(model.receive(HistoryReply(messages=page, more=False), asked))
    assert lines[0] == "-- the room: 4 messages --"
    assert lines[-1] == "4 older ones are unread: OLDER shows what came before."
    assert model.older() == History(before=5)


def test_reading_begins_with_the_last_listing(model: Model) -> None:
    """At first with the newest messages, then with those of HISTORY, AROUND or SEARCH, unless nothing is older."""
    assert model.reading(40) == History(limit=40)
    model.receive(HistoryReply(with_="bob", messages=[stored(5)], more=True), History(with_="bob"))
    assert model.reading(500) == History(with_="bob", limit=200)
    model.receive(SearchReply(query="hi", messages=[stored(5)], more=True), Search(query="hi"))
    assert model.reading(40) == Search(query="hi", limit=40)
    before = model.around(5)[0]
    model.receive(HistoryReply(messages=[stored(5)], more=True), before)
    assert model.reading(40) == History(before=6, limit=40)
    model.receive(HistoryReply(messages=[], more=False), History())
    assert model.reading(40) is None


def test_a_page_to_read(model: Model) -> None:
    """It begins with its day, says what comes before it, counts as shown, and leaves the days of the talk alone."""
    model.receive(login_ok(unread=3, missed=1), Login(username="alice"))
    messages = [stored(8), stored(9, sender="alice"), stored(10)]
    page = model.read(HistoryReply(messages=messages, more=True), History(limit=40, ref="r"))
    assert texts(page.lines) == [
        "-- Saturday, 21 November 2026 --",
        "09:30 bob: hi",
        "09:30 > you: hi",
        "09:30 bob: hi",
    ]
    assert page.older == History(before=8, limit=40)
    assert model.receipts.unread == 1
    model.read(HistoryReply(with_="bob", messages=[stored(7, to="alice")], more=False), History(with_="bob"))
    assert model.receipts.take() == [Seen(ids=[7])]
    last = model.read(HistoryReply(messages=[stored(3), stored(4)], more=False), page.older)
    assert texts(last.lines)[2] == "-- unread from here --"
    assert (last.older, model.receipts.unread) == (None, 0)
    assert texts(model.receive(public())) == ["09:30 bob: hi"]


def test_matches_to_read(model: Model) -> None:
    """The matches of SEARCH stand the oldest first, and AROUND knows them."""
    asked = Search(query="hi", limit=40)
    page = model.read(SearchReply(query="hi", messages=[stored(9), stored(4)], more=True), asked)
    assert texts(page.lines)[1:] == ["09:30 bob: hi  #4", "09:30 bob: hi  #9"]
    assert page.older == Search(query="hi", limit=40, before=4)
    assert model.around(4)
    assert model.read(SearchReply(query="hi", messages=[], more=True), asked).older is None


def test_an_action_is_one_wherever_it_is_shown(model: Model) -> None:
    """Live, own, in the history and in a search."""
    page = [replace(stored(7, "waves"), kind="action")]
    own = model.receive(AckReply(command="pm", id=12, time=TIME), Pm(message="nods", kind="action"))
    assert texts(own) == ["09:30 > * alice nods"]
    for lines in (
        model.receive(replace(public(text="waves"), kind="action")),
        model.receive(HistoryReply(messages=page, more=False), History()),
        model.receive(SearchReply(query="waves", messages=page, more=False), Search(query="waves")),
        model.catch_up([replace(stored(13, "waves"), kind="action")]),
    ):
        assert any(text.startswith("09:30 * bob waves") for text in texts(lines)), texts(lines)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("bob", "bobby", "09:30 * bob is now called bobby"),
        ("alice", "alicia", "09:30 * you are now called alicia"),
    ],
)
def test_a_new_name_is_one_line(model: Model, old: str, new: str, said: str) -> None:
    """It calls nobody."""
    (line,) = model.receive(RenamedEvent(old, new, TIME))
    assert (line.text, line.calls) == (said, False)


def test_of_a_muted_one_no_new_name_is_told(model: Model) -> None:
    """And they stay muted under it."""
    model.people.mute("bob")
    assert model.receive(RenamedEvent("bob", "bobby", TIME)) == []
    assert model.receive(public(sender="bobby")) == []
