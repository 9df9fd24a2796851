"""Has the kernel notice a peer that vanished without a word: a pulled cable, a dead machine. For service and client."""

from __future__ import annotations

import socket
from typing import Final

# A peer that vanished is to be noticed within 90 s. Where nothing is under way the kernel probes: gone after IDLE +
# COUNT * INTERVAL, 40 s. Where something is, it sends that again and probes no more: gone after PEER_TIMEOUT, 40 s more
# at worst. With that set Linux leaves COUNT aside, and ends both at PEER_TIMEOUT (tcp(7), RFC 5482).
KEEPALIVE_IDLE: Final = 30  # seconds of silence before the first probe: most often the users list comes before it
KEEPALIVE_INTERVAL: Final = 5  # seconds between two probes
KEEPALIVE_COUNT: Final = 2  # probes without an answer
PEER_TIMEOUT: Final = 40  # seconds that bytes may stay unacknowledged, or find no room with a peer that reads nothing


# Linux's names, but for the second, which is macOS's for the first. TCP_USER_TIMEOUT is in milliseconds.
OPTIONS: Final = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
    ("TCP_KEEPALIVE", KEEPALIVE_IDLE),
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
    ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    ("TCP_USER_TIMEOUT", PEER_TIMEOUT * 1000),
)


def keep_alive(connected: socket.socket) -> None:
    """Ends a connection whose peer has vanished: both ways then give an error. Within 90 seconds, as said above."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in OPTIONS:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
