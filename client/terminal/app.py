"""A user at a terminal: logs in, asks for operations, gives the screen to an editor or a pager, and leaves.

One event loop runs for the whole chat, on the main thread. Nothing here decides what a line says or what a command is.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import get_app_session
from prompt_toolkit.history import DummyHistory, InMemoryHistory
from prompt_toolkit.key_binding import merge_key_bindings
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.utils import is_dumb_terminal

from client.chat.actions import InChat
from client.chat.help import first_texts
from client.chat.interpreter import Interpreter
from client.chat.paste import Paste, PastedError, clean
from client.login import LoginDialogue
from client.net.connection import ConnectionLostError
from client.render.status_bar import pending_rows, status_bar
from client.session import Session
from client.terminal.account import Account
from client.terminal.composing import Composer
from client.terminal.editor import edit, interrupts_left_out
from client.terminal.keyboard import (
    PagedUpError,
    SwitchedError,
    Words,
    key_bindings,
    prompt_session,
    switching_keys,
    unechoed,
)
from client.terminal.notify import Notifier
from client.terminal.pager import Pager
from client.terminal.printer import Printer, styled
from client.terminal.screen import chat_on, screen
from client.terminal.themes import styles
from client.text import Line, body, hint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.key_binding import KeyPressEvent

    from client.chat.paging import Page
    from client.memory import Memory
    from client.session import MakeLink
    from client.settings import Profile
    from client.tokens import Tokens


_PAGE: Final = 20  # messages at least to ask for at once, to read


def run(
    make_link: MakeLink, profile: Profile, tokens: Tokens, remember: Callable[[str], Memory], *, is_first: bool
) -> int:
    """Chats until the user leaves (gives 0) or the connection is lost for good (gives 1).

    The profile says by what name, which may be empty, how to notify the desktop, how much to say of who comes and goes,
    and the colours. On the first run it shows how to begin. `remember` gives the memory of an account by its name.
    """
    make = partial(Terminal, make_link, profile, tokens=tokens, remember=remember, is_first=is_first)
    return chat_on(screen(), make)


class Terminal:
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
        self._input, self._output = get_app_session().input, get_app_session().output
        self._styles = styles(profile.theme, self._output.get_default_color_depth())
        self._printer = Printer(self._output, self._styles, Notifier(profile.notify, self._output.write_raw))
        self._show = self._printer.show
        self._account = Account(remember, self._show)
        self._session = Session(
            make_link,
            self._show,
            self._end_from_any_thread,
            presence=profile.presence,
            divides="rooms",
            later=self._call_later,
            size=self._printer.size,
        )
        self._interpreter = Interpreter(
            self._session.last_sender,
            self._session.hello,
            knows=self._session.knows,
            has_room=self._session.has_room,
            keep_talk=self._account.keep_talk,
        )
        words = Words(self._interpreter, self._session)
        keys = merge_key_bindings(
            [
                key_bindings(self._interrupt, self._page_up, self._paste, self._new_line),
                switching_keys(self._session.tabs, self._switch),
            ]
        )
        make = partial(prompt_session, words, keys, self._styles)
        self._operations = make(self._account.operations, self._status_bar)
        self._answers = make(self._account.messages, self._status_bar)
        self._words = make(InMemoryHistory(), self._status_bar)  # names, and yes or no
        self._logins = make(DummyHistory())  # remembers no password
        self._unseen = make(DummyHistory(), target=DummyOutput())
        self._lost: ConnectionLostError | None = None
        self._is_in = False  # logged in
        self._is_warned = False  # the last key was a Ctrl-C that only said how to leave

    async def run(self) -> int:
        """Logs in and chats; gives the exit status. No thread is left, and everything that came is on the screen."""
        printing = asyncio.create_task(self._printer.run())
        chatting = asyncio.create_task(self._chat())
        for number in (signal.SIGHUP, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._hang_up, chatting)
        try:
            # Anything else that prints, such as a thread's last words, must not break the typed line either.
            with unechoed(self._input), patch_stdout():
                self._session.start()
                await chatting
        except (EOFError, asyncio.CancelledError):  # Ctrl-C, Ctrl-D or a signal
            return 0
        except ConnectionLostError:  # the session has said why
            if not self._is_in:  # only after the login it comes back by itself
                self._show([hint("You are not logged in. Start again.")])
            return 1
        finally:
            try:
                await asyncio.to_thread(self._session.leave)  # what comes meanwhile is still shown
            finally:
                printing.cancel()
                self._printer.close()
        return 0

    def _call_later(self, seconds: float, do: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, do)

    # -- asking -------------------------------------------------------------------------------------------------------
    async def _chat(self) -> None:
        await LoginDialogue(self._session, self._ask_who, self._show, self._tokens).run(self._name)
        talk = self._account.recall(self._session.status().name, self._session.deeds)
        if talk is not None:
            self._interpreter.begin(talk)
        if self._is_first:
            self._show([hint(text) for text in first_texts(self._printer.size().columns)])
        self._session.ask_for_summary()
        self._is_in = True
        composer = Composer(self._session, self._interpreter, self._ask_who, self._show, self._edit, self._read_older)
        is_left = False
        while not is_left:  # leaving says EX
            try:
                line = await self._ask(self._prompt(), self._interpreter.prompt, default=self._interpreter.take_draft())
            except PastedError as pasted:
                is_left = await composer.paste(pasted.paste)
            except SwitchedError as switched:
                self._session.perform(self._interpreter.turn(switched.target, switched.typed))
            except PagedUpError as paged:
                self._interpreter.draft = paged.typed
                await self._read_older()
            else:
                is_left = await composer.take(line)

    def _prompt(self) -> PromptSession[str]:
        if self._interpreter.takes_word:
            return self._words
        return self._operations if self._interpreter.takes_operation else self._answers

    def _status_bar(self) -> AnyFormattedText:
        status = self._session.status()
        style = "" if status.is_connected else "class:trouble"
        return [(style, status_bar(status, self._printer.size().columns))]

    @contextmanager
    def _screen_given_away(self) -> Iterator[None]:
        """What arrives meanwhile waits, unconfirmed, and is shown before the next question."""
        self._printer.give_away()
        self._session.hide(is_hidden=True)
        try:
            yield
        finally:
            self._printer.take_back()
            self._session.hide(is_hidden=False)

    async def _edit(self, text: str) -> str | None:
        """Gives the terminal to an editor."""
        with self._screen_given_away(), interrupts_left_out(), self._input.cooked_mode():
            return await asyncio.to_thread(self._editor, text)

    async def _read_older(self) -> None:
        """Shows what was said before, in a pager, which counts what arrives meanwhile."""
        if is_dumb_terminal():
            self._session.perform(InChat(lambda chat: chat.show_older()))
            return
        first = self._session.reading.begin(max(_PAGE, 2 * self._printer.size().rows))
        if first is None:
            return

        def read(page: Page | None) -> None:
            if command := page.older if page else first:
                self._session.reading.ask(command, lambda page: self._call_later(0, lambda: pager.take(page)))

        with self._screen_given_away():
            self._printer.pager = pager = Pager(read, styled, self._styles, self._input, self._output)
            try:
                await pager.run()
            finally:
                self._printer.pager = None

    async def _ask_who(self, question: str, *, is_secret: bool = False) -> str:
        if not (is_secret and is_dumb_terminal()):
            return await self._ask(self._logins, question, is_secret=is_secret)
        self._printer.print()  # on a dumb terminal prompt_toolkit shows whatever is typed, a password too
        self._output.write(question)
        self._output.flush()
        try:
            return await self._ask(self._unseen, question, is_secret=True)
        finally:
            self._output.write("\r\n")
            self._output.flush()

    @property
    def _asks_who(self) -> bool:
        """Whether the question is for a name or a password."""
        return self._printer.asking in (self._logins, self._unseen)

    async def _ask(
        self, prompt: PromptSession[str], question: str, *, default: str = "", is_secret: bool = False
    ) -> str:
        """What the user answers. Raises EOFError if they leave, ConnectionLostError if the connection is lost."""
        self._printer.print()
        if self._lost:
            raise self._lost
        self._printer.asking, self._printer.question = prompt, question

        def draw() -> AnyFormattedText:
            rows = pending_rows(self._session.status(), self._printer.size().columns)
            return styled([*rows, ("", question)])

        try:
            return await prompt.prompt_async(draw, default=default, is_password=is_secret)
        finally:
            self._printer.asking = None
            self._is_warned = False

    def _interrupt(self, event: KeyPressEvent) -> None:
        """Ctrl-C: clears the line; on an empty one it cancels or, the second time, leaves."""
        if event.current_buffer.text:
            event.current_buffer.reset()
            if is_dumb_terminal():
                self._show([hint("The line is cleared.")])
        elif self._interpreter.question is not None or (self._is_in and self._asks_who):
            event.app.exit(result="")  # cancels the operation
        elif self._is_warned:
            event.app.exit(exception=EOFError())
        else:
            self._is_warned = True
            others = "so do EX and Ctrl-D" if self._is_in else "so does Ctrl-D"  # before the login EX is a name
            self._show([hint(f"Ctrl-C once more leaves; {others}.")])

    def _page_up(self, event: KeyPressEvent) -> None:
        if not self._asks_who:
            event.app.exit(exception=PagedUpError(event.current_buffer.text))

    def _switch(self, event: KeyPressEvent, target: str) -> None:
        if not self._asks_who:
            event.app.exit(exception=SwitchedError(target, event.current_buffer.text))

    def _paste(self, event: KeyPressEvent) -> None:
        """Asks before several lines that are pasted are sent; without their last line end they are typed."""
        text, line = clean(event.data), event.current_buffer.document
        if "\n" in text and not self._asks_who:
            event.app.exit(exception=PastedError(Paste(line.text_before_cursor, text, line.text_after_cursor)))
        else:
            event.current_buffer.insert_text(text)

    def _new_line(self, event: KeyPressEvent) -> None:
        """Alt-Enter: the message goes on in a new line; a name, a password or a dumb terminal has one line only."""
        if not self._asks_who and not is_dumb_terminal():
            event.current_buffer.newline(copy_margin=False)

    def _hang_up(self, chatting: asyncio.Task[None]) -> None:
        """SIGHUP or SIGTERM: leaves as EX does."""
        self._save_draft()
        chatting.cancel()

    def _end_from_any_thread(self, error: ConnectionLostError) -> None:
        self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: ConnectionLostError) -> None:
        self._lost = error
        if self._printer.pager:
            self._printer.pager.close()
        asking = self._printer.asking
        if asking and asking.app.is_running and not asking.app.is_done:
            self._save_draft()
            asking.app.exit(exception=error)

    def _save_draft(self) -> None:
        """Shows what is being typed: the line that it stands on is about to be erased."""
        asking = self._printer.asking
        if asking and asking.default_buffer.text and not asking.is_password:
            self._show([Line(("hint", "You were typing: "), ("", body(asking.default_buffer.text)))])
