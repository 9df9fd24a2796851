"""Messages as records for scripts."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from msgspec import UNSET

from client.render.records import as_event, as_json, as_text
from service.wire.protocol import AckReply, BroadcastEvent, DirectEvent, StoredMessage

TIME = "2026-11-21T09:30:00.123Z"
PUBLIC = BroadcastEvent(id=1, time=TIME, from_="bob", message="hi")
DIRECT = DirectEvent(id=2, time=TIME, from_="bob", to="alice", message="psst")


@pytest.mark.parametrize(
    ("stored", "event"),
    [
        (StoredMessage(id=1, time=TIME, from_="bob", message="hi"), PUBLIC),
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
        (PUBLIC, "bob: hi"),
        (DIRECT, "bob -> alice: psst"),
        (BroadcastEvent(id=1, time=TIME, from_="b\nb", message="a\nb\x1b"), "b\u240ab: a\n    | b\u241b"),
    ],
)
def test_text_is_harmless(event: BroadcastEvent | DirectEvent, text: str) -> None:
    """The minute in this machine's zone stands first; no name and no text can pass for another record."""
    local = datetime.fromisoformat(TIME).astimezone()
    assert as_text(event) == f"{local:%Y-%m-%d %H:%M} {text}"


def test_a_time_that_is_none() -> None:
    """It does no harm."""
    assert as_text(BroadcastEvent(id=1, time="soon", from_="bob", message="hi")) == "--:-- bob: hi"
