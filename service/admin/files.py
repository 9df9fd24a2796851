"""The commands for whole files: makes, copies, checks and replaces a database, without asking the running service."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as NotYet
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from service import storage
from service.admin.desk import Note, Progress, Row, counted
from service.admin.kept_backups import find_old, name_backup
from service.errors import ServiceError
from service.net import certificates

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Generator

    from service.admin.desk import Work
    from service.config import Settings
    from service.storage.records import Contents

_TICK: Final = 1.0  # seconds between two looks at the work
_STOP_TICK: Final = 0.05  # seconds between two attempts to stop it
_T = TypeVar("_T")


def init_db(given: argparse.Namespace, _: Settings) -> Work:
    if given.backup and storage.is_older(given.db):
        storage.refuse_url("backup", given.db)
        yield from _copy(given.db, name_backup(given.db), overwrite=False)
    what, revision = storage.init_db(given.db, services=given.service, readers=given.reader)
    name = given.db if storage.is_url(given.db) else Path(given.db)
    yield Row({"file": given.db, "done": what, "schema": revision}, [f"{name}: {what}, schema {revision}"])


def backup(given: argparse.Namespace, _: Settings) -> Work:
    if given.file and given.keep:
        raise ServiceError("backup: --keep counts the backups that this command names itself; leave FILE out")
    target = Path(given.file) if given.file else name_backup(given.db)
    yield from _copy(given.db, target, overwrite=given.overwrite)
    for old in find_old(target, given.db, given.keep) if given.keep else []:
        old.unlink(missing_ok=True)
        yield Row({"file": str(old), "done": "deleted"}, [f"{old}: deleted, as {given.keep} are kept"])


def _copy(db: str, target: Path, *, overwrite: bool) -> Work:
    begun = time.monotonic()
    held = yield from attend(lambda task: storage.backup(db, target, task, overwrite=overwrite))
    size = target.stat().st_size
    line = f"{target}: {size:,} bytes, {_describe(held)}, {time.monotonic() - begun:.1f} s"
    yield Row({"file": str(target), "bytes": size, **_values(held)}, [line])
    if held.misfit:
        yield Note(f"{db}, and so its copy: {held.misfit}. {storage.REPAIR.format(db)}")


def restore(given: argparse.Namespace, _: Settings) -> Work:
    held, old = yield from attend(lambda task: storage.restore(Path(given.file), given.db, task))
    line = f"{given.db}: restored, {_describe(held)}" + (f"; the old file is now {old}" if old else "")
    yield Row({"file": given.db, "old": str(old) if old else None, **_values(held)}, [line])
    if held.misfit:
        yield Note(f"{given.db}: {held.misfit}. {storage.REPAIR.format(given.db)}")


def verify(given: argparse.Namespace, _: Settings) -> Work:
    def check(task: storage.Task) -> Contents:
        task.doing = "checking"
        return storage.verify(given.db, task)

    held = yield from attend(check)
    yield Row({"file": given.db, **_values(held)}, [f"{given.db}: sound, {_describe(held)}"])


def repair(given: argparse.Namespace, _: Settings) -> Work:
    storage.refuse_older(given.db)
    held = yield from attend(lambda task: storage.repair(given.db, task))
    yield Row({"file": given.db, **_values(held)}, [f"{given.db}: repaired, {_describe(held)}"])


def compact(given: argparse.Namespace, _: Settings) -> Work:
    storage.refuse_older(given.db)
    held, before, now = yield from attend(lambda task: storage.compact(given.db, task))
    values = {"file": given.db, "bytes": now, "bytes_before": before, **_values(held)}
    yield Row(values, [f"{given.db}: {now:,} bytes, before {before:,}; {_describe(held)}"])


def copy(given: argparse.Namespace, _: Settings) -> Work:
    begun = time.monotonic()
    held = yield from attend(lambda task: storage.copy(given.source, given.target, task))
    line = (
        f"{given.target}: copied from {given.source}, {_describe(held)}, {time.monotonic() - begun:.1f} s; "
        "the rows of both are the same"
    )
    yield Row({"from": given.source, "to": given.target, **_values(held)}, [line])


def certs(given: argparse.Namespace, _: Settings) -> Work:
    lines = certificates.make_pair(Path(given.folder), given.name)
    yield Row({"folder": given.folder}, lines)


def _values(held: Contents) -> dict[str, object]:
    return {"users": held.users, "messages": held.messages, "schema": held.revision}


def _describe(held: Contents) -> str:
    return f"{counted(held.messages, 'message')}, {counted(held.users, 'user')}, schema {held.revision}"


def attend(work: Callable[[storage.Task], _T], tick: float = _TICK) -> Generator[Progress, None, _T]:
    """Does long work in a thread: yields its progress each `tick` seconds, and returns its result.

    An exception in this thread, such as KeyboardInterrupt, ends the work at once.
    """
    task = storage.Task()
    with ThreadPoolExecutor(1, "chat-admin") as pool:
        future = pool.submit(work, task)
        try:
            while True:
                try:
                    return future.result(timeout=tick)
                except NotYet:
                    yield Progress(task.doing)
        except (KeyboardInterrupt, GeneratorExit) as ended:
            while not future.done():  # repeated: an interrupt between two statements is lost
                task.stop()
                wait([future], _STOP_TICK)
            if isinstance(ended, GeneratorExit) or future.exception() is not None:
                raise
            return future.result()  # the work finished before it could be stopped
