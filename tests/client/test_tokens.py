"""client/tokens.py: what is kept of a login, for its owner only, and never sent where it was not got."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import pytest

from client.tokens import Kept, Tokens

if TYPE_CHECKING:
    from pathlib import Path

HERE = "127.0.0.1"


def test_a_token_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    """In a file of mode 0600 in a folder of 0700; the name may be typed in any case."""
    folder = tmp_path / "state" / "tokens"
    Tokens(folder, HERE, 12000, tls=False).keep("alice", "t1")
    Tokens(folder, HERE, 12000, tls=False).keep("alice", "t2")
    assert Tokens(folder, HERE, 12000, tls=False).find("Alice") == "t2"
    (path,) = folder.iterdir()
    assert (path.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("server", "port", "tls", "name"),
    [("localhost", 1, False, "alice"), (HERE, 2, False, "alice"), (HERE, 1, True, "alice"), (HERE, 1, False, "bob")],
)
def test_a_token_is_for_one_server_port_name_and_kind(
    tmp_path: Path, server: str, port: int, tls: bool, name: str
) -> None:
    """None is sent to another, nor out of TLS."""
    Tokens(tmp_path, HERE, 1, tls=False).keep("alice", "t")
    assert Tokens(tmp_path, server, port, tls=tls).find(name) == ""


@pytest.mark.parametrize(
    ("server", "tls", "kept"),
    [
        ("chat.example", False, ""),
        ("192.0.2.1", False, ""),
        ("chat.example", True, "t"),
        ("localhost", False, "t"),
        ("127.1.2.3", False, "t"),
        ("::1", False, "t"),
    ],
)
def test_none_is_kept_for_a_server_that_anyone_may_pretend_to_be(
    tmp_path: Path, server: str, tls: bool, kept: str
) -> None:
    """Only in TLS, or on this machine."""
    tokens = Tokens(tmp_path, server, 1, tls=tls)
    tokens.keep("alice", "t")
    assert tokens.find("alice") == kept


def test_forgetting_is_for_one_server(tmp_path: Path) -> None:
    """Those of the name, or all, at each of its ports; others stay, and a file that is no token."""
    (tmp_path / "letter").write_text("hello")
    for port, name in ((1, "alice"), (2, "alice"), (1, "bob"), (1, "carol")):
        Tokens(tmp_path, HERE, port, tls=False).keep(name, "t")
    other = Tokens(tmp_path, "localhost", 1, tls=False)
    other.keep("alice", "t")
    tokens = Tokens(tmp_path, HERE, 1, tls=False)
    assert (tokens.forget("Alice"), tokens.forget("alice"), tokens.forget("")) == (2, 0, 2)
    assert other.find("alice") == "t"
    other.drop("alice")
    assert (other.find("alice"), [path.name for path in tmp_path.iterdir()]) == ("", ["letter"])


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """It is no reason to end; nothing is left of it."""
    (tmp_path / "file").write_text("")
    tokens = Tokens(tmp_path / "file" / "tokens", HERE, 1, tls=False)
    tokens.keep("alice", "t")
    assert "asked for the password again: cannot write" in tokens.problem
    assert tokens.find("alice") == ""


def test_other_things_in_the_folder_hide_no_login(tmp_path: Path) -> None:
    """A login in TLS is evidence that the server has it, whatever else lies there."""
    Tokens(tmp_path, "chat.example", 1, tls=True).keep("alice", "token")
    for number in range(5):
        (tmp_path / f"{number}folder").mkdir()
        (tmp_path / f"{number}gone").symlink_to(tmp_path / "nowhere")
    assert Tokens(tmp_path, "chat.example", 1, tls=False).has_tls()


def keep_as_before(folder: Path, server: str, name: str) -> None:
    """What an older client has written: all by the server as it was typed."""
    path = folder / hashlib.sha256(f"{server}\n1\nTrue\n{name}".encode()).hexdigest()[:32]
    path.write_bytes(msgspec.json.encode(Kept(server, 1, True, name, f"token of {name}")))


@pytest.mark.parametrize("kept", ["::1", "[::1]", "0:0:0:0:0:0:0:1", "::0:1"])
@pytest.mark.parametrize("asked", ["::1", "0:0:0:0:0:0:0:1"])
def test_a_token_is_found_by_any_spelling_of_its_server(tmp_path: Path, kept: str, asked: str) -> None:
    """Also one of an older client, which had the server as it was typed; and so it is dropped, and forgotten."""
    for name in ("alice", "bob"):
        keep_as_before(tmp_path, kept, name)
    keep_as_before(tmp_path, "::2", "alice")
    tokens = Tokens(tmp_path, asked, 1, tls=True)
    assert (tokens.find("Alice"), tokens.find("bob"), tokens.find("carol")) == ("token of alice", "token of bob", "")
    assert (tokens.has_tls(), Tokens(tmp_path, asked, 2, tls=True).find("alice")) == (True, "")
    tokens.drop("alice")
    assert (tokens.find("alice"), tokens.forget("bob"), tokens.has_tls()) == ("", 1, False)
    tokens.keep("alice", "new")
    assert Tokens(tmp_path, kept, 1, tls=True).find("alice") == "new"
    assert (tokens.forget_tls(), len(list(tmp_path.iterdir()))) == (1, 1)


@pytest.mark.parametrize(("kept", "asked"), [("localhost", "localhost."), (HERE, f"{HERE}.")])
def test_a_token_of_this_machine_goes_to_no_name_server_s_word(tmp_path: Path, kept: str, asked: str) -> None:
    """Without TLS it is for an address that only this machine can have: a final dot makes a name of it."""
    Tokens(tmp_path, kept, 1, tls=False).keep("alice", "t")
    assert Tokens(tmp_path, asked, 1, tls=False).find("alice") == ""
