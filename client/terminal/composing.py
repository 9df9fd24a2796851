"""What takes more than a line: pasted text, a text from the editor, a new password. Asks, and knows no terminal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from msgspec import UNSET
from msgspec.structs import replace

from client.chat.actions import Action, AtTerminal, Mistake
from client.chat.addressing import EVERYONE, compose, excess, shown_target, target_of, target_of_message, target_of_room
from client.login import Ask, change_password
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from client.terminal.editor import EditorError
from client.text import Line, body, hint, one_line, sendable, trouble
from service.wire.protocol import AnyEvent, Dm, ErrorReply, Ex, HistoryReply, Pm, RoomReply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from concurrent.futures import Future

    from client.chat.interpreter import Interpreter
    from client.chat.paste import Paste
    from client.session import Session
    from client.view import Show
    from service.wire.protocol import Create, Join

MOST_MESSAGES: Final = 100  # out of one paste; more would bury the talk, and 200 may wait for their ack
_PATIENCE: Final = 2.0  # seconds to learn whether a name exists; the user waits
_NOTHING: Final = "Nothing was sent."


class Composer:
    """Does what was typed or pasted.

    `edit` lets the user write in an editor, and gives and raises what `edit` of client/terminal/editor.py does.
    `read_older` lets them read what came before.
    """

    def __init__(
        self,
        session: Session,
        interpreter: Interpreter,
        ask: Ask,
        show: Show,
        edit: Callable[[str], Awaitable[str | None]],
        read_older: Callable[[], Awaitable[None]],
    ) -> None:
        self._session = session
        self._interpreter = interpreter
        self._ask = ask
        self._show = show
        self._edit_text = edit
        self._read_older = read_older

    async def take(self, line: str) -> bool:
        """Does what a line says; whether that was to leave. Raises ConnectionLostError.

        Enter alone shows what is new, if something is.
        """
        if not line and self._interpreter.question is None and self._session.has_news():
            line = "/new"
        return await self._do(self._interpreter.take(line))

    async def paste(self, paste: Paste) -> bool:
        """Asks what to do with pasted lines, and does it; whether that was to leave."""
        is_text = paste.before.strip() or self._interpreter.takes_text
        message = self._interpreter.message(paste.whole) if is_text else None
        if message is None and self._interpreter.question:  # such as a name
            self._interpreter.draft = " ".join(paste.whole.split())
        elif message is None:
            return await self._paste_operations(paste)
        else:
            await self._paste_text(paste, message)
        return False

    async def _paste_text(self, paste: Paste, whole: Pm | Dm) -> None:
        first, *others = paste.lines
        while (message := self._interpreter.message(first)) is None and others:
            first += others.pop(0)  # an operation, and nothing of the text yet
        message = message or whole
        messages = [message, *(replace(message, message=sendable(line).rstrip()) for line in others)]
        target = shown_target(target_of_message(whole))
        by_line = next(filter(None, (excess(each, self._session.hello) for each in messages)), "")
        if len(messages) > MOST_MESSAGES:
            by_line = f"More than {MOST_MESSAGES} lines are too many messages."
        match await self._choose(paste, f" to {target}", excess(whole, self._session.hello), by_line):
            case "one":
                self._interpreter.cancel()
                self._session.perform(whole)
            case "line":
                self._interpreter.cancel()
                self._send_each(messages)
            case _:
                self._put_back(paste, whole)

    async def _paste_operations(self, paste: Paste) -> bool:
        """Where operations are typed: each line may be one, or all lines a message to someone."""
        match await self._choose(paste, "", excess(Pm(message=paste.whole), self._session.hello), ""):
            case "line":
                return await self._do_each(paste.lines)
            case "one":
                to = (await self._ask("To (a name, or all): ")).strip()
                if not to or len(to.split()) > 1:
                    self._put_back(paste)
                else:
                    self._send(compose(target_of(to), sendable(paste.whole).rstrip()))
            case _:
                self._put_back(paste)
        return False

    async def _choose(self, paste: Paste, target: str, not_one: str, not_lines: str) -> str:
        """What to do with a paste: "one", "line", or "" for nothing. What cannot be is said, and not offered."""
        offers = [] if not_one else [("one", f"(o)ne message{target}")]
        offers += [] if not_lines else [("line", "(l)ine by line")]
        self._show([hint(f"{paste.text.count(chr(10)) + 1} lines pasted; nothing is sent yet.")])
        for problem in filter(None, (not_one, not_lines)):
            self._show([trouble(problem)])
        question = f"{', '.join(text for _, text in offers)}, or Enter for nothing: "
        while offers and (answer := (await self._ask(question)).strip().casefold()):
            for name, _ in offers:
                if name.startswith(answer):
                    return name
        return ""

    def _put_back(self, paste: Paste, message: Pm | Dm | None = None) -> None:
        self._session.keep_unsent(message or compose(EVERYONE, sendable(paste.whole)))
        self._interpreter.draft = paste.before + paste.after
        self._show([hint(f"{_NOTHING} EDIT has the pasted text.")])

    def _send_each(self, messages: list[Pm | Dm]) -> None:
        for number, message in enumerate(messages):
            if self._session.perform(message) is None:  # the session has said why
                rest = "\n".join(each.message or "" for each in messages[number:])
                self._session.keep_unsent(replace(message, message=rest))
                return

    async def _do_each(self, lines: list[str]) -> bool:
        for number, line in enumerate(lines, 1):
            action = self._interpreter.take(line)
            if await self._do(action):
                return True
            if isinstance(action, Mistake):
                self._show([hint(f"Line {number} of {len(lines)}; those behind it were left out.")])
                break
        return False

    async def _do(self, action: Action | None) -> bool:
        match action:
            case None:
                pass
            case Ex():
                return True
            case AtTerminal():
                await action.do(self)
            case _:
                # The reply is shown when it comes; the user may type on meanwhile.
                self._session.perform(action)
        return False

    # -- for operations -----------------------------------------------------------------------------------------------
    async def if_user(self, name: str, then: Callable[[str], Action | None], otherwise: Callable[[], None]) -> None:
        """Does `then` with the name as the server spells it, if there is such a user; else `otherwise`, and says so.

        Without an answer the name is taken: what is sent to it is refused later. Raises ConnectionLostError.
        """
        reply = await self._answer(self._session.find, name)
        if isinstance(reply, ErrorReply) and reply.code == "unknown_user":
            otherwise()
            self._show([trouble(f'There is no "{one_line(name)}". USERS shows who is online.')])
        else:
            spelled = reply.with_ if isinstance(reply, HistoryReply) else UNSET
            await self._do(then(spelled or name))

    async def enter(self, command: Join | Create) -> None:
        """Joins or makes a room, and holds it. Raises ConnectionLostError."""
        try:
            reply = asyncio.wrap_future(self._session.send(command))
        except OfflineError as error:
            self._show([trouble(str(error))])
            return
        room = await self._wait(reply)
        if isinstance(room, RoomReply):
            await self._do(self._interpreter.turn(target_of_room(room.room), ""))

    async def _answer(self, ask: Callable[[str], Future[AnyEvent]], name: str) -> AnyEvent | None:
        """The reply, if it comes soon. Raises ConnectionLostError."""
        try:
            reply = asyncio.wrap_future(ask(name))
        except OfflineError:
            return None
        return await self._wait(reply)

    async def _wait(self, reply: asyncio.Future[AnyEvent]) -> AnyEvent | None:
        reply.add_done_callback(lambda late: late.cancelled() or late.exception())  # nobody may wait for it any more
        await asyncio.wait({reply}, timeout=_PATIENCE)
        return reply.result() if reply.done() and not reply.exception() else None

    async def read_older(self) -> None:
        """Shows what was said before on the whole screen, to read on in."""
        await self._read_older()

    async def change_password(self) -> None:
        """Asks for the old password and the new one. Raises ConnectionLostError."""
        await change_password(self._session, self._ask, self._show)

    async def edit(self, to: str | None) -> None:
        """Has a text written, and sends it to a name, or EVERYONE; None: where it seems to belong.

        The text begins with the one that could not be sent, if that was for the same. Raises ConnectionLostError.
        """
        unsent = self._session.take_unsent()
        target = to or self._interpreter.talk or (target_of_message(unsent) if unsent else EVERYONE)
        if unsent and not to and target != target_of_message(unsent):
            self._session.keep_unsent(unsent)  # what was for one person is not offered to another
            unsent = None
        draft, kind = ((unsent.message or ""), unsent.kind) if unsent else ("", UNSET)
        whom = "everyone" if target == EVERYONE else shown_target(target)
        self._show([hint(f"Saving sends the text to {whom}{', as /me does' if kind == 'action' else ''}.")])
        try:
            text = await self._edit_text(draft)
        except EditorError as error:
            self._keep(str(error), compose(target, sendable(error.text), kind) if error.text else unsent)
            return
        if text is None:
            self._keep("Not saved.", unsent)
        elif not text.strip():
            self._show([hint(_NOTHING)])
        else:
            self._send(compose(target, sendable(text), kind))

    def _keep(self, reason: str, message: Pm | Dm | None) -> None:
        if message:
            self._session.keep_unsent(message)
        self._show([trouble(f"{reason} {_NOTHING}{' EDIT has the text still.' if message else ''}")])

    def _send(self, message: Pm | Dm) -> None:
        """Sends a text that must not be lost: it stands on no line of the terminal."""
        text = message.message or ""
        if problem := excess(message, self._session.hello):
            self._session.perform(Mistake(f"{problem} EDIT has the text still.", unsent=message))
            return
        try:
            self._session.perform(message)
        except ConnectionLostError:
            self._show([Line(("hint", "Not sent: "), ("", body(text)))])
            raise
