"""Stdout and stderr without a terminal."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

from client.scripting.streams import streams

if TYPE_CHECKING:
    import pytest


def test_any_text_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A character that the locale lacks is written as an escape."""
    files = [io.BytesIO(), io.BytesIO()]
    for name, file in zip(("stdout", "stderr"), files, strict=True):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(file, "ascii"))
    with streams() as (out, err):
        out.write("\u00e9")
        err.write("\U0001f600")
        err.flush()
    assert [file.getvalue() for file in files] == [b"\\xe9", b"\\U0001f600"]


def test_a_reader_that_went_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left to write goes nowhere, so Python ends without a complaint."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        with streams() as (out, _):
            out.write("never read")
            os.close(reader)
        stdout.flush()
        assert os.path.samestat(os.fstat(stdout.fileno()), os.stat(os.devnull))  # noqa: PTH116
