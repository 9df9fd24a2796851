"""What the screen shows beside the talk, looked up in the model at one moment. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from client.chat.addressing import EVERYONE, ROOM
from client.text import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.chat.model import Model
    from client.chat.roll import Person
    from client.render.status_bar import Tab


@dataclass(frozen=True, slots=True)
class Sight:
    """The conversation that is held, and all others. Every text is safe to show."""

    target: str
    title: str
    topic: str
    here: str  # how many are there, in words
    people: Sequence[Person]  # those that are known
    count: int  # of all people
    tabs: Sequence[Tab]
    is_connected: bool


def look(model: Model) -> Sight:
    """What there is to see."""
    conversations = model.conversations
    target = conversations.held
    conversation, people = conversations[target], model.roll.list(target)
    count = len(people)
    if target == EVERYONE:
        count = model.people.online
        here = f"{count:,} online"
    elif target.startswith(ROOM):
        count = max(conversation.members, count)
        here = counted(count, "member")
    else:
        here = "online" if model.people.is_online(target) else "away"
    tabs = conversations.tabs()
    title = next((tab.title for tab in tabs if tab.is_held), conversation.title)
    return Sight(target, title, one_line(conversation.topic), here, people, count, tabs, model.is_connected)


def state(sight: Sight, pending: int) -> tuple[str, bool]:
    """Who is there, or what is not well, in words; and whether all is well."""
    if sight.is_connected:
        return sight.here, True
    waiting = f", {counted(pending, 'message')} wait{'s' if pending == 1 else ''}" if pending else ""
    return f"Reconnecting{waiting}", False
