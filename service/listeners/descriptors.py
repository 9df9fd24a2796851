"""Open files: how many the service and its clients need, and so how many clients there can be."""

from __future__ import annotations

import logging
import resource
import sys
from contextlib import suppress
from typing import Final

from service.config import READERS
from service.errors import ConfigError
from service.listeners.places import LEAVING_AT_ONCE
from service.listeners.visitors import LEAVING, VISITORS

# File descriptors for neither clients nor readers: writer, listener, refused, log, libraries; and LEAVING_AT_ONCE.
DESCRIPTORS_OWN: Final = 64 + LEAVING_AT_ONCE
DESCRIPTORS_OF_VISITORS: Final = VISITORS + LEAVING  # besides, where a port has visitors
DESCRIPTORS_PER_READER: Final = 3  # database, -wal and -shm; or a descriptor that SQLite may not close yet

_log: Final = logging.getLogger("chat.listener")


def count_places(max_connections: int, *, visitors: bool = False) -> int:
    """How many clients can be connected at once: `max_connections`, or fewer if the system allows too few open files.

    `visitors`: some port reads what clients say before they have a place. Raises this process's own limit of open files
    as far as that takes. `max_connections` 0: as many as the system allows. Raises ConfigError if not even one client
    can be.
    """
    own = DESCRIPTORS_OWN + READERS * DESCRIPTORS_PER_READER + (DESCRIPTORS_OF_VISITORS if visitors else 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = own + max_connections if max_connections else hard
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and (wanted == resource.RLIM_INFINITY or wanted > soft):
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    places = sys.maxsize if soft == resource.RLIM_INFINITY else soft - own
    if places < 1:
        raise ConfigError(f"the system allows {soft} open files and this needs {own + 1}; raise it: ulimit -n")
    if places < max_connections:
        _log.warning(
            "the system allows %d open files: at most %d clients at once, not %d; raise it: ulimit -Hn",
            soft,
            places,
            max_connections,
        )
    if not max_connections:
        _log.info("by the open files that the system allows, at most %d clients at once", places)
    return min(places, max_connections or places)
