"""service/admin/hooks.py: the address of a webhook is shown once, and its secret is kept nowhere."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import pytest

from service.accounts.authentication import hash_token
from tests.support.helpers import open_storage, running_server
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines
TOLD = re.compile(r"(.*); whoever knows this address can have it speak:\n(.*)/hook/([\w-]{43})\n")


@pytest.mark.parametrize("is_running", [True, False])
def test_its_address_is_shown_once(
    tmp_path: Path, run: Run, caplog: pytest.LogCaptureFixture, is_running: bool
) -> None:
    """With the base that is given; then only the hash is there, and no log has either."""
    caplog.set_level(logging.DEBUG)
    make_chat(tmp_path / "chat.db")
    if is_running:
        with running_server(tmp_path):
            told = run("hook", "add", "Monitor", "--url", "https://chat.example:8443/chat/")
    else:
        told = run("hook", "add", "Monitor", "--url", "https://chat.example:8443/chat/")
    status, out, err = told
    match = TOLD.fullmatch(out)
    assert (status, err, match is not None) == (0, "", True)
    assert match is not None
    assert match.groups()[:2] == ("monitor: speaks in the main room", "https://chat.example:8443/chat")
    secret = match[3]
    with open_storage(tmp_path / "chat.db") as storage:
        hook = storage.find_hook(hash_token(secret))
    assert hook is not None
    assert hook.name == "monitor"
    assert secret not in caplog.text
    assert hook.secret_hash.hex() not in caplog.text
    assert not [path for path in tmp_path.iterdir() if secret.encode() in path.read_bytes()]


def test_it_is_a_row_of_json(tmp_path: Path, run: Run) -> None:
    """For scripts; where nobody knows the web address, the path alone."""
    make_chat(tmp_path / "chat.db")
    status, out, err = run("hook", "add", "monitor", "--json")
    row = json.loads(out)
    assert (status, row["name"], row["room"]) == (0, "monitor", None)
    assert re.fullmatch(r"/hook/[\w-]{43}", row["url"])
    assert "before it comes the address of the web port" in err


@pytest.mark.parametrize(
    "url", ["", "https://", "ftp://chat.example", "chat.example", "https://chat.example/?a", "http://a b"]
)
def test_a_bad_base_is_refused(tmp_path: Path, run: Run, url: str) -> None:
    """Before anything is made."""
    make_chat(tmp_path / "chat.db")
    assert run("hook", "add", "monitor", "--url", url)[0] == 1
    assert run("hooks") == (0, "", "")


@pytest.mark.parametrize("name", ["all", "two words", "4you", "a.b", "moderator", "a1ice", "alice"])
def test_its_name_is_as_a_new_users(tmp_path: Path, run: Run, name: str) -> None:
    """None that is reserved, hard to type or somebody's, or looks so."""
    make_chat(tmp_path / "chat.db")
    run("add", "alice", stdin="a long password")
    status, out, err = run("hook", "add", name)
    assert (status, out, err.startswith("chat admin: ")) == (1, "", True)


@pytest.mark.parametrize("room", ["ops", "two words"])
def test_its_room_must_be_there(tmp_path: Path, run: Run, room: str) -> None:
    """No secret is shown where there is none."""
    make_chat(tmp_path / "chat.db")
    assert run("hook", "add", "monitor", "--room", room) == (1, "", f'chat admin: there is no room "{room}"\n')
