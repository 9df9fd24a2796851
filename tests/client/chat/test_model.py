"""Events come in, lines to show come out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from client.chat.model import Model
from client.chat.people import Recount
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    ByeReply,
    Delete,
    DeletedEvent,
    Dm,
    ErrorReply,
    History,
    HistoryReply,
    Login,
    LoginOkReply,
    MemberEvent,
    MemberInfo,
    MembersReply,
    Missed,
    MissedReply,
    Moderate,
    Pm,
    PongReply,
    PresenceEvent,
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
from tests.support.events import TIME, direct, login_ok, model_after_login, public, room_info, stored, texts

EVIL = "e\x1b[2J\nv\u202e"


@pytest.fixture(name="model")
def model_of_alice() -> Model:
    return model_after_login()


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
        (ErrorReply(code="internal", message="incident 5"), None, ["Incident 5."]),
        (ErrorReply(code="unknown_user", message="no bobb"), History(with_="bobb"), ["No bobb."]),
        (ErrorReply(code="bad_credentials", message="wrong"), Login(username="alice"), []),
        (ErrorReply(code="storage_unavailable", message="later"), Seen(id=5), []),
        (AckReply(command="seen", id=5), Seen(id=5), []),
        (ReadyReply(command="pm"), Pm(), []),
        (PongReply(time=TIME), None, []),
        (ByeReply(reason="exit"), None, []),
        (login_ok(), None, []),
        (UsersReply(users=["alice", "bob"], time=TIME), None, []),
        (UsersReply(users=["alice", "bob", "carol"], time=TIME), None, ["09:30 -- carol is online"]),
        (
            UsersReply(users=["alice", "carol", "dave"], time=TIME),
            None,
            ["09:30 -- carol and dave are online", "09:30 -- bob is gone"],
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
    assert model.backlog.news() == [Missed(), History(before=11, limit=4)]


@pytest.mark.parametrize("twin", [public(11), direct(11)])
def test_a_message_is_shown_once(model: Model, twin: AnyEvent) -> None:
    """A message whose id was shown live is dropped when it comes again."""
    assert model.receive(twin)
    assert model.receive(twin) == []


def test_own_messages_do_not_come_again(model: Model) -> None:
    """After its ack, an own message is not shown as news."""
    model.receive(AckReply(command="pm", id=11, time=TIME), Pm(message="hi"))
    assert model.receive(public(11, sender="alice")) == []


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
        "08:00 bob: 0  #0",
        "23:59 bob: 1  #1",
        "-- Friday, 20 November 2026 --",
        "00:00 bob: 2  #2",
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
    assert len(list(model.backlog.shown)) == 10_000


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
    assert texts(model.receive(page, History()))[1:] == [
        "09:30 carol: hi  #5",
        "(1 message of muted people not shown.)",
    ]
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


def test_a_text_that_may_be_sent_is_not_for_edit(model: Model) -> None:
    """It is tried again by itself; to send it anew might double it."""
    error = ErrorReply(code="storage_unavailable", message="the database was lost", maybe=True)
    (line,) = model.receive(error, Pm(message="hi"))
    assert line.text.startswith("Perhaps sent: ")
    assert line.text.endswith("nobody gets it twice: hi")
    assert model.unsent is None


def test_a_refused_text_is_kept(model: Model) -> None:
    """What the service refuses is there to be edited."""
    model.receive(ErrorReply(code="unknown_user", message="no"), Dm(to="bobb", message="a long text"))
    assert model.unsent == Dm(to="bobb", message="a long text")
    model.receive(ErrorReply(code="bad_request", message="no"), Users())
    assert model.unsent == Dm(to="bobb", message="a long text")


@pytest.mark.parametrize(("code", "kind"), [("unknown_kind", UNSET), ("storage_unavailable", "action")])
def test_a_refused_action_is_kept(model: Model, code: str, kind: str | UnsetType) -> None:
    """As an action; but as a text where the server knows no actions."""
    model.receive(ErrorReply(code=code, message="no"), Pm(message="waves", kind="action"))
    assert model.unsent is not None
    assert model.unsent.kind == kind


def test_presence_folds() -> None:
    """What changes is told in one line, at the time of what came last, unless a message told it."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, presence="folded")
    model.receive(login_ok(), Login(username="alice"))
    assert model.receive(UsersReply(users=["alice", "carol", "zoe"], time=TIME)) == []
    model.receive(public(sender="zoe"))
    wait = model.presence.take_wait()
    assert wait
    assert texts(model.tell_presence(wait.number)) == ["09:30 -- carol is online, bob is gone"]


def test_people_are_back_after_a_restart() -> None:
    """Who was online before a loss and returns soon after is back, all in one line."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, presence="folded")
    model.receive(login_ok(users=["alice", "bob", "carol"]), Login(username="alice"))
    model.lose("lost")
    assert len(model.come_back(login_ok(users=["alice"]))) == 1
    assert model.receive(UsersReply(users=["alice", "bob"], time=TIME)) == []
    assert texts(model.receive(UsersReply(users=["alice", "bob", "carol"], time=TIME))) == [
        "09:30 -- bob and carol are back"
    ]


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
        ("bob", "bobby", "09:30 -- bob is now called bobby"),
        ("alice", "alicia", "09:30 -- you are now called alicia"),
    ],
)
def test_a_new_name_is_one_line(model: Model, old: str, new: str, said: str) -> None:
    """It calls nobody."""
    (line,) = model.receive(RenamedEvent(old, new, TIME))
    assert (line.text, line.calls) == (said, False)


def test_who_is_in_a_room_is_not_shown() -> None:
    """Where the client asks by itself: the answer is kept for a face that lists them, until an act or a loss."""
    model = model_after_login("ops")
    call = model.roll.call("#ops")
    assert call
    page = MembersReply(room="ops", members=[MemberInfo(name="bob", role="member", online=True)], more=False)
    assert model.receive(page, call) == []
    assert [person.name for person in model.roll.list("#ops")] == ["bob"]
    assert model.conversations["#ops"].members == 1
    model.receive(MemberEvent(room="ops", username="carol", action="join", role="member", time=TIME))
    model.receive(RenamedEvent("carol", "carla", TIME))
    assert [person.name for person in model.roll.list("#ops")] == ["bob", "carla"]
    assert (model.receive(ErrorReply(code="unknown_room", message="no"), call), model.roll.call("#ops")) == ([], None)
    asked = Moderate(room="ops", username="bob", action="kick")
    model.receive(AckReply(command="moderate", room="ops", username="bob"), asked)
    assert model.conversations["#ops"].members == 1
    assert [person.name for person in model.roll.list("#ops")] == ["bob", "carla"]  # until the answer
    assert model.roll.call("#ops")
    model.come_back(login_ok(rooms=[room_info()]))
    assert model.roll.call("#ops")


def test_ones_own_new_name_counts_at_once(model: Model) -> None:
    """What is sent to it is the user's own, calls, and is confirmed; what they wrote is theirs."""
    model.receive(RenamedEvent("alice", "alicia", TIME))
    (line,) = model.receive(direct(12, to="alicia"))
    assert (line.text, line.calls) == ("09:30 bob -> you: hi", True)
    assert texts(model.receive(public(13, sender="alicia"))) == ["09:30 > you: hi"]
    assert model.receive(public(14, "alicia!"))[0].calls
    model.receipts.missed = 1
    model.receipts.page([stored(9, to="alicia")])
    assert model.receipts.take() == [Seen(ids=[12, 9])]


def test_of_a_muted_one_no_new_name_is_told(model: Model) -> None:
    """And they stay muted under it."""
    model.people.mute("bob")
    assert model.receive(RenamedEvent("bob", "bobby", TIME)) == []
    assert model.receive(public(sender="bobby")) == []


@pytest.mark.parametrize(
    ("by", "line"),
    [
        ("bob", "12:00 -- bob deleted a message of 09:30"),
        (UNSET, "12:00 -- the operator deleted a message of 09:30"),
        ("alice", "12:00 -- you deleted a message of 09:30"),
    ],
)
def test_a_deletion_of_what_is_on_show_is_one_line(model: Model, by: str, line: str) -> None:
    """Live or in a page; of what is not on show, or was told before, nothing is said."""
    model.receive(public(11))
    model.receive(HistoryReply(messages=[stored(5)], more=False), History())
    time = "2026-11-21T12:00:00.000Z"
    for number, said in ((11, [line]), (5, [line]), (11, []), (4, [])):
        expected = said or (["Message"] if by == "alice" else [])
        got = texts(model.receive(DeletedEvent(id=number, time=time, by=by)))
        assert [text[:7] if text.startswith("Message") else text for text in got] == expected


def test_the_ack_of_a_deletion_says_what_was_deleted(model: Model) -> None:
    """The time of the message, or its number where it is not on show."""
    model.receive(AckReply(command="pm", id=11, time=TIME), Pm(message="hi"))
    assert "DELETE 11" in model.deletions.offer().text
    ack = AckReply(command="delete", id=11)
    assert texts(model.receive(ack, Delete(id=11))) == ["12:00 -- you deleted a message of 09:30"]
    assert texts(model.receive(ack, Delete(id=11))) == ["Message 11 is deleted."]


def test_a_deleted_message_in_a_page_has_its_place(model: Model) -> None:
    """In words, as its text is empty."""
    page = HistoryReply(messages=[replace(stored(5, ""), deleted=TIME)], more=False)
    assert texts(model.receive(page, History()))[-1] == "09:30 bob: (deleted)"


def test_a_face_knows_which_message_is_deleted(model: Model) -> None:
    """By the line that says so: live, after a loss, and where the user has asked for it."""
    for number in (11, 12):
        model.receive(public(number))
    lines = [
        *model.receive(DeletedEvent(11, TIME, by="bob")),
        *model.catch_up([], [12]),
        *model.receive(AckReply(command="delete", id=9), Delete(id=9)),
    ]
    assert [(line.deletes, line.number) for line in lines] == [(11, 0), (12, 0), (9, 0)]


def test_a_muted_person_deletes_in_silence(model: Model) -> None:
    """As all else that they do."""
    model.receive(public(11))
    model.people.mute("bob")
    assert [(line.is_aside, line.deletes) for line in model.receive(DeletedEvent(11, TIME, by="bob"))] == [(True, 11)]


def test_what_is_unread_in_rooms_alone_needs_no_page() -> None:
    """The login itself says it, and who is invited where."""
    rooms = [room_info("dev", role="", invited=True), room_info("ops", unread=3)]
    model = Model()
    assert texts(model.receive(login_ok(rooms=rooms), Login(username="alice"))) == [
        "You are alice. Online: bob.",
        "You are invited to #dev. JOIN dev joins it.",
        "3 messages unread in #ops.",
        "Alt-A goes to the next with something new; TALK lists them.",
    ]
    assert model.ask_for_summary() == []


def test_presence_comes_as_changes(model: Model) -> None:
    """Each is a line as ever; where the counts differ the list is to be asked for, once until it is there."""
    said = model.receive(PresenceEvent(arrived=["zoe"], left=["bob"], online=2, time=TIME))
    assert (texts(said), model.takes_recount()) == (["09:30 -- zoe is online", "09:30 -- bob is gone"], False)
    for is_due in (True, False):
        assert model.receive(PresenceEvent(arrived=[], left=[], online=5, time=TIME)) == []
        assert model.takes_recount() == is_due
    assert model.receive(UsersReply(users=["alice", "zoe"], time=TIME), Recount()) == []
    model.receive(PresenceEvent(arrived=[], left=[], online=9, time=TIME))
    assert model.takes_recount()


def test_a_message_to_a_room_is_for_the_one_the_user_is_in() -> None:
    """By the time of its making: another one of the same name may be made meanwhile."""
    model = model_after_login("ops")
    assert model.addressed(Pm(room="ops", message="hi")) == Pm(room="ops", message="hi", created=TIME)
    for command in (Pm(room="dev", message="hi"), Pm(message="hi")):
        assert model.addressed(command) == command


def test_what_was_deleted_meanwhile_is_told(model: Model) -> None:
    """As far as it is on show; of too many only that there are."""
    model.receive(public(11))
    assert texts(model.catch_up([], [11, 4])) == ["-- the message of 09:30 was deleted meanwhile --"]
    assert len(model.catch_up([], None)) == 1


def test_rooms_that_are_lost_meanwhile() -> None:
    """The login that comes back says so."""
    model = model_after_login("ops", "dev")
    model.lose("lost")
    lines = texts(model.come_back(login_ok(rooms=[room_info("ops")])))
    assert "You are no longer in #dev." in lines
