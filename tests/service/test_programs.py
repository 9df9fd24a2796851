"""What the three programs share: names, --version, --completion, and the word for a Python without the packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from client.__main__ import make_parser
from service import __version__, config
from service.admin import __main__ as admin
from service.programs import COMMANDS, SHELLS, Names, find_names
from tests.support.helpers import PATIENCE, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.visible import Parser

PARSERS: Final[dict[str, Callable[[], Parser]]] = dict(
    zip(COMMANDS, (make_parser, config.make_parser, admin.make_parser), strict=True)
)


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs this Python without the packages."""
    return subprocess.run(
        [sys.executable, "-S", "-E", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
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


@pytest.mark.parametrize(
    ("folder", "words", "then"),
    [
        (".", "-m service 12000", "-m service 12000 (or: pip install {} && chat-service 12000)"),
        (".", "-m service.admin verify a;b", "-m service.admin verify 'a;b' (or: pip install {} && chat-admin verify"),
        (".", "-m client localhost 12000", "-m client localhost 12000 (or: pip install {} && chat localhost 12000)"),
        ("service", "server.py 12000", "-m service 12000 (or: pip install {} && chat-service 12000)"),
        ("client", "client.py localhost 12000", "-m client localhost 12000 (or: pip install {} && chat localhost 1"),
    ],
)
def test_a_python_without_the_packages_says_what_to_type(folder: str, words: str, then: str) -> None:
    """In one line that can be pasted, with status 1."""
    ended = run(ROOT / folder, *words.split())
    (line,) = ended.stderr.splitlines()
    assert line.startswith("chat: this Python lacks the package ")
    assert f"Type: cd {ROOT} && make install && .venv/bin/python {then.format(ROOT)}" in line
    assert ended.returncode == 1


def test_a_module_of_ours_that_is_missing_is_a_bug(tmp_path: Path) -> None:
    """And shows as one; so does any other exception."""
    shutil.copytree(ROOT / "service", tmp_path / "service")
    (tmp_path / "service" / "config.py").unlink()
    assert "Traceback" in run(tmp_path, "-m", "service").stderr


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
    [("rest", "restore"), ("backup --o", "--overwrite"), ("restore a-b", "a-backup.db"), ("--completion z", "zsh")],
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
