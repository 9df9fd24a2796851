"""The model behind its lock: what is looked up in it, and the lines that it makes, on show in the order of events.

It sends nothing, and knows no link: what shows lines, and who is to know that something was shown, are given to it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from client.chat.model import Model
    from client.text import Line

Show = Callable[[Sequence["Line"]], None]
Later = Callable[[float, Callable[[], None]], None]  # calls a function after so many seconds, unless it ends before
_Found = TypeVar("_Found")


class View:
    """One user's. Any thread may use it; `show` runs on that thread, and never under the lock."""

    def __init__(self, model: Model, show: Show, later: Later | None = None) -> None:
        """Without `later` nothing can be told later."""
        self.lock = threading.Lock()  # guards the model; nothing is shown or sent under it
        self.model = model
        self.show = show
        self.stir: Callable[[], None] = lambda: None  # something of the model was shown
        self._later = later

    def look(self, find: Callable[[Model], _Found]) -> _Found:
        """What `find` finds, or changes, in the model."""
        with self.lock:
            return find(self.model)

    def tell(self, make: Callable[[Model], list[Line]]) -> None:
        """Shows the lines that `make` makes of the model, and later those that can wait; the bar may change."""
        with self.lock:
            lines = make(self.model)
            wait = self.model.presence.take_wait()
        if wait and self._later:
            self._later(wait.seconds, lambda: self.tell(lambda model: model.tell_presence(wait.number)))
        self.show(lines)
        if lines:
            self.stir()
