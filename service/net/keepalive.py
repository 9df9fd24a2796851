"""Makes the kernel notice a peer that has vanished, such as after a pulled cable. For the service and the client."""

from __future__ import annotations

import socket
from typing import Final

# A vanished peer must be noticed within 90 s. On a silent connection the kernel sends probes: it gives up after IDLE +
# COUNT * INTERVAL = 40 s. If data is under way, it repeats that data instead of probing: it gives up after
# PEER_TIMEOUT, at most another 40 s. With PEER_TIMEOUT set, Linux ignores COUNT and applies PEER_TIMEOUT in both cases
# (tcp(7), RFC 5482).
KEEPALIVE_IDLE: Final = 30  # seconds of silence before the first probe; the users list usually comes earlier
KEEPALIVE_INTERVAL: Final = 5  # seconds between two probes
KEEPALIVE_COUNT: Final = 2  # unanswered probes
PEER_TIMEOUT: Final = 40  # seconds that bytes may stay unacknowledged, or wait for a peer that reads nothing


# The names are Linux's, except the second: macOS calls the first one so. TCP_USER_TIMEOUT is in milliseconds.
OPTIONS: Final = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
    ("TCP_KEEPALIVE", KEEPALIVE_IDLE),
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
    ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    ("TCP_USER_TIMEOUT", PEER_TIMEOUT * 1000),
)


def keep_alive(connected: socket.socket) -> None:
    """Lets reads and writes fail within 90 seconds after the peer has vanished."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in OPTIONS:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
