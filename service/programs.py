"""What the three programs share: how they are called, and the options that each of them has.

They are commands where the package is installed, and modules of Python in a clone. Every text that tells a command to
type takes the name from here. Runs nothing of them; imports no other package.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from shlex import join, quote
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service import __version__
from service.visible import one_line

if TYPE_CHECKING:
    from types import TracebackType

    from service.visible import Parser

SHELLS: Final = ("bash", "zsh", "fish")
_FILES: Final = frozenset({"FILE", "file", "db", "folder"})  # arguments, by metavar or dest, that shells complete

ROOT: Final = Path(__file__).resolve().parents[1]  # holds service/, client/ and migrations/


class Names(NamedTuple):
    """How each program is started, as one types it before its options."""

    client: str
    service: str
    admin: str


COMMANDS: Final = Names("chat", "chat-service", "chat-admin")  # as pyproject.toml has them


def find_names(root: Path, prefix: str) -> Names:
    """Returns the names, for programs in the folder `root`, run by the Python whose environment is `prefix`."""
    if (root / "__init__.py").exists():  # a package: see chat_service/
        return COMMANDS
    python = ".venv/bin/python" if Path(prefix) == root / ".venv" else "python3"
    return Names(f"{python} -m client", f"{python} -m service", f"{python} -m service.admin")


CLIENT, SERVICE, ADMIN = find_names(ROOT, sys.prefix)


def explain_missing_packages(module: str, command: str) -> None:
    """Has a program end with one line on stderr, and status 1, if Python is too old, or a package missing.

    It was started as `python3 -m module`, and is installed as `command`. For its first line, before other imports.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 (pip looks at pyproject.toml; here nobody has)
        sys.exit(
            f"chat: this is Python {sys.version.split()[0]}. Install Python 3.11 or newer, and start it with that."
        )

    def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        if missing in {"", "client", "service"}:
            sys.__excepthook__(kind, error, trace)
            return
        there, words = quote(str(ROOT)), join(sys.argv[1:])
        line = (
            f"chat: this Python lacks the package {missing}. "
            f"Type: cd {there} && make install && .venv/bin/python -m {module} {words}".rstrip()
            + f" (or: pip install {there} && {command} {words}".rstrip()
            + ")"
        )
        sys.stderr.write(f"{one_line(line)}\n")

    sys.excepthook = explain


def add_common_options(parser: Parser, command: str) -> None:
    """Adds --version and --completion, for the program that is installed as `command`."""
    parser.add_argument("--version", action="version", version=f"{command} {__version__}", help="print the version")
    parser.add_argument(
        "--completion",
        action=_Completion,
        choices=SHELLS,
        const=command,
        help="print what has this shell complete the command's options",
    )


class _Completion(argparse.Action):
    """Prints a shell's completions for the command `const`, and ends the program."""

    def __call__(self, parser: argparse.ArgumentParser, _given: Any, shell: Any, _option: str | None = None) -> None:
        import shtab  # noqa: PLC0415  # takes 20 ms

        parser.prog = str(self.const)
        _complete_files(parser, shtab.FILE)
        sys.stdout.write(shtab.complete(parser, shell) + "\n")
        parser.exit()


def _complete_files(parser: argparse.ArgumentParser, how: Any) -> None:
    for action in parser._actions:  # noqa: SLF001  # argparse has no public list of them
        if {action.dest, action.metavar} & _FILES:
            action.complete = how  # type: ignore[attr-defined]  # as shtab asks for it
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                _complete_files(command, how)
