"""Confirms what was shown: sends `seen` a second after it, and at the end. It decides nothing of what was seen."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from client.net.connection import LEAVE_TIMEOUT, ConnectionLostError
from client.net.link import OfflineError

if TYPE_CHECKING:
    from client.chat.model import Model
    from client.net.link import Link

SEEN_PACE: Final = 1.0  # seconds from showing a message to its `seen`; one command then covers a burst
_MOST_OUTSTANDING: Final = 1_000  # commands without a reply; a server that leaves more is asked for no more by itself


class Confirmer:
    """The thread chat-seen. `lock` guards the model, which has the receipts; nothing is sent under it.

    The owner calls `start`, `stop` and `join`, in this order.
    """

    def __init__(self, link: Link, model: Model, lock: threading.Lock, pace: float = SEEN_PACE) -> None:
        self._link = link
        self._model = model
        self._lock = lock
        self._pace = pace
        self._may_confirm = True
        self._is_hidden = False  # what is shown waits until the screen is back
        self._shown_something = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._confirm_until_stopped, name="chat-seen")

    def start(self) -> None:
        """Begins to confirm."""
        self._thread.start()

    def stir(self) -> None:
        """Something was shown. From any thread."""
        self._shown_something.set()

    def hide(self, *, is_hidden: bool) -> None:
        """While something else has the screen, nothing is confirmed; what is shown meanwhile is confirmed later."""
        self._is_hidden = is_hidden
        self.stir()

    def stop(self, *, confirm: bool) -> None:
        """Ends the thread, after a last `seen` if it is to confirm. Safe if it never began."""
        self._may_confirm = confirm
        self._stopping.set()
        self.stir()
        self.join(LEAVE_TIMEOUT)  # it may be stuck in a send; closing the connection frees it

    def join(self, timeout: float | None = None) -> None:
        """Waits for the end of the thread."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def confirm(self) -> None:
        """Sends `seen` for what was shown. From any thread."""
        if not self._may_confirm or self._is_hidden or self._link.outstanding() > _MOST_OUTSTANDING:
            return
        with self._lock:
            receipts = self._model.receipts.take()
        try:
            for command in receipts:
                self._link.send(command)
        except OfflineError:
            with self._lock:
                self._model.receipts.put_back(receipts)
                is_back = self._model.is_connected
            if is_back:  # the link is about to go online; before that, coming back says so
                self.stir()
        except ConnectionLostError:  # for good: they stay unseen, and are offered at the next login
            pass

    def _confirm_until_stopped(self) -> None:
        is_last = False
        while not is_last:
            self._shown_something.wait()
            is_last = self._stopping.wait(self._pace)
            self._shown_something.clear()
            self.confirm()
