"""Tells the program that supervises the service, such as systemd, when it is ready and when it stops.

One datagram to the socket that $NOTIFY_SOCKET names (sd_notify(3)); without the variable nothing happens. It never
waits, and never fails its caller.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final

from service.visible import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_log: Final = logging.getLogger("chat")


def tell(environment: Mapping[str, str], state: str, status: str) -> None:
    """Tells a state, such as ``READY=1``, and a sentence for people."""
    name = environment.get("NOTIFY_SOCKET", "")
    if not name:
        return
    address = f"\0{name[1:]}" if name.startswith("@") else name  # an abstract socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.settimeout(0)
            supervisor.sendto(f"{state}\nSTATUS={one_line(status)}\n".encode(), address)
    except (OSError, ValueError) as error:
        _log.warning("cannot tell %s to NOTIFY_SOCKET %s: %s", state, name, error)
