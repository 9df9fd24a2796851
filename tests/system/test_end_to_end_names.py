"""A user gets another name from the operator, beside a real service."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.engines import name_database
from tests.support.helpers import ROOT, Process, enter
from tests.support.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engines


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    """The service as its own program."""
    with Process(tmp_path) as service:
        yield service


def rename(folder: Path, old: str, new: str) -> None:
    command = [sys.executable, "-m", "service.admin", "rename", old, new, "--db", name_database(folder / "chat.db")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def test_a_new_name(service: Process, tmp_path: Path) -> None:
    """The session ends and says what to do; the login by the old name goes on. A talk with the old name does, too."""
    with terminal(service) as alice, terminal(service) as bob:
        alice.register("alice")
        bob.register("bob")
        bob.enter("talk alice")
        bob.wait_for("goes to alice now")
        rename(tmp_path, "alice", "alicia")
        alice.wait_for("moderator ended this session. Start the client again")
        assert alice.wait_for_end() == 1
        bob.wait_for("-- alice is now called alicia")
        with terminal(service, "alice") as back:
            back.wait_for('"alice" is called alicia now.', "You are alicia.", "PM/DM/EX>")
            bob.enter("there?")
            back.wait_for("bob -> you: there?")
            bob.wait_for("you -> alicia (delivered): there?")
            back.enter("reply yes")
            bob.wait_for("alicia -> you: yes")


def test_a_new_name_while_the_connection_is_lost(service: Process, tmp_path: Path) -> None:
    """The client comes back by the token, says the name, and takes what was sent to it for the user's own."""
    with terminal(service) as alice, enter(service.port, "bob"):
        alice.register("alice")
        alice.enter("pm from the old one")
        alice.wait_for("> you: from the old one")
        service.stop(signal.SIGKILL)
        alice.wait_for("trying again")
        rename(tmp_path, "alice", "alicia")
        with Process(tmp_path, port=service.port), enter(service.port, "bob") as again:
            alice.wait_for("-- you are now called alicia", "connected | alicia")
            again.ask("dm", to="alicia", message="hi")
            alice.wait_for("bob -> you: hi")
            alice.enter("history")
            alice.wait_for("> you: from the old one")
            alice.enter("ex")
            assert alice.wait_for_end() == 0
        with Process(tmp_path, port=service.port), enter(service.port, "alicia", confirm=True) as alicia:
            assert alicia.hello["missed"] == 0
