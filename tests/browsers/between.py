"""A TCP proxy between a browser and the service, which holds what goes either way for as long as a test wants.

It knows nothing of what passes. Holds no test.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Self

from tests.support.helpers import PATIENCE


class Gate:
    """One direction of all connections. While it is held, bytes wait in front of it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held = False
        self._arrived = 0  # bytes, also those that wait

    @property
    def arrived(self) -> int:
        """How many bytes came so far, also those that wait."""
        return self._arrived

    def hold(self) -> None:
        """Lets nothing more pass."""
        with self._changed:
            self._is_held = True

    def open(self) -> None:
        """Lets everything pass, also what waits. Idempotent."""
        with self._changed:
            self._is_held = False
            self._changed.notify_all()

    def wait_for_more(self, than: int) -> None:
        """Returns when more bytes have come than these."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._arrived > than, PATIENCE), "nothing came"

    def pass_on(self, data: bytes, to: socket.socket) -> None:
        """Sends the bytes once the gate is open. Raises OSError."""
        with self._changed:
            self._arrived += len(data)
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._is_held)
        to.sendall(data)


class Between:
    """Listens on a port of its own, `port`, and connects each client to the port `target`."""

    def __init__(self, target: int) -> None:
        self.up, self.down = Gate(), Gate()  # to the service, and to the browser
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._pumps: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, name="between")
        self._acceptor.start()

    def cut(self) -> None:
        """Ends all connections, without a word; what waits is lost."""
        with self._lock:
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self.cut()
        self.up.open()
        self.down.open()
        for pump in self._pumps:
            pump.join()
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                service = socket.create_connection(("127.0.0.1", self._target), PATIENCE)
            except OSError:
                client.close()
                continue
            service.settimeout(None)
            with self._lock:
                self._sockets += [client, service]
            for arguments in ((client, service, self.up), (service, client, self.down)):
                self._pumps.append(threading.Thread(target=_pump, args=arguments, name="between-pump"))
                self._pumps[-1].start()


def _pump(source: socket.socket, to: socket.socket, gate: Gate) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            gate.pass_on(data, to)
    with suppress(OSError):
        to.shutdown(socket.SHUT_WR)
