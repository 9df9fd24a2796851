"""The options for scripts: what they ask for, and the tries to reach a server that is away.

`Script` does what they ask for.
"""

from __future__ import annotations

import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import tenacity

from client.net.connection import CannotConnectError, ConnectionLostError
from client.net.features import Wishes
from client.net.link import FIRST_PAUSE, Link
from client.net.trust import UntrustedError
from client.render.records import FORMAT, row_of
from client.scripting.script import PATIENCE, Script, Wanted
from client.scripting.streams import streams
from client.text import is_sendable
from service.net.tls import NotTlsError
from service.visible import safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from client.net.connection import Greeted
    from client.tokens import Tokens

_LONGEST_PAUSE: Final = 2.0  # seconds between two tries to reach a server
# Why there is no connection, where no further try would help: not that server, not its kind, not to be trusted.
_HOPELESS: Final = (UntrustedError, NotTlsError, ConnectionLostError, socket.gaierror, UnicodeError)


def read_wanted(options: argparse.Namespace) -> Wanted | None:
    """What the options ask for; None if none is given. Reads stdin for `--send -`. Raises ValueError: what is wrong."""
    pages = [option for option in (options.search, options.history, options.since) if option is not None]
    if not pages and options.send is None and not options.tail:
        if options.to or options.json or options.format is not None:
            raise ValueError("--to, --json and --format go with --send, --search, --history, --since or --tail")
        if len(options.room) > 1:
            raise ValueError("a pipe takes one --room")
        return None
    if len(pages) > 1:
        raise ValueError("--search, --history and --since: take one of them")
    _check_where(options)
    if options.format is not None:
        if options.json:
            raise ValueError("--json and --format: take one of them")
        row_of(options.format)
    send: str | None = options.send
    if send == "-":
        try:
            send = sys.stdin.buffer.read().decode().removesuffix("\n")
        except UnicodeDecodeError:
            raise ValueError("the text on stdin is not valid UTF-8") from None
    if not is_sendable("".join((send or "", options.to, options.search or "", *options.room))):
        raise ValueError("the text, the words or the name is not valid UTF-8")
    return Wanted(
        send,
        options.to,
        options.search,
        options.history,
        options.since,
        tail=options.tail,
        as_json=options.json,
        form=FORMAT if options.format is None else options.format,
        rooms=tuple(options.room),
    )


def _check_where(options: argparse.Namespace) -> None:
    """Raises ValueError if the person or the rooms do not go with the rest."""
    is_in_one = options.send is not None or options.search is not None or options.history is not None
    if options.to and not is_in_one:
        raise ValueError("--to goes with --send, --search or --history")
    if options.to and options.room:
        raise ValueError("--to and --room: take one of them")
    if len(options.room) > 1 and is_in_one:
        raise ValueError("--send, --search and --history take one --room; --since and --tail take several")


def run(
    connect: Callable[[], Greeted], wanted: Wanted, name: str, password: str, tokens: Tokens, *, quiet: bool = True
) -> int:
    """Does what is wanted; gives the exit status. Unless it is `quiet`, others see the user online.

    Raises CannotConnectError if the server stays away.
    """

    def log_in_and_do() -> int:
        with streams() as (out, err):
            wishes = Wishes(quiet=quiet, rooms=bool(wanted.rooms))  # who asks for none notices none
            make_link = partial(Link, first=connect(), connect=connect, follows=False, wishes=wishes)
            return Script(make_link, wanted, out, err).run(name, password, tokens)

    def complain(state: tenacity.RetryCallState) -> None:
        if state.attempt_number == 1 and state.outcome is not None:
            sys.stderr.write(safe(f"{state.outcome.exception()} Trying for {PATIENCE:g} seconds.\n"))

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(
            lambda error: (
                isinstance(error, CannotConnectError)
                and not error.is_final
                and not isinstance(error.__cause__, _HOPELESS)
            )
        ),
        wait=tenacity.wait_random_exponential(FIRST_PAUSE, max=_LONGEST_PAUSE),
        stop=tenacity.stop_after_delay(PATIENCE),
        before_sleep=complain,
        reraise=True,
    )
    return retrying(log_in_and_do)
