"""Orders that only look: how the service does, and who has an account."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from service import __version__
from service.admin.desk import Desk, Order, Row
from service.clock import format_time, to_minute, utcnow

if TYPE_CHECKING:
    from service.admin.desk import Online, Service, Work
    from service.storage.records import Person

RECENT: Final = timedelta(minutes=1)  # in which messages count as recent
PAGE: Final = 500  # accounts that are read at once, some milliseconds


class Status(Order, frozen=True, tag="status"):
    """How the service does: a row for the whole, then one for each session."""

    changes: ClassVar[bool] = False


class Users(Order, frozen=True, tag="users"):
    """A row for each account, by name; with `disabled` only for those that are shut out."""

    changes: ClassVar[bool] = False
    disabled: bool = False


def status(_: Status, desk: Desk) -> Work:
    now = utcnow()
    online = desk.service.online()
    whole = _measure(desk, now) | {
        "online": len({each.name for each in online if not each.quiet}),
        "sessions": len(online),
    }
    yield Row(whole, _describe(whole))
    for each in online:
        yield _session(each)


def users(order: Users, desk: Desk) -> Work:
    after = ""
    while page := desk.storage.users_page(after, PAGE, disabled=order.disabled):
        online = desk.service.run(partial(_find_online, desk.service, page))
        for person in page:
            yield Row(
                {
                    "name": person.name,
                    "created": person.created,
                    "last_seen": person.last_seen,
                    "online": person.id in online,
                    "role": person.role,
                    "disabled": person.disabled_at,
                }
            )
        after = page[-1].name


def _find_online(service: Service, page: list[Person]) -> set[int]:
    return {person.id for person in page if service.is_online(person.id)}


def _measure(desk: Desk, now: datetime) -> dict[str, Any]:
    load, sizes, note = desk.service.load(), desk.storage.sizes(), desk.storage.newest_backup()
    held = desk.storage.overview(format_time(now - RECENT))
    return {
        "version": __version__,
        "running": load is not None,
        "started": load.started if load else None,
        "uptime": int((now - datetime.fromisoformat(load.started)).total_seconds()) if load else None,
        "schema": held.schema,
        "database_bytes": sizes.database,
        "wal_bytes": sizes.wal,
        "free_bytes": sizes.free,
        "erasures_pending": desk.storage.erasure().pending,
        "newest_id": held.newest_id,
        "messages_last_minute": held.recent,
        "users": held.users,
        "disabled": held.disabled,
        "rooms": held.rooms,
        "connections": load.connections if load else 0,
        "writer_queue": load.writer_queue if load else 0,
        "delivery_queue": load.delivery_queue if load else 0,
        "bcrypt_queue": load.bcrypt_queue if load else 0,
        "last_backup": note.time if note else None,
        "last_backup_file": note.file if note else None,
    }


def _describe(whole: dict[str, Any]) -> list[str]:
    """Returns the lines for people."""
    running = (
        f"running since {to_minute(whole['started'])} ({_duration(whole['uptime'])})"
        if whole["running"]
        else "not running"
    )
    backup = (
        f"{to_minute(whole['last_backup'])} to {whole['last_backup_file']}" if whole["last_backup"] else "none known"
    )
    sizes = tuple(whole[f"{part}_bytes"] / 1_000_000 for part in ("database", "wal", "free"))
    files = "{:,.1f} MB, its -wal {:,.1f}; {:,.0f} MB free on its disk".format(*sizes)
    waiting = tuple(whole[f"{queue}_queue"] for queue in ("writer", "delivery", "bcrypt"))
    queues = "{:,} for the writer, {:,} for the delivery, {:,} for bcrypt".format(*waiting)
    return [
        f"service      version {whole['version']}, {running}",
        f"database     {files}; schema {whole['schema']}",
        f"messages     newest id {whole['newest_id']}; {whole['messages_last_minute']:,} in the last minute",
        f"deleted      {_describe_erasure(whole['erasures_pending'])}",
        f"users        {whole['users']:,}, {whole['disabled']:,} of them disabled; {whole['online']:,} online",
        f"rooms        {whole['rooms']:,}, besides the main room",
        f"connections  {whole['connections']:,}, {whole['sessions']:,} of them logged in",
        f"waiting      {queues}",
        f"last backup  {backup}",
    ]


def _describe_erasure(pending: int) -> str:
    return f"erasure from the files is under way, {pending:,} steps left" if pending else "all is gone from the files"


def _duration(seconds: int) -> str:
    """Returns a time such as ``3 d 4 h``, by its two largest units."""
    parts = [seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60, seconds % 60]
    first = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
    return " ".join(
        f"{part} {unit}" for part, unit in list(zip(parts, ("d", "h", "min", "s"), strict=True))[first:][:2]
    )


def _session(online: Online) -> Row:
    return Row(
        {
            "name": online.name,
            "from": online.peer,
            "since": online.since,
            "how": online.way,
            "quiet": online.quiet,
            "waiting_bytes": online.waiting_bytes,
        }
    )
