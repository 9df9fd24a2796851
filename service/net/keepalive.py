"""Has the kernel notice a peer that vanished without a word: a pulled cable, a dead machine. For service and client."""

from __future__ import annotations

import socket
from typing import Final

from service.config import KEEPALIVE_COUNT, KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, PEER_TIMEOUT

# Linux's names, but for the second, which is macOS's for the first. TCP_USER_TIMEOUT is in milliseconds.
OPTIONS: Final = (
    ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
    ("TCP_KEEPALIVE", KEEPALIVE_IDLE),
    ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
    ("TCP_KEEPCNT", KEEPALIVE_COUNT),
    ("TCP_USER_TIMEOUT", PEER_TIMEOUT * 1000),
)


def keep_alive(connected: socket.socket) -> None:
    """Ends a connection whose peer has vanished: both ways then give an error. Within 90 seconds; see config.py."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in OPTIONS:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
