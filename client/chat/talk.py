"""Where lines go that are no operations: to one person, to everyone, or nowhere; and how that is said. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from client.chat.actions import Mistake, Notice
from client.chat.addressing import ALL, EVERYONE, shown_target
from client.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.chat.actions import Action

OFF: Final = "off"  # after TALK: nobody. @off is a person
_AS_BEFORE: Final = "PM, DM and EX are as before."


class Talk:
    """Plain typing, and a talk with one person above it. `keep` gets "all" and "off" for the next start."""

    def __init__(self, keep: Callable[[str], None]) -> None:
        self.keep = keep
        self.partner = ""  # a target; EVERYONE without a terminal, and where the main room is turned to; empty: none
        self.is_plain = False  # what is no operation goes to everyone
        self.may_offer = False  # plain typing, at the first line that is no operation
        self.drafts: dict[str, str] = {}  # by target, what was typed there and not sent
        self._has_begun = False  # and so the user was told how it goes

    @property
    def target(self) -> str:
        """A name, or EVERYONE; empty: nowhere."""
        return self.partner or (EVERYONE if self.is_plain else "")

    def recall(self, kept: str) -> None:
        """After the login: with `all` plain typing is on, with `off` it is not; else it is offered once."""
        self.is_plain, self.may_offer = kept == ALL, not kept

    def turn_to_everyone(self) -> None:
        """Begins plain typing."""
        self.is_plain, self.may_offer, self.partner = True, False, ""
        self.keep(ALL)

    def begin(self, target: str, *, is_quiet: bool = False) -> Action:
        """Has each line go there; `is_quiet`: says so the first time only."""
        self.partner = target
        lines = [f"What you type goes to {_whom(target)} now, until /talk off."]
        if not self._has_begun:
            self._has_begun, is_quiet = True, False
            lines.append("Operations take a slash: /ex leaves, /help shows all. // sends a slash.")
        return Notice(() if is_quiet else tuple(lines), held=target)

    def turn(self, target: str, typed: str) -> tuple[Action, str]:
        """A key turns to another conversation: keeps what was typed, and gives what was typed there."""
        self.drafts[self.target or EVERYONE] = typed
        if target == EVERYONE and self.is_plain:
            self.partner = ""
            action: Action = Notice((), held=EVERYONE)
        else:
            action = self.begin(target, is_quiet=True)
        return action, self.drafts.pop(self.target or EVERYONE, "")

    def end(self) -> Action:
        """Ends the talk with one person, or else plain typing."""
        if before := self.partner:
            self.partner = ""
            after = self.where() if self.is_plain else _AS_BEFORE
            return Notice((f"You talk to {_whom(before)} no longer. {after}",), held=EVERYONE)
        if not self.is_plain:
            return Mistake("TALK bob has each line go to bob, TALK all to everyone; TALK off ends it.")
        self.is_plain = False
        self.keep(OFF)
        return Notice((f"Plain lines go nowhere now, after a restart too. {_AS_BEFORE}",))

    def where(self) -> str:
        """Where lines go, in words."""
        if self.partner:
            return f"What you type goes to {_whom(self.partner)}. /talk off ends that; /talk all turns to everyone."
        if self.is_plain:
            return "What is no operation goes to everyone. TALK off ends it; TALK bob turns to bob."
        return "What you type are operations. TALK all has plain lines go to everyone, TALK bob to bob."


def _whom(target: str) -> str:
    return "everyone" if target == EVERYONE else shortened(shown_target(target))
