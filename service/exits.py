"""The exit status of a program that has said in words why it ends. Says nothing itself."""

from __future__ import annotations

import os
from typing import Final

VARIABLE: Final = "CHAT_UNDER_MAKE"  # set by the Makefile


def told(status: int) -> int:
    """Returns 0 in place of `status` where make started the program and a user at a terminal has read why it ends.

    To any other status make adds a line of its own, such as "Error 1". A script, without a terminal, gets the status.
    """
    is_read = os.isatty(0) and os.isatty(2)
    return 0 if os.environ.get(VARIABLE) and is_read else status
