"""client/files.py: files that only their owner can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from client.files import write_private

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_file_and_its_folder_are_private(tmp_path: Path) -> None:
    """Whatever the umask allows, the file has the mode 0600 and a new folder 0700."""
    path = tmp_path / "new" / "file"
    before = os.umask(0)
    try:
        write_private(path, "h\u00e9llo\n")
    finally:
        os.umask(before)
    assert path.read_bytes() == "h\u00e9llo\n".encode()
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """A reader that has the old one open goes on to read the old one, and an open mode does not stay."""
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        write_private(path, "new")
        assert reader.read() == "old"
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    """And nothing beside it."""
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "new \udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """It is an OSError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_private(tmp_path / "file" / "inside", "x")
