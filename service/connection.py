"""The thread of one client: receives bytes, cuts lines, has the session do them. Knows no command."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from service.protocol import LineDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.delivery import Outbox
    from service.session import Services, Session
    from service.transport import Stream


class Connection:
    """Owns the thread `chat-conn-<n>`; what it sends goes through the outbox, which closes the stream at the end."""

    def __init__(
        self,
        number: int,
        services: Services,
        stream: Stream,
        outbox: Outbox,
        session: Session,
        on_end: Callable[[Connection], None],
    ) -> None:
        self._services = services
        self._stream = stream
        self._outbox = outbox
        self._session = session
        self._on_end = on_end
        self._stopping = False
        self.thread = threading.Thread(target=self._run, name=f"chat-conn-{number}")

    def stop(self) -> None:
        """Reads no more: what was read is done, then the client is told `bye shutdown`. From any thread."""
        self._stopping = True
        self._outbox.stop_waiting()
        self._stream.end_receiving()

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            self._session.end("shutdown" if self._stopping else None)
            self._services.storage.release()
            self._services.delivery.post(lambda _: self._outbox.release())
            self._on_end(self)

    def _serve(self) -> None:
        settings = self._services.settings
        decoder = LineDecoder(settings.max_line)
        deadline: float | None = time.monotonic() + settings.login_timeout
        self._session.greet()
        while not self._stopping:
            if deadline is not None:
                # After an `ex` or an expiry the timer stays off: the outbox cuts off a peer that lingers.
                if self._session.account is not None or self._session.ended:
                    deadline = None
                self._stream.set_receive_timeout(None if deadline is None else deadline - time.monotonic())
            try:
                data = self._stream.receive()
            except TimeoutError:
                self._session.expire()
                continue
            if not data:
                return
            for line in decoder.feed(data):
                self._session.handle(line)
                self._outbox.wait_for_room()
            self._services.storage.release()
