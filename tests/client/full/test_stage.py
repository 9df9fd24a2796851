"""What stands above the line being typed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from client.chat.model import Model
from client.full.picture import LINES
from client.full.stage import Stage
from client.render import scroll
from client.render.layout import Size, arrange, columns_of
from client.render.status_bar import Status
from client.view import View
from service.wire.protocol import (
    AnyCommand,
    BroadcastEvent,
    DirectEvent,
    HistoryReply,
    Login,
    LoginOkReply,
    MemberEvent,
    MemberInfo,
    MembersReply,
    RenamedEvent,
    RoomInfo,
    StoredMessage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.full.picture import Row
    from client.session import Session
    from client.text import Line, Part

WIDE_NAME = "\u4f60" * 32
WORD = "x" * 4_096
AT_80 = Size(80, 24)
ROOMS = [
    RoomInfo(
        room=f"room{n:02}", topic="", private=False, role="member", members=3, unread=n % 3, read_id=0, created="t"
    )
    for n in range(40)
]


class Theatre:
    """A stage with a session that sends nothing: what it would send is kept."""

    def __init__(self, size: Size = AT_80) -> None:
        self.model = Model(divides="always")
        login = LoginOkReply(
            username="alice",
            users=["alice", "bob", WIDE_NAME],
            missed=0,
            unread=0,
            last_id=9,
            token="",
            time="",
            rooms=ROOMS,
        )
        self.model.receive(login, Login(username="alice"))
        self.sent: list[AnyCommand] = []
        self.hidden: list[bool] = []
        self.held: list[str] = []
        session = SimpleNamespace(
            view=View(self.model, lambda _: None),
            status=lambda: Status("alice", self.model.is_connected, 2, 0, [], self.model.conversations.unread_tabs()),
            hello=SimpleNamespace(server="test"),
            send=self.sent.append,
            deeds=SimpleNamespace(hold=self.held.append),
            hide=self._hide,
        )
        self.stage = Stage(cast("Session", session), size, LINES, lambda: None, lambda do: do())
        self.stage.is_open = True
        self.size = size

    def _hide(self, *, is_hidden: bool) -> None:
        self.hidden.append(is_hidden)

    def say(self, *texts: str, sender: str = "bob") -> list[Line]:
        lines: list[Line] = []
        for text in texts:
            event = BroadcastEvent(
                id=len(self.model.deletions._times) + 10, time="2026-11-21T09:30:00.000Z", from_=sender, message=text
            )
            lines += self.model.receive(event)
        return lines

    def draw(self, lines: Sequence[Line] = (), typed: str = "", size: Size | None = None) -> list[str]:
        rows: Sequence[Row] = self.stage.draw(size or self.size, lines, typed)
        return ["".join(text for _, text in row) for row in rows]


@pytest.mark.parametrize("columns", [10, 39, 40, 59, 60, 80, 99, 100, 120, 200])
@pytest.mark.parametrize("rows", [3, 5, 12, 40])
def test_it_fits_any_screen(columns: int, rows: int) -> None:
    """No row is wider, and there are as many as there is space for, whatever people are called and say."""
    theatre = Theatre()
    theatre.draw(
        theatre.say("hello", WORD, "\U0001f469\u200d\U0001f467" * 99, "\u05e9\u05dc\u05d5\u05dd", sender=WIDE_NAME)
    )
    for _ in range(2):
        drawn = theatre.draw(size=Size(columns, rows))
        assert len(drawn) == rows
        assert max(map(columns_of, drawn)) <= columns
        theatre.stage.turn()


def test_a_frame_costs_what_is_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10,000 messages those on the screen are laid out, and after one more only that one."""
    laid_out: list[Line] = []

    def counted(line: Line, columns: int) -> list[Part]:
        laid_out.append(line)
        return arrange(line, columns)

    monkeypatch.setattr(scroll, "arrange", counted)
    theatre = Theatre()
    theatre.draw()
    theatre.draw(theatre.say(*map(str, range(10_000))))
    assert len(laid_out) <= theatre.size.rows
    laid_out.clear()
    theatre.draw(theatre.say("one more"))
    assert len(laid_out) == 1


def test_the_place_is_kept() -> None:
    """While one reads above, what comes moves nothing, and is counted below; at the end all is seen."""
    theatre = Theatre()
    theatre.draw(theatre.say(*map(str, range(100))))
    theatre.stage.page(-1)
    before = theatre.draw()
    after = theatre.draw(theatre.say(*map(str, range(200))))
    assert after[:-1] == before[:-1]
    assert "\u2500\u2500 200 new below \u2500" in after[-1]
    theatre.stage.to_end()
    assert theatre.draw()[-2].endswith("bob: 199")
    assert theatre.hidden == [True, False]


def test_more_is_unread_than_there_is_space() -> None:
    """One begins to read there; what is below is not seen yet, and the rule says that there is more."""
    theatre = Theatre()
    _, asked = theatre.model.arrivals.hold("#room02", 10)
    assert asked
    theatre.model.receipts.of("#room02").start(50, 60)
    page = [
        StoredMessage(id=number, time="2026-11-21T09:30:00.000Z", from_="bob", message=str(number), room="room02")
        for number in range(1, 61)
    ]
    drawn = theatre.draw(theatre.model.receive(HistoryReply(messages=page, more=False), asked))
    assert drawn[1].endswith("-- 50 unread --")
    assert "\u2500 more below \u2500" in drawn[-1]
    assert theatre.hidden == [True]


def test_the_partner_of_a_talk_gets_another_name() -> None:
    """The talk goes on below the same lines."""
    theatre = Theatre()
    theatre.model.arrivals.hold("bob", 0)
    theatre.draw(theatre.model.receive(DirectEvent(id=11, time="", from_="bob", to="alice", message="psst")))
    drawn = theatre.draw(theatre.model.receive(RenamedEvent("bob", "bobby", "")))
    assert drawn[0].startswith(" @bobby")
    assert any("psst" in row for row in drawn)


@pytest.mark.parametrize(("target", "held"), [("#room02", ["#room02"]), ("#room03", [])])
def test_what_was_turned_to_without_a_connection(target: str, held: list[str]) -> None:
    """It is opened once the connection is back, if something is unread in it."""
    theatre = Theatre()
    theatre.model.is_connected = False
    theatre.model.conversations.hold(target)
    theatre.draw()
    assert theatre.held == []
    theatre.model.is_connected = True
    theatre.draw()
    theatre.draw()
    assert theatre.held == held


def test_members_are_asked_for_once() -> None:
    """And only where they are drawn."""
    theatre = Theatre(Size(100, 24))
    theatre.model.arrivals.hold("#room03")
    for size in (Size(80, 24), Size(100, 24), Size(100, 24)):
        theatre.draw(size=size)
    assert [getattr(command, "room", "") for command in theatre.sent] == ["room03"]


def test_the_keys() -> None:
    """A question mark alone on the line shows them in place of the talk."""
    theatre = Theatre()
    assert any("Page Up" in row for row in theatre.draw(typed="?"))
    assert not any("Page Up" in row for row in theatre.draw(typed="??"))


def test_nothing_raw_is_drawn() -> None:
    """Whatever a server says of rooms and people."""
    theatre, evil = Theatre(Size(200, 40)), "a\x1b[2J\x07\x9b\u202e\n\ta"
    info = RoomInfo(
        room=evil,
        topic=evil,
        private=False,
        role=evil,
        members=3,
        unread=1,
        read_id=0,
        created="t",
        muted=True,
        muted_until=evil,
    )
    login = LoginOkReply(
        username=evil, users=[evil], missed=0, unread=0, last_id=9, token="", time="", topic=evil, rooms=[info]
    )
    lines = theatre.model.receive(login, Login(username="alice"))
    seen: list[str] = theatre.draw(lines)
    theatre.model.arrivals.hold(f"#{evil}")
    theatre.draw()
    (call,) = theatre.sent
    members = [MemberInfo(name=evil, role=evil, online=True)]
    lines = theatre.model.receive(MembersReply(room=evil, members=members, more=True), call)
    lines += theatre.model.receive(MemberEvent(room=evil, username=evil, action=evil, by=evil, reason=evil, time=evil))
    seen += theatre.draw(lines)
    theatre.model.arrivals.hold(evil)
    seen += theatre.draw()
    assert not {character for row in seen for character in row if not character.isprintable()} - {"\u200e"}


def test_before_the_login() -> None:
    """There are no conversations, and the head says what this is."""
    theatre = Theatre()
    theatre.stage.is_open = False
    drawn: Any = theatre.draw()
    assert drawn[0].strip() == "test"
    assert not any("room" in row for row in drawn)
