"""A user at a screen that the client draws as a whole: logs in, asks for lines, shows each conversation by itself.

It does what client/terminal/app.py does, with the same session, interpreter and composer. Decides no text.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import get_app_session
from prompt_toolkit.application.run_in_terminal import run_in_terminal
from prompt_toolkit.history import DummyHistory, History, InMemoryHistory
from prompt_toolkit.mouse_events import MouseEvent, MouseEventType
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import print_formatted_text

from client.chat.addressing import ALL, EVERYONE
from client.chat.interpreter import Interpreter
from client.chat.paste import Paste, PastedError, clean
from client.full import picture
from client.full.canvas import Settled
from client.full.face import Face
from client.full.keys import FIRST, bind
from client.full.stage import Stage
from client.login import LoginDialogue
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from client.render.layout import Size, arrange
from client.session import Session
from client.terminal.account import Account
from client.terminal.composing import Composer
from client.terminal.editor import edit, interrupts_left_out
from client.terminal.inbox import Inbox
from client.terminal.keyboard import Words, switching_keys
from client.terminal.notify import Notifier, ring
from client.terminal.printer import styled
from client.terminal.screen import chat_on, screen
from client.terminal.themes import styles
from client.text import Line, body, hint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit.key_binding import KeyPressEvent

    from client.full.picture import Row
    from client.memory import Memory
    from client.session import MakeLink
    from client.settings import Profile
    from client.tokens import Tokens

_WHEEL: Final = 3  # rows for a step of the wheel, as in most programs


def run(
    make_link: MakeLink, profile: Profile, tokens: Tokens, remember: Callable[[str], Memory], *, is_first: bool
) -> int:
    """Chats as `run` of client/terminal/app.py does, and gives what it gives."""
    make = partial(FullScreen, make_link, profile, tokens=tokens, remember=remember, is_first=is_first)
    return chat_on(screen(Settled), make)


class FullScreen:
    """One chat at the screen and the keyboard of prompt_toolkit's app session. It is made in the event loop."""

    def __init__(
        self,
        make_link: MakeLink,
        profile: Profile,
        *,
        tokens: Tokens | None = None,
        remember: Callable[[str], Memory] | None = None,
        is_first: bool = False,
        editor: Callable[[str], str | None] = edit,
    ) -> None:
        self._name = profile.name
        self._tokens = tokens
        self._is_first = is_first
        self._editor = editor
        self._loop = asyncio.get_running_loop()
        source, self._output = get_app_session().input, get_app_session().output
        self._styles = styles(profile.theme, self._output.get_default_color_depth())
        self._notifier = Notifier(profile.notify, self._output.write_raw)
        self._inbox = Inbox(self._wake)
        self._account = Account(remember, self._show)
        self._session = Session(
            make_link,
            self._show,
            self._end_from_any_thread,
            presence=profile.presence,
            divides="always",
            later=self._call_later,
            size=lambda: self._stage.space,
            context=lambda: self._stage.space.rows,
        )
        self._interpreter = Interpreter(
            self._session.last_sender,
            self._session.hello,
            knows=self._session.knows,
            has_room=self._session.has_room,
            keep_talk=self._account.keep_talk,
        )
        self._words, self._secrets = InMemoryHistory(), DummyHistory()
        keys = bind(
            {
                "enter": lambda _: self._enter(),
                "escape enter": self._new_line,
                "pageup": lambda _: self._stage.page(-1),
                "pagedown": lambda _: self._stage.page(1),
                "end": self._to_end,
                "c-b": lambda _: self._stage.turn(),
                "c-c": self._interrupt,
                "<sigint>": self._interrupt,
                "c-d": self._leave,
                "c-z": lambda event: event.app.suspend_to_background(),
                "<bracketed-paste>": self._paste,
            },
            switching_keys(self._session.tabs, self._switch),
        )
        self._face = Face(
            self._draw,
            keys,
            Words(self._interpreter, self._session),
            self._styles,
            source,
            self._output,
            mouse=self._roll if profile.mouse else None,
        )
        self._stage = Stage(
            self._session,
            self._face.size(),
            picture.rules(os.environ),
            self._face.changed,
            lambda do: self._call_later(0, do),
        )
        self._is_in = False  # logged in
        self._is_asked_for = False  # by the client itself: a name, a password, a yes
        self._is_warned = False  # the last key was a Ctrl-C that only said how to leave
        self._told: list[Line] = []  # what was last told of trouble, for after the end

    async def run(self) -> int:
        """Logs in and chats; gives the exit status. No thread is left, and the screen is as it was before."""
        drawing = asyncio.create_task(self._face.run())
        chatting = asyncio.create_task(self._chat())
        for number in (signal.SIGHUP, signal.SIGTERM):
            self._loop.add_signal_handler(number, chatting.cancel)
        drawing.add_done_callback(lambda _: chatting.cancel())  # the keyboard is gone
        draft = ""
        try:
            with patch_stdout():
                self._session.start()
                try:
                    await chatting
                finally:
                    draft = self._face.text
                    self._face.exit()
                    await asyncio.gather(drawing, return_exceptions=True)
        except (EOFError, asyncio.CancelledError):
            return 0
        except ConnectionLostError:
            waiting = self._inbox.take()
            self._print([*(line for line in self._told if line not in waiting), *waiting])
            if not self._is_in:  # only after the login it comes back by itself
                self._print([hint("You are not logged in. Start again.")])
            return 1
        finally:
            try:
                await asyncio.to_thread(self._session.leave)
            finally:
                self._print(self._inbox.take())
                if draft:
                    self._print([Line(("hint", "You were typing: "), ("", body(draft)))])
                self._notifier.close()
                self._inbox.close()
        return 0

    # -- asking -------------------------------------------------------------------------------------------------------
    async def _chat(self) -> None:
        await LoginDialogue(self._session, self._ask_who, self._show, self._tokens).run(self._name)
        self._account.recall(self._session.status().name, self._session.deeds)
        self._interpreter.begin(ALL)  # plain lines always go to the conversation that is held
        if self._is_first:
            self._show([hint(text) for text in FIRST])
        self._is_in = self._stage.is_open = True
        with suppress(OfflineError):
            self._session.deeds.hold(EVERYONE)
        self._session.ask_for_summary()
        composer = Composer(self._session, self._interpreter, self._ask_who, self._show, self._edit, self._read_older)
        is_left = False
        while not is_left:  # leaving says EX
            try:
                line = await self._face.ask(
                    self._interpreter.prompt, self._history(), default=self._interpreter.take_draft()
                )
            except PastedError as pasted:
                is_left = await composer.paste(pasted.paste)
            else:
                is_left = await composer.take(line)

    def _history(self) -> History:
        if self._interpreter.takes_word:
            return self._words
        return self._account.operations if self._interpreter.takes_operation else self._account.messages

    async def _ask_who(self, question: str, *, is_secret: bool = False) -> str:
        self._is_asked_for = True
        try:
            return await self._face.ask(question, self._secrets, is_secret=is_secret)
        finally:
            self._is_asked_for = False

    async def _edit(self, text: str) -> str | None:
        """Gives the terminal to an editor; what arrives meanwhile waits, unconfirmed."""
        self._session.hide(is_hidden=True)
        try:
            with interrupts_left_out():
                return await run_in_terminal(lambda: self._editor(text), in_executor=True)
        finally:
            self._session.hide(is_hidden=False)

    async def _read_older(self) -> None:
        self._stage.page(-1)

    # -- keys ---------------------------------------------------------------------------------------------------------
    def _enter(self) -> None:
        self._is_warned = False
        self._stage.forget_notes()
        if self._face.text:
            self._stage.to_end()  # what comes of it stands there
        self._face.enter()

    def _interrupt(self, event: KeyPressEvent) -> None:
        """Ctrl-C: clears the line; on an empty one it cancels or, the second time, leaves."""
        if event.current_buffer.text:
            event.current_buffer.reset()
        elif self._interpreter.question is not None or (self._is_in and self._is_asked_for):
            self._face.enter("")  # cancels the operation
        elif self._is_warned:
            self._face.fail(EOFError())
        else:
            self._is_warned = True
            others = "so do /ex and Ctrl-D" if self._is_in else "so does Ctrl-D"  # before the login /ex is a name
            self._show([hint(f"Ctrl-C once more leaves; {others}.")])

    def _leave(self, event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.delete()
        else:
            self._face.fail(EOFError())

    def _new_line(self, event: KeyPressEvent) -> None:
        if not self._is_asked_for:
            event.current_buffer.newline(copy_margin=False)

    def _paste(self, event: KeyPressEvent) -> None:
        """Asks before several lines that are pasted are sent; without their last line end they are typed."""
        text, line = clean(event.data), event.current_buffer.document
        if "\n" in text and not self._is_asked_for:
            event.current_buffer.reset()
            self._face.fail(PastedError(Paste(line.text_before_cursor, text, line.text_after_cursor)))
        else:
            event.current_buffer.insert_text(text)

    def _switch(self, event: KeyPressEvent, target: str) -> None:
        if self._is_asked_for or not self._is_in:
            return
        self._stage.forget_notes()
        with suppress(ConnectionLostError):  # the link says so
            self._session.perform(self._interpreter.turn(target, event.current_buffer.text))
        self._stage.show_talk()
        self._face.ask_otherwise(self._interpreter.prompt, self._interpreter.take_draft())

    def _to_end(self, event: KeyPressEvent) -> None:
        """End: goes to the end of the line; where the cursor is there, to the newest message."""
        if event.current_buffer.document.is_cursor_at_the_end:
            self._stage.to_end()
        else:
            event.current_buffer.cursor_position = len(event.current_buffer.text)

    def _roll(self, event: MouseEvent) -> None:
        if event.event_type in {MouseEventType.SCROLL_UP, MouseEventType.SCROLL_DOWN}:
            self._stage.scroll(-_WHEEL if event.event_type is MouseEventType.SCROLL_UP else _WHEEL)

    # -- showing ------------------------------------------------------------------------------------------------------
    def _show(self, lines: Sequence[Line]) -> None:
        """Puts lines on show. From any thread; only the main one never waits."""
        if any(line.is_trouble for line in lines):
            self._told = list(lines)
        self._inbox.put(lines)

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._face.changed)

    def _call_later(self, seconds: float, do: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, do)

    def _end_from_any_thread(self, error: ConnectionLostError) -> None:
        self._loop.call_soon_threadsafe(self._face.fail, error)

    def _draw(self, size: Size) -> Sequence[Row]:
        """The rows above the line being typed, with what has arrived."""
        lines = self._inbox.take()
        ring(lines, self._output, self._notifier)
        return self._stage.draw(size, lines, self._face.text)

    def _print(self, lines: Sequence[Line]) -> None:
        """Writes lines on the terminal as it was before."""
        parts = [part for line in lines if not line.is_aside for part in arrange(line, self._face.size().columns)]
        if parts:
            print_formatted_text(self._output, styled(parts), self._styles)
