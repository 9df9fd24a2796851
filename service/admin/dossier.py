"""export: prints all that is stored of a person as JSON, or writes it to a folder, as JSON and for people to read."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from service.accounts.names import map_name
from service.admin.asking import ask
from service.admin.desk import Row, counted
from service.admin.orders.export import Export
from service.admin.show import as_json
from service.errors import FileError
from service.visible import safe

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from service.admin.desk import Work
    from service.config import Settings

_NAMES: Final = ("export.jsonl", "export.txt")
_FOLDER_MODE: Final = 0o700
_MODE: Final = 0o600
_INDENT: Final = "\n    "  # before the further lines of a message


def export(given: argparse.Namespace, _: Settings) -> Work:
    with closing(ask(given.db, Export(map_name(given.name)))) as work:
        if given.to is not None:
            yield from _write(work, Path(given.to))
        else:
            for told in work:
                yield Row(told.values, [as_json(told.values)]) if isinstance(told, Row) else told


def _write(work: Work, folder: Path) -> Work:
    """Writes two files, which get their names when both are whole. Raises FileError, OSError."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    targets = [folder / name for name in _NAMES]
    parts = [folder / f"{name}.part" for name in _NAMES]
    for target in targets:
        if target.exists():
            raise FileError(f"{target} is there already; name another folder")
    count = 0
    try:
        with ExitStack() as files:
            rows, lines = (files.enter_context(_create(part)) for part in parts)
            for told in work:
                if isinstance(told, Row):
                    count += told.values["what"] == "message"
                    rows.write(f"{as_json(told.values)}\n")
                    lines.write(f"{describe(told.values)}\n")
                else:
                    yield told
        for part, target in zip(parts, targets, strict=True):
            part.rename(target)
    finally:
        for part in parts:
            with suppress(OSError):
                part.unlink()
    where = " and ".join(map(str, targets))
    yield Row(
        {"files": [str(target) for target in targets], "messages": count}, [f"{where}: {counted(count, 'message')}"]
    )


def _create(path: Path) -> TextIO:
    """Opens a file that only its owner may read; one that a crash has left is written anew."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w", encoding="utf-8")


def describe(values: Mapping[str, Any]) -> str:
    """Returns a row as a person reads it; nothing in it steers a terminal."""
    if values["what"] == "message":
        whom = values["to"] or (f"#{values['room']}" if values["room"] else "")
        to = f" to {whom}" if whom else ""
        kind = "" if values["kind"] == "text" else f" ({values['kind']})"
        text = f"(deleted {values['deleted']})" if values["deleted"] else values["message"]
        line = f"{values['time']}  {values['from']}{to}{kind}: {text}"
    else:
        parts = (f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value is not None)
        line = ", ".join(parts).removeprefix("what ")
    return safe(line).replace("\n", _INDENT)
