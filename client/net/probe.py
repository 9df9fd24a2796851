"""Finds out whether a port that greets nobody speaks TLS, so that a user who forgot --tls learns it at once.

It decides nothing, and says nothing to the server but that it would speak TLS. A slow server is not mistaken for one.
"""

from __future__ import annotations

import select
import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.net.tls import ALERT, HANDSHAKE

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

# Seconds without a greeting before it looks: the whole is told within a second, with the start of the program. A server
# on another continent greets in 0.3, and one that takes longer is only asked once more.
SILENCE: Final = 0.4


def answers_in_tls(sock: socket.socket, dial: Callable[[], socket.socket], timeout: float) -> bool:
    """Whether nothing comes on `sock` for a while, and TLS is answered on a second connection, made by `dial`.

    Returns False once something comes on `sock`, and after `timeout` seconds. Raises what `dial` raises.
    """
    deadline = time.monotonic() + timeout
    if select.select([sock], [], [], min(SILENCE, timeout))[0]:
        return False
    with dial() as second, suppress(OSError):  # its end or a reset: no answer in TLS
        second.sendall(_client_hello())
        left = max(0.0, deadline - time.monotonic())
        if second in select.select([sock, second], [], [], left)[0]:
            return second.recv(1)[:1] in {bytes([HANDSHAKE]), bytes([ALERT])}
    return False


def _client_hello() -> bytes:
    """The first bytes of a client that speaks TLS. They name no server, and no certificate is looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()
