"""Statements that only operators' orders need: lists of accounts, and how much there is. Changes nothing.

contract.py describes those that are one of its methods.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.storage.records import (
    Act,
    Dossier,
    HeldBan,
    HeldInvitation,
    HeldMembership,
    HeldMute,
    KeptMessage,
    KeptPage,
    Message,
    Overview,
    Person,
)
from service.storage.statements import acts, ids

if TYPE_CHECKING:
    from service.storage.statements.connection import Connection


MOST_KEPT: Final = 500  # messages with their texts that are held at once: 2 MB, of 4,096 characters each
# These read what the engines keep in different tables: postgres/dialect.py has their other form.
PERSON: Final = "SELECT id, name, created_at, last_seen_at, disabled_at, role FROM user"
MARKER: Final = "SELECT read_id, muted_until FROM user WHERE id = :id"
STORED: Final = """
    SELECT m.id, m.sent_at, s.name, r.name, m.body, m.kind, m.deleted_at, o.name, m.nonce, m.seen_at
    FROM message AS m NOT INDEXED JOIN user AS s ON s.id = m.sender_id LEFT JOIN user AS r ON r.id = m.recipient_id
    LEFT JOIN room AS o ON o.id = m.room_id
"""


def users_page(connection: Connection, after: str, limit: int, *, disabled: bool) -> list[Person]:
    rows = connection.execute(
        f"{PERSON} WHERE name > ? AND password_hash <> '' AND (disabled_at IS NOT NULL OR NOT ?) ORDER BY name LIMIT ?",
        (after, disabled, limit),
    ).fetchall()
    return [Person(*row) for row in rows]


def find_dossier(connection: Connection, name: str) -> Dossier | None:
    row = connection.execute(f"{PERSON} WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    person = Person(*row)
    values = {"id": person.id}
    read_id, muted_until = connection.execute(MARKER, values).fetchone()
    names = "SELECT name, ended_at FROM former_name WHERE user_id = :id ORDER BY ended_at"
    tokens = "SELECT created_at, expires_at FROM token WHERE user_id = :id ORDER BY created_at"
    memberships = """
        SELECT r.name, m.role, m.joined_at, m.muted_until, m.read_id
        FROM member AS m CROSS JOIN room AS r ON r.id = m.room_id WHERE m.user_id = :id ORDER BY r.name
    """
    invitations = """
        SELECT r.name, b.name, i.time FROM invitation AS i CROSS JOIN room AS r ON r.id = i.room_id
        LEFT JOIN user AS b ON b.id = i.by_id WHERE i.user_id = :id ORDER BY r.name
    """
    bans = """
        SELECT r.name, a.name, b.reason, b.time, b.until FROM ban AS b LEFT JOIN room AS r ON r.id = b.room_id
        LEFT JOIN user AS a ON a.id = b.by_id WHERE b.user_id = :id ORDER BY b.time
    """
    mutes = """
        SELECT r.name, k.until FROM kept_mute AS k CROSS JOIN room AS r ON r.id = k.room_id
        WHERE k.user_id = :id ORDER BY r.name
    """
    own_acts = f"{acts.SELECT} WHERE m.actor_id = :id OR m.user_id = :id ORDER BY m.id"
    return Dossier(
        person,
        read_id,
        muted_until,
        connection.execute(names, values).fetchall(),
        connection.execute(tokens, values).fetchall(),
        [HeldMembership(*row) for row in connection.execute(memberships, values).fetchall()],
        [HeldInvitation(*row) for row in connection.execute(invitations, values).fetchall()],
        [HeldBan(*row) for row in connection.execute(bans, values).fetchall()],
        [HeldMute(*row) for row in connection.execute(mutes, values).fetchall()],
        [Act(*act) for act in connection.execute(own_acts, values).fetchall()],
    )


def messages_of(connection: Connection, user_id: int, after: int, limit: int) -> KeptPage:
    (up_to,) = connection.execute(
        "SELECT coalesce(max(id), 0) FROM (SELECT id FROM message NOT INDEXED WHERE id > ? ORDER BY id LIMIT ?) AS p",
        (after, limit),
    ).fetchone()
    rows = connection.execute(
        f"{STORED} WHERE m.id > :after AND m.id <= :up_to AND (m.sender_id = :user OR m.recipient_id = :user) "
        "ORDER BY m.id LIMIT :most",
        {"after": after, "up_to": up_to, "user": user_id, "most": MOST_KEPT},
    ).fetchall()
    if len(rows) == MOST_KEPT:
        up_to = rows[-1][0]
    return KeptPage([KeptMessage(Message(*row[:-2]), *row[-2:]) for row in rows], up_to)


def overview(connection: Connection, since: str) -> Overview:
    users, disabled = connection.execute(
        "SELECT count(*), count(disabled_at) FROM user WHERE password_hash <> ''"
    ).fetchone()
    (schema,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    before = last_before(connection, since)
    (recent,) = connection.execute("SELECT count(*) FROM message WHERE id > ?", (before,)).fetchone()
    (rooms,) = connection.execute("SELECT count(*) FROM room WHERE gone_at IS NULL").fetchone()
    return Overview(users, disabled, ids.newest_given(connection), recent, rooms, schema)


def last_before(connection: Connection, moment: str) -> int:
    """Returns the id of the last message before that moment, by halving: times grow with ids, and have no index."""
    (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()
    low, high = 0, last  # ids up to `low` are before it; those beyond `high` are not
    while low < high:
        middle = (low + high + 1) // 2
        row = connection.execute(
            "SELECT id, sent_at FROM message WHERE id >= ? ORDER BY id LIMIT 1", (middle,)
        ).fetchone()
        if row is not None and row[0] <= high and row[1] < moment:
            low = row[0]
        else:
            high = middle - 1
    return low
