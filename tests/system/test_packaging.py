"""packaging/: the unit for systemd and the Containerfile name files and options that there are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from shlex import split
from typing import Final

import pytest

from service.config import Settings, parse_settings
from tests.support.helpers import ROOT, running_server
from tests.support.papers import PAPERS

UNIT: Final = ROOT / "packaging" / "chat.service"
CONTAINERFILE: Final = (ROOT / "packaging" / "Containerfile").read_text()
OPERATING: Final = PAPERS["docs/operating.txt"]
ANALYZE: Final = shutil.which("systemd-analyze") or ""

needs_systemd = pytest.mark.skipif(not ANALYZE, reason="no systemd-analyze here: apt install systemd")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    plain = os.environ | {"SYSTEMD_EMOJI": "0", "SYSTEMD_COLORS": "0"}
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, check=False, env=plain)


def test_the_unit_starts_the_service_with_options_that_there_are() -> None:
    """And keeps the database where it may write."""
    (command,) = re.findall(r"^ExecStart=\S+/python -m service (.*)$", UNIT.read_text(), re.MULTILINE)
    settings = parse_settings(split(command), {})
    assert settings.tls_key
    assert {str(Path(path).parent) for path in (settings.db, settings.tls_cert, settings.tls_key)} == {"/var/lib/chat"}
    assert "StateDirectory=chat\n" in UNIT.read_text()


@needs_systemd
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Without a word; with the paths and the user of this machine in place of those that it expects."""
    here = UNIT.read_text().replace("/srv/chat/.venv/bin/python", str(Path(sys.executable).resolve()))
    here = here.replace("/srv/chat", str(tmp_path)).replace("User=chat", "User=root")
    (tmp_path / UNIT.name).write_text(here)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    said = analyze("verify", "--man=no", str(tmp_path / UNIT.name))
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@needs_systemd
def test_the_unit_exposes_as_little_as_the_paper_says() -> None:
    """By systemd's own measure, which changes a little with its version."""
    said = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    (measured,) = re.findall(r"Overall exposure level for chat\.service: ([\d.]+)", said.stdout)
    (written,) = re.findall(r"an exposure level of ([\d.]+) with", " ".join(OPERATING.split()))
    assert abs(float(measured) - float(written)) < 0.5


def test_the_image_is_made_of_what_there_is() -> None:
    """Each source is in the clone, and no user of it is root."""
    copied = " ".join(re.findall(r"^COPY (.+) \S+$", CONTAINERFILE, re.MULTILINE)).split()
    assert {"requirements.txt", "requirements-postgres.txt", "service", "migrations"} == set(copied)
    assert all((ROOT / name).exists() for name in copied)
    assert re.findall(r"^USER (.*)$", CONTAINERFILE, re.MULTILINE) == ["chat"]
    assert "ARG REQUIREMENTS=requirements.txt\n" in CONTAINERFILE
    assert "--require-hashes -r ${REQUIREMENTS}" in CONTAINERFILE


def test_the_image_starts_the_service_with_options_that_there_are() -> None:
    """On the port that it exposes and checks, with the database in its volume."""
    (entry,) = re.findall(r"^ENTRYPOINT (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    python, module, name, *options = json.loads(entry)
    assert (python, module, name) == ("python", "-m", "service")
    settings = parse_settings(options, {})
    assert settings == Settings(port=12_000, host="0.0.0.0", db="/data/chat.db")  # noqa: S104 (within the container)
    assert "\nVOLUME /data\nEXPOSE 12000\n" in CONTAINERFILE
    assert f"('127.0.0.1', {settings.port})" in CONTAINERFILE


def test_the_check_of_the_image_tells_a_service_from_none(tmp_path: Path) -> None:
    """As it stands, with another port: well while the service listens, and not afterwards."""
    (check,) = re.findall(r"^    CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    _, *arguments = json.loads(check)
    with running_server(tmp_path) as server:
        command = [sys.executable, *(each.replace("12000", str(server.port)) for each in arguments)]
        assert subprocess.run(command, check=False).returncode == 0
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1
