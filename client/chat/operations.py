"""The table of operations: what can be typed, with its arguments, its explanation and what it does.

An operation is one row: the interpreter parses by it, HELP and completion are made from it, and it carries its deed.
Pure: nothing here sends, prints or asks.
"""

from __future__ import annotations

from typing import Final

from client.chat.actions import Action, Argument, AtTerminal, InChat, InTalk, Mistake, Operation, Operations
from client.chat.addressing import ROOM, compose, target_of
from client.chat.room_operations import ROOM_OPERATIONS
from service.wire.limits import MAX_PAGE
from service.wire.protocol import Dm, Ex, Missed, Pm, Search, Users

PROMPT: Final = "PM/DM/EX> "

_NAME: Final = Argument("To: ", is_name=True)
_DIGITS: Final = 18  # of an id: it fits 64 bits
_MAYBE_NAME: Final = Argument("", is_name=True, is_optional=True)
_TARGET: Final = Argument("", is_name=True, is_optional=True, may_be_everyone=True)


def _around(number: str) -> Action:
    message_id = _id_of(number)
    if message_id is None:
        return Mistake("AROUND takes the number behind a match, such as 17. SEARCH shows them.")
    return InChat(lambda chat: chat.show_around(message_id))


def _delete(number: str | None) -> Action:
    if number is None:
        return InChat(lambda chat: chat.offer_deletion())
    message_id = _id_of(number)
    if message_id is None:
        return Mistake("DELETE takes a message's number, such as 17. DELETE alone says that of your last message.")
    return InChat(lambda chat: chat.delete(message_id))


def _id_of(number: str) -> int | None:
    digits = number.strip().removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else None


def _history(first: str | None, second: str | None) -> Action | InTalk:
    name, count = (None, first) if second is None and first and first.isdigit() else (first, second)
    if count is not None and count not in map(str, range(1, MAX_PAGE + 1)):
        return Mistake(f"HISTORY takes a name and a number from 1 to {MAX_PAGE}, such as HISTORY bob 10.")
    return InTalk(lambda talk: talk.look_back(name, None if count is None else int(count)))


def _help(about: str | None) -> Action | InTalk:
    if about is not None and about.strip().casefold() != "rooms":
        return Mistake("HELP shows the operations, HELP rooms those about rooms.")
    return InTalk(lambda talk: talk.help(about_rooms=about is not None))


OPERATIONS: Final[Operations] = (
    Operation(
        "PM", "PM [message]", "write to everyone", (Argument("Message to all: "),), lambda text: Pm(message=text)
    ),
    Operation(
        "DM",
        "DM [name [message]]",
        "write to one person",
        (_NAME, Argument("Message to {0}: ")),
        lambda name, text: compose(name.lower(), text) if name.startswith(ROOM) else Dm(to=name, message=text),
    ),
    Operation(
        "REPLY",
        "REPLY [message]",
        "answer the last direct message",
        (Argument("", is_optional=True),),
        lambda text: InTalk(lambda talk: talk.reply(text)),
    ),
    Operation(
        "TALK",
        "TALK [name or all]",
        "have each line go there; TALK off ends it",
        (_TARGET,),
        lambda to: InTalk(lambda talk: talk.turn_to(to)),
    ),
    Operation(
        "EDIT",
        "EDIT [name or all]",
        "write a long text in $EDITOR",
        (_TARGET,),
        lambda to: AtTerminal(lambda terminal: terminal.edit(to and target_of(to))),
        needs_terminal=True,
    ),
    Operation(
        "ME",
        "ME words",
        "say what you do, with a slash: /me waves",
        (Argument("What do you do? "),),
        lambda text: InTalk(lambda talk: talk.act(text)),
        needs_slash=True,
    ),
    Operation("USERS", "USERS", "who is online", (), Users),
    Operation(
        "NEW",
        "NEW",
        "what you missed; Enter alone does the same",
        (),
        lambda: InChat(lambda chat: chat.show_news()),
    ),
    Operation("MISSED", "MISSED", "direct messages you have not seen", (), Missed),
    Operation(
        "HISTORY",
        "HISTORY [name] [N]",
        "what was said in the room, or with one person",
        (_TARGET, Argument("", is_optional=True)),
        _history,
    ),
    Operation(
        "SEARCH", "SEARCH words", "messages with these words", (Argument("Words: "),), lambda words: Search(query=words)
    ),
    Operation("AROUND", "AROUND number", "the talk around a match of SEARCH", (Argument("Number: "),), _around),
    Operation(
        "DELETE",
        "DELETE [number]",
        "delete a message of yours, by its number",
        (Argument("", is_optional=True),),
        _delete,
    ),
    Operation(
        "OLDER",
        "OLDER",
        "read what came before; Page Up does the same",
        (),
        lambda: AtTerminal(lambda terminal: terminal.read_older(), InChat(lambda chat: chat.show_older())),
    ),
    *ROOM_OPERATIONS,
    Operation(
        "MUTE",
        "MUTE [name]",
        "hide somebody here, or show them again",
        (_MAYBE_NAME,),
        lambda name: InTalk(lambda talk: talk.mute(name)),
    ),
    Operation(
        "PASSWORD",
        "PASSWORD",
        "change your password",
        (),
        lambda: AtTerminal(lambda terminal: terminal.change_password()),
        needs_terminal=True,
        is_secret=True,
    ),
    Operation(
        "HELP",
        "HELP [rooms]",
        "this list, or what is about rooms",
        (Argument("", is_optional=True),),
        _help,
    ),
    Operation("EX", "EX", "leave", (), Ex),
)
