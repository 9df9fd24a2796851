"""Many conversations, whatever comes in whatever order: what the client shows of them, counts and confirms.

The server is a list of messages. Its pages come late, and the connection is lost in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec import UNSET

from client.chat.addressing import EVERYONE, room_of
from service.wire.protocol import DirectEvent, History, HistoryReply, StoredMessage
from tests.support.events import TIME, direct, login_ok, model_after_login, public, room_info

if TYPE_CHECKING:
    from client.chat.conversations import Opening
    from client.text import Line

ROOMS = ("#dev", "#ops")
TARGETS = (EVERYONE, *ROOMS, "bob", "carol")


class Conversations(RuleBasedStateMachine):
    """Alice, in two rooms; `said` is what the server has: an id, whose it is, and by whom."""

    def __init__(self) -> None:
        super().__init__()
        self.model = model_after_login(*(room[1:] for room in ROOMS))
        self.said: list[tuple[int, str, str]] = []
        self.missed: list[StoredMessage] = []  # while the connection was lost
        self.asked: list[Opening] = []
        self.shown: set[int] = set()
        self.seen: set[int] = set()  # direct messages that were confirmed
        self.read = dict.fromkeys((EVERYONE, *ROOMS), 10)
        self.is_online = True

    def show(self, lines: list[Line], *, is_page: bool = False) -> None:
        ids = [line.number for line in lines if line.number and not line.is_aside]
        assert is_page or not self.shown & set(ids), "shown twice"
        self.shown |= set(ids)

    def answer(self, asked: History) -> None:
        target = asked.with_ or (EVERYONE if asked.room is UNSET else f"#{asked.room}")
        there = [each for each in self.said if each[1] == target and (asked.before is UNSET or each[0] < asked.before)]
        messages = [stored(*each) for each in there[-asked.limit :]]
        page = HistoryReply(messages=messages, more=len(there) > len(messages))
        self.show(self.model.receive(page, asked), is_page=True)

    def unread(self, target: str) -> int:
        new = [each for each in self.said if each[1] == target and each[2] != "alice"]
        return sum(number > self.read[target] if target in self.read else number not in self.seen for number, *_ in new)

    @rule(to=st.sampled_from(TARGETS), is_own=st.booleans())
    def say(self, to: str, is_own: bool) -> None:  # as Hypothesis calls it
        number = 11 + len(self.said) * 2  # there are others that she does not see
        sender = "alice" if is_own else to if to in {"bob", "carol"} else "bob"
        self.said.append((number, to, sender))
        message = stored(*self.said[-1])
        if not self.is_online:
            self.missed.append(message)
        elif message.to is not UNSET:
            event: Any = direct(number, sender=sender, to=message.to)
            assert isinstance(event, DirectEvent)
            self.show(self.model.receive(event))
        else:
            self.show(self.model.receive(public(number, sender=sender, room=message.room or None)))

    @rule(to=st.sampled_from(TARGETS))
    def hold(self, to: str) -> None:
        lines, asked = self.model.arrivals.hold(to)
        self.show(lines)
        if asked is not None and self.is_online:
            self.asked.append(asked)
        elif asked is not None:
            self.show(self.model.arrivals.give_up())

    @precondition(lambda self: self.asked)
    @rule()
    def open(self) -> None:
        self.answer(self.asked.pop(0))

    @precondition(lambda self: self.is_online and not self.asked)
    @rule()
    def ask_for_news(self) -> None:
        for command in self.model.backlog.news():
            assert isinstance(command, History)
            self.answer(command)

    @precondition(lambda self: self.is_online)
    @rule()
    def confirm(self) -> None:
        for seen in self.model.receipts.take():
            if seen.ids:
                assert set(seen.ids) <= self.shown, "not shown"
                self.seen |= set(seen.ids)
            else:
                assert seen.id
                target = EVERYONE if seen.room == "all" else f"#{seen.room}"
                below = {each[0] for each in self.said if each[:2] <= (seen.id, each[1]) and each[1] == target}
                own = {each[0] for each in self.said if each[2] == "alice"}
                assert below - own <= self.shown, "not shown"
                self.read[target] = max(self.read[target], seen.id)

    @precondition(lambda self: self.is_online)
    @rule()
    def lose(self) -> None:
        self.is_online = False
        self.asked.clear()
        self.show(self.model.lose("The connection is lost."))

    @precondition(lambda self: not self.is_online)
    @rule()
    def come_back(self) -> None:
        self.is_online = True
        self.show(self.model.catch_up(self.missed, []))
        self.missed.clear()
        rooms = [room_info(room[1:], unread=self.unread(room), read_id=self.read[room]) for room in ROOMS]
        last_id = self.said[-1][0] if self.said else 10
        unseen, unread = self.unread("bob") + self.unread("carol"), self.unread(EVERYONE)
        self.model.come_back(
            login_ok(rooms=rooms, last_id=last_id, missed=unseen, unread=unread, read_id=self.read[EVERYONE])
        )

    def teardown(self) -> None:
        """Once each conversation was looked at, all was shown, and nothing is left unread or unconfirmed."""
        if not self.is_online:
            self.come_back()
        for target in TARGETS:
            self.hold(target)
            while self.asked:
                self.open()
            while self.model.receipts.of(target).unread:
                self.ask_for_news()
                if older := self.model.backlog.older():
                    assert isinstance(older, History)
                    self.answer(older)
        self.confirm()
        assert {each[0] for each in self.said if each[2] != "alice"} <= self.shown
        assert [self.unread(target) for target in TARGETS] == [0] * len(TARGETS)
        assert (self.model.conversations.unread_tabs(), self.model.receipts.missed) == ([], 0)


def stored(number: int, target: str, sender: str) -> StoredMessage:
    """A message as it stands in a page."""
    is_direct = target != EVERYONE and target not in ROOMS
    to = "alice" if sender != "alice" else target
    return StoredMessage(
        id=number, time=TIME, from_=sender, to=to if is_direct else UNSET, room=room_of(target), message="hi"
    )


TestConversations = Conversations.TestCase
TestConversations.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
