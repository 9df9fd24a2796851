"""What stands above the line being typed: the conversation that is held, and the others and the people beside it.

It puts what arrives where it belongs, scrolls, and asks for what is missing above. Only for the main thread.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from client.full import picture, sight
from client.full.keys import HELP, key_rows
from client.full.transcripts import Transcripts
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from client.render.layout import WIDE, Size
from client.render.status_bar import pending_rows, unread_tabs
from client.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from client.chat.paging import Page
    from client.full.picture import Row, Rules, Widths
    from client.full.transcripts import Transcript
    from client.render.status_bar import Status
    from client.session import Session
    from client.text import Line

_ROUND: Final = 2  # rows round the talk: the head, and the rule below


class Stage:
    """Everything but the line. `changed` has it drawn again; `soon` calls a function in the loop, from any thread."""

    def __init__(
        self,
        session: Session,
        size: Size,
        rules: Rules,
        changed: Callable[[], None],
        soon: Callable[[Callable[[], None]], None],
    ) -> None:
        """`size` is that of the screen."""
        self.is_open = False  # the user is logged in: there are conversations
        self.space = Size(size.columns, max(1, size.rows - _ROUND - 1))  # of the talk, when it was last drawn
        self._session = session
        self._rules = rules
        self._changed = changed
        self._soon = soon
        self._transcripts = Transcripts()
        self._columns = size.columns
        self._is_list = False  # a narrow screen shows the conversations in place of the talk
        self._is_bare = False  # a wide one hides the columns at the sides
        self._is_reading = False  # a page of older messages is on its way
        self._is_above = False  # one reads above what is newest
        self._is_away = False  # there was no connection at the last frame

    # -- drawing ------------------------------------------------------------------------------------------------------
    def draw(self, size: Size, arrived: Sequence[Line], typed: str) -> Sequence[Row]:
        """The rows for so much of the screen, with the lines that have arrived; `typed` is the line being typed."""
        seen = self._session.view.look(sight.look)
        self._columns = size.columns
        widths = self._divide()
        self.space = Size(widths.talk or size.columns, max(1, size.rows - _ROUND))
        status = self._session.status()
        pending = picture.pending(pending_rows(status, self.space.columns))
        self._follow(seen.target)
        self._transcripts.resize(Size(self.space.columns, max(1, self.space.rows - len(pending))))
        self._transcripts.put(arrived)
        self._hide()
        self._open_late(seen)
        if widths.right:
            self._call_roll(seen.target)
        return [
            self._head(seen, len(status.pending)),
            *picture.join(
                picture.conversations(seen.tabs, widths, self.space.rows),
                self._talk(typed, pending),
                picture.people(seen.people, seen.count, widths, self.space.rows),
                widths,
                self.space.rows,
                self._rules,
            ),
            picture.foot(self._below(status, widths), widths, self._rules),
        ]

    def _follow(self, target: str) -> None:
        """This conversation is held; perhaps it is the one from before, with somebody who has another name now."""
        before = self._transcripts.target
        if target != before and self._session.view.look(lambda model: model.people.present_name(before)) == target:
            self._transcripts.rename(target)
        self._transcripts.hold(target)

    def _open_late(self, seen: sight.Sight) -> None:
        """The connection is back: what was turned to without one is opened now."""
        was_away, self._is_away = self._is_away, not seen.is_connected
        if was_away and seen.is_connected and any(tab.is_held and tab.unread for tab in seen.tabs):
            self._soon(lambda: self._open(seen.target))

    def _open(self, target: str) -> None:
        with suppress(OfflineError, ConnectionLostError):
            self._session.deeds.hold(target)

    def _divide(self) -> Widths:
        if not self.is_open:
            return picture.whole(self._columns)
        return picture.divide(self._columns, is_list=self._is_list, is_bare=self._is_bare)

    def _head(self, seen: sight.Sight, pending: int) -> Row:
        if not self.is_open:
            return picture.head(one_line(self._session.hello.server), "", "", self._columns, is_well=True)
        words, is_well = sight.state(seen, pending)
        return picture.head(seen.title, seen.topic, words, self._columns, is_well=is_well)

    def _talk(self, typed: str, pending: Sequence[Row]) -> Sequence[Row]:
        if typed == HELP and self.is_open:
            return key_rows(self.space.columns, self.space.rows)
        return [*self._transcripts.rows(), *pending]

    def _below(self, status: Status, widths: Widths) -> str:
        """What is new below what is read, and in other conversations where no list says so."""
        scroll, words = self._transcripts.held.scroll, [self._transcripts.held.problem]
        if not scroll.is_at_end:
            words.append(f"{scroll.new:,} new below" if scroll.new else "more below")
        if not widths.left and status.unread and self.is_open:
            words.append(unread_tabs(status.unread, widths.talk // 2))
        return ", ".join(filter(None, words))

    def _call_roll(self, target: str) -> None:
        """Asks who is in a room, once for each time that it is held."""
        command = self._session.view.look(lambda model: model.roll.call(target))
        if command is not None:
            with suppress(OfflineError, ConnectionLostError):
                self._session.send(command)

    # -- for keys -----------------------------------------------------------------------------------------------------
    def turn(self) -> None:
        """Hides the columns at the sides, or shows them; on a narrow screen the conversations in place of the talk."""
        if self._columns < WIDE:
            self._is_list = not self._is_list
        else:
            self._is_bare = not self._is_bare

    def show_talk(self) -> None:
        """Shows the talk on a narrow screen."""
        self._is_list = False

    def forget_notes(self) -> None:
        """The user does something else: what was said to them so far need not be said again below a page."""
        self._transcripts.forget_notes()

    def page(self, step: int) -> None:
        """Goes a screenful down, or up if `step` is -1; a row stays, to read on from."""
        self.scroll(step * max(1, self.space.rows - 1))

    def scroll(self, rows: int) -> None:
        """Goes down so many rows, or up if it is negative; what is missing above is asked for."""
        self._transcripts.held.move(rows)
        self._ask()
        self._look_up()

    def to_end(self) -> None:
        """Goes to what is newest."""
        self._transcripts.held.scroll.to_end()
        self._look_up()

    def _look_up(self) -> None:
        self._hide()
        self._changed()

    def _hide(self) -> None:
        """What is below while one reads above is not seen."""
        is_above = not self._transcripts.held.scroll.is_at_end
        if is_above != self._is_above:
            self._is_above = is_above
            self._session.hide(is_hidden=is_above)

    def _ask(self) -> None:
        """Asks for what is owed above, a page at a time."""
        transcript = self._transcripts.held
        command = None if self._is_reading else transcript.ask()
        if command is not None:
            self._is_reading = True
            self._session.reading.ask(command, lambda page: self._soon(lambda: self._take(page, transcript)))

    def _take(self, page: Page | str, transcript: Transcript) -> None:
        self._is_reading = False
        transcript.take(page)
        self._ask()
        self._look_up()
