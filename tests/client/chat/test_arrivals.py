"""Messages as they arrive: lines for the conversation that is held, counts for the others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from client.chat.addressing import EVERYONE
from client.chat.conversations import Opening
from client.chat.model import Model
from service.wire.protocol import (
    AckReply,
    DeletedEvent,
    Dm,
    ErrorReply,
    HistoryReply,
    Login,
    Missed,
    MissedReply,
    Pm,
    ReadEvent,
    Seen,
)
from tests.support.events import TIME, direct, login_ok, model_after_login, public, room_info, stored, texts


@pytest.fixture(name="model")
def model_with_rooms() -> Model:
    """Alice, in ops and dev."""
    return model_after_login("ops", "dev")


def unread(model: Model) -> dict[str, tuple[int, int]]:
    return {tab.title: (tab.unread, tab.mentions) for tab in model.conversations.tabs() if tab.unread}


def answer(model: Model, asked: Opening | None, *messages: object, more: bool = False) -> list[str]:
    assert asked
    return texts(model.receive(HistoryReply(messages=list(messages), more=more), asked))  # type: ignore[arg-type]


def test_what_is_not_held_counts_and_one_line_says_so(model: Model) -> None:
    """By conversation, with what calls the user by name in any case; a direct message always calls."""
    said = [
        texts([line for line in model.receive(event) if not line.is_aside])
        for event in (
            public(11, room="ops"),
            public(12, "ALICE, look", room="ops"),
            public(13, "alicent", room="ops"),
            direct(14),
            public(15),
        )
    ]
    assert said == [
        ["09:30 -- bob writes in #ops; Alt-3 shows it"],
        [],
        [],
        ["09:30 -- bob writes to you; Alt-4 shows it"],
        ["09:30 bob: hi"],
    ]
    assert unread(model) == {"#ops": (3, 1), "@bob": (1, 1)}


def test_what_calls_is_told_to_who_looks_elsewhere(model: Model) -> None:
    """Each time, with its conversation, though it is not shown."""
    lines = [
        line for text in ("alice!", "hi", "alice?") for line in model.receive(public(11 + len(text), text, room="ops"))
    ]
    assert [line.text for line in lines if line.is_aside] == ["09:30 #ops bob: alice!"]
    (aside,) = [line for line in model.receive(public(30, "and alice", room="dev")) if line.is_aside]
    assert (aside.text, aside.calls, aside.conversation) == ("09:30 #dev bob: and alice", True, "#dev")


def test_switching_shows_what_is_unread(model: Model) -> None:
    """Asked for with a little before it, under what the room is about, with a divider; then it is read."""
    model.conversations["#ops"].topic = "deploys"
    for number in (11, 12):
        model.receive(public(number, room="ops"))
    lines, asked = model.arrivals.hold("#ops")
    assert (texts(lines), asked) == (["-- #ops: deploys --"], Opening(room="ops", limit=5))
    assert answer(model, asked, *(stored(number, room="ops") for number in (5, 11, 12))) == [
        "09:30 bob: hi",
        "-- 2 unread --",
        "09:30 bob: hi",
        "09:30 bob: hi",
    ]
    assert unread(model) == {}
    assert model.receipts.take() == [Seen(room="ops", id=12)]


def test_a_face_knows_where_a_conversation_begins() -> None:
    """The lines of its page say so, and each which message it shows; where nothing was said, one line says that."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, divides="always")
    model.receive(login_ok(rooms=[room_info()]), Login(username="alice"))
    lines, asked = model.arrivals.hold("#ops", 9)
    assert (lines, asked) == ([], Opening(room="ops", limit=9))
    assert asked
    page = model.receive(HistoryReply(messages=[stored(5, room="ops"), stored(6, room="ops")], more=False), asked)
    lines = [*page, *model.receive(public(11, room="ops"))]
    assert [(line.number, line.opens, line.conversation) for line in lines] == [
        (5, True, "#ops"),
        (6, True, "#ops"),
        (11, False, "#ops"),
    ]
    _, asked = model.arrivals.hold("bob", 9)
    assert answer(model, asked) == ["Nothing was said here yet."]


def test_what_comes_before_the_page_waits_for_it(model: Model) -> None:
    """And what stands in both is shown once; then it is live."""
    _, asked = model.arrivals.hold("#ops")
    assert model.receive(public(11, "one", room="ops")) == []
    assert model.receive(public(12, "two", room="ops")) == []
    assert answer(model, asked, stored(11, "one", room="ops")) == ["09:30 bob: one", "09:30 bob: two"]
    assert texts(model.receive(public(13, "three", room="ops"))) == ["09:30 bob: three"]


def test_a_direct_message_that_its_page_shows_before_it_comes(model: Model) -> None:
    """It is shown once, and confirmed."""
    _, asked = model.arrivals.hold("bob")
    model.receive(direct(11))
    assert answer(model, asked, stored(11, to="alice")) == ["09:30 bob -> you: hi"]
    assert model.receipts.take() == [Seen(ids=[11])]


def test_a_page_for_another_conversation_than_the_held_one_is_not_shown(model: Model) -> None:
    """Nor read: the user was faster than the server."""
    model.receive(public(11, room="ops"))
    _, late = model.arrivals.hold("#ops")
    model.receive(public(12, room="ops"))
    _, asked = model.arrivals.hold("#dev")
    assert answer(model, late, stored(11, room="ops"), stored(12, room="ops")) == []
    assert answer(model, asked, stored(7, room="dev")) == ["09:30 bob: hi"]
    assert unread(model) == {"#ops": (2, 0)}
    assert model.receipts.take() == []


@pytest.mark.parametrize("end", ["error", "loss"])
def test_a_page_that_does_not_come(model: Model, end: str) -> None:
    """What waited for it is shown all the same."""
    _, asked = model.arrivals.hold("#ops")
    model.receive(public(11, room="ops"))
    if end == "error":
        lines = model.receive(ErrorReply(code="internal", message="incident 5"), asked)
    else:
        lines = model.lose("The connection is lost.")
    assert texts(lines)[0] == "09:30 bob: hi"
    assert texts(model.receive(public(12, room="ops"))) == ["09:30 bob: hi"]


def test_the_main_room_is_unread_while_another_one_is_held(model: Model) -> None:
    """And is confirmed by its name, which leaves direct messages alone."""
    model.receive(public(11))
    assert model.receipts.take() == [Seen(room="all", id=11)]
    _, asked = model.arrivals.hold("#ops")
    answer(model, asked)
    model.receive(public(12))
    assert (unread(model), model.receipts.take()) == ({"all": (1, 0)}, [])
    _, asked = model.arrivals.hold(EVERYONE)
    assert asked == Opening(limit=4)
    answer(model, asked, stored(11), stored(12))
    assert model.receipts.take() == [Seen(room="all", id=12)]


def test_a_talk_is_confirmed_by_what_was_shown_of_it(model: Model) -> None:
    """One direct message after the other, of this person alone."""
    model.receive(direct(11))
    model.receive(direct(12, sender="carol"))
    assert (model.receipts.take(), model.receipts.missed) == ([], 2)
    _, asked = model.arrivals.hold("bob")
    assert asked == Opening(with_="bob", limit=4)
    answer(model, asked, stored(11, to="alice"))
    assert (model.receipts.take(), model.receipts.missed, unread(model)) == ([Seen(ids=[11])], 1, {"@carol": (1, 1)})


def test_ones_own_messages_are_never_unread(model: Model) -> None:
    """From another session to another conversation, or from here by DM: the answer says where it went."""
    assert model.receive(public(11, sender="alice", room="ops")) == []
    assert unread(model) == {}
    sent = model.receive(AckReply(command="pm", id=12, time=TIME), Pm(message="hi", room="ops"))
    assert texts(sent) == ["09:30 #ops > you: hi"]
    model.arrivals.hold("#ops")
    sent = model.receive(AckReply(command="pm", id=13, time=TIME), Pm(message="hi"))
    assert texts(sent) == ["09:30 all > you: hi"]
    sent = model.receive(AckReply(command="dm", id=14, time=TIME, to="zoe"), Dm(to="zoe", message="hi"))
    assert texts(sent) == ["09:30 > you -> zoe (sent): hi"]
    assert "zoe" in model.conversations


def test_whom_the_user_has_muted_is_hidden_everywhere(model: Model) -> None:
    """Neither counted nor told, and it keeps nothing else from being confirmed."""
    model.people.mute("bob")
    for event in (public(11, "alice!", room="ops"), direct(12), public(13)):
        assert model.receive(event) == []
    assert unread(model) == {}
    assert model.receipts.take() == [Seen(room="all", id=13), Seen(room="ops", id=11), Seen(ids=[12])]


@pytest.mark.parametrize(
    ("event", "left"),
    [
        (ReadEvent(room="ops", id=12), {"all": 1, "@bob": 1, "@carol": 1}),
        (ReadEvent(room="ops", id=11), {"all": 1, "#ops": 1, "@bob": 1, "@carol": 1}),
        (ReadEvent(room="all", id=20), {"#ops": 2, "@bob": 1, "@carol": 1}),
        (ReadEvent(with_="bob", id=20), {"all": 1, "#ops": 2, "@carol": 1}),
        (ReadEvent(ids=[14, 15, 99]), {"all": 1, "#ops": 2}),
        (ReadEvent(id=14), {"#ops": 2, "@carol": 1}),
        (DeletedEvent(id=14, time=TIME, by="bob"), {"all": 1, "#ops": 2, "@carol": 1}),
    ],
)
def test_another_session_shows_something(model: Model, event: ReadEvent, left: dict[str, int]) -> None:
    """Then it is unread no more, here as well; a direct message that is deleted is not, either."""
    model.conversations.hold("#dev")
    for message in (public(11, room="ops"), public(12, room="ops"), public(13), direct(14), direct(15, sender="carol")):
        model.receive(message)
    model.receive(event)
    assert {tab.title: tab.unread for tab in model.conversations.tabs() if tab.unread} == left
    assert model.receipts.missed == sum(number for title, number in left.items() if title.startswith("@"))


def test_what_came_while_the_connection_was_lost(model: Model) -> None:
    """The held conversation shows it, the others count it, and the login corrects the count."""
    model.receive(public(11, room="ops"))
    model.lose("The connection is lost.")
    came = [stored(12), stored(13, room="ops"), stored(14, "alice!", room="dev"), stored(15, to="alice")]
    lines = model.catch_up(came)
    assert texts([line for line in lines if not line.is_aside])[:2] == [
        "09:30 bob: hi",
        "09:30 -- bob writes in #dev; Alt-2 shows it",
    ]
    assert [line.text for line in lines if line.calls] == ["09:30 #dev bob: alice!", "09:30 bob -> you: hi"]
    assert unread(model) == {"#ops": (2, 0), "#dev": (1, 1), "@bob": (1, 1)}
    rooms = [room_info("dev"), room_info("ops", unread=1)]
    model.come_back(login_ok(rooms=rooms, last_id=15, missed=1))
    assert unread(model) == {"#ops": (1, 0), "@bob": (1, 1)}
    assert model.receipts.take() == [Seen(room="all", id=12)]


def test_missed_direct_messages_are_unread_in_their_talks(model: Model) -> None:
    """As the login's own look at them tells; nothing is confirmed by it."""
    model = model_after_login("ops", missed=2)
    (asked,) = model.ask_for_summary()
    missed = [stored(4, to="alice"), stored(5, sender="carol", to="alice")]
    assert texts(model.receive(MissedReply(messages=missed, more=False), asked)) == [
        "2 direct messages missed from bob and carol.",
        "Alt-A goes to the next with something new; TALK lists them.",
    ]
    assert (unread(model), model.missed, model.receipts.take()) == ({"@bob": (1, 1), "@carol": (1, 1)}, 0, [])
    model.receive(MissedReply(messages=missed, more=False), Missed())
    assert (unread(model), model.receipts.take()) == ({}, [Seen(ids=[4, 5])])


def test_without_other_rooms_all_stands_together() -> None:
    """Direct messages and the main room, whatever is held, confirmed as ever."""
    model = model_after_login(rooms=[])
    lines, asked = model.arrivals.hold("bob")
    assert (lines, asked) == ([], None)
    assert texts(model.receive(public(11)) + model.receive(direct(12, sender="carol"))) == [
        "09:30 bob: hi",
        "09:30 carol -> you: hi",
    ]
    assert (unread(model), model.receipts.take()) == ({}, [Seen(id=12)])


def test_where_nothing_stands_apart_a_room_is_named() -> None:
    """In a pipe: each message of a room bears its name."""
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, divides="never")
    model.receive(login_ok(rooms=[room_info()]), None)
    assert texts(model.receive(public(11, room="ops"))) == ["09:30 #ops bob: hi"]
    assert texts(model.receive(public(12))) == ["09:30 bob: hi"]


def test_a_talk_that_was_read_elsewhere_while_the_connection_was_lost(model: Model) -> None:
    """The login says that nothing is missed any more."""
    model.receive(direct(11))
    model.lose("The connection is lost.")
    model.come_back(login_ok(rooms=[room_info("dev"), room_info("ops")], last_id=11))
    assert (unread(model), model.receipts.missed) == ({}, 0)


def test_a_message_of_a_room_that_was_joined_elsewhere_meanwhile(model: Model) -> None:
    """It comes before the login that tells of the room, and is counted there."""
    model.lose("lost")
    assert [line[9:] for line in texts(model.catch_up([stored(11, room="new")]))] == [
        "bob writes in #new; TALK #new shows it"
    ]
    model.come_back(login_ok(rooms=[room_info(room) for room in ("dev", "new", "ops")]))
    assert model.conversations.tabs()[2].title == "#new"
