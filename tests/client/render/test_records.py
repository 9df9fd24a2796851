"""Messages as records for scripts."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from client.render.records import FORMAT, as_event, as_json, row_of
from service.wire.protocol import AckReply, BroadcastEvent, DirectEvent, StoredMessage

TIME = "2026-11-21T09:30:00.123Z"
PUBLIC = BroadcastEvent(id=1, time=TIME, from_="bob", message="hi")
DIRECT = DirectEvent(id=2, time=TIME, from_="bob", to="alice", message="psst")


@pytest.mark.parametrize(
    ("stored", "event"),
    [
        (StoredMessage(id=1, time=TIME, from_="bob", message="hi"), PUBLIC),
        (StoredMessage(id=1, time=TIME, from_="bob", message="hi", kind="action"), replace(PUBLIC, kind="action")),
        (StoredMessage(id=1, time=TIME, from_="bob", room="ops", message="hi"), replace(PUBLIC, room="ops")),
        (StoredMessage(id=2, time=TIME, from_="bob", to="alice", message="psst"), DIRECT),
    ],
)
def test_a_stored_message_looks_as_if_it_came_live(stored: StoredMessage, event: BroadcastEvent | DirectEvent) -> None:
    """So a script reads one kind of record; a live one stays as it is."""
    assert as_event(stored) == event
    assert as_event(event) is event


def test_json_is_one_line_of_ascii() -> None:
    """No control character, no byte that is no ASCII; it reads back as the object of the wire."""
    text = "\u00e9\u2028\x1b\x7f\n\U0001f600"
    record = as_json(BroadcastEvent(id=1, time=TIME, from_="bob", message=text))
    assert record.isascii()
    assert record.isprintable()
    assert json.loads(record) == {"type": "broadcast", "id": 1, "time": TIME, "from": "bob", "message": text}


def test_json_leaves_out_what_is_not_there() -> None:
    """Such as the ref, which only the client and the service need."""
    ack = AckReply(command="pm", id=1, time=TIME, ref=UNSET)
    assert json.loads(as_json(ack)) == {"type": "ack", "command": "pm", "id": 1, "time": TIME}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (PUBLIC, "1 {} bob: hi"),
        (DIRECT, "2 {} bob -> alice: psst"),
        (replace(PUBLIC, room="ops"), "1 {} #ops bob: hi"),
        (replace(PUBLIC, room="o\nps\x1b"), "1 {} #o\u240aps\u241b bob: hi"),
        (BroadcastEvent(id=1, time=TIME, from_="b\nb", message="a\nb\x1b"), "1 {} b\u240ab: a\n    b\u241b"),
        (BroadcastEvent(id=1, time="soon", from_="{id}", message="{to}"), "1 --:-- {{id}}: {{to}}"),
    ],
)
def test_a_row_is_harmless(event: BroadcastEvent | DirectEvent, text: str) -> None:
    """Id, second and zone stand first; no name and no text can pass for another row, or for a field."""
    local = datetime.fromisoformat(TIME).astimezone().isoformat(timespec="seconds")
    assert row_of(FORMAT)(event) == text.format(local)


@pytest.mark.parametrize(
    ("form", "row"),
    [
        ("{id};{to}", "2;alice"),
        ("{who}", "bob -> alice"),
        ("{kind} {said}", "text bob -> alice: psst"),
        ("{from} {{{text}}} %s", "bob {psst} %s"),
        ("{minute} {from}", f"{datetime.fromisoformat(TIME).astimezone():%Y-%m-%d %H:%M} bob"),
    ],
)
def test_a_script_chooses_the_fields(form: str, row: str) -> None:
    """Each by its name; a brace of the text is written twice."""
    assert row_of(form)(DIRECT) == row


@pytest.mark.parametrize(
    ("event", "row"),
    [
        (replace(PUBLIC, kind="action"), "action * bob hi"),
        (replace(DIRECT, kind="action"), "action * bob -> alice: psst"),
        (replace(PUBLIC, kind="notice"), "notice -bob- hi"),
        (replace(PUBLIC, kind="action", room="ops"), "action #ops * bob hi"),
        (replace(PUBLIC, kind="notice", room="ops"), "notice #ops -bob- hi"),
        (replace(PUBLIC, kind="poem\x1b"), "text bob: hi"),
    ],
)
def test_a_row_has_the_kind_of_a_message(event: BroadcastEvent | DirectEvent, row: str) -> None:
    """As a word, and in what was said as at a terminal; an unknown kind is a text."""
    assert row_of("{kind} {said}")(event) == row


def test_a_message_for_all_is_to_nobody() -> None:
    """The field is empty, and so is that of the room, for the main room."""
    assert row_of("<{to}{room}>")(PUBLIC) == "<>"
    assert row_of("<{room}>")(DIRECT) == "<>"
    assert row_of("<{room}>")(replace(PUBLIC, room="ops")) == "<ops>"


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("{subject}", r"no field \{subject\}; there are \{id\}, "),
        ("{}", "no field"),
        ("{0}", "no field"),
        ("{id.__class__}", "no field"),
        ("{text[0]}", "no field"),
        ("{text!r}", "takes no"),
        ("{text:>99999999999}", "takes no"),
        ("{id:{text}}", "takes no"),
        ("{id", "a brace of the text is written twice"),
        ("id}", "a brace of the text is written twice"),
        ("id", "needs a field"),
        ("", "needs a field"),
        ("{\x1b}", "\u241b"),
    ],
)
def test_a_row_of_something_else(form: str, problem: str) -> None:
    """What is no plain field is refused, so that a format reaches nothing but the fields."""
    with pytest.raises(ValueError, match=problem):
        row_of(form)
