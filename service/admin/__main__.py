"""``python3 -m service.admin``: the operator's commands. Exit status 0: done; 1: failed; 2: a bad command.

What is typed becomes the work of a command, and what that tells is printed. commands.py has the commands.
"""

from __future__ import annotations

from service import programs

if __name__ == "__main__":
    programs.explain_missing_packages("service.admin", "chat-admin")

import io
import os
import sys
from typing import TYPE_CHECKING, Final

from service import storage
from service.admin.commands import COMMANDS
from service.admin.show import show
from service.config import Settings, parse_settings
from service.errors import ChatError, StorageUnavailable
from service.visible import Parser, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULTS: Final = Settings()
_INTERRUPTED: Final = 130  # the exit status after Ctrl-C, as shells have it


def main(arguments: Sequence[str]) -> int:
    """Runs one command and prints what it tells; returns the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # even in a locale that lacks a letter of it
    word = " ".join(arguments[:1])
    try:
        settings = parse_settings([], os.environ)
        given = make_parser(settings).parse_args(arguments)
        command = COMMANDS[given.command]
        if command.needs_file:
            storage.refuse_url(given.command, given.db)
        show(command.work(given, settings), "json" if given.json else command.layout)
        sys.stdout.flush()
    except BrokenPipeError:  # who reads has had enough, such as `head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left is flushed at the exit
        return 1
    except StorageUnavailable as error:
        return _fail(f"{word}: {error}", 1)
    except ChatError as error:
        return _fail(str(error), 1)
    except (OSError, RuntimeError) as error:  # pathlib raises RuntimeError for a link to itself
        return _fail(f"{word}: {_reason(error)}", 1)
    except KeyboardInterrupt as interrupt:
        return _fail(f"stopped; {str(interrupt) or 'nothing was changed'}", _INTERRUPTED)
    return 0


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"  # without the number, as people put it
    return str(error)


def _fail(text: str, status: int) -> int:
    sys.stderr.write(f"chat admin: {one_line(text)}\n")
    return status


def make_parser(settings: Settings = DEFAULTS, prog: str = programs.ADMIN) -> Parser:
    """Returns the parser of the command line, for completion and the man page, too; `settings` has the defaults."""
    parser = Parser(prog=prog, description="Looks after the chat's database.")
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for word, command in COMMANDS.items():
        about = words.add_parser(word, help=command.explain, description=f"To {command.explain}.")
        command.add_arguments(about, settings)
        about.add_argument("--json", action="store_true", help="each row of the result as a line of JSON")
    programs.add_common_options(parser, programs.COMMANDS.admin)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
