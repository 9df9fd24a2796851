"""service/storage/writes.py: what is run at once, and whose result is whose."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from service.storage.writes import GroupWrite, SqlWrite, cut_into_pieces

if TYPE_CHECKING:
    from collections.abc import Sequence


def double(_: sqlite3.Connection, n: int) -> int:
    return 2 * n


def total(_: sqlite3.Connection, calls: Sequence[tuple[int]]) -> list[int]:
    """Gives each the sum of all."""
    return [sum(n for (n,) in calls)] * len(calls)


def test_only_neighbours_of_a_grouped_kind_are_one_piece() -> None:
    """All others are one each, and the order stays."""
    batch: list[SqlWrite[Any]] = [
        *(GroupWrite(total, (n,)) for n in (1, 2)),
        *(SqlWrite(double, (n,)) for n in (3, 4)),
        GroupWrite(total, (5,)),
    ]
    pieces = list(cut_into_pieces(batch))
    assert [len(piece) for piece in pieces] == [2, 1, 1, 1]
    assert [write for piece in pieces for write in piece] == batch


def test_each_write_has_its_own_result() -> None:
    """Whether it was run alone or with others."""
    batch: list[SqlWrite[Any]] = [GroupWrite(total, (1,)), GroupWrite(total, (2,)), SqlWrite(double, (3,))]
    with closing(sqlite3.connect(":memory:")) as connection:
        for piece in cut_into_pieces(batch):
            piece[0].run(connection, piece)
    assert [write.result for write in batch] == [3, 3, 6]
