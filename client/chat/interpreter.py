"""From typed lines to what to do: operations, answers to what they still need, and talk, where lines are messages.

Pure: an `Interpreter` never sends, prints or asks by itself.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Final

from client.chat import customs
from client.chat.actions import (
    Action,
    Argument,
    InChat,
    InTalk,
    Mistake,
    Operation,
    Operations,
    fill,
    first_word,
)
from client.chat.addressing import ALL, EVERYONE, compose, excess, shown_target
from client.chat.completion import complete, complete_argument
from client.chat.operations import OPERATIONS, PROMPT
from client.chat.talk import Talk
from client.chat.targets import Targets
from client.chat.turns import Turns
from client.text import sendable, shortened, shown_name
from service.wire.protocol import Dm, HelloEvent, Pm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_DRAFT: Final = 600  # characters of a line that comes back; a longer one would cover a small screen
_OFFERED: Final = 30  # characters of a line that is offered to be sent


class Interpreter(Turns):
    """Knows what the user is at: typing an operation, answering what it still needs, or talking.

    An answer is taken as it is typed, so a message may be `EX`; an empty answer cancels the operation. In plain typing
    (TALK all) what is no operation goes to everyone. In a talk with one person, or a room, an operation takes a slash,
    so that nothing goes elsewhere; a line that would be one without it is sent only when it is entered twice.
    """

    def __init__(
        self,
        last_sender: Callable[[], str] = str,
        hello: HelloEvent | None = None,
        *,
        operations: Operations = OPERATIONS,
        has_terminal: bool = True,
        knows: Callable[[str], bool] = lambda _: True,
        has_room: Callable[[str], bool] = lambda _: False,
        keep_talk: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`last_sender` gives whom REPLY answers, or "". With `hello`, at a terminal, what is too long comes back.

        A name that `knows` does not know is asked about before it is used; `has_room` tells in which rooms the user is.
        `keep_talk` gets "all" and "off" for the next start. Without a terminal all is as it was for the oldest scripts.
        """
        targets = Targets(knows, has_room, (hello.main_room if hello else None) or ALL)
        super().__init__(Talk(keep_talk), targets, operations, has_terminal=has_terminal)
        self.draft = ""  # what the next line begins with
        self._last_sender = last_sender
        self._hello = hello
        self._by_name = {operation.name: operation for operation in operations}
        self._operation: Operation | None = None
        self._given: list[Any] = []
        self._offered = ""  # the line that is sent if the user says yes
        self._behind = ""  # what was typed in place of a yes or no: it comes back after the answer
        self._doubtful = ""  # a line that looks like an operation; entered once more it is sent

    def begin(self, talk: str) -> None:
        """After the login: with `all` plain typing is on, with `off` it is not; else it is offered once."""
        self.talking.recall(talk)

    @property
    def prompt(self) -> str:
        """The question in words, or where a line will go."""
        if self.question:
            return self._asked(self.question)
        return f"{shortened(shown_target(self.talk))}> " if self.talk else PROMPT

    @property
    def question(self) -> Argument | None:
        """What is being asked for; None while an operation, or a line of a talk, is awaited."""
        if self._offered:
            return Argument(
                f'Send "{shortened(self._offered, _OFFERED)}" to everyone, and such lines from now on? y/n ',
                is_name=True,
            )
        return self._operation.arguments[len(self._given)] if self._operation else None

    @property
    def takes_text(self) -> bool:
        """Whether the next line is most likely no operation."""
        return bool(self.question or self.talk)

    @property
    def takes_word(self) -> bool:
        """Whether the next line is a name or a yes: nothing to bring back later."""
        return self.question is not None and self.question.is_name

    @property
    def takes_operation(self) -> bool:
        """Whether the next line may be an operation without a slash."""
        return not (self.question or self.talking.partner)

    def take_draft(self) -> str:
        """What the next line begins with, once."""
        draft, self.draft = self.draft, ""
        return draft

    def take(self, line: str) -> Action | None:
        """What a typed line (without its line end) asks for; None if for nothing yet."""
        line = sendable(line)
        asked, line_sent = (self._operation, self._given), self._offered or line
        action = self._take(line)
        if (
            isinstance(action, (Pm, Dm))
            and self._hello
            and self._has_terminal
            and (problem := excess(action, self._hello))
        ):
            if len(line_sent) > MOST_DRAFT:
                return Mistake(f"{problem} EDIT has the text.", unsent=action)
            (self._operation, self._given), self.draft = asked, line_sent
            return Mistake(f"{problem} Shorten it, or EDIT it.", unsent=action)
        return action

    def cancel(self) -> None:
        """Asks no more for what an operation needs."""
        self._operation, self._given, self._offered, self._behind = None, [], "", ""

    def message(self, line: str) -> Pm | Dm | None:
        """The message that a line would send, if any; for a text that was not typed. Changes nothing."""
        rest = sendable(line).rstrip()
        if self._offered:
            return None
        if self._operation is None and self.talk and not rest.lstrip().startswith("/"):
            begun = None if self.talking.partner else self._message_of_operation(rest)  # in plain typing it may be one
            return begun or compose(self.talk, rest)
        return self._message_of_operation(rest)

    def _message_of_operation(self, rest: str) -> Pm | Dm | None:
        operation, given = self._operation, self._given
        if operation is None:
            is_slashed = rest.lstrip().startswith("/")
            word, rest = first_word(rest.lstrip().removeprefix("/"))
            operation, given = self._find(word, is_slashed=is_slashed), []
        elif operation.arguments[len(given)].is_name:
            return None
        filled = fill(operation, given, rest) if operation else None
        if operation is None or filled is None or len(filled) < len(operation.arguments):
            return None
        action: Action | InTalk | None = operation.make(*filled)
        if isinstance(action, InTalk):
            preview = copy(self)  # only the copy changes
            preview.talking = copy(self.talking)
            preview.talking.keep = lambda _: None
            action = action.do(preview)
        return action if isinstance(action, (Pm, Dm)) else None

    def completions(self, typed: str, names: Sequence[str], rooms: Sequence[str] = ()) -> list[str]:
        """The words that could stand in place of the last one of `typed`, which may be empty.

        Operations keep its case; in a message, what begins with @ becomes a name.
        """
        if self._offered:
            return []
        if self._operation is None:
            needs_slash = bool(self.talking.partner)
            return complete(typed, names, self._by_name, needs_slash=needs_slash, rooms=rooms)
        return complete_argument(typed, names, self.question, rooms)

    def _asked(self, question: Argument) -> str:
        given = [shown_name(each or "") for each in self._given]
        return question.question if self._offered else question.question.format(*given)

    def _take(self, line: str) -> Action | None:
        doubtful, self._doubtful = self._doubtful, ""
        text = line.strip()
        if self._offered:
            return self._answer_offer(text)
        if self._operation is not None:
            return self._answer(self._operation, line)
        if not text:
            return None
        if self.talk and text.startswith("//"):
            return compose(self.talk, line.rstrip().replace("/", "", 1))
        is_slashed = text.startswith("/")
        if self.talk and not is_slashed:
            is_sure = text == doubtful
            return (
                self._say(line.rstrip(), is_sure=is_sure)
                if self.talking.partner
                else self._say_plainly(line, is_sure=is_sure)
            )
        action = self._start(text.removeprefix("/").lstrip(), is_slashed=is_slashed)
        if self.talk and isinstance(action, Mistake):
            self.draft = line
        return action

    def _say(self, line: str, *, is_sure: bool) -> Action:
        """A line of a talk with one person."""
        text = line.lstrip()
        return self._doubt(text) if not is_sure and self._would_do_something(text) else compose(self.talk, line)

    def _doubt(self, text: str) -> Mistake:
        """It comes back with a slash, as an operation; the same line again is sent."""
        self._doubtful, self.draft = text, f"/{text}"
        word = text.split(maxsplit=1)[0]
        return Mistake(f"/{word} does the operation; the same line again, without the slash, is sent.")

    def _would_do_something(self, text: str) -> bool:
        """Whether a line of a talk would be an operation elsewhere; "users complain" would not."""
        word, rest = first_word(text)
        if (operation := self._find(word, is_slashed=False)) and operation.is_of_rooms and rest:
            return self._is_meant(operation, word, rest)
        elsewhere = Interpreter(lambda: "someone", operations=self._operations, has_terminal=self._has_terminal)
        return not isinstance(elsewhere.take(text), Mistake)

    def _is_meant(self, operation: Operation, word: str, rest: str) -> bool:
        """Whether a line may be this operation: it fits, and who is named is there. "kick off at nine" is talk."""
        if not customs.fits(operation, word, rest):
            return False
        given = dict(zip(operation.arguments, fill(operation, [], rest) or [], strict=False))
        return all(
            self._targets.knows(name) for place, name in given.items() if name and place.is_name and not place.is_room
        )

    def _say_plainly(self, line: str, *, is_sure: bool) -> Action | None:
        """A line of plain typing: an operation if it is one as a whole, else a message to everyone."""
        text = line.strip()
        word, rest = first_word(text)
        operation = self._find(word, is_slashed=False)
        if is_sure:
            return compose(EVERYONE, line.rstrip())
        if operation and operation.is_of_rooms and rest:
            if self._is_meant(operation, word, rest):
                return self._doubt(text)
        elif operation and customs.fits(operation, word, rest):
            action = self._start(text)
            if isinstance(action, Mistake):
                self.draft = line
            return action
        if operation and operation.is_secret:
            self._doubtful = text  # and no draft: it is not shown again
            return Mistake(f"Not sent: a password? {operation.name} alone asks for it. The same line again is sent.")
        slip = self._by_name.get(customs.meant(word, self._by_name))
        if slip and customs.fits(slip, word, rest):
            self._doubtful, self.draft = text, line
            return Mistake(f"Not sent: is this {slip.name}? The same line again is sent.")
        return compose(EVERYONE, line.rstrip())

    def _find(self, word: str, *, is_slashed: bool) -> Operation | None:
        name = customs.renamed(word, is_slashed=is_slashed) if self._has_terminal else word.upper()
        operation = self._by_name.get(name)
        return operation if is_slashed or not operation or not operation.needs_slash else None

    def _start(self, line: str, *, is_slashed: bool = False) -> Action | None:
        word, rest = first_word(line)
        operation = self._find(word, is_slashed=is_slashed)
        if operation is None:
            return self._wonder(line, word, is_slashed=is_slashed)
        if operation.needs_terminal and not self._has_terminal:
            return Mistake(f"{operation.name} needs a terminal.")
        if rest and not operation.arguments:
            return Mistake(f"{operation.name} stands alone; nothing was done.")
        return self._next(operation, rest)

    def _wonder(self, line: str, word: str, *, is_slashed: bool) -> Action | None:
        """What to do with a line that begins with no operation."""
        meant = ""
        if self._has_terminal:
            if is_slashed and (answer := customs.answer(word)):
                return Mistake(answer)
            meant = customs.meant(word, self._by_name)
        if self.talking.may_offer and not is_slashed and not meant:
            self._offered = line
            return None
        how = f"{meant}?" if meant else "// sends a slash." if self.talk else "PM writes to everyone;"
        slash = "/" if self.talk else ""
        return Mistake(f'No operation "{shortened(word)}". {how} {slash}HELP shows all.')

    def _answer_offer(self, text: str) -> Action | None:
        """The user says whether a line that is no operation goes to everyone."""
        line, answer = self._offered, text.casefold()
        if answer in {"y", "yes"}:
            self.draft = self._behind
            self.cancel()
            self.talking.turn_to_everyone()
            return compose(EVERYONE, line)
        if answer and answer not in {"n", "no"}:
            self._behind = text
            return Mistake("Type y for yes, or n for no: then what you typed comes back. With y, plain lines are sent.")
        self.draft = self._behind
        self.cancel()
        self.talking.may_offer = False
        return self._wonder(line, first_word(line)[0], is_slashed=False)

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
            return self._before_asking(operation, given)
        action: Action | InTalk = operation.make(*given)
        return action.do(self) if isinstance(action, InTalk) else action

    def _before_asking(self, operation: Operation, given: list[Any]) -> Action | None:
        """What to do before the next question: who is online before a name; whether it exists before a text."""
        names = [place.is_name and not place.is_room for place in operation.arguments]
        if names[len(given)] and not any(given) and self._has_terminal:
            return InChat(lambda chat: chat.show_online())
        if given and names[len(given) - 1] and not self._targets.knows(given[-1]):
            return self._if_user(given[-1], lambda _: None, self.cancel)
        return None

    # -- for operations -----------------------------------------------------------------------------------------------
    def turn(self, target: str, typed: str) -> Action:
        """A key turns to another conversation, while `typed` stands on the line.

        A text that was asked for comes back with its operation: by itself it would go to who is talked with.
        """
        if self._offered:
            typed = self._offered
        elif self._operation is not None:
            given = [str(each) for each in self._given if each is not None]
            typed = " ".join([f"/{self._operation.name.lower()}", *given, typed])
        self.cancel()
        action, self.draft = self.talking.turn(target, typed)
        return action

    def reply(self, text: str | None) -> Action | None:
        """Answers the sender of the newest direct message; asks for the text if it is None."""
        sender = self._last_sender()
        if not sender:
            return Mistake("Nobody has written to you directly yet. DM writes to one person.")
        self._given = [sender]  # now: a message that comes before the text changes nothing
        return self._next(self._by_name["DM"], text or "")
