"""A user at a terminal: asks for operations, and shows what arrives above the line being typed, which stays whole.

One event loop runs for the whole chat, on the main thread. Other threads only put lines into `_waiting` and wake the
loop, so nothing is lost between two prompts. Nothing here decides what a line says or what a command is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from prompt_toolkit.application import create_app_session
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory, InMemoryHistory
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.utils import is_dumb_terminal

from client.chat.actions import InChat
from client.chat.help import first_texts
from client.chat.interpreter import Interpreter
from client.chat.paste import Paste, PastedError, clean
from client.login import LoginDialogue
from client.net.connection import ConnectionLostError
from client.render.layout import Size, arrange
from client.render.status_bar import pending_rows, status_bar
from client.session import Session
from client.terminal.composing import Composer
from client.terminal.editor import edit
from client.terminal.keyboard import PagedUpError, Words, key_bindings, prompt_session, unechoed
from client.terminal.links import RAW, linked, takes_links
from client.terminal.notify import Notifier
from client.terminal.pager import Pager
from client.terminal.screen import screen
from client.terminal.themes import styles
from client.terminal.typed import Typed
from client.text import Line, body, hint, trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.key_binding import KeyPressEvent

    from client.chat.paging import Page
    from client.chat.presence import Mode
    from client.memory import Memory
    from client.session import MakeLink
    from client.settings import Profile
    from client.text import Part
    from client.tokens import Tokens


MOST_WAITING: Final = 1 << 18  # characters for the screen; while as many wait, no more is read from the server
_PAGE: Final = 20  # messages at least to ask for at once, to read


def run(
    make_link: MakeLink,
    name: str,
    tokens: Tokens,
    remember: Callable[[str], Memory],
    profile: Profile,
    *,
    is_first: bool,
) -> int:
    """Chats until the user leaves (gives 0) or the connection is lost for good (gives 1). `name` may be empty.

    On the first run it shows how to begin. `remember` gives the memory of an account by its name. The profile says how
    to notify the desktop, how much to say of who comes and goes, and the colours.
    """

    async def chat() -> int:
        terminal = Terminal(
            make_link,
            tokens=tokens,
            remember=remember,
            notify=profile.notify,
            presence=profile.presence,
            theme=profile.theme,
            is_first=is_first,
        )
        return await terminal.run(name)

    try:
        with create_app_session(output=screen()):
            return asyncio.run(chat())
    except KeyboardInterrupt:  # Ctrl-C while no question was open
        return 0


class Terminal:
    """One chat at the screen and the keyboard of prompt_toolkit's app session. It is made in the event loop."""

    def __init__(
        self,
        make_link: MakeLink,
        *,
        tokens: Tokens | None = None,
        is_first: bool = False,
        notify: str = "",
        presence: Mode = "folded",
        theme: str = "auto",
        remember: Callable[[str], Memory] | None = None,
        editor: Callable[[str], str | None] = edit,
    ) -> None:
        self._tokens = tokens
        self._remember = remember
        self._memory: Memory | None = None  # after the login
        self._is_first = is_first
        self._editor = editor
        self._loop = asyncio.get_running_loop()
        self._session = Session(
            make_link,
            self.show,
            self._end_from_any_thread,
            presence=presence,
            later=self._call_later,
            size=self._size_of_screen,
        )
        self._interpreter = Interpreter(
            self._session.last_sender, self._session.hello, knows=self._session.knows, keep_talk=self._keep_talk
        )
        words = Words(self._interpreter, self._session)
        keys = key_bindings(self._interrupt, self._page_up, self._paste, self._new_line)
        self._styles = styles(theme)
        make = partial(prompt_session, words, keys, self._styles)
        # The arrow keys bring back messages where a message is asked for, and operations elsewhere.
        self._typed = {"operations": Typed(), "messages": Typed()}
        self._operations = make(self._typed["operations"], self._status_bar)
        self._answers = make(self._typed["messages"], self._status_bar)
        self._words = make(InMemoryHistory(), self._status_bar)  # names, and yes or no
        self._logins = make(DummyHistory())  # remembers no password
        self._unseen = make(DummyHistory(), target=DummyOutput())
        self._notifier = Notifier(notify, self._operations.output.write_raw)
        self._has_links = takes_links(os.environ)
        self._asking: PromptSession[str] | None = None
        self._question = ""
        self._is_away = False  # an editor or the pager has the screen
        self._pager: Pager | None = None
        self._lost: ConnectionLostError | None = None
        self._is_in = False  # logged in
        self._is_warned = False  # the last key was a Ctrl-C that only said how to leave
        self._lock = threading.Lock()  # guards what follows
        self._waiting: list[Line] = []
        self._size = 0  # characters in _waiting
        self._gone = False  # nothing is printed any more
        self._printed = threading.Condition(self._lock)
        self._arrived = asyncio.Event()

    async def run(self, name: str) -> int:
        """Logs in and chats; gives the exit status. No thread is left, and everything that came is on the screen."""
        printer = asyncio.create_task(self._print_arrivals())
        chatting = asyncio.create_task(self._chat(name))
        for number in (signal.SIGHUP, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._hang_up, chatting)
        try:
            # Anything else that prints, such as a thread's last words, must not break the typed line either.
            with unechoed(self._operations.input), patch_stdout():
                self._session.start()
                await chatting
        except (EOFError, asyncio.CancelledError):  # Ctrl-C, Ctrl-D or a signal
            return 0
        except ConnectionLostError:  # the session has said why
            return 1
        finally:
            try:
                await asyncio.to_thread(self._session.leave)  # what comes meanwhile is still shown
            finally:
                printer.cancel()
                self._print_waiting()
                self._notifier.close()
                with self._lock:
                    self._gone = True
                    self._printed.notify_all()
        return 0

    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on the screen, above what is being typed. From any thread; only the main one never waits."""
        with self._lock:
            if threading.current_thread() is not threading.main_thread():
                # A flood comes no faster than it can be shown, and the keyboard gets its turn.
                self._printed.wait_for(lambda: self._size < MOST_WAITING or self._gone)
            self._waiting += lines
            self._size += sum(len(line.text) for line in lines)
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.set)

    def _call_later(self, seconds: float, do: Callable[[], None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, do)

    # -- asking -------------------------------------------------------------------------------------------------------
    async def _chat(self, name: str) -> None:
        await LoginDialogue(self._session, self._ask_who, self.show, self._tokens).run(name)
        self._recall()
        if self._is_first:
            self.show([hint(text) for text in first_texts(self._columns())])
        self._session.ask_for_summary()
        self._is_in = True
        composer = Composer(self._session, self._interpreter, self._ask_who, self.show, self._edit, self._read_older)
        is_left = False
        while not is_left:  # leaving says EX
            try:
                line = await self._ask(self._prompt(), self._interpreter.prompt, default=self._interpreter.take_draft())
            except PastedError as pasted:
                is_left = await composer.paste(pasted.paste)
            except PagedUpError as paged:
                self._interpreter.draft = paged.typed
                await self._read_older()
            else:
                if not line and self._interpreter.question is None and self._session.has_news():
                    line = "/new"
                is_left = await composer.take(line)

    def _recall(self) -> None:
        """Goes on with what an earlier start has left of this account."""
        if self._remember is None:
            return
        self._memory = self._remember(self._session.status().name)
        self._interpreter.begin(self._memory.talk)
        self._session.recall_muted(self._memory.muted, self._keep_muted)
        for name, typed in self._typed.items():
            typed.open(self._memory.folder / name)

    def _keep_talk(self, talk: str) -> None:
        if self._memory:
            self._keep(partial(self._memory.keep_talk, talk))

    def _keep_muted(self, name: str, is_muted: bool) -> None:  # noqa: FBT001  # as the session calls it
        if self._memory:
            self._keep(partial(self._memory.keep_muted, name, is_muted=is_muted))

    def _keep(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            self.show([trouble(f"Not remembered for the next start: {error.strerror}.")])

    def _prompt(self) -> PromptSession[str]:
        if self._interpreter.takes_word:
            return self._words
        return self._operations if self._interpreter.takes_operation else self._answers

    def _status_bar(self) -> AnyFormattedText:
        status = self._session.status()
        style = "" if status.is_connected else "class:trouble"
        return [(style, status_bar(status, self._columns()))]

    def _columns(self) -> int:
        return self._size_of_screen().columns

    def _size_of_screen(self) -> Size:
        size = self._operations.output.get_size()
        return Size(size.columns, size.rows)

    async def _edit(self, text: str) -> str | None:
        """Gives the terminal to an editor. What arrives meanwhile waits, and is shown before the next question."""
        self._print_waiting()
        self._is_away = True
        self._session.hide(is_hidden=True)
        handler = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is for the editor, which would inherit SIG_IGN
        try:
            with self._operations.input.cooked_mode():
                return await asyncio.to_thread(self._editor, text)
        finally:
            signal.signal(signal.SIGINT, handler)
            self._is_away = False
            self._print_waiting()
            self._session.hide(is_hidden=False)

    async def _read_older(self) -> None:
        """Shows what was said before. What arrives meanwhile is counted, and shown before the next question."""
        if is_dumb_terminal():
            self._session.perform(InChat(lambda chat: chat.show_older()))
            return
        first = self._session.reading(max(_PAGE, 2 * self._size_of_screen().rows))
        if first is None:
            return

        def read(page: Page | None) -> None:
            if command := page.older if page else first:
                self._session.read(command, lambda page: self._call_later(0, lambda: pager.take(page)))

        operations = self._operations
        self._print_waiting()
        self._is_away = True
        self._session.hide(is_hidden=True)
        self._pager = pager = Pager(read, _styled, self._styles, operations.input, operations.output)
        try:
            await pager.run()
        finally:
            self._pager = None
            self._is_away = False
            self._print_waiting()
            self._session.hide(is_hidden=False)

    async def _ask_who(self, question: str, *, is_secret: bool = False) -> str:
        if not (is_secret and is_dumb_terminal()):
            return await self._ask(self._logins, question, is_secret=is_secret)
        self._print_waiting()  # on a dumb terminal prompt_toolkit shows whatever is typed, a password too
        output = self._operations.output
        output.write(question)
        output.flush()
        try:
            return await self._ask(self._unseen, question, is_secret=True)
        finally:
            output.write("\r\n")
            output.flush()

    @property
    def _asks_who(self) -> bool:
        """Whether the question is for a name or a password."""
        return self._asking in (self._logins, self._unseen)

    async def _ask(
        self, prompt: PromptSession[str], question: str, *, default: str = "", is_secret: bool = False
    ) -> str:
        """What the user answers. Raises EOFError if they leave, ConnectionLostError if the connection is lost."""
        self._print_waiting()
        if self._lost:
            raise self._lost
        self._asking, self._question = prompt, question

        def draw() -> AnyFormattedText:
            rows = pending_rows(self._session.status(), self._columns())
            return _styled([*rows, ("", question)])

        try:
            return await prompt.prompt_async(draw, default=default, is_password=is_secret)
        finally:
            self._asking = None
            self._is_warned = False

    def _interrupt(self, event: KeyPressEvent) -> None:
        """Ctrl-C: clears the line; on an empty one it cancels or, the second time, leaves."""
        if event.current_buffer.text:
            event.current_buffer.reset()
            if is_dumb_terminal():
                self.show([hint("The line is cleared.")])
        elif self._interpreter.question is not None or (self._is_in and self._asks_who):
            event.app.exit(result="")  # cancels the operation
        elif self._is_warned:
            event.app.exit(exception=EOFError())
        else:
            self._is_warned = True
            self.show([hint("Ctrl-C once more leaves; so do EX and Ctrl-D.")])

    def _page_up(self, event: KeyPressEvent) -> None:
        if not self._asks_who:
            event.app.exit(exception=PagedUpError(event.current_buffer.text))

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
        if self._pager:
            self._pager.close()
        if self._asking and self._asking.app.is_running and not self._asking.app.is_done:
            self._save_draft()
            self._asking.app.exit(exception=error)

    def _save_draft(self) -> None:
        """Shows what is being typed: the line that it stands on is about to be erased."""
        if self._asking and self._asking.default_buffer.text and not self._asking.is_password:
            self.show([Line(("hint", "You were typing: "), ("", body(self._asking.default_buffer.text)))])

    # -- printing -----------------------------------------------------------------------------------------------------
    async def _print_arrivals(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._is_away:
                self._tell_pager()
                continue
            # The typed line is hidden meanwhile. Not by prompt_toolkit's run_in_terminal: under that the terminal would
            # echo what is typed in this very moment, and Ctrl-C would be a signal.
            if self._asking and is_dumb_terminal():
                self._print_below(self._asking)
            elif self._asking and self._asking.app.is_running:
                self._asking.app.renderer.erase()
                self._print_waiting()
                self._asking.app.invalidate()
            else:
                self._print_waiting()

    def _tell_pager(self) -> None:
        """Counts in the pager what has come, and rings for it; an editor is not disturbed."""
        if self._pager is None:
            return
        with self._lock:
            lines, is_full = list(self._waiting), self._size >= MOST_WAITING
        new = f"{sum(not line.is_day for line in lines)} new"
        self._pager.tell(f"{new}: q shows them, more has to wait" if is_full else new)
        self._ring(lines)

    def _ring(self, lines: Sequence[Line]) -> None:
        called = [line for line in lines if line.calls]
        if called:
            self._operations.output.bell()
            self._notifier.notify(called[-1].text)
        for line in called:
            line.calls = False  # once

    def _print_below(self, asking: PromptSession[str]) -> None:
        """On a dumb terminal the typed line stays where it is, and comes again below what arrives."""
        if not self._waiting:
            return
        output = self._operations.output
        output.write("\r\n")
        self._print_waiting()
        output.write(self._question + ("" if asking.is_password else asking.default_buffer.text))
        output.flush()

    def _print_waiting(self) -> None:
        with self._lock:
            lines, self._waiting, self._size = self._waiting, [], 0
            self._printed.notify_all()
        output = self._operations.output
        columns = self._columns()
        parts = [part for line in lines for part in arrange(line, columns)]
        if not parts:
            return
        self._ring(lines)
        if is_dumb_terminal():
            output.write("".join(text for _, text in parts).replace("\n", "\r\n"))
            output.flush()
        else:
            print_formatted_text(output, _styled(parts, has_links=self._has_links), self._styles)


def _styled(parts: Sequence[Part], *, has_links: bool = False) -> FormattedText:
    styled = linked(parts) if has_links else parts
    return FormattedText((f"class:{style}" if style and style != RAW else style, text) for style, text in styled)
