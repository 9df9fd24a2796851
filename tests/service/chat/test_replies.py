"""service/chat/replies.py: the greeting, errors and pages as replies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec import UNSET, UnsetType

from service.chat.replies import explain, fit, mute_fields, stored_message
from service.config import Settings
from service.errors import CommandError, PeerError, StorageFull, StorageUnavailable
from service.storage.records import FOREVER, AccountDisabled, LooksAlike, Message
from service.wire.protocol import ErrorReply, Ping
from tests.support.helpers import Wire, running_server
from tests.support.storage import LATER, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from tests.support.wires import Wires

pytestmark = pytest.mark.engines


def test_the_greeting_says_what_the_service_allows(wires: Wires) -> None:
    """The first line tells the protocol, the name, the version, whether one may register, and the limits."""
    hello = wires.connect().hello
    assert hello | {"version": "x"} == {
        "type": "hello",
        "protocol": 1,
        "server": "chat",
        "version": "x",
        "registration": "open",
        "max_line": 65536,
        "max_message": 4096,
        "features": ["delete", "kind", "presence", "quiet", "rooms", "since"],
        "main_room": "all",
    }


def test_the_greeting_says_whom_to_ask(tmp_path: Path) -> None:
    """If the operator has said so; it helps a user that forgot a password."""
    with running_server(tmp_path, contact="the office, room 7") as server, Wire(server.port) as wire:
        assert wire.hello["contact"] == "the office, room 7"


def test_a_page_is_cut_to_the_longest_line(wires: Wires) -> None:
    """Large messages come fewer to a page, with `more`, and none is passed over."""
    alice = wires.enter("alice")
    ids = [alice.ask("pm", message="x" * 4096)["id"] for _ in range(40)]
    collected: list[int] = []
    before = 10**6
    while True:
        alice.send({"command": "history", "limit": 200, "before": before})
        page = alice.read_type("history")
        assert len(str(page)) < 65_536
        collected = [m["id"] for m in page["messages"]] + collected
        if not page["more"]:
            break
        before = collected[0]
    assert collected == ids


def test_the_defaults_are_the_protocols() -> None:
    """What the wire announces by default is what the protocol promises."""
    settings = Settings()
    assert (settings.max_line, settings.max_message, settings.min_password) == (65_536, 4_096, 8)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PeerError("unknown_user", "who?"), ErrorReply(code="unknown_user", message="who?", command="ping", ref="r")),
        (
            PeerError("rate_limited", "later", fatal=True, retry_after=5),
            ErrorReply(code="rate_limited", message="later", command="ping", ref="r", fatal=True, retry_after=5),
        ),
        (
            CommandError("bad_request", "what?", ref="other", command="pm"),
            ErrorReply(code="bad_request", message="what?", command="pm", ref="other"),
        ),
        (CommandError("bad_json", "what?"), ErrorReply(code="bad_json", message="what?")),
    ],
)
def test_a_fault_of_the_client_is_told_with_its_code(error: Exception, expected: ErrorReply) -> None:
    """With the command and its `ref`, or those that could be read in the line."""
    assert explain(error, Ping(ref="r"), "peer") == expected


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (StorageFull("x"), "no space left on the server"),
        (StorageUnavailable("x"), "nothing was stored, try again"),
        (StorageUnavailable("x", maybe=True), "may be done or not"),
    ],
)
def test_a_database_that_fails_is_told_without_its_reason(error: Exception, text: str) -> None:
    """The client learns what to do, not what SQLite said."""
    reply = explain(error, Ping(), "peer")
    assert (reply.code, text in reply.message) == ("storage_unavailable", True)
    assert reply.maybe is (True if "may be" in text else UNSET)


def test_a_refusal_of_the_storage_is_told_as_a_fault_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    """With its code and text, and logged if such faults are."""
    caplog.set_level("INFO")
    reply = explain(LooksAlike("a1ice"), Ping(ref="r"), "peer")
    assert (reply.code, reply.ref, reply.command) == ("username_taken", "r", "ping")
    assert reply.message == 'the name "a1ice" looks like one that is taken; choose another one'
    assert not caplog.text
    reply = explain(AccountDisabled(), None, "peer", "Ada")
    assert (reply.code, reply.message) == ("bad_credentials", "this account is disabled; ask Ada")
    assert "refused connection peer: bad_credentials" in caplog.text


def test_a_bug_is_an_incident(caplog: pytest.LogCaptureFixture) -> None:
    """Its reply carries the id that the log has, and nothing of the exception."""
    reply = explain(ZeroDivisionError("secret"), None, "1.2.3.4:5")
    incident = reply.message.rpartition(" ")[2]
    assert (reply.code, reply.command) == ("internal", UNSET)
    assert f"incident {incident}: connection 1.2.3.4:5" in caplog.text
    assert "secret" not in reply.message


def test_only_refusals_that_tell_of_an_attack_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A wrong password is, an empty message is not."""
    caplog.set_level("INFO")
    explain(PeerError("empty_message", ""), Ping(), "peer")
    assert not caplog.text
    explain(PeerError("bad_credentials", ""), Ping(), "peer")
    assert "refused ping peer: bad_credentials" in caplog.text


@pytest.mark.parametrize(
    ("space", "more", "ids", "others"),
    [
        (30, False, [1, 2, 3], False),
        (30, True, [1, 2, 3], True),
        (29, False, [1, 2], True),
        (10, False, [1], True),
        (0, False, [1], True),
    ],
)
def test_a_page_gives_what_fits(space: int, more: bool, ids: list[int], others: bool) -> None:
    """To the byte, always the first, and says whether others follow."""
    shown, follows = fit([1, 2, 3], space, lambda _: 10, more=more)
    assert (shown, follows) == (ids, others)


def test_a_message_to_the_main_room_has_neither_recipient_nor_room_in_a_page() -> None:
    """A direct one has the one, one to another room the other."""
    messages = [
        Message(1, "now", "alice", to, "x", room=room) for to, room in ((None, None), ("bob", None), (None, "ops"))
    ]
    rows = [stored_message(message) for message in messages]
    assert [(row.to, row.room) for row in rows] == [(UNSET, UNSET), ("bob", UNSET), (UNSET, "ops")]


@pytest.mark.parametrize(
    ("until", "fields"),
    [
        (None, (UNSET, UNSET)),
        (NOW, (UNSET, UNSET)),
        (LATER, (True, LATER)),
        (FOREVER, (True, UNSET)),
    ],
)
def test_a_mute_is_told_until_it_ends(
    clock: FrozenDateTimeFactory, until: str | None, fields: tuple[bool | UnsetType, str | UnsetType]
) -> None:
    """With its end, unless it has none."""
    clock.move_to(NOW)
    assert mute_fields(until) == fields
