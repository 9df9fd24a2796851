"""service/admin/kept_backups.py: which backups are old, and that nothing else is ever one."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from service.admin.kept_backups import MOST_KEPT, find_old, name_backup, parse_count

NAMES = [f"chat-2026-11-{day:02}T030000Z.db" for day in range(1, 6)]
OTHERS = [
    "chat.db",
    "chat-before-2026-11-01T030000Z.db",
    "chat-2026-11-01T030000Z.db-wal",
    "chat-2026-11-01.db",
    "chat2-2026-11-01T030000Z.db",
    "my-chat-2026-11-01T030000Z.db",
    "notes.txt",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five backups, and what else may lie in their folder."""
    for name in (*NAMES, *OTHERS):
        (tmp_path / name).touch()
    (tmp_path / "chat-2026-10-01T030000Z.db").mkdir()
    (tmp_path / "chat-2026-10-02T030000Z.db").symlink_to(NAMES[0])
    return tmp_path


@pytest.mark.parametrize(("keep", "old"), [(1, NAMES[:4]), (2, NAMES[:3]), (4, NAMES[:1]), (5, []), (9, [])])
def test_the_oldest_go_and_so_many_stay(folder: Path, keep: int, old: list[str]) -> None:
    """Only those that the command named for this database: no folder, no link, no other file."""
    assert [path.name for path in find_old(folder / NAMES[-1], "/srv/chat.db", keep)] == old


def test_the_new_one_stays_whatever_the_clock_said(folder: Path) -> None:
    """Also if the clock was set back, and it looks older than all others."""
    assert [path.name for path in find_old(folder / NAMES[0], "chat.db", 1)] == NAMES[1:]


def test_a_name_that_it_gives_is_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With characters that mean something in a pattern, too."""
    monkeypatch.chdir(tmp_path)
    given = name_backup("/srv/a+b.c.db")
    given.parent.mkdir()
    given.touch()
    assert re.fullmatch(r"backups/a\+b\.c-[\dT-]+Z\.db", str(given))
    assert find_old(Path("backups/x"), "/srv/a+b.c.db", 1) == [given]
    assert find_old(Path("backups/x"), "/srv/aab.c.db", 1) == []


@pytest.mark.parametrize("text", ["0", "-1", str(MOST_KEPT + 1), "1.5", "", "all", "\u0661", "9" * 10_000])
def test_a_count_has_its_range(text: str) -> None:
    """To the edge; never none at all."""
    assert (parse_count("1"), parse_count(str(MOST_KEPT))) == (1, MOST_KEPT)
    with pytest.raises(argparse.ArgumentTypeError, match="from 1 to 10,000"):
        parse_count(text)
