"""`python3 -m client [SERVER PORT] [USERNAME]`: reads the command line and connects; then a terminal, stdin or options.

The terminal's modules are imported only where there is a terminal.
"""

from __future__ import annotations

from service import programs

if __name__ == "__main__":
    programs.explain_missing_packages("client", "chat")

import argparse
import os
import shlex
import shutil
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from client import settings
from client.hosts import canonical
from client.memory import Memory
from client.net.connection import CannotConnectError, connect
from client.net.features import Wishes
from client.net.known import Known
from client.net.link import Link
from client.net.trust import Pins, Plain, Security, Trust, UntrustedError
from client.render.records import FIELDS, FORMAT
from client.scripting import options, stdin
from client.scripting.streams import LEFT, LOST, MISTAKEN, NOT_LOGGED_IN
from client.settings import DEFAULT, PORT_MAX, Profile, SettingsError
from client.text import counted, is_sendable, one_line
from client.tokens import Tokens, is_here
from service.exits import told
from service.visible import Parser, safe
from service.wire.limits import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from client.scripting.script import Wanted
    from service.wire.protocol import LoginOkReply

VARIABLE: Final = "CHAT_PASSWORD"  # never an argument: everyone on the machine can see those
_RETRY_TIMEOUT: Final = 2.0  # seconds to connect again after a loss; a user who leaves waits for the end of that try
_INTERRUPTED: Final = 130  # as shells report a program that SIGINT ended
_USAGE: Final = f"{programs.CLIENT} SERVER PORT [USERNAME]"
_NOTES: Final = """\
Without SERVER and PORT they are those of the profile; with them, its name and TLS still count if
it was named. At a terminal the client asks for the name and the password, once: then it keeps a
token. In a pipe it does one operation a line from stdin; with one of the options for scripts,
only what they say, in this order: search or history or since, send, tail. There it logs in by the
token of a login at a terminal, or with the password from the variable CHAT_PASSWORD, with which a
new name is registered.

exit status: 0 left, stored, or shown; 1 no connection, or it was lost; 2 something was typed wrong;
3 the server refused something; 4 not logged in (3 and 4 only in a pipe or a script)"""


def main(arguments: Sequence[str]) -> int:
    """Runs the client; gives the exit status."""
    given, wanted = _parse(arguments)
    try:
        profile = _choose(given)
    except SettingsError as error:
        return _say(str(error), MISTAKEN)
    tokens = Tokens(settings.state_folder() / "tokens", profile.server, profile.port, tls=profile.is_tls)
    try:
        if given.forget or given.forget_server:
            return _forget(given, profile, tokens)
        status = _chat(given, profile, tokens, wanted)
    except UntrustedError as error:
        return _say(str(error), MISTAKEN)
    except CannotConnectError as error:
        return _say(str(error), LOST)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return _say(tokens.problem, status) if tokens.problem else status


def _chat(given: argparse.Namespace, profile: Profile, tokens: Tokens, wanted: Wanted | None) -> int:
    """Raises UntrustedError, CannotConnectError."""
    quiet, used = not given.listed, _used(given)  # scripts and pipes are quiet
    name, password = profile.name, os.environ.get(VARIABLE, "")
    is_unasked = wanted is not None or not (sys.stdin.isatty() and sys.stdout.isatty())
    if is_unasked and (problem := _missing(name, password, tokens)):
        return _say(*problem)
    if not is_unasked and (complaint := _complaint(profile.notify)):  # of a profile; the option was looked at before
        return _say(f"{one_line(str(settings.profiles_path()))}: notify: {one_line(complaint)}.", MISTAKEN)
    if not is_unasked and given.room:
        return _say("--room is for scripts and pipes. At a terminal TALK turns to a room.", MISTAKEN)
    trust, trust_again = _securities(profile, tokens, None if is_unasked else _ask)
    again = partial(connect, profile.server, profile.port, _RETRY_TIMEOUT, trust_again)
    if wanted is not None:
        return options.run(again, wanted, name, password, tokens, quiet=quiet)
    first = connect(profile.server, profile.port, trust=trust)
    if is_unasked:
        wishes = Wishes(quiet=quiet, rooms=bool(given.room))
        return stdin.run(partial(Link, first=first, wishes=wishes), name, password, tokens, room="".join(given.room))
    run = _face(profile)

    def keep(login: LoginOkReply) -> None:
        if login.token:
            tokens.keep(login.username, login.token)

    wishes = Wishes(rooms=True, presence=True)
    make_link = partial(Link, first=first, connect=again, keep=keep, wishes=wishes)
    write_profile = partial(settings.write_talk, settings.profiles_path(), used) if used else lambda _: False
    remember = partial(
        Memory,
        settings.state_folder() / "accounts",
        profile.server,
        profile.port,
        profile_talk=profile.talk,
        write_profile=write_profile,
    )
    is_first = settings.is_first_run(settings.state_folder())
    return run(make_link, profile, tokens, remember, is_first=is_first)


def _face(profile: Profile) -> Callable[..., int]:
    """What shows the chat at a terminal. Imported here: prompt_toolkit takes 0.1 s, which a script need not wait."""
    from prompt_toolkit.utils import is_dumb_terminal  # noqa: PLC0415

    from client.terminal import app  # noqa: PLC0415

    if not profile.full:
        return app.run
    if is_dumb_terminal():
        _say("The full screen needs a terminal that can move its cursor, and TERM says that this one cannot.", LEFT)
        return app.run
    from client.full.app import run  # noqa: PLC0415

    return run


def _securities(profile: Profile, tokens: Tokens, ask: Callable[[str], bool] | None) -> tuple[Security, Security]:
    """For the first connection, and for later ones, where nobody can be asked. Raises UntrustedError."""
    if profile.is_tls:
        pins = Pins(settings.pins_path())
        return Trust(profile.ca, pins, ask), Trust(profile.ca, pins, None)
    without_tls = Plain(_known(profile, tokens).why_not_plain, partial(_warn, profile.server))
    return without_tls, without_tls


def _known(profile: Profile, tokens: Tokens) -> Known:
    return Known(profile, Pins(settings.pins_path()), tokens, settings.profiles_path())


def _warn(server: str) -> None:
    """Says what it means to have no TLS, before a password is asked for or sent."""
    # Each time: beyond this machine no token is kept without TLS, so each start takes the password.
    if is_here(server) or sys.stderr is None:  # None: a script has closed it
        return
    with suppress(OSError):  # nobody reads stderr; stdout is not affected
        _say(
            f"Without TLS, whoever is on the way to {one_line(server)} can read your password and all you write.\n"
            "If the server has TLS, leave now and start with --tls.",
            LEFT,
        )


def _choose(given: argparse.Namespace) -> Profile:
    """The server and the name, from the profile and the command line. Raises SettingsError."""
    path, words, chosen = settings.profiles_path(), given.words, given.profile
    profile = None
    if given.fallback and not chosen and len(words) <= 1 and settings.read_profile(path, DEFAULT) is None:
        words = [*given.fallback, *words]
    if chosen or len(words) <= 1:  # with a server named, the file may be missing; in TLS, or on this machine, broken
        profile = settings.read_profile(path, chosen or DEFAULT)
        if profile is None and chosen:
            raise SettingsError(f'There is no profile "{one_line(chosen)}" in {one_line(str(path))}.')
        if profile is None:
            raise SettingsError(f"Which server? Type: {_USAGE}\nOr name one under [{DEFAULT}] in {one_line(str(path))}")
    server, port = words[:2] if len(words) > 1 else ("", "")
    name = words[-1] if len(words) in {1, 3} else ""
    tls, ca = given.tls, given.tls_ca
    if profile is None:
        return Profile(
            server, _port(port), name.strip(), tls=bool(tls), ca=ca, notify=given.notify or "", full=bool(given.full)
        )
    if tls is None and not ca:
        tls, ca = profile.tls, profile.ca and str(path.parent / Path(profile.ca).expanduser())
    notify = profile.notify if given.notify is None else given.notify
    return replace(
        profile,
        server=server or profile.server,
        port=_port(port) if port else profile.port,
        name=(name or profile.name).strip(),
        tls=bool(tls),
        ca=ca,
        notify=notify,
        full=profile.full if given.full is None else given.full,
    )


def _used(given: argparse.Namespace) -> str:
    """The name of the profile that was used for the server; empty if the server was typed."""
    return "" if len(given.words) > 1 else given.profile or DEFAULT


def _missing(name: str, password: str, tokens: Tokens) -> tuple[str, int] | None:
    """What to say, and the exit status, if something is missing that the user would be asked for."""
    if not name:
        return f"A script has to give the name: {_USAGE}", MISTAKEN
    if not is_sendable(name + password):
        return f"The name or {VARIABLE} is not valid UTF-8.", NOT_LOGGED_IN
    if not password and not tokens.find(name):
        text = f"A script is not asked for the password. Log in at a terminal once, or set {VARIABLE}."
        return text, NOT_LOGGED_IN
    return None


def _forget(given: argparse.Namespace, profile: Profile, tokens: Tokens) -> int:
    """Raises UntrustedError."""
    try:
        if given.forget_server:
            _say(_known(profile, tokens).forget(), LEFT)
        if not given.forget:
            return LEFT
        count = tokens.forget(profile.name)
    except OSError as error:
        return _say(f"Cannot remove the login: {error.strerror}.", LOST)
    server = one_line(profile.server)
    whose = f"of {one_line(profile.name)} at {server}" if profile.name else f"at {server}"
    return _say(f"{counted(count, 'kept login')} {whose} forgotten.", LEFT)


def make_parser(prog: str = programs.CLIENT) -> Parser:
    """Returns the parser of the command line, for completion and the man page, too."""
    parser = Parser(
        prog=prog,
        usage="%(prog)s [SERVER PORT] [USERNAME] [options]",
        description="Chat with the people on a chat server.",
        epilog=_NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("words", nargs="*", metavar="SERVER PORT USERNAME", help="such as 127.0.0.1 12000 alice")
    parser.add_argument("--profile", metavar="NAME", default="", help=f"from profiles.toml; without, [{DEFAULT}]")
    parser.add_argument(
        "--fallback", nargs=2, metavar=("SERVER", "PORT"), help="the server if neither you nor a profile names one"
    )
    parser.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        help="speak TLS, to a server that proves who it is; one that did so is never talked to without",
    )
    parser.add_argument("--tls-ca", metavar="FILE", default="", help="as --tls; FILE has who may sign its certificate")
    parser.add_argument(
        "--notify",
        metavar="HOW",
        type=_notification,
        help="tell the desktop of direct messages and mentions: osc or osc777 (the terminal does), or a command",
    )
    parser.add_argument(
        "--full", action=argparse.BooleanOptionalAction, help="draw the whole screen: conversations, talk, members"
    )
    parser.add_argument("--forget", action="store_true", help="remove the tokens kept for the server and the name")
    parser.add_argument(
        "--forget-server",
        action="store_true",
        help="remove what is kept of the server's TLS, its certificate and tokens, if its operator has given it up",
    )
    scripts = parser.add_argument_group("for scripts")
    scripts.add_argument("--send", metavar="TEXT", help="send one message; - takes all of stdin as its text")
    scripts.add_argument("--to", metavar="NAME", default="", help="send, history and search: with this one person")
    scripts.add_argument(
        "--room",
        metavar="NAME",
        default=[],
        action="append",
        type=_room,
        help="all this in that room, the lines of a pipe too; several: --since, --tail",
    )
    scripts.add_argument("--search", metavar="WORDS", help="print the messages with these words")
    scripts.add_argument("--history", metavar="N", type=_number, help="print the last N messages")
    scripts.add_argument("--since", metavar="ID", type=_number, help="print all after this id, and unseen direct ones")
    scripts.add_argument("--tail", action="store_true", help="print what comes, until stopped")
    scripts.add_argument(
        "--listed", action="store_true", help="be among those online, as a bot; else scripts and pipes announce nobody"
    )
    scripts.add_argument("--json", action="store_true", help="print one JSON object a line, as on the wire")
    scripts.add_argument("--format", metavar="ROW", help=f"print messages so, not as {FORMAT!r}; fields: {FIELDS}")
    programs.add_common_options(parser, programs.COMMANDS.client)
    return parser


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, Wanted | None]:
    parser = make_parser()
    given = parser.parse_intermixed_args(arguments)
    if len(given.words) > 3:  # noqa: PLR2004
        parser.error(f"too many words: {_USAGE}")
    try:
        for server, port in filter(None, (given.words[:2] if len(given.words) > 1 else None, given.fallback)):
            _server(server)
            _port(port)
        return given, options.read_wanted(given)
    except (argparse.ArgumentTypeError, ValueError) as error:
        parser.error(str(error))


def _ask(question: str) -> bool:
    """Whether the user at the terminal says yes, and nothing else."""
    try:
        return input(safe(question)).strip().lower() == "yes"
    except EOFError:
        return False


def _notification(how: str) -> str:
    if complaint := _complaint(how):
        raise argparse.ArgumentTypeError(complaint)
    return how


def _complaint(how: str) -> str:
    """What is wrong with a way to notify; empty if nothing is."""
    try:
        words = shlex.split(how)
    except ValueError as error:
        return f"{how!r} is no command: {error}"
    if how not in {"", "osc", "osc777"} and not (words and shutil.which(words[0])):
        return f"there is no command {how!r}; osc asks the terminal"
    return ""


def _server(text: str) -> None:
    if not canonical(text.strip()):  # the system would take it for this machine, and a script's variable may be unset
        raise argparse.ArgumentTypeError(f"SERVER is empty: {_USAGE}")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(PORT_MAX)) and 1 <= int(text) <= PORT_MAX):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to {PORT_MAX}, not {text!r}")
    return int(text)


def _room(text: str) -> str:
    """A room's name, which may be typed as rows have it, with the sign that no name has."""
    if not (name := text.strip().removeprefix("#")):  # a script's variable may be unset: never the main room
        raise argparse.ArgumentTypeError("this takes the name of a room")
    return name


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID)) and int(text) <= MAX_ID):
        raise argparse.ArgumentTypeError(f"this takes a whole number, not {text[:20]!r}")
    return int(text)


def _say(text: str, status: int) -> int:
    sys.stderr.write(safe(text) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(told(main(sys.argv[1:])))
