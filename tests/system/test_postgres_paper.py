"""docs/operating.txt, "PostgreSQL": its command and lines for PostgreSQL's own programs, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from shlex import split
from typing import TYPE_CHECKING, Final

import pytest

from service.storage.postgres.advice import advise
from tests.support.helpers import ROOT
from tests.support.papers import PAPERS

if TYPE_CHECKING:
    from tests.support.postgres import Cluster

SECTION: Final = PAPERS["docs/operating.txt"].partition("\nPostgreSQL\n---")[2].partition("\n\n\n")[0]
LINES: Final = re.findall(r"^    ((?:chat-admin|pg_|psql) ?.*)$", SECTION, re.MULTILINE)
VIEWS: Final = ("history", "users", "rooms")


@pytest.fixture
def roles(cluster: Cluster) -> Cluster:
    """A cluster with the three roles and their database."""
    cluster.execute("DROP DATABASE IF EXISTS chat WITH (FORCE)")
    for role in ("chat_owner", "chat_reader"):
        cluster.execute(f"DROP ROLE IF EXISTS {role}")
        cluster.execute(f"CREATE ROLE {role} LOGIN")
    cluster.execute("CREATE DATABASE chat OWNER chat_owner")
    run(cluster, LINES[0])
    return cluster


def run(cluster: Cluster, line: str) -> str:
    """What a line says that names the server as the paper does; a dump is in the cluster's folder."""
    program, *arguments = split(line.replace("db.example", f"127.0.0.1:{cluster.port}"))
    if program != "chat-admin":
        return cluster.run(program, *arguments)
    command = [sys.executable, "-m", "service.admin", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def ask(cluster: Cluster, role: str, statement: str) -> str:
    return cluster.run("psql", cluster.url("chat", role), "-At", "-c", statement).strip()


def test_each_role_may_do_its_own_part(roles: Cluster) -> None:
    """The service changes rows, the reader reads the views; neither makes a table, nor does the reader see others."""
    assert "(0 rows)" in run(roles, LINES[1])
    assert ask(roles, "chat", "UPDATE chat.room SET topic = ''") == "UPDATE 0"
    for view in VIEWS:
        assert ask(roles, "chat_reader", f"SELECT count(*) FROM chat.{view}") == "0"
    for role, statement in (
        ("chat", "CREATE TABLE chat.mine ()"),
        ("chat_reader", "CREATE TABLE chat.mine ()"),
        ("chat_reader", "SELECT * FROM chat.message"),
        ("chat_reader", "SELECT * FROM chat.token"),
    ):
        with pytest.raises(Exception, match="permission denied"):
            ask(roles, role, statement)


def test_a_dump_comes_back_and_no_id_is_given_twice(roles: Cluster) -> None:
    """Of the database as it was; the next service leaves ids out."""
    dump, restore, settle, verify = LINES[2:]
    ask(
        roles,
        "chat_owner",
        "INSERT INTO chat.former_name (name, look, user_id, ended_at) VALUES ('zoe', 'zoe', -1, '')",
    )
    run(roles, dump)
    ask(roles, "chat_owner", "DELETE FROM chat.former_name")
    run(roles, restore)
    assert ask(roles, "chat_reader", "SELECT count(*) FROM chat.users") == "0"
    assert ask(roles, "chat_owner", "SELECT name FROM chat.former_name") == "zoe"
    assert run(roles, settle).startswith("UPDATE ")
    run(roles, verify)


def test_the_lines_are_those_that_the_commands_name() -> None:
    """`backup`, `restore` and `verify` are refused with them."""
    dump, restore, settle, verify = LINES[2:]
    url = "postgresql://chat_owner@db.example/chat"
    assert dump in advise("backup", url)
    assert f"{restore} && {settle}" in advise("restore", url)
    assert verify in advise("verify", url.replace("chat_owner", "postgres"))
