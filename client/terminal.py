"""A person at a terminal: asks for operations, and shows what arrives above the line being typed, which stays whole.

One event loop runs for the whole chat, on the main thread. Other threads only put lines into `_waiting` and wake it, so
that nothing is lost between two prompts. Nothing here decides what a line says or what a command is.
"""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

from prompt_toolkit import PromptSession
from prompt_toolkit.application import run_in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style as Styles

from client.commands import Dialogue, completions, first_texts
from client.connection import ConnectionLostError
from client.login import LoginDialogue
from client.session import Session
from client.text import Line, body, hint
from service.protocol import Ex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prompt_toolkit.document import Document
    from prompt_toolkit.input import Input
    from prompt_toolkit.output import Output

    from client.link import Link
    from client.tokens import Tokens


PROMPT: Final = "PM/DM/EX> "
MOST_WAITING: Final = 1 << 18  # characters for the screen; with as much waiting, no more is read from the server
_STYLES: Final = Styles.from_dict(
    {  # the terminal's own 16 colours, for it knows its background; not bright black, which some palettes hide
        "time": "dim",
        "name": "bold",
        "own": "ansigreen",
        "direct": "ansimagenta bold",
        "presence": "dim",
        "hint": "ansicyan",
        "trouble": "ansired bold",
    }
)


def run(link: Link, name: str, tokens: Tokens, *, is_first: bool) -> int:
    """Chats until the person leaves (gives 0) or the connection is lost for good (gives 1). `name` may be empty.

    Whose first run it is, is shown how to begin.
    """
    try:
        return asyncio.run(Terminal(link, tokens=tokens, is_first=is_first).run(name))
    except KeyboardInterrupt:  # Ctrl-C while no question was open
        return 0


class Terminal:
    """The screen and the keyboard of one chat."""

    def __init__(
        self,
        link: Link,
        source: Input | None = None,
        target: Output | None = None,
        *,
        tokens: Tokens | None = None,
        is_first: bool = False,
    ) -> None:
        self._tokens = tokens
        self._is_first = is_first
        self._session = Session(link, self.show, self._end_from_any_thread)
        self._dialogue = Dialogue()
        keys = _Keys(self._dialogue, self._session)
        make = partial(_prompt_session, source, target, keys)
        self._operations = make(InMemoryHistory())
        self._answers = make(InMemoryHistory())  # apart, so that the arrow keys bring messages to a message
        self._logins = make(DummyHistory())  # remembers no password
        self._asking: PromptSession[str] | None = None
        self._lost: ConnectionLostError | None = None
        self._lock = threading.Lock()  # guards what follows
        self._waiting: list[Line] = []
        self._size = 0  # characters in _waiting
        self._gone = False  # nothing is printed any more
        self._printed = threading.Condition(self._lock)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrived = asyncio.Event()

    async def run(self, name: str) -> int:
        """Logs in and chats; gives the exit status. No thread is left, and everything that came is on the screen."""
        self._loop = asyncio.get_running_loop()
        printer = asyncio.create_task(self._print_arrivals())
        try:
            # Anything else that prints, such as a thread's last words, must not break the typed line either.
            with patch_stdout():
                self._session.start()
                await LoginDialogue(self._session, self._ask_who, self.show, self._tokens).run(name)
                if self._is_first:
                    self.show([hint(text) for text in first_texts()])
                await self._chat()
        except EOFError:  # Ctrl-C or Ctrl-D
            return 0
        except ConnectionLostError:  # the session has said why
            return 1
        finally:
            try:
                await asyncio.to_thread(self._session.leave)  # what comes meanwhile is shown still
            finally:
                printer.cancel()
                self._print_waiting()
                with self._lock:
                    self._gone = True
                    self._printed.notify_all()
        return 0

    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on the screen, above what is being typed. From any thread; any but the main one waits for room."""
        with self._lock:
            if threading.current_thread() is not threading.main_thread():
                # So a flood comes no faster than it can be shown, and the keyboard gets its turn.
                self._printed.wait_for(lambda: self._size < MOST_WAITING or self._gone)
            self._waiting += lines
            self._size += sum(len(line.text) for line in lines)
        if self._loop:
            self._loop.call_soon_threadsafe(self._arrived.set)

    # -- asking -------------------------------------------------------------------------------------------------------
    async def _chat(self) -> None:
        while True:
            if self._dialogue.question is None:
                typed = await self._ask(self._operations, PROMPT)
            else:
                typed = await self._ask(self._answers, self._dialogue.prompt)
            action = self._dialogue.take(typed)
            if isinstance(action, Ex):
                return  # leaving says it
            if action is not None:
                # Its reply is shown when it comes; the person may type on meanwhile.
                self._session.perform(action)

    async def _ask_who(self, question: str, *, is_secret: bool = False) -> str:
        return await self._ask(self._logins, question, is_secret=is_secret)

    async def _ask(self, prompt: PromptSession[str], question: str, *, is_secret: bool = False) -> str:
        """What the person answers. Raises EOFError if she leaves, ConnectionLostError if the connection is lost."""
        self._print_waiting()
        if self._lost:
            raise self._lost
        self._asking = prompt
        try:
            return await prompt.prompt_async(question, is_password=is_secret)
        finally:
            self._asking = None

    def _end_from_any_thread(self, error: ConnectionLostError) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._end, error)

    def _end(self, error: ConnectionLostError) -> None:
        self._lost = error
        if self._asking and self._asking.app.is_running and not self._asking.app.is_done:
            draft = self._asking.default_buffer.text
            if draft and not self._asking.is_password:  # the line that it stands on is about to be erased
                self.show([Line(("hint", "You were typing: "), ("", body(draft)))])
            self._asking.app.exit(exception=error)

    # -- printing -----------------------------------------------------------------------------------------------------
    async def _print_arrivals(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if self._waiting:  # else the next question has printed them already
                await run_in_terminal(self._print_waiting)  # hides the typed line meanwhile

    def _print_waiting(self) -> None:
        with self._lock:
            lines, self._waiting, self._size = self._waiting, [], 0
            self._printed.notify_all()
        parts = [
            (f"class:{style}" if style else "", text) for line in lines for style, text in (*line.parts, ("", "\n"))
        ]
        if parts:
            print_formatted_text(self._operations.output, FormattedText(parts), _STYLES)


class _Keys(Completer):
    """Completion by Tab: operations, and names where a name is due."""

    def __init__(self, dialogue: Dialogue, session: Session) -> None:
        self._dialogue = dialogue
        self._session = session

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        """The words that may follow, for prompt_toolkit."""
        typed = document.text_before_cursor
        last = "" if typed[-1:].isspace() else "".join(typed.split()[-1:])
        for word in completions(typed, self._dialogue.question, self._session.names()):
            yield Completion(word, start_position=-len(last))


def _prompt_session(
    source: Input | None, target: Output | None, completer: Completer, history: History
) -> PromptSession[str]:
    return PromptSession(
        input=source,
        output=target,
        completer=completer,
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        history=history,
        erase_when_done=True,  # what was typed comes back as a message, with its time and whom it reached
        interrupt_exception=EOFError,  # Ctrl-C leaves, as Ctrl-D does
    )
