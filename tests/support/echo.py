"""A WebSocket server that sends back what it is sent, over the service's own stream: for judges of the protocol.

    python3 -m tests.support.echo 9001

It takes binary messages, and larger ones than the service does. As there, one thread receives and another sends.
"""

from __future__ import annotations

import queue
import select
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from service.errors import PeerError
from service.net.frames import Framer
from service.net.transport import Stream, listen
from service.net.websocket import MessageLimits, WebSocketStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

LIMITS: Final = MessageLimits(17 << 20, 100_000)
_BINARY_HEAD: Final = b"\x82"


class BinaryFramer(Framer):
    """Makes frames of binary messages."""

    def frame(self, data: bytes | memoryview) -> bytes:
        return _BINARY_HEAD + super().frame(data)[1:]


class EchoStream(WebSocketStream):
    """Keeps messages as they came, of either kind."""

    _takes_binary = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.messages: list[tuple[Framer, bytes]] = []

    def _complete(self, data: bytes, *, is_text: bool) -> bytes:
        self.messages.append((Framer() if is_text else BinaryFramer(), data))
        return b"\n"

    def send_back(self, framer: Framer, data: bytes, _: Any = None) -> None:
        """Sends a message, and waits until it is sent."""
        self._framer = framer
        while True:
            select.select([], [self], [])
            if self.send(data) == len(data) and not self.sealed:
                return

    def end(self, _: Any = None) -> None:
        """Sends the Close, and waits until it is sent."""
        while not self.end_sending():
            select.select([], [self], [])


class Echo:
    """Serves one client."""

    def __init__(self, connected: socket.socket, address: tuple[object, ...]) -> None:
        self._actions: queue.SimpleQueue[Callable[[Any], None] | None] = queue.SimpleQueue()
        inner = Stream(connected, address)
        received = b""
        while b"\r\n\r\n" not in received:
            received += inner.receive()
        head, gap, rest = received.partition(b"\r\n\r\n")
        self._stream = EchoStream.accept(
            inner, head + gap, rest, framer=Framer(), post=self._actions.put, limits=LIMITS
        )

    def serve(self) -> None:
        """Returns when the client is gone."""
        stream = self._stream
        sender = threading.Thread(target=self._send, name="echo-sender")
        sender.start()
        self._actions.put(stream._send_pongs)  # the answer to the request
        while True:
            try:
                if not stream.receive():
                    break
            except PeerError:
                self._actions.put(stream.end)
            for message in stream.messages:
                self._actions.put(partial(stream.send_back, *message))
            stream.messages.clear()
        self._actions.put(stream.end)
        self._actions.put(None)
        sender.join()
        stream.close()

    def _send(self) -> None:
        while (action := self._actions.get()) is not None:
            with suppress(OSError):  # the client is gone
                action(None)


def main(port: int) -> None:
    """Serves until it is killed."""
    listening = listen("127.0.0.1", port)
    while True:
        connected, address = listening.accept()
        threading.Thread(target=lambda c=connected, a=address: Echo(c, a).serve(), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]))
