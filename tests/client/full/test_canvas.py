"""Rows on the screen, cell by cell."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyte
import pytest
from prompt_toolkit.data_structures import Size

from client.full.canvas import Settled, cells_of, is_disputed
from client.render.layout import columns_of

if TYPE_CHECKING:
    from client.text import Part

HEART, FAMILY, FLAG = "\u2764\ufe0f", "\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea"


def texts(*row: Part, columns: int = 6) -> list[str]:
    return [cell.char for cell in cells_of(row, columns)]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("ab", ["a", "b", " ", " ", " ", " "]),
        ("\u4f60a", ["\u4f60", "", "a", " ", " ", " "]),
        ("e\u0301a", ["e\u0301", "a", " ", " ", " ", " "]),
        ("a\u200eb", ["a\u200e", "b", " ", " ", " ", " "]),
        ("\u0301", [" "] * 6),
        (FAMILY + FLAG, [FAMILY, "", FLAG, "", " ", " "]),
        ("abcde\u4f60", ["a", "b", "c", "d", "e", " "]),
        ("abcdefgh", list("abcdef")),
    ],
)
def test_cells(text: str, cells: list[str]) -> None:
    """Each cluster has one, and an empty one behind it if it is wide; what does not fit is left out."""
    assert texts(("", text)) == cells


def test_styles() -> None:
    """A part's style is that of its cells."""
    assert [cell.style for cell in cells_of([("own", "a"), ("", "b")], 3)] == ["class:own", "", ""]


def test_what_stands_behind_a_disputed_cluster() -> None:
    """Is another cell than without it: it is written anew where the terminal has drawn over it."""
    plain, behind = (cells_of([("", text)], 6) for text in ("\u4f60\u4f60ab", f"{FAMILY}\u4f60ab"))
    assert [cell.style for cell in plain] == [""] * 6
    assert [bool(cell.style) for cell in behind] == [False, False, True, False, True, True]


@pytest.mark.parametrize(
    ("cluster", "disputed"), [(HEART, True), (FAMILY, True), (FLAG, True), ("e\u0301", False), ("\u4f60", False)]
)
def test_disputed_clusters(cluster: str, disputed: bool) -> None:
    """Where the sum of the characters is not what a cluster takes."""
    assert is_disputed(cluster) is disputed


@pytest.mark.parametrize("cluster", [HEART, FAMILY, FLAG, "e\u0301", "\u4f60"])
def test_what_follows_stands_where_it_belongs(cluster: str) -> None:
    """Also on a terminal that counts characters, as pyte does."""
    screen = pyte.Screen(20, 1)
    output = Settled(io.StringIO(), lambda: Size(1, 20))
    for text in (*"xxxxxxxx", "\r", "a", cluster, "b"):
        output.write(text)
    pyte.Stream(screen).feed("".join(output._buffer))
    assert screen.buffer[0][1 + columns_of(cluster)].data == "b"
