"""Stdout and stderr of a client without a terminal, and its exit statuses."""

from __future__ import annotations

import io
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

LEFT: Final = 0  # client/README.txt explains the exit statuses
LOST: Final = 1
MISTAKEN: Final = 2
REFUSED: Final = 3
NOT_LOGGED_IN: Final = 4


@contextmanager
def streams() -> Iterator[tuple[TextIO, TextIO]]:
    """Stdout and stderr, made fit for whatever text comes, and for a reader that goes away."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that the locale lacks must not end the chat
    try:
        yield sys.stdout, sys.stderr
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # else Python tries once more while it ends, and complains
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
