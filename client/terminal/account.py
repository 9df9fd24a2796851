"""What is remembered of an account, for a face: whether plain lines talk, who is muted, and what was typed.

It reads and writes client/memory.py, and says so where that fails. Before the login nothing is remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.terminal.typed import Typed
from client.text import trouble

if TYPE_CHECKING:
    from collections.abc import Callable

    from client.deeds import Deeds
    from client.memory import Memory
    from client.view import Show


class Account:
    """That of one user. `remember` gives the memory of an account by its name; without it all is forgotten."""

    def __init__(self, remember: Callable[[str], Memory] | None, show: Show) -> None:
        # The arrow keys bring back messages where a message is asked for, and operations elsewhere.
        self.operations, self.messages = Typed(), Typed()
        self._remember = remember
        self._show = show
        self._memory: Memory | None = None

    def recall(self, name: str, deeds: Deeds) -> str | None:
        """After the login: goes on with what an earlier start has left; gives whether plain lines talk, if it is known.

        "all", "off", or empty if that was never said.
        """
        if self._remember is None:
            return None
        self._memory = self._remember(name)
        deeds.recall_muted(self._memory.muted, self._keep_muted)
        self.operations.open(self._memory.folder / "operations")
        self.messages.open(self._memory.folder / "messages")
        return self._memory.talk

    def keep_talk(self, talk: str) -> None:
        """Keeps "all" or "off" for the next start."""
        self._keep(lambda memory: memory.keep_talk(talk))

    def _keep_muted(self, name: str, is_muted: bool) -> None:  # noqa: FBT001  # as the session calls it
        self._keep(lambda memory: memory.keep_muted(name, is_muted=is_muted))

    def _keep(self, write: Callable[[Memory], None]) -> None:
        if self._memory is None:
            return
        try:
            write(self._memory)
        except OSError as error:
            self._show([trouble(f"Not remembered for the next start: {error.strerror}.")])
