"""service/motd.py: the file of the message of the day, up to its limit."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from service.errors import ConfigError
from service.motd import MAX_MOTD, Motd

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_there_is_no_text() -> None:
    """Nothing is read, then and later."""
    motd = Motd("")
    motd.read()
    assert motd.text == ""


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Willkommen, zoë!\n".encode(), "Willkommen, zoë!"),
        (b"\xef\xbb\xbfa\r\n\r\nb\r\n", "a\n\nb"),
        (b"", ""),
        (b"\xef\xbb\xbf" + b"\xf0\x9f\x8e\x89" * MAX_MOTD, "🎉" * MAX_MOTD),
    ],
)
def test_a_text_is_taken_as_it_stands(tmp_path: Path, data: bytes, text: str) -> None:
    """But for a byte order mark and the line ends; the longest text, too."""
    path = tmp_path / "motd"
    path.write_bytes(data)
    assert Motd(str(path)).text == text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x" * (MAX_MOTD + 1), "too long"),
        (b"\xf0\x9f\x8e\x89" * (MAX_MOTD + 1), "too long"),
        (b"caf\xe9", "no text in UTF-8"),
        (b"a\0b", "no text in UTF-8"),
    ],
)
def test_what_is_no_message_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    """In words that name the file; what was read before stays."""
    path = tmp_path / "motd"
    path.write_text("hello")
    motd = Motd(str(path))
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=rf"--motd {path} is {words}"):
        motd.read()
    assert motd.text == "hello"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Neither waits a start for a pipe's writer."""
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("none", "No such file"), (".", "not a file"), ("pipe", "not a file")):
        with pytest.raises(ConfigError, match=f"cannot read --motd {tmp_path / name}: .*{words}"):
            Motd(str(tmp_path / name))
