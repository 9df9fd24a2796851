"""Orders that only look: how the service does, and who has an account."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from msgspec.structs import fields

from service import __version__
from service.admin.desk import Desk, Load, Order, Row, counted
from service.clock import format_time, to_minute, utcnow

if TYPE_CHECKING:
    from service.admin.desk import Online, Service, Work
    from service.storage.records import NodeView, Person

RECENT: Final = timedelta(minutes=1)  # in which messages count as recent
_FIGURES: Final = [field.name for field in fields(Load) if field.name != "started"]  # that a service tells of itself
PAGE: Final = 500  # accounts that are read at once, some milliseconds


class Status(Order, frozen=True, tag="status"):
    """How the service does: a row for the whole, then one for each session.

    Where several can share the database, it is one for each service instead.
    """

    changes: ClassVar[bool] = False


class Users(Order, frozen=True, tag="users"):
    """A row for each account, by name; with `disabled` only for those that are shut out."""

    changes: ClassVar[bool] = False
    disabled: bool = False


def status(_: Status, desk: Desk) -> Work:
    whole = _measure(desk, utcnow())
    nodes = desk.service.nodes()
    if nodes is not None:
        yield Row(whole, _describe(whole, _describe_shared(whole, nodes)))
        yield from map(_node, nodes)
        return
    online = desk.service.online()
    whole |= {
        "online": len({each.name for each in online if not each.quiet}),
        "sessions": len(online),
    }
    yield Row(whole, _describe(whole, _describe_own(whole)))
    yield from map(_session, online)


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


class _Words(NamedTuple):
    """What the lines for people say of what differs between the engines."""

    running: str
    files: str
    erasure: str
    online: str
    logged_in: str
    backup: str


def _describe_own(whole: dict[str, Any]) -> _Words:
    """Of a file, which one service has for itself."""
    sizes = tuple(whole[f"{part}_bytes"] / 1_000_000 for part in ("database", "wal", "free"))
    backup = (
        f"{to_minute(whole['last_backup'])} to {whole['last_backup_file']}" if whole["last_backup"] else "none known"
    )
    return _Words(
        running=f"running since {_since(whole)}" if whole["running"] else "not running",
        files="{:,.1f} MB, its -wal {:,.1f}; {:,.0f} MB free on its disk".format(*sizes),
        erasure=_describe_erasure(whole["erasures_pending"]),
        online=f"; {whole['online']:,} online",
        logged_in=f", {whole['sessions']:,} of them logged in",
        backup=backup,
    )


def _describe_shared(whole: dict[str, Any], nodes: list[NodeView]) -> _Words:
    """Of a database of PostgreSQL; it knows of no session, and of no backup."""
    running = f"{counted(len(nodes), 'service')} running, the first since {_since(whole)}" if nodes else "none running"
    return _Words(
        running=running,
        files=f"{whole['database_bytes'] / 1_000_000:,.1f} MB",
        erasure="out of every answer; docs/security.txt says what of the files",
        online="",
        logged_in="",
        backup="by pg_dump, which notes nothing",
    )


def _since(whole: dict[str, Any]) -> str:
    return f"{to_minute(whole['started'])} ({_duration(whole['uptime'])})"


def _describe(whole: dict[str, Any], words: _Words) -> list[str]:
    """Returns the lines for people."""
    waiting = tuple(whole[f"{queue}_queue"] for queue in ("writer", "delivery", "bcrypt"))
    queues = "{:,} for the writer, {:,} for the delivery, {:,} for bcrypt".format(*waiting)
    return [
        f"service      version {whole['version']}, {words.running}",
        f"database     {words.files}; schema {whole['schema']}",
        f"messages     newest id {whole['newest_id']}; {whole['messages_last_minute']:,} in the last minute",
        f"deleted      {words.erasure}",
        f"users        {whole['users']:,}, {whole['disabled']:,} of them disabled{words.online}",
        f"rooms        {whole['rooms']:,}, besides the main room",
        f"connections  {whole['connections']:,}{words.logged_in}",
        f"waiting      {queues}",
        f"last backup  {words.backup}",
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


def _node(node: NodeView) -> Row:
    figures = {name: int(node.figures.get(name, 0)) for name in _FIGURES}
    return Row(
        {
            "service": node.name,
            "since": node.started,
            "heard_of": f"{node.beat_age:.0f} s ago",
            "users": node.users,
            "connections": figures.pop("connections"),
            "waiting": sum(figures.values()),
        }
    )
