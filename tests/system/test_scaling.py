"""The way from one SQLite file to two services over PostgreSQL and back: the lines of docs/scaling.txt and README.txt.

They run in the order of the papers, in a cluster of their own; `runuser` and the like are left out, names of machines
are this one's.
"""

from __future__ import annotations

import re
import shlex
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from service.config import READERS
from service.storage.postgres.connection import IDLE_TIMEOUT, LEAST_VERSION
from service.storage.postgres.link import RECONNECT
from service.storage.postgres.node import BEAT, LEASE
from tests.support.helpers import Wire, enter, free_port
from tests.support.papers import PAPERS
from tests.support.postgres import Cluster
from tests.support.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.tls import Authority

PAPER: Final = PAPERS["docs/scaling.txt"]
LINES: Final = re.findall(r"^    (\S.*)$", PAPER, re.MULTILINE)
README: Final = re.findall(r"^    (\S.*postgresql://.*)$", PAPERS["README.txt"], re.MULTILINE)


def lines(beginning: str) -> list[str]:
    """Those of the paper that begin so, in its order."""
    found = [line for line in LINES if line.startswith(beginning)]
    assert found, beginning
    return found


@pytest.fixture
def own_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """One without the role that the paper makes."""
    with Cluster() as own:
        own.execute("DROP ROLE chat")
        yield own


@pytest.fixture
def stage(tmp_path: Path, authority: Authority) -> Stage:
    return Stage(tmp_path, authority)


def run_as_postgres(cluster: Cluster, line: str) -> None:
    """What the paper has the user postgres do. Nobody types a password, and the test's server asks for none."""
    program, *arguments = shlex.split(line.removeprefix("runuser -u postgres -- "))
    cluster.run(program, "--username", "postgres", *(word for word in arguments if word != "--pwprompt"))


def here(cluster: Cluster, line: str) -> str:
    """The line with this cluster in place of the paper's machine."""
    return line.replace("@db.example/", f"@127.0.0.1:{cluster.port}/")


def texts(wire: Wire) -> list[str]:
    """What was said in the main room."""
    return [message["message"] for message in wire.ask("history")["messages"]]


def test_from_a_file_to_two_services_and_back(own_cluster: Cluster, stage: Stage) -> None:
    """What was said in the file is there, both services are one chat, and all of it comes back into a file."""
    with stage.serving() as server, enter(server.port, "alice") as alice:
        alice.ask("pm", message="over SQLite")
    for line in lines("runuser -u postgres"):
        run_as_postgres(own_cluster, line)
    (make,), (backup,) = lines("chat-admin init-db"), lines("chat-admin backup")
    there, back = lines("chat-admin copy")
    for line in (make, backup, there):
        stage.run(here(own_cluster, line), stage.clone)
    (serve,) = lines("chat-service --db")
    with ExitStack() as stay:
        wires = []
        for name in ("alice", "bob"):
            port = free_port()
            line = here(own_cluster, serve).replace("chat-service", f"chat-service {port} --drain 0")
            program = stay.enter_context(stage.started(line))
            assert program.stderr is not None
            while "listening on" not in program.stderr.readline():
                pass
            wires.append(stay.enter_context(enter(port, name)))
        alice, bob = wires
        assert texts(bob) == ["over SQLite"]
        alice.ask("pm", message="over PostgreSQL")
        assert bob.read_type("broadcast")["message"] == "over PostgreSQL"
        assert "2 services running" in stage.run(here(own_cluster, f"chat-admin status --db {serve.split()[2]}"))
    stage.run(here(own_cluster, back), stage.clone)
    (stage.clone / "again.db").rename(stage.clone / "chat.db")
    with stage.serving() as server, enter(server.port, "alice") as alice:
        assert texts(alice) == ["over SQLite", "over PostgreSQL"]
        assert alice.ask("pm", message="again")["id"] == 3


def test_the_times_of_the_paper_are_those_of_the_service() -> None:
    """How long others wait for a service that died, and a service for PostgreSQL."""
    text = " ".join(PAPER.split())
    for words in (
        f"says every {BEAT:g} seconds that it lives",
        f"after {LEASE:g} seconds without such a word",
        f"up to {LEASE + BEAT + 0.5:g} seconds after its end",
        f"does not come back within {RECONNECT:g} seconds",
        f"the others wait, at most {IDLE_TIMEOUT:g} seconds",
        f"raise max_connections to {READERS + 1} for each service and some more",
        f"one connection that writes, and up to {READERS} that read",
        f"{LEAST_VERSION // 10_000} or newer",
    ):
        assert words in text
