"""Logging in by questions and answers, without a terminal or a server."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import TYPE_CHECKING, cast

import pytest
from msgspec import UNSET, UnsetType

from client.login import LoginDialogue
from client.net.connection import ConnectionLostError
from client.tokens import Tokens
from service.wire.protocol import (
    AnyCommand,
    AnyEvent,
    ErrorReply,
    HelloEvent,
    Login,
    LoginOkReply,
    PasswordRequiredReply,
    PongReply,
    Register,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from client.session import Session
    from client.text import Line

KNOWN = PasswordRequiredReply(username="alice", registered=True)
NEW = PasswordRequiredReply(username="alice", registered=False)
IN = LoginOkReply(username="alice", users=["alice"], missed=0, unread=0, last_id=0, token="", time="")


def refused(code: str) -> ErrorReply:
    return ErrorReply(code=code, message=f"because {code}\x1b")


class Desk:
    """A user with prepared answers, and a session with prepared replies."""

    def __init__(self, answers: Sequence[str], replies: Sequence[AnyEvent]) -> None:
        self.hello = HelloEvent(
            protocol=1, server="", version="", registration="open", max_line=65536, max_message=4096
        )
        self.questions: list[tuple[str, bool]] = []
        self.sent: list[AnyCommand] = []
        self.shown: list[str] = []
        self._answers = list(answers)
        self._replies = list(replies)

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        self.sent.append(command)
        reply: Future[AnyEvent] = Future()
        reply.set_result(self._replies.pop(0))
        return reply

    async def ask(self, question: str, *, is_secret: bool = False) -> str:
        self.questions.append((question, is_secret))
        return self._answers.pop(0)

    def show(self, lines: Sequence[Line]) -> None:
        self.shown += [line.text for line in lines]

    def log_in(self, name: str = "") -> None:
        asyncio.run(LoginDialogue(cast("Session", self), self.ask, self.show).run(name))
        assert self._answers == []
        assert self._replies == []


@pytest.mark.parametrize(
    ("answers", "replies"),
    [
        (["alice", "s3cret"], [KNOWN, IN]),
        (["", " ", "alice", "s3cret"], [KNOWN, IN]),
        (["al\udcffice", "alice", "s3cret"], [KNOWN, IN]),
        (["alice", "b\udcffad", "s3cret"], [KNOWN, IN]),
        (["alice", "bad", "s3cret"], [KNOWN, refused("bad_credentials"), IN]),
        (["alice", "bad", "s3cret"], [KNOWN, refused("rate_limited"), IN]),
        (["alice", "bad", "alice", "s3cret"], [KNOWN, refused("already_logged_in"), KNOWN, IN]),
        (["alice", "", "alice", "s3cret"], [KNOWN, KNOWN, IN]),
        (["alice", "gone", "alice", "s3cret"], [KNOWN, NEW, KNOWN, IN]),
        (["alice", "s3cret", "s3cret"], [NEW, IN]),
        (["alice", "s3cret", "other", "s3cret", "s3cret"], [NEW, IN]),
        (["alice", "bad", "bad", "s3cret", "s3cret"], [NEW, refused("weak_password"), IN]),
        (["alice", "s3cret", "s3cret", "alice", "s3cret"], [NEW, refused("username_taken"), KNOWN, IN]),
        (["a b", "alice", "s3cret"], [refused("invalid_username"), KNOWN, IN]),
        (["a\u0335", "pass", "pass", "alice", "s3cret"], [NEW, refused("invalid_username"), KNOWN, IN]),
    ],
)
def test_every_way_leads_to_a_login(answers: list[str], replies: list[AnyEvent]) -> None:
    """Whatever is refused or mistyped, the right question follows; passwords are asked secretly and never shown."""
    desk = Desk(answers, replies)
    desk.log_in()
    last = desk.sent[-1]
    assert isinstance(last, (Login, Register))
    assert (last.username, last.password, last.confirm) == ("alice", "s3cret", True)
    assert all(is_secret is ("name" not in question) for question, is_secret in desk.questions)
    assert all(text.isprintable() for text in desk.shown)
    assert not any("s3cret" in text.split() for text in desk.shown)


def test_a_given_name_is_not_asked_for() -> None:
    """A name from the command line goes straight to the password."""
    desk = Desk(["s3cret"], [KNOWN, IN])
    desk.log_in("alice")
    assert desk.questions == [("Password for alice: ", True)]
    assert desk.sent[0] == Login(username="alice", confirm=True)


def test_a_server_that_answers_nonsense() -> None:
    """A login that is answered with something else ends with a clear error, not with a question for ever."""
    with pytest.raises(ConnectionLostError, match="something else"):
        Desk([], [PongReply(time="")]).log_in("alice")


@pytest.mark.parametrize("contact", ["carol", None])
def test_a_forgotten_password_has_a_way_out(contact: str | None) -> None:
    """The second wrong password says whom to ask, once; the first is a slip of the finger."""
    bad = refused("bad_credentials")
    desk = Desk(["alice", "b1", "b2", "b3", "s3cret"], [KNOWN, bad, bad, bad, IN])
    desk.hello.contact = contact or UNSET
    desk.log_in()
    assert [n for n, text in enumerate(desk.shown) if text.startswith("Forgotten?")] == [3]
    assert desk.shown[3] == f"Forgotten? Ask {contact or 'who runs the server'}."


@pytest.mark.parametrize(
    ("name", "said"),
    [("alice", []), ("ALICE", []), ("\uff41lice", []), ("bob\x1b", ['"bob\u241b" is called alice now.'])],
)
def test_a_token_that_leads_to_another_name(tmp_path: Path, name: str, said: list[str]) -> None:
    """The operator has given the account another name: the user is told. Another spelling is none."""
    tokens = Tokens(tmp_path, "127.0.0.1", 1, tls=False)
    tokens.keep(name, "t")
    desk = Desk([], [IN])
    asyncio.run(LoginDialogue(cast("Session", desk), desk.ask, desk.show, tokens).run(name))
    assert desk.shown == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (UNSET, "No."),
        (-1e300, "No. It ends within 1 minute."),
        (90.0, "No. It ends within 2 minutes."),
        (7_200.0, "No. It ends within 3 hours."),
        (1e12, "No. It ends within 8,761 hours."),
    ],
)
def test_who_is_banned_is_told_until_when(seconds: float | UnsetType, said: str) -> None:
    """After the right password; then another name is asked for."""
    banned = ErrorReply(code="banned", message="no", retry_after=seconds)
    desk = Desk(["alice", "s3cret", "bob", "s3cret"], [KNOWN, banned, KNOWN, IN])
    desk.log_in()
    assert said in desk.shown
