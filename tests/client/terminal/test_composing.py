"""Pasted text, a text from the editor and a new password, without a terminal or a server."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

import pytest

from client.chat.actions import Action, InChat, Mistake, Notice
from client.chat.interpreter import Interpreter
from client.chat.paste import Paste
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from client.terminal import composing
from client.terminal.composing import MOST_MESSAGES, Composer
from client.terminal.editor import EditorError
from service.wire.protocol import (
    AckReply,
    AnyEvent,
    Create,
    Dm,
    ErrorReply,
    HelloEvent,
    HistoryReply,
    Join,
    Pm,
    RoomReply,
    Users,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.session import Session
    from client.text import Line

HELLO = HelloEvent(protocol=1, server="", version="", registration="open", max_line=1000, max_message=9)


class Desk:
    """A user with prepared answers and an editor that gives a prepared text, and a session that notes."""

    def __init__(self, *typed: str, answers: Sequence[str] = (), saved: str | Exception | None = None) -> None:
        self.hello = HELLO
        self.done: list[Action] = []
        self.shown: list[str] = []
        self.questions: list[str] = []
        self.secrets: list[bool] = []
        self.unsent: Pm | Dm | None = None
        self.offered = ""  # to the editor
        self.is_over = False
        self.is_away = False
        self.is_new = False  # something is unread
        self.space = 1_000  # messages until too many wait
        self.passwords: list[tuple[str, str]] = []
        self.replies: list[AnyEvent] = []
        self._answers = list(answers)
        self._saved = saved
        self.interpreter = Interpreter(lambda: "zoe", HELLO, knows=lambda name: name in {"bob", "carol", "dora"})
        self._composer = Composer(
            cast("Session", self), self.interpreter, self.ask, self.show, self.edit, self.read_older
        )
        for line in typed:
            self.type(line)
        self.done.clear()

    def has_news(self) -> bool:
        return self.is_new

    def type(self, line: str) -> bool:
        return asyncio.run(self._composer.take(line))

    def paste(self, text: str, before: str = "", after: str = "") -> bool:
        is_left = asyncio.run(self._composer.paste(Paste(before, text, after)))
        assert self._answers == []
        return is_left

    async def ask(self, question: str, *, is_secret: bool = False) -> str:
        self.questions.append(question)
        self.secrets.append(is_secret)
        assert self.done == []  # nothing is sent before the answer
        return self._answers.pop(0)

    async def read_older(self) -> None:
        self.shown.append("older")

    async def edit(self, text: str) -> str | None:
        self.offered = text
        if isinstance(self._saved, Exception):
            raise self._saved
        return self._saved

    def show(self, lines: Sequence[Line]) -> None:
        self.shown += [line.text for line in lines]

    def perform(self, action: Action) -> Future[AnyEvent] | None:
        if isinstance(action, Mistake):
            self.unsent = action.unsent or self.unsent
            self.shown.append(action.text)
            return None
        if self.is_over:
            raise ConnectionLostError("gone")
        if self.space == 0:
            return None
        self.space -= 1
        self.done.append(action)
        return Future()

    def send(self, command: Join | Create) -> Future[AnyEvent]:
        reply = self.find("")
        self.done.append(command)
        return reply

    def find(self, _: str) -> Future[AnyEvent]:
        if self.is_away:
            raise OfflineError("away")
        reply: Future[AnyEvent] = Future()
        if self.replies:
            reply.set_result(self.replies.pop(0))
        return reply

    def take_unsent(self) -> Pm | Dm | None:
        message, self.unsent = self.unsent, None
        return message

    def keep_unsent(self, message: Pm | Dm) -> None:
        self.unsent = message

    @property
    def text(self) -> str:
        """What EDIT would begin with."""
        return (self.unsent.message or "") if self.unsent else ""

    def change_password(self, old: str, new: str) -> AnyEvent:
        self.passwords.append((old, new))
        return self.replies.pop(0)


@pytest.mark.parametrize(
    ("typed", "before", "answer", "sent"),
    [
        (["talk bob"], "", "o", [Dm(to="bob", message="ex\n\n /b")]),
        (["talk bob"], "", "ONE", [Dm(to="bob", message="ex\n\n /b")]),
        (["talk bob"], "", "l", [Dm(to="bob", message="ex"), Dm(to="bob", message=" /b")]),
        (["talk all"], "so ", "line", [Pm(message="so ex"), Pm(message=" /b")]),
        (["talk bob"], "/pm ", "l", [Pm(message="ex"), Pm(message=" /b")]),
        (["pm"], "", "l", [Pm(message="ex"), Pm(message=" /b")]),
        (["dm bob"], "", "one", [Dm(to="bob", message="ex\n\n /b")]),
        ([], "dm bob ", "l", [Dm(to="bob", message="ex"), Dm(to="bob", message=" /b")]),
        ([], "reply ", "o", [Dm(to="zoe", message="ex\n\n /b")]),
        (["talk bob"], "", "", []),
        (["pm"], "", "", []),
    ],
)
def test_a_pasted_text(typed: list[str], before: str, answer: str, sent: list[Action]) -> None:
    """It is sent as one message or line by line to where the line would go, or not at all: as the answer says."""
    desk = Desk(*typed, answers=[answer])
    prompt = desk.interpreter.prompt
    assert not desk.paste("ex\n\n /b", before)
    assert desk.done == sent
    assert desk.shown[0] == "3 lines pasted; nothing is sent yet."
    if sent:
        assert desk.interpreter.question is None
    else:
        assert (desk.interpreter.prompt, desk.interpreter.draft, desk.text) == (prompt, before, f"{before}ex\n\n /b")


def test_an_operation_before_an_empty_line() -> None:
    """What is typed before a paste is no message of its own."""
    desk = Desk(answers=["l"])
    desk.paste("\na\nb", "pm ")
    assert desk.done == [Pm(message="a"), Pm(message="b")]


def test_another_answer_is_asked_again() -> None:
    """Only what was offered is taken."""
    desk = Desk("talk all", answers=["yes", "no", "l"])
    desk.paste("a\nb")
    assert len(desk.questions) == 3
    assert desk.done == [Pm(message="a"), Pm(message="b")]


@pytest.mark.parametrize(
    ("text", "answers", "said", "sent"),
    [
        ("12345\n6789", ["l"], "Not sent: 1 character too long, of 9.", 2),
        ("1234567890\n6", [], "Not sent: 3 characters too long, of 9.", 0),
        ("a\n" * MOST_MESSAGES, ["o", "l"], "characters too long", MOST_MESSAGES),
        ("a\n" * (MOST_MESSAGES + 1), [], "More than 100 lines are too many messages.", 0),
    ],
)
def test_a_paste_over_the_limit(text: str, answers: list[str], said: str, sent: int) -> None:
    """What is too long, or too many, is said before anything is sent, and not offered; EDIT has the text."""
    desk = Desk("talk all", answers=answers)
    desk.paste(text)
    assert any(said in shown for shown in desk.shown)
    assert len(desk.done) == sent
    assert desk.text == ("" if sent else text.rstrip())
    assert not any("(o)ne" in question for question in desk.questions)


def test_lines_that_find_no_space_are_kept() -> None:
    """When too many messages wait for their ack, the rest of a paste is not lost."""
    desk = Desk("talk all", answers=["l"])
    desk.space = 1
    desk.paste("a\nb\nc")
    assert desk.done == [Pm(message="a")]
    assert desk.unsent == Pm(message="b\nc")


@pytest.mark.parametrize(
    ("text", "answers", "done", "is_left"),
    [
        ("users\ndm bob\nhi\nex\nusers", ["l"], [Users(), Dm(to="bob", message="hi")], True),
        ("users\nhello\nusers", ["l"], [Users()], False),
        ("a\nb", ["o", "ALL"], [Pm(message="a\nb")], False),
        ("a\nb", ["o", " bob "], [Dm(to="bob", message="a\nb")], False),
        ("a\nb", ["o", ""], [], False),
        ("a\nb", ["o", "bob smith"], [], False),
        ("a\nb", [""], [], False),
        ("pm a\nb", [""], [], False),
    ],
)
def test_a_paste_at_the_prompt(text: str, answers: list[str], done: list[Action], is_left: bool) -> None:
    """Where operations are typed, each line is one, up to a mistake; or all is a message to whom the user says."""
    desk = Desk(answers=answers)
    assert desk.paste(text) is is_left
    assert desk.done == done
    assert ("Line 2 of 3; those behind it were left out." in desk.shown) is ("hello" in text)


def test_a_paste_where_a_name_is_due() -> None:
    """A name is one word: nothing is asked or sent, and the words are on the line."""
    desk = Desk("dm")
    desk.paste("bob\nsmith", "x ", "!")
    assert (desk.interpreter.prompt, desk.interpreter.draft, desk.done) == ("To: ", "x bob smith!", [])


@pytest.mark.parametrize(
    ("typed", "line", "sent"),
    [
        ([], "edit", Pm(message="a\nb")),
        ([], "EDIT bob", Dm(to="bob", message="a\nb")),
        ([], "edit All", Pm(message="a\nb")),
        (["talk bob"], "/edit", Dm(to="bob", message="a\nb")),
        (["talk bob"], "/edit all", Pm(message="a\nb")),
    ],
)
def test_an_edited_text(typed: list[str], line: str, sent: Action) -> None:
    """EDIT sends the text to the name, or to whom the talk is with, or to all."""
    desk = Desk(*typed, saved="a\nb")
    desk.type(line)
    assert (desk.done, desk.unsent) == ([sent], None)
    whom = (sent.to or "") if isinstance(sent, Dm) else "everyone"
    assert desk.shown[-1] == f"Saving sends the text to {whom}."


@pytest.mark.parametrize(
    ("saved", "kept", "said"),
    [
        (None, "old", "Not saved. Nothing was sent. EDIT has the text still."),
        ("", "", "Nothing was sent."),
        (" \n", "", "Nothing was sent."),
        ("1234567890", "1234567890", "Not sent: 1 character too long, of 9. EDIT has the text still."),
        (EditorError("It broke.", "new"), "new", "It broke. Nothing was sent. EDIT has the text still."),
        (EditorError("No editor."), "old", "No editor. Nothing was sent. EDIT has the text still."),
    ],
)
def test_an_edited_text_that_is_not_sent(saved: str | Exception | None, kept: str, said: str) -> None:
    """EDIT begins with the text that could not be sent, and what it cannot send it offers again."""
    desk = Desk(saved=saved)
    desk.unsent = Pm(message="old")
    desk.type("edit")
    assert (desk.offered, desk.done, desk.text, desk.shown[1:]) == ("old", [], kept, [said])


@pytest.mark.parametrize(
    ("typed", "line", "offered", "sent"),
    [
        ([], "edit", "for zoe", Dm(to="zoe", message="new")),
        ([], "edit bob", "for zoe", Dm(to="bob", message="new")),
        (["talk zoe"], "/edit", "for zoe", Dm(to="zoe", message="new")),
        (["talk bob"], "/edit", "", Dm(to="bob", message="new")),
        (["talk all"], "/edit", "", Pm(message="new")),
    ],
)
def test_a_text_that_was_for_one_person(typed: list[str], line: str, offered: str, sent: Action) -> None:
    """EDIT alone does not send on what could not be sent to one person; it stays for them."""
    desk = Desk(saved="new")
    desk.replies = [HistoryReply(with_="zoe", messages=[], more=False)]
    for each in typed:
        desk.type(each)
    desk.done.clear()
    desk.unsent = Dm(to="zoe", message="for zoe")
    desk.type(line)
    assert (desk.offered, desk.done) == (offered, [sent])
    assert desk.text == ("" if offered else "for zoe")


def test_an_edited_action_stays_one() -> None:
    """And the client says so before the text is saved."""
    desk = Desk(saved="bows")
    desk.unsent = Pm(message="waves", kind="action")
    desk.type("edit")
    assert desk.done == [Pm(message="bows", kind="action")]
    assert desk.shown == ["Saving sends the text to everyone, as /me does."]


def test_an_edited_text_when_all_is_over() -> None:
    """If the connection was lost for good while the text was written, the text is shown."""
    desk = Desk(saved="a\nb")
    desk.is_over = True
    with pytest.raises(ConnectionLostError):
        desk.type("edit")
    assert desk.shown[1:] == ["Not sent: a\n    b"]


def test_a_new_password() -> None:
    """PASSWORD asks for the old and twice for the new one, until both are good; nothing of them is shown."""
    desk = Desk(answers=["wrong", "new1", "new1", "old", "new1", "new2", "x", "x", "new1", "new1"])
    bad, weak = (ErrorReply(code=code, message="") for code in ("bad_credentials", "weak_password"))
    desk.replies = [bad, weak, AckReply(command="password")]
    assert not desk.type("password")
    assert desk.passwords == [("wrong", "new1"), ("old", "x"), ("old", "new1")]
    assert desk.shown[-1].startswith("The password is changed.")
    assert all(desk.secrets)
    assert not any(word in text for text in desk.shown for word in ("new1", "new2", "wrong"))


@pytest.mark.parametrize("answers", [[""], ["old", ""], ["old", "new", "nwe", ""]])
def test_a_password_that_stays(answers: list[str]) -> None:
    """An empty answer changes nothing."""
    desk = Desk(answers=answers)
    desk.type("password")
    assert (desk.passwords, desk.shown[-1]) == ([], "The password stays as it was.")


@pytest.mark.parametrize(
    ("line", "prompt"), [("talk Zed", "PM/DM/EX> "), ("dm Zed", "PM/DM/EX> "), ("mute Zed", "PM/DM/EX> ")]
)
def test_a_name_that_does_not_exist_is_refused_at_once(line: str, prompt: str) -> None:
    """The user is told before they type a text; nothing is asked for, and nothing done."""
    desk = Desk()
    desk.replies = [ErrorReply(code="unknown_user", message="there is no such user")]
    desk.type(line)
    assert desk.shown == ['There is no "Zed". USERS shows who is online.']
    assert (desk.done, desk.interpreter.prompt) == ([], prompt)


def test_a_name_that_the_server_knows_is_taken() -> None:
    """As the server spells it; a text for it is asked for."""
    desk = Desk()
    desk.replies = [HistoryReply(with_="zed", messages=[], more=False)] * 2
    desk.type("talk ZED")
    assert desk.interpreter.prompt == "zed> "
    desk.type("/dm ZED")
    assert desk.interpreter.prompt == "Message to ZED: "


@pytest.mark.parametrize("is_away", [True, False])
def test_a_name_is_taken_where_nobody_says(monkeypatch: pytest.MonkeyPatch, is_away: bool) -> None:
    """While the connection is away, or the server does not answer soon, the user may talk on."""
    monkeypatch.setattr(composing, "_PATIENCE", 0.01)
    desk = Desk()
    desk.is_away = is_away
    desk.type("talk zed")
    assert desk.interpreter.prompt == "zed> "


def test_older_is_read_at_the_terminal() -> None:
    """OLDER opens what the terminal has for reading."""
    desk = Desk("older")
    assert (desk.shown, desk.done) == (["older"], [])


def test_a_room_is_held_once_it_is_joined() -> None:
    """Lines go there from then on."""
    desk = Desk()
    desk.replies = [RoomReply(room="ops", created="", role="member")]
    desk.type("join ops")
    assert desk.done == [Join(room="ops"), Notice(desk.done[1].lines, held="#ops")]  # type: ignore[union-attr]
    desk.type("hi")
    assert desk.done[2:] == [Pm(room="ops", message="hi")]


@pytest.mark.parametrize("refusal", ["an error", "no answer", "no connection"])
def test_a_room_that_is_not_joined_is_not_held(refusal: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is shown by the session, or here."""
    monkeypatch.setattr(composing, "_PATIENCE", 0.0)
    desk = Desk()
    desk.replies = [ErrorReply(code="banned", message="no")] if refusal == "an error" else []
    desk.is_away = refusal == "no connection"
    desk.type("create new")
    assert desk.interpreter.prompt == "PM/DM/EX> "
    assert desk.shown == (["away"] if desk.is_away else [])


@pytest.mark.parametrize(
    ("typed", "is_new", "shows"), [([], True, True), ([], False, False), (["dm bob"], True, False)]
)
def test_enter_alone_shows_what_is_new(typed: list[str], *, is_new: bool, shows: bool) -> None:
    """If something is; at a question it cancels."""
    desk = Desk(*typed)
    desk.is_new = is_new
    desk.type("")
    assert [type(action) for action in desk.done] == [InChat] * shows
    assert desk.interpreter.question is None
