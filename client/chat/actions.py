"""What an operation is, what it may use, and what a typed line can ask for. Pure: nothing here is done or sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from client.chat.addressing import ROOM
from service.wire.protocol import AnyCommand, Dm, Pm

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Future

    from client.text import Line
    from service.wire.protocol import AnyEvent, Create, Join


# -- what an operation may use ----------------------------------------------------------------------------------------
class TalkActions(Protocol):
    """What the interpreter does for an operation: it knows where lines go."""

    def turn_to(self, to: str | None) -> Action | None:
        """Has each line go to a name, or EVERYONE, or with `off` nowhere; None: says where it goes."""

    def mute(self, name: str | None) -> Action | None:
        """Hides what this person writes, or shows it again; None: says who is muted."""

    def act(self, text: str) -> Action:
        """Tells those whom a line of talk would go to what the user does; without a talk, everyone."""

    def reply(self, text: str | None) -> Action | None:
        """Answers the sender of the newest direct message; asks for the text if it is None."""

    def help(self, *, about_rooms: bool) -> Action:
        """Shows the operations, or those about rooms."""

    def look_back(self, name: str | None, count: int | None) -> Action:
        """Shows the newest messages of a conversation, or of the one that is held."""

    def in_room(self, room: str | None, operation: str, make: Callable[[str], Action]) -> Action:
        """Does what `make` makes of a room's name: the one named, or the one that is held."""

    def leave(self, room: str | None) -> Action:
        """Leaves a room; if it is held, the main room is held from then on."""


class ChatActions(Protocol):
    """What the session does for an operation. Each gives the reply to come, if something was sent."""

    def show(self, lines: Sequence[Line]) -> None:
        """Puts lines on show."""

    def show_help(self, operations: Operations, *, about_rooms: bool) -> None:
        """Shows HELP, or what it says about rooms."""

    def show_history(self, target: str | None, count: int | None) -> Future[AnyEvent] | None:
        """Asks for the newest messages of a conversation, or of the one that is held; so many, or as many as fit."""

    def show_online(self) -> None:
        """Shows who is online."""

    def show_older(self) -> Future[AnyEvent] | None:
        """Asks for the page before the last one."""

    def show_news(self) -> Future[AnyEvent] | None:
        """Asks for what is missed and unread."""

    def show_around(self, message_id: int) -> Future[AnyEvent] | None:
        """Asks for the talk around a match of SEARCH."""

    def delete(self, message_id: int) -> Future[AnyEvent] | None:
        """Deletes a message; at a terminal only one that is on show."""

    def offer_deletion(self) -> None:
        """Says how to delete the user's last message."""

    def mute(self, name: str | None) -> None:
        """Hides what this person writes, or shows it again; None: says who is muted."""

    def ask(self, command: AnyCommand) -> Future[AnyEvent]:
        """Sends a command."""

    def hold(self, target: str) -> Future[AnyEvent] | None:
        """Holds a conversation, and shows what is unread in it."""

    def leave(self, room: str) -> Future[AnyEvent]:
        """Leaves a room; if it is held, the main room is held from then on."""

    def list_conversations(self, where: str = "") -> None:
        """Shows all conversations, with what is unread in each, if they stand apart; and where lines go."""

    def show_topic(self, room: str) -> None:
        """Shows what a room is about."""


class TerminalActions(Protocol):
    """What only a terminal can do for an operation: it asks the user for more than arguments."""

    async def edit(self, to: str | None) -> None:
        """Has a text written in an editor, and sends it to a name, or EVERYONE; None: where it seems to belong."""

    async def read_older(self) -> None:
        """Shows what was said before on the whole screen, to read on in."""

    async def change_password(self) -> None:
        """Asks for the old password and the new one."""

    async def enter(self, command: Join | Create) -> None:
        """Joins or makes a room, and holds it."""

    async def if_user(self, name: str, then: Callable[[str], Action | None], otherwise: Callable[[], None]) -> None:
        """Does `then` with the name as the server spells it, if there is such a user; else `otherwise`, and says so."""


# -- what a typed line asks for ---------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Mistake:
    """Nothing was done: `text` says why, in one line, and what to type instead. `unsent` is a message, for EDIT."""

    text: str
    unsent: Pm | Dm | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know; it is done already. `held`: and from now on this conversation is held."""

    lines: tuple[str, ...]
    held: str = ""


@dataclass(frozen=True, slots=True)
class InTalk:
    """To be done by the interpreter, which does it at once."""

    do: Callable[[TalkActions], Action | None]


@dataclass(frozen=True, slots=True)
class InChat:
    """To be done by the session."""

    do: Callable[[ChatActions], Future[AnyEvent] | None]


@dataclass(frozen=True, slots=True)
class AtTerminal:
    """To be done where a user can be asked; without a terminal by the session, if it can."""

    do: Callable[[TerminalActions], Awaitable[None]]
    otherwise: InChat | None = None


Action = AnyCommand | Mistake | Notice | InChat | AtTerminal  # a command is to be sent


# -- an operation -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Argument:
    """What an operation needs. A name is one word; any other argument takes the rest of the line.

    `question` asks for it; in it `{0}` stands for the first argument given. What names a room `is_room`; one that
    `needs_mark` is there only if it begins with `#`.
    """

    question: str
    is_name: bool = False
    is_room: bool = False
    needs_mark: bool = False
    is_optional: bool = False  # then it is never asked for
    may_be_everyone: bool = False  # or a room: a mark says which


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. `make` takes the arguments in order (None for an optional one that was left out)."""

    name: str
    usage: str
    explain: str
    arguments: tuple[Argument, ...]
    make: Callable[..., Action | InTalk]
    needs_terminal: bool = False
    needs_slash: bool = False  # without it the line is talk: "me too"
    is_of_rooms: bool = False  # HELP rooms has it; and talk may begin so: "kick off at nine"
    is_secret: bool = False  # what is typed behind its name may be a password


Operations = tuple[Operation, ...]


def fill(operation: Operation, given: Sequence[Any], text: str) -> list[Any] | None:
    """The arguments given so far and those in `text`, as many as there are; None if some text is left over."""
    filled = [*given]
    for argument in operation.arguments[len(given) :]:
        if argument.needs_mark and not text.startswith(ROOM):
            value = ""
        elif argument.is_name:
            value, text = first_word(text)
        else:
            value, text = text, ""
        if argument.is_name and not argument.may_be_everyone:
            value = value.removeprefix(ROOM if argument.is_room else "@")
        if not value and not argument.is_optional:  # a mark alone is no name
            return None if text else filled
        filled.append(value or None)
    return None if text else filled


def first_word(text: str) -> tuple[str, str]:
    """The first word of `text`, and what follows the white space after it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0] if rest else ""
