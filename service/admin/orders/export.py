"""All that is stored of a person, row by row. No password's hash, and no token's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.admin.desk import Desk, Order, Progress, Row
from service.clock import format_time, utcnow
from service.storage.records import FOREVER, UnknownUser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.admin.desk import Work
    from service.storage.records import Dossier, KeptMessage

LOOKED_AT: Final = 10_000  # messages of anybody in a piece, some 20 ms: there is no index of all that one has sent


class Export(Order, frozen=True, tag="export"):
    """Tells a row for the account, and one for each name it had, token, act of moderation and message of it.

    Rows for its memberships in rooms, the invitations to it, its bans, and its mutes in rooms that it has left come
    before the acts. The messages are those it sent, and the direct ones it got. The value `what` says which a row is.
    Nothing changes, but the log says who was exported.
    """

    name: str


def export(order: Export, desk: Desk) -> Work:
    held = desk.storage.find_dossier(order.name)
    if held is None:
        raise UnknownUser(order.name)
    person = held.person
    yield Row(
        {
            "what": "account",
            "name": person.name,
            "created": person.created,
            "last_seen": person.last_seen,
            "disabled": person.disabled_at,
            "role": person.role,
            "read_id": held.read_id,
        }
        | _mute(held.muted_until)
    )
    for name, ended in held.former_names:
        yield Row({"what": "former_name", "name": name, "ended": ended})
    for created, expires in held.tokens:
        yield Row({"what": "token", "created": created, "expires": expires})
    yield from _rows_of_rooms(held)
    for act in held.acts:
        yield Row({"what": "moderation"} | act._asdict() | {"until": _end(act.until)})
    after = 0
    while (page := desk.storage.messages_of(person.id, after, LOOKED_AT)).up_to:
        for kept in page.messages:
            yield _message(kept)
        after = page.up_to
        yield Progress(f"messages, up to id {after}")


def _rows_of_rooms(held: Dossier) -> Iterator[Row]:
    for member in held.memberships:
        yield Row({"what": "membership"} | member._asdict() | _mute(member.muted_until))
    for invitation in held.invitations:
        yield Row({"what": "invitation"} | invitation._asdict())
    for ban in held.bans:
        yield Row({"what": "ban"} | ban._asdict() | {"until": _end(ban.until)})
    for mute in held.mutes:
        yield Row({"what": "mute"} | mute._asdict() | {"until": _end(mute.until)})


def _mute(until: str | None) -> dict[str, bool | str | None]:
    """Returns whether somebody is muted, and when that ends; None for a mute that does not end by itself, too."""
    return {"muted": until is not None and until > format_time(utcnow()), "muted_until": _end(until)}


def _end(until: str | None) -> str | None:
    """Returns when a ban or mute ends; None for one that does not end by itself, too."""
    return None if until == FOREVER else until


def _message(kept: KeptMessage) -> Row:
    message = kept.message
    return Row(
        {
            "what": "message",
            "id": message.id,
            "time": message.time,
            "from": message.sender,
            "to": message.recipient,
            "room": message.room,
            "kind": message.kind or "text",
            "message": message.body,
            "nonce": kept.nonce,
            "seen": kept.seen_at,
            "deleted": message.deleted,
        }
    )
