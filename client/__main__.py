"""`python3 -m client SERVER PORT [USERNAME]`: reads the command line, connects, and chooses terminal or pipe."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_config_dir

from client import plain
from client.connection import RETRY_TIMEOUT, CannotConnectError, connect
from client.link import Link
from client.text import is_sendable, safe
from client.trust import Pins, Trust, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE: Final = "CHAT_PASSWORD"  # never an argument: those are seen by everyone on the machine
_INTERRUPTED: Final = 130  # as shells report a program that SIGINT ended
_PORT_MAX: Final = 65_535
_STATUSES: Final = """\
At a terminal it asks for the name and the password. In a pipe it does one operation a line
from stdin, with the password from the variable CHAT_PASSWORD; a new name is registered.

exit status: 0 left; 1 no connection, or it was lost; 2 something was typed wrong;
3 the server refused something; 4 not logged in (3 and 4 only in a pipe)"""


def main(arguments: Sequence[str]) -> int:
    """Runs the client; gives the exit status."""
    options = _parse(arguments)
    name: str = options.username.strip()
    password = os.environ.get(VARIABLE, "")
    in_pipe = not (sys.stdin.isatty() and sys.stdout.isatty())
    if in_pipe and (problem := _missing_in_pipe(name, password)):
        return _say(*problem)
    trust = trust_again = None
    try:
        if options.tls or options.tls_ca:
            pins = Pins(Path(user_config_dir("chat")) / "servers")
            trust = Trust(options.tls_ca, pins, None if in_pipe else _ask)
            trust_again = Trust(options.tls_ca, pins, None)
        first = connect(options.server, options.port, trust=trust)
        if in_pipe:
            return plain.run(Link(first, None), name, password)
        from client import terminal  # noqa: PLC0415  # a pipe need not wait 0.1 s for prompt_toolkit

        again = partial(connect, options.server, options.port, RETRY_TIMEOUT, trust_again)
        return terminal.run(Link(first, again), name, options.notify)
    except UntrustedError as error:
        return _say(str(error), plain.MISTAKEN)
    except CannotConnectError as error:
        return _say(str(error), plain.LOST)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _missing_in_pipe(name: str, password: str) -> tuple[str, int] | None:
    """What to say, and the exit status, if a pipe lacks something that a person would be asked for."""
    if not name:
        return "In a pipe the name must be given: python3 -m client SERVER PORT USERNAME", plain.MISTAKEN
    if not password:
        return f"In a pipe the password is read from the variable {VARIABLE}. Set it.", plain.NOT_LOGGED_IN
    if not is_sendable(name + password):
        return f"The name or {VARIABLE} is not valid UTF-8.", plain.NOT_LOGGED_IN
    return None


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python3 -m client",
        description="Chat with the people on a chat server.",
        epilog=_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("server", metavar="SERVER", help="the server's name or address, such as 127.0.0.1")
    parser.add_argument("port", metavar="PORT", type=_port, help="its port, such as 12000")
    parser.add_argument("username", metavar="USERNAME", nargs="?", default="", help="your name; asked for if left out")
    parser.add_argument("--tls", action="store_true", help="speak TLS, to a server that proves who it is")
    parser.add_argument("--tls-ca", metavar="FILE", default="", help="as --tls; FILE has who may sign its certificate")
    parser.add_argument(
        "--notify",
        metavar="HOW",
        type=_notification,
        default="",
        help="tell the desktop of direct messages and mentions: osc or osc777 (the terminal does), or a command",
    )
    return parser.parse_args(arguments)


def _ask(question: str) -> bool:
    """Whether the person at the terminal says yes, and nothing but that."""
    try:
        return input(safe(question)).strip().lower() == "yes"
    except EOFError:
        return False


def _notification(how: str) -> str:
    try:
        words = shlex.split(how)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{how!r} is no command: {error}") from error
    if how not in {"", "osc", "osc777"} and not (words and shutil.which(words[0])):
        raise argparse.ArgumentTypeError(f"there is no command {how!r}; osc asks the terminal")
    return how


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _PORT_MAX):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to {_PORT_MAX}, not {text!r}")
    return int(text)


def _say(text: str, status: int) -> int:
    sys.stderr.write(safe(text) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
