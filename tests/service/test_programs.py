"""What the three programs share: names, --version and --completion."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from client.__main__ import make_parser
from service import __version__, config
from service.admin import __main__ as admin
from service.programs import COMMANDS, SHELLS, Names, find_names
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.visible import Parser

PARSERS: Final[dict[str, Callable[[], Parser]]] = dict(
    zip(COMMANDS, (make_parser, config.make_parser, admin.make_parser), strict=True)
)


def test_a_clone_names_modules_of_its_python(tmp_path: Path) -> None:
    """That of `make install`, if it runs; a system's one, or that of an active environment, is python3."""
    own = find_names(tmp_path, str(tmp_path / ".venv"))
    assert own == Names(*(f".venv/bin/python -m {module}" for module in ("client", "service", "service.admin")))
    assert find_names(tmp_path, "/usr").admin == "python3 -m service.admin"


def test_an_installed_package_names_its_commands(tmp_path: Path) -> None:
    """Whatever Python runs them."""
    (tmp_path / "__init__.py").touch()
    assert find_names(tmp_path, "/usr") == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_the_version_is_that_of_the_package(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind the name of the command."""
    with pytest.raises(SystemExit) as ended:
        PARSERS[command]().parse_args(["--version"])
    assert (capsys.readouterr().out, ended.value.code) == (f"{command} {__version__}\n", 0)


def complete(make: Callable[[], Parser], shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit):
        make().parse_args(["--completion", shell])
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", COMMANDS)
def test_each_shell_takes_its_completions(
    command: str, shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They name the command and its options; the shell, if it is here, finds no mistake."""
    (tmp_path / "script").write_text(script := complete(PARSERS[command], shell, capsys))
    assert command in script
    assert "completion" in script
    if found := shutil.which(shell):
        subprocess.run([found, "-n", tmp_path / "script"], timeout=PATIENCE, check=True)


@pytest.mark.parametrize(
    ("words", "completed"),
    [("re", "restore"), ("backup --o", "--overwrite"), ("restore a-b", "a-backup.db"), ("--completion z", "zsh")],
)
def test_bash_completes_commands_options_and_files(
    words: str, completed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after Tab."""
    (tmp_path / "a-backup.db").touch()
    script = complete(admin.make_parser, "bash", capsys) + (
        'COMP_WORDS=(chat-admin "$@"); COMP_CWORD=$#\n'
        '_shtab_chat_admin chat-admin "${COMP_WORDS[-1]}"; echo "${COMPREPLY[@]}"\n'
    )
    ended = subprocess.run(
        ["bash", "-c", script, "bash", *words.split()], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
    )
    assert ended.stdout == f"{completed}\n"
