"""From a name to a login: by asking the user for a name, a password, or a new password twice; or without asking.

Nothing here knows a terminal. A password is kept no longer than it takes to send it, and stands in no text on show.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol
from unicodedata import normalize

from client.chat.help import whom_to_ask
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from client.text import counted, hint, is_sendable, one_line, sentence, shown_name, trouble
from service.wire.limits import MAX_MINUTES
from service.wire.protocol import (
    AckReply,
    AnyCommand,
    AnyEvent,
    ErrorReply,
    Login,
    LoginOkReply,
    PasswordRequiredReply,
    Register,
    Resume,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from client.session import Session
    from client.tokens import Tokens
    from client.view import Show


_MANY_MINUTES: Final = 120  # of more the hours are said
_ABOUT_PASSWORDS: Final = frozenset({"bad_credentials", "weak_password", "rate_limited"})  # worth another password
_WRONG: Final = 2  # passwords, until it looks forgotten rather than mistyped
_BACK: Final = "Enter alone goes back to the name."


class Ask(Protocol):
    """Asks the user at the keyboard."""

    def __call__(self, question: str, *, is_secret: bool = False) -> Awaitable[str]:
        """The answer; a secret one is not shown while it is typed."""


class LoginDialogue:
    """Asks until the user is logged in. Raises ConnectionLostError, and what `ask` raises if the user leaves."""

    def __init__(self, session: Session, ask: Ask, show: Show, tokens: Tokens | None = None) -> None:
        self._session = session
        self._tokens = tokens
        self._ask = ask
        self._show = show

    async def run(self, name: str) -> None:
        """Logs in as `name`; asks for a name if it is empty, or turns out to be of no use."""
        while True:
            name = name or (await self._ask("Your name: ")).strip()
            if name and await self._try_name(name):
                return
            name = ""

    async def _try_name(self, name: str) -> bool:
        if not is_sendable(name):
            self._show([trouble("This name is not valid UTF-8. Take another.")])
            return False
        if await self._resume(name):
            return True
        reply = await self._send(Login(username=name, confirm=True))
        if isinstance(reply, ErrorReply):
            self._show([trouble(sentence(reply.message))])
            return False
        if not isinstance(reply, PasswordRequiredReply):
            raise ConnectionLostError("The server answered the login with something else. This is no chat to trust.")
        return await (self._log_in(name) if reply.registered else self._register(name))

    async def _resume(self, name: str) -> bool:
        """Whether a token of an earlier login was there, and the server took it."""
        if self._tokens is None or not (token := self._tokens.find(name)):
            return False
        reply = await self._send(Resume(token=token, confirm=True))
        if isinstance(reply, ErrorReply) and reply.code == "bad_token":
            self._tokens.drop(name)
            self._show([hint("Your last session has ended; the password is needed again.")])
        if not isinstance(reply, LoginOkReply):
            return False
        if normalize("NFKC", name).casefold() != reply.username.casefold():  # the token outlives a new name
            self._show([hint(f'"{one_line(name)}" is called {shown_name(reply.username)} now.')])
        return True

    async def _log_in(self, name: str) -> bool:
        wrong = 0
        while password := await self._ask_secret(f"Password for {one_line(name)}: "):
            reply = await self._send(Login(username=name, password=password, confirm=True))
            if isinstance(reply, LoginOkReply):
                return True
            if not self._may_try_again(reply):
                return False
            wrong += 1
            if wrong == _WRONG:
                self._show([hint(f"Forgotten? {whom_to_ask(self._session.hello)}")])
            self._show([hint(_BACK)])
        return False

    async def _register(self, name: str) -> bool:
        if self._session.hello.registration == "closed":
            self._show([trouble(f'"{one_line(name)}" is not registered, and this server takes no new names.')])
            self._show([hint(f"Check the spelling. For an account: {whom_to_ask(self._session.hello)}")])
            return False
        self._show([hint(f'"{one_line(name)}" is a new name.'), hint(f"Choose a password to register it. {_BACK}")])
        while password := await _ask_new(self._ask, self._show):
            reply = await self._send(Register(username=name, password=password, confirm=True))
            if isinstance(reply, LoginOkReply):
                return True
            if not self._may_try_again(reply):
                return False
        return False

    def _may_try_again(self, reply: AnyEvent) -> bool:
        """Shows a refusal; whether another password may help (else another name is asked for)."""
        if isinstance(reply, ErrorReply):
            self._show([trouble(f"{sentence(reply.message)}{_end_of(reply)}")])
            return reply.code in _ABOUT_PASSWORDS
        self._show([trouble("The name was registered or removed just now.")])
        return False

    async def _ask_secret(self, question: str) -> str:
        return await _ask_secret(self._ask, self._show, question)

    async def _send(self, command: AnyCommand) -> AnyEvent:
        return await asyncio.wrap_future(self._session.send(command))


def log_in_unasked(
    name: str, password: str, tokens: Tokens | None, ask: Callable[[AnyCommand], AnyEvent], show: Show
) -> LoginOkReply | None:
    """Logs in by the token of an earlier login, or by `password`, which also registers a new name.

    `ask` gives the reply to a command. None: the server refused, and the reason is shown.
    """
    reply: AnyEvent | None = None
    if tokens and (token := tokens.find(name)):
        reply = ask(Resume(token=token, confirm=True))
        if isinstance(reply, ErrorReply) and reply.code == "bad_token":
            tokens.drop(name)
    if password and not isinstance(reply, LoginOkReply):
        reply = ask(Login(username=name, password=password, confirm=True))
        if isinstance(reply, PasswordRequiredReply) and not reply.registered:
            show([trouble(f'"{one_line(name)}" is a new name; registering it.')])
            reply = ask(Register(username=name, password=password, confirm=True))
    if isinstance(reply, LoginOkReply):
        return reply
    if isinstance(reply, ErrorReply):
        show([trouble(f"Not logged in: {one_line(reply.message)}")])
    return None


async def change_password(session: Session, ask: Ask, show: Show) -> None:
    """Changes the password by asking; an empty answer leaves it as it is. Raises ConnectionLostError."""
    show([hint("Your other sessions will end, and have to log in again. Enter alone cancels.")])
    old = await _ask_secret(ask, show, "Old password: ")
    while old and (new := await _ask_new(ask, show)):
        try:
            reply = await asyncio.to_thread(session.change_password, old, new)
        except OfflineError as error:
            return show([trouble(str(error))])
        if isinstance(reply, AckReply):
            return show([hint("The password is changed. You go on here; elsewhere log in with the new one.")])
        # The session has shown why not.
        if not isinstance(reply, ErrorReply) or reply.code not in _ABOUT_PASSWORDS:
            break
        if reply.code != "weak_password":
            old = await _ask_secret(ask, show, "Old password: ")
    return show([hint("The password stays as it was.")])


def _end_of(error: ErrorReply) -> str:
    """When a ban ends, as far as the server says it."""
    if error.code != "banned" or not error.retry_after:
        return ""
    minutes = int(max(0, min(error.retry_after, MAX_MINUTES * 60)) // 60) + 1
    if minutes > _MANY_MINUTES:
        return f" It ends within {counted(-(-minutes // 60), 'hour')}."
    return f" It ends within {counted(minutes, 'minute')}."


async def _ask_new(ask: Ask, show: Show) -> str:
    """A new password, typed twice; empty if the user gives none."""
    while password := await _ask_secret(ask, show, "New password: "):
        if await _ask_secret(ask, show, "The same again: ") == password:
            break
        show([trouble("The two differ. Type the same one twice.")])
    return password


async def _ask_secret(ask: Ask, show: Show, question: str) -> str:
    while not is_sendable(secret := await ask(question, is_secret=True)):
        show([trouble("This password is not valid UTF-8. Check the terminal's encoding, or take another.")])
    return secret
