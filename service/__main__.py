"""``python3 -m service``: options, signals, exit status. 0: was told to stop; 1: cannot run; 2: a bad option."""

from __future__ import annotations

from service import programs

if __name__ == "__main__":
    programs.explain_missing_packages("service", "chat-service")

import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import Final

from service.config import Settings, parse_settings
from service.errors import ConfigError, ServiceError
from service.exits import told
from service.logs import Log
from service.server import Server
from service.supervisor import tell
from service.visible import one_line

# How many new objects trigger a collection of the young generation, how many of these one of the middle, and how many
# of these a full one. With 10,000 clients a full one stops all threads for 200 ms, and finds next to nothing. CPython's
# values are 700, 10, 10.
GC_THRESHOLDS: Final = (10_000, 10, 1_000)

_log: Final = logging.getLogger("chat")
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM)
_CRASH: Final = 0  # sent instead of a signal's number


def main() -> int:
    """Runs the service until SIGINT or SIGTERM. SIGHUP has it read its certificate and the motd again."""
    try:
        settings = parse_settings(sys.argv[1:], os.environ)
    except ConfigError as error:
        return _fail(error, 2)
    log = Log(sys.stderr, as_json=settings.log_format == "json")
    logging.basicConfig(level=settings.log_level.upper(), handlers=[log])
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        status = _serve(settings)
    except ServiceError as error:
        if settings.log_format == "json":
            _log.critical("%s", error)
            log.close()
            return 1
        log.close()
        return _fail(error, 1)
    except Exception:  # noqa: BLE001 (logged; threads that had started already must not keep the process)
        _log.critical("the service cannot start", exc_info=True)
        status = 1
    log.close()
    if len(threading.enumerate()) > 1:  # a thread that hashes, or has lost its worker, must not keep the process
        os._exit(status)
    return status


def _serve(settings: Settings) -> int:
    """Serves until a signal; returns the exit status. Raises ServiceError if the service cannot start."""
    gc.set_threshold(*GC_THRESHOLDS)
    # Python handles a signal in the main thread, but the system may deliver it to another thread and leave the main
    # thread asleep. So each signal is also written to this socket, and so is the end of a thread.
    wake, woken = socket.socketpair()
    wake.settimeout(0)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)

    def crash(failure: threading.ExceptHookArgs) -> None:
        """Ends the service after an exception in a thread, because half a service is worse than none."""
        name = failure.thread.name if failure.thread else "a thread"
        _log.critical("%s cannot go on", name, exc_info=failure.exc_value)
        wake.send(bytes([_CRASH]))

    threading.excepthook = crash
    # SIGHUP never ends the service, also without anything to read again: a script that sends it to all, or a terminal
    # that is closed, must not throw everybody out.
    for number in (*_ENDINGS, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    server = Server(settings)
    tell(os.environ, "READY=1", f"listening on port {server.port}")
    what = _wait(woken, server)
    tell(os.environ, "STOPPING=1", "stopping")
    if what != _CRASH and settings.drain:
        server.drain()
        what = _wait(woken, server, settings.drain)
    status = 1 if what == _CRASH else 0
    try:
        server.stop()
    except Exception:  # noqa: BLE001 (logged, and shown by the exit status)
        _log.critical("the stop failed", exc_info=True)
        status = 1
    return status


def _wait(woken: socket.socket, server: Server, seconds: float | None = None) -> int | None:
    """Returns the signal that asks for the end, or _CRASH; None if neither comes in so many seconds."""
    end = time.monotonic() + (seconds or 0.0)
    while True:
        if seconds is not None:
            woken.settimeout(max(0.001, end - time.monotonic()))
        try:
            what = woken.recv(1)[0]
        except TimeoutError:
            return None
        if what in {*_ENDINGS, _CRASH}:
            return what
        if what == signal.SIGHUP:
            server.reload()


def _fail(error: ServiceError, status: int) -> int:
    sys.stderr.write(f"chat service: {one_line(str(error))}\n")
    return told(status)


if __name__ == "__main__":
    sys.exit(main())
