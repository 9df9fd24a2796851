"""From typed lines to what to do: operations, answers to what they still need, and talks, where lines are messages.

Pure: an `Interpreter` never sends, prints or asks by itself.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from client.chat.operations import (
    ALL,
    EVERYONE,
    OPERATIONS,
    PROMPT,
    Action,
    Argument,
    InChat,
    InTalk,
    Mistake,
    Notice,
    Operation,
    Operations,
    compose,
    excess,
    fill,
    first_word,
    shown_target,
    target_of,
)
from client.text import one_line, sendable, shown_name
from service.wire.protocol import Dm, HelloEvent, Pm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_DRAFT: Final = 600  # characters of a line that comes back; a longer one would cover a small screen
_QUOTED: Final = 16  # characters of a typed word, so that the explanation stays one line


class Interpreter:
    """Knows what the user is at: typing an operation, answering what it still needs, or in a talk.

    An answer is taken as it is typed, so a message may be `EX`; an empty answer cancels the operation. In a talk an
    operation takes a slash; a line that would be one without it is sent only when it is entered twice.
    """

    def __init__(
        self,
        last_sender: Callable[[], str] = str,
        hello: HelloEvent | None = None,
        *,
        operations: Operations = OPERATIONS,
        has_terminal: bool = True,
    ) -> None:
        """`last_sender` gives whom REPLY answers, or "". With `hello`, a message that is too long comes back."""
        self.draft = ""  # what the next line begins with
        self._last_sender = last_sender
        self._hello = hello
        self._operations = operations
        self._by_name = {operation.name: operation for operation in operations}
        self._has_terminal = has_terminal
        self._operation: Operation | None = None
        self._given: list[Any] = []
        self._talk = ""  # a name, or EVERYONE; empty: none
        self._has_talked = False  # and so was told how
        self._doubtful = ""  # a line that looks like an operation; entered once more it is sent

    @property
    def prompt(self) -> str:
        """The question in words, or where a line will go."""
        if self.question:
            return self.question.question.format(*map(shown_name, self._given))
        return f"{_short(shown_target(self._talk))}> " if self._talk else PROMPT

    @property
    def question(self) -> Argument | None:
        """What is being asked for; None while an operation, or a line of a talk, is awaited."""
        return self._operation.arguments[len(self._given)] if self._operation else None

    @property
    def talk(self) -> str:
        """Where the lines of the talk go: a name, or EVERYONE; empty without a talk."""
        return self._talk

    @property
    def takes_text(self) -> bool:
        """Whether the next line is most likely no operation."""
        return bool(self._operation or self._talk)

    def take_draft(self) -> str:
        """What the next line begins with, once."""
        draft, self.draft = self.draft, ""
        return draft

    def take(self, line: str) -> Action | None:
        """What a typed line (without its line end) asks for; None if for nothing yet."""
        line = sendable(line)
        asked = self._operation, self._given
        action = self._take(line)
        if isinstance(action, (Pm, Dm)) and self._hello and (problem := excess(action, self._hello)):
            if len(line) > MOST_DRAFT:
                return Mistake(f"{problem} EDIT has the text.", unsent=action)
            (self._operation, self._given), self.draft = asked, line
            return Mistake(f"{problem} Shorten it, or EDIT it.", unsent=action)
        return action

    def cancel(self) -> None:
        """Asks no more for what an operation needs."""
        self._operation, self._given = None, []

    def message(self, line: str) -> Pm | Dm | None:
        """The message that a line would send, if any; for a text that was not typed. Changes nothing."""
        operation, given, rest = self._operation, self._given, sendable(line).rstrip()
        if operation is None and self._talk and not rest.lstrip().startswith("/"):
            return compose(self._talk, rest)
        if operation is None:
            word, rest = first_word(rest.lstrip().removeprefix("/"))
            operation, given = self._by_name.get(word.upper()), []
        elif operation.arguments[len(given)].is_name:
            return None
        filled = fill(operation, given, rest) if operation else None
        if operation is None or filled is None or len(filled) < len(operation.arguments):
            return None
        action: Action | InTalk | None = operation.make(*filled)
        if isinstance(action, InTalk):
            action = action.do(copy(self))  # only the copy changes
        return action if isinstance(action, (Pm, Dm)) else None

    def completions(self, typed: str, names: Sequence[str]) -> list[str]:
        """The words that could stand in place of the last one of `typed`, which may be empty.

        Operations keep its case; in a message, what begins with @ becomes a name.
        """
        words = typed.split()
        last = words.pop() if words and not typed[-1].isspace() else ""
        slash = "/" if typed.lstrip().startswith("/") else ""
        place = self.question if self.question and not (self.question.is_name and words) else None
        if self._operation is None and (slash or not self._talk):
            if not words:
                every = [f"{slash}{operation.name}" for operation in self._operations]
                return _beginning_with(last, [name.lower() for name in every] if last.islower() else every)
            operation = self._by_name.get(words[0].removeprefix("/").upper())
            arguments = operation.arguments if operation else ()
            place = arguments[min(len(words), len(arguments)) - 1] if arguments else None
            if place and place.is_name and len(words) > len(arguments):
                return []
        if place and place.is_name:
            return _beginning_with(last, [*names, ALL] if place.may_be_everyone else names)
        return _beginning_with(last, [f"@{name}" for name in names]) if last.startswith("@") else []

    def _take(self, line: str) -> Action | None:
        doubtful, self._doubtful = self._doubtful, ""
        text = line.strip()
        if self._operation is not None:
            return self._answer(self._operation, line)
        if not text:
            return None
        if self._talk and (text.startswith("//") or not text.startswith("/")):
            return self._say(line.rstrip(), is_sure=text == doubtful)
        action = self._start(text.removeprefix("/").lstrip())
        if self._talk and isinstance(action, Mistake):
            self.draft = line
        return action

    def _say(self, line: str, *, is_sure: bool) -> Action:
        text = line.lstrip()
        if text.startswith("//"):
            return compose(self._talk, line.replace("/", "", 1))
        if not is_sure and self._would_do_something(text):
            self._doubtful, self.draft = text, f"/{text}"
            word = text.split()[0]
            return Mistake(f"/{word} does the operation; the same line again, without the slash, is sent.")
        return compose(self._talk, line)

    def _would_do_something(self, text: str) -> bool:
        """Whether a line of a talk would be an operation elsewhere; "users complain" would not."""
        elsewhere = Interpreter(lambda: "someone", operations=self._operations)
        elsewhere.take(f"talk {ALL}")
        return not isinstance(elsewhere.take(f"/{text}"), Mistake)

    def _start(self, line: str) -> Action | None:
        word, rest = first_word(line)
        operation = self._by_name.get(word.upper())
        if operation is None:
            how = "// sends a slash" if self._talk else "PM writes to everyone"
            slash = "/" if self._talk else ""
            return Mistake(f'No operation "{_short(word)}". {how}; {slash}HELP shows all.')
        if operation.needs_terminal and not self._has_terminal:
            return Mistake(f"{operation.name} needs a terminal.")
        if rest and not operation.arguments:
            return Mistake(f"{operation.name} stands alone; nothing was done.")
        return self._next(operation, rest)

    def _answer(self, operation: Operation, line: str) -> Action | None:
        if not line.strip():
            self.cancel()
            return Mistake(f"{operation.name} cancelled.")
        if operation.arguments[len(self._given)].is_name and len(line.split()) > 1:
            self.cancel()
            return Mistake("A name is one word; nothing was sent.")
        return self._next(operation, line.rstrip())

    def _next(self, operation: Operation, text: str) -> Action | None:
        """Fills in arguments from `text`, and does the operation once all are there."""
        given = fill(operation, self._given, text)
        self.cancel()
        if given is None:
            return Mistake(f"Too much for {operation.name}. Type: {operation.usage}")
        if len(given) < len(operation.arguments):
            self._operation, self._given = operation, given
            return None
        action: Action | InTalk = operation.make(*given)
        return action.do(self) if isinstance(action, InTalk) else action

    # -- for operations -----------------------------------------------------------------------------------------------
    def turn_to(self, to: str | None) -> Action:
        """Has each line go to a name, or EVERYONE; None: no longer."""
        before, self._talk = self._talk, target_of(to or "")
        if not self._talk:
            if not before:
                return Mistake("TALK bob has each line go to bob, TALK all to everyone; then /talk ends it.")
            return Notice((f"You talk to {_whom(before)} no longer. PM, DM and EX are as before.",))
        lines = [f"What you type goes to {_whom(self._talk)} now, until /talk."]
        if not self._has_talked:
            self._has_talked = True
            lines.append("Operations take a slash: /ex leaves, /help shows all. // sends a slash.")
        return Notice(tuple(lines))

    def reply(self, text: str | None) -> Action | None:
        """Answers the sender of the newest direct message; asks for the text if it is None."""
        sender = self._last_sender()
        if not sender:
            return Mistake("Nobody has written to you directly yet. DM writes to one person.")
        self._given = [sender]  # now: a message that comes before the text changes nothing
        return self._next(self._by_name["DM"], text or "")

    def help(self) -> Action:
        """Shows all operations."""
        return InChat(lambda chat: chat.show_help(self._operations))


def _beginning_with(start: str, words: Sequence[str]) -> list[str]:
    return [word for word in words if word.casefold().startswith(start.casefold())]


def _whom(target: str) -> str:
    return "everyone" if target == EVERYONE else _short(shown_name(target))


def _short(word: str) -> str:
    return one_line(word if len(word) <= _QUOTED else word[:_QUOTED] + "…")
