"""The wheel of `make dist`, installed where nobody has a clone: the commands work, beside other packages too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from service import __version__
from service.programs import COMMANDS
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, free_port
from tests.support.papers import PAPERS
from tests.support.web import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES: Final = ("Makefile", "README.txt", "pyproject.toml", "hatch_build.py", "chat_service", "client", "migrations")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make dist` fills, in a copy of the sources."""
    folder = tmp_path_factory.mktemp("sources")
    for name in (*SOURCES, "service"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    for stamp in ("venv", "run", "postgres", "dev"):
        (folder / ".venv" / f"{stamp}.stamp").touch()
    for requirements in ("requirements.txt", "requirements-postgres.txt", "requirements-dev.txt"):
        (folder / requirements).touch()
        os.utime(folder / requirements, (0, 0))  # older than the stamps
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    subprocess.run(["make", "dist"], cwd=folder, env=environment, timeout=PATIENCE, check=True)
    return folder / "dist"


@pytest.fixture(scope="session")
def prefix(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of Python with the wheel and nothing else of its own."""
    prefix = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(prefix / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", *map(str, dist.glob("*.whl"))], check=True)
    # What the wheel depends on is here already, and needs no network.
    (packages(prefix) / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return prefix


def packages(prefix: Path) -> Path:
    (folder,) = prefix.glob("lib/python*/site-packages")
    return folder


class Installed:
    """The commands of that environment, used from another folder, which is an empty home."""

    def __init__(self, prefix: Path, home: Path) -> None:
        self.prefix, self.home = prefix, home

    def start(self, command: str, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.prefix / "bin" / command, *map(str, arguments)],
            cwd=self.home,
            env={"HOME": str(self.home), "PATH": os.environ["PATH"], "CHAT_PASSWORD": PASSWORD},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, command: str, *arguments: object) -> str:
        """What a command says, once it has ended; it must succeed."""
        with self.start(command, *arguments) as program:
            out, err = program.communicate(timeout=PATIENCE)
        assert program.returncode == 0, (command, arguments, out, err)
        return out

    @contextmanager
    def service(self, *options: object) -> Iterator[int]:
        """Runs chat-service; gives its port."""
        with self.start("chat-service", 0, "--bcrypt-cost", 4, *options) as program:
            assert program.stderr is not None
            try:
                line = next(line for line in program.stderr if "listening on" in line)
                yield int(line.split("listening on 127.0.0.1:")[1].split(",")[0])
            finally:
                program.terminate()


@pytest.fixture
def installed(prefix: Path, tmp_path: Path) -> Installed:
    return Installed(prefix, tmp_path)


def test_commands_chat_and_look_after_the_database(installed: Installed) -> None:
    """From any folder, with nothing in the home."""
    with installed.service() as port:
        installed.run("chat", "127.0.0.1", port, "alice", "--send", "Hello, everyone!")
        assert "Hello, everyone!" in installed.run("chat", "127.0.0.1", port, "bob", "--history", "5")
        assert "1 message, 2 users" in installed.run("chat-admin", "backup", "copy.db")
    for file in ("copy.db", "chat.db"):
        assert "sound, 1 message, 2 users" in installed.run("chat-admin", "verify", file)


def test_the_page_is_there(installed: Installed) -> None:
    """All that index.html asks for."""
    port = free_port()
    with installed.service("--web-port", port):
        page = ask(port, "/")
        assert page.status == 200
        asked = re.findall(r"(?:href|src)=\"/?([\w.-]+)\"", page.body.decode())
        assert {"style.css", "main.js"} <= set(asked)
        assert {ask(port, f"/{name}").status for name in asked} == {200}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_knows_its_name_and_version(command: str, installed: Installed) -> None:
    """Its help says how to start it; its manual page is where `man` looks."""
    assert installed.run(command, "--version") == f"{command} {__version__}\n"
    assert installed.run(command, "--help").startswith(f"usage: {command} ")
    assert f"#compdef {command}\n" in installed.run(command, "--completion", "zsh")
    page = (installed.prefix / "share" / "man" / "man1" / f"{command}.1").read_text().replace("\\-", "-")
    assert f".SH NAME\n{command} - " in page
    assert "python" not in page
    assert f'"{command} {__version__}"' in page


def test_texts_name_the_installed_commands(installed: Installed) -> None:
    """What an operator is told to type is there to be typed."""
    installed.run("chat-admin", "init-db", "broken.db")
    with (installed.home / "broken.db").open("r+b") as file:
        file.seek(4096)
        file.write(bytes([255]) * 8192)
    with installed.start("chat-admin", "verify", "broken.db") as program:
        assert "`chat-admin restore BACKUP --db broken.db`" in program.communicate(timeout=PATIENCE)[1]
    assert "Next: chat-service --host 0.0.0.0 --tls-cert" in installed.run("chat-admin", "certs", "pair")


def test_the_only_package_has_a_name_of_its_own(installed: Installed) -> None:
    """Nothing else that another package could hold, or be hidden by."""
    own = {path.name for path in packages(installed.prefix).iterdir()} - {"dependencies.pth", "__pycache__"}
    assert own == {"chat_service", f"chat_service-{__version__}.dist-info"}


@pytest.mark.parametrize("name", ["service", "client"])
def test_another_package_of_that_name_works_beside(name: str, installed: Installed) -> None:
    """PyPI has such: it is imported by its name, and the commands take their own."""
    other = packages(installed.prefix) / name
    other.mkdir()
    try:
        (other / "__init__.py").write_text("print('the other')")
        assert installed.run("python", "-c", f"import {name}") == "the other\n"
        with installed.service() as port:
            assert installed.run("chat", "127.0.0.1", port, "alice", "--history", "1") == ""
        assert installed.run("chat-admin", "--version") == f"chat-admin {__version__}\n"
    finally:
        shutil.rmtree(other)


def test_the_commands_of_the_paper_run(installed: Installed, dist: Path, tmp_path: Path) -> None:
    """As they stand, in the folder with the wheel; but no network is here, nor pipx, nor a server of that name."""
    lines = re.findall(r"^    (.*)$", PAPERS["docs/installing.txt"], re.MULTILINE)
    absent = ("pipx ", "uv ", "make ", "man ", "chat chat.example ")
    script = "\n".join(line for line in lines if not line.startswith(absent) and "   " not in line)
    for name in (f"chat_service-{__version__}-py3-none-any.whl", f"chat_service-{__version__}.tar.gz"):
        shutil.copy(dist / name, tmp_path)
    no_network = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    path = {"HOME": str(tmp_path), "PATH": f"{installed.prefix}/bin:{os.environ['PATH']}"}
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, env=path | no_network, timeout=5 * PATIENCE, check=True)
    assert "_shtab_chat_admin" in (tmp_path / ".zfunc" / "_chat-admin").read_text()
    assert "pip install" in script
    assert not (tmp_path / "chat-venv").exists()  # the last that is said of it removes it


def test_the_commands_are_those_that_the_texts_name() -> None:
    """pyproject.toml and service/programs.py say the same."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tuple(tomllib.load(file)["project"]["scripts"]) == COMMANDS
