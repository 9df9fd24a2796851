"""What the client remembers of an account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from client.memory import Memory

if TYPE_CHECKING:
    from pathlib import Path


def test_each_account_has_its_own(tmp_path: Path) -> None:
    """By server, port and name, in any spelling; nobody else can read it."""
    Memory(tmp_path, "localhost", 1, "alice").keep_talk("all")
    places = [("LOCALHOST.", 1, "Alice"), ("localhost", 2, "alice"), ("localhost", 1, "bob"), ("::1", 1, "alice")]
    assert [Memory(tmp_path, *place).talk for place in places] == ["all", "", "", ""]
    kept = next(tmp_path.glob("*/kept"))
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_two_clients_of_an_account_lose_nothing(tmp_path: Path) -> None:
    """Each changes the file as it is then, not as it was when it started."""
    one, other = (Memory(tmp_path, "localhost", 1, "alice") for _ in range(2))
    one.keep_muted("bob", is_muted=True)
    other.keep_muted("carol", is_muted=True)
    one.keep_talk("off")
    other.keep_muted("bob", is_muted=False)
    now = Memory(tmp_path, "localhost", 1, "alice")
    assert (now.talk, now.muted) == ("off", ("carol",))


def test_the_profile_wins(tmp_path: Path) -> None:
    """What it says of talk counts; what it can take is not kept anywhere else."""
    written: list[str] = []

    def write(talk: str) -> bool:
        written.append(talk)
        return True

    Memory(tmp_path, "localhost", 1, "alice", write_profile=write).keep_talk("all")
    assert (written, Memory(tmp_path, "localhost", 1, "alice").talk) == (["all"], "")
    Memory(tmp_path, "localhost", 1, "alice").keep_talk("off")
    assert Memory(tmp_path, "localhost", 1, "alice", profile_talk="all").talk == "all"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"muted": [1]}'])
def test_a_damaged_file_begins_anew(tmp_path: Path, content: bytes) -> None:
    """It is as if nothing had been said, and is written over."""
    memory = Memory(tmp_path, "localhost", 1, "alice")
    memory.keep_talk("all")
    (memory.folder / "kept").write_bytes(content)
    again = Memory(tmp_path, "localhost", 1, "alice")
    assert (again.talk, again.muted) == ("", ())
    again.keep_muted("bob", is_muted=True)
    assert Memory(tmp_path, "localhost", 1, "alice").muted == ("bob",)
