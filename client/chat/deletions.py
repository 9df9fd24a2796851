"""What is said of deleted messages: which ones are on show, and which was the user's own last. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from client.text import hint, one_line

if TYPE_CHECKING:
    from client.text import Line

DELETED: Final = "(deleted)"  # in place of the text
_MOST: Final = 10_000  # messages on show; who scrolls back further is told nothing of them
_QUOTED: Final = 30  # characters of a text, so that the line stays one row


class Deletions:
    """The messages on show, by id, with their times of the wire."""

    def __init__(self) -> None:
        self._times: dict[int, str] = {}  # oldest first
        self._own: tuple[int, str] | None = None  # the id and the text of the user's last message

    def show(self, message_id: int, time: str) -> None:
        """A message is on show."""
        self._times[message_id] = time
        if len(self._times) > _MOST:
            del self._times[next(iter(self._times))]

    def send(self, message_id: int, time: str, text: str) -> None:
        """The user's own message is on show."""
        self.show(message_id, time)
        self._own = message_id, text

    def is_on_show(self, message_id: int) -> bool:
        """Whether the user can have read the message here."""
        return message_id in self._times

    def take(self, message_id: int) -> str | None:
        """The time of a message that is deleted now; None if it is not on show."""
        if self._own and self._own[0] == message_id:
            self._own = None
        return self._times.pop(message_id, None)

    def offer(self) -> Line:
        """How to delete one."""
        if self._own is None:
            return hint("Which one? HISTORY and SEARCH show the numbers; DELETE 17 deletes that one.")
        message_id, text = self._own
        text = one_line(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
        return hint(
            f'DELETE {message_id} deletes your last message, "{text}". HISTORY and SEARCH show the numbers of others.'
        )
