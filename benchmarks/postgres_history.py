"""The cell pghistory: ten million messages over PostgreSQL; pages and logins, in the storage layer.

The messages are like those of generate.py, but for their words. They are made anew each time, in some minutes, by
PostgreSQL itself, and are gone afterwards.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from benchmarks import generate
from benchmarks.cells import Cell, Target
from benchmarks.history import TIMES, p99, read_pages, time_each
from benchmarks.postgres import call_back, new_database, running_postgres
from service.accounts.authentication import new_token
from service.clock import format_time, utcnow
from service.storage import open_storage
from service.storage.records import DEFAULT_LIFETIME

if TYPE_CHECKING:
    from tests.support.postgres import Cluster

# A table of its own until the write-ahead log is written: with wal_level minimal what is put into a table that was
# emptied in the same transaction is not logged.
_SETTINGS: Final = {"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "8GB", "autovacuum": "off"}
_SESSION: Final = "SET search_path = chat; SET work_mem = '512MB'; SET maintenance_work_mem = '1GB'"
_STEPS: Final = (
    """
    INSERT INTO "user" (id, name, look, password_hash, created_at)
        SELECT n, 'user' || n, 'user' || n, 'hash', chat_now() FROM generate_series(1, %(users)s) AS n
    """,
    """
    INSERT INTO room (id, name, look, topic, private, created_at)
        SELECT n, 'room' || n, 'room' || n, '', n %% 2 = 1, chat_now() FROM generate_series(1, %(rooms)s) AS n
    """,
    "SELECT setseed(0.5)",
    # Eight in ten to the main room, one to a room, one direct; a, b and c draw lots.
    """
    CREATE TEMPORARY TABLE draft ON COMMIT DROP AS
        SELECT id,
            CASE WHEN a < 0.1 THEN CASE WHEN c < 0.5 THEN 1 + talk %% %(users)s ELSE partner END
                WHEN a < 0.2 THEN 2 + room %% 10 + 10 * floor(c * 199)::bigint
                ELSE 1 + floor(b * c * 1000)::bigint END AS sender_id,
            CASE WHEN a < 0.1 THEN CASE WHEN c < 0.5 THEN partner ELSE 1 + talk %% %(users)s END END
                AS recipient_id,
            CASE WHEN a >= 0.1 AND a < 0.2 THEN room END AS room_id,
            floor(b * 2000)::int AS at
        FROM (
            SELECT id, a, b, c, talk, 1 + (talk + 1 + talk / %(users)s * 389) %% %(users)s AS partner,
                1 + floor(b * CASE WHEN id < %(count)s / 10 THEN %(rooms)s ELSE %(rooms)s / 2 END)::bigint AS room
            FROM (
                SELECT id, a, b, c, floor(b * %(talks)s)::bigint AS talk
                FROM (SELECT id, random() AS a, random() AS b, random() AS c
                    FROM generate_series(1, %(count)s::bigint) AS id OFFSET 0) AS lots
            ) AS talks
        ) AS drawn
    """,
    """
    INSERT INTO message (id, sender_id, recipient_id, room_id, position, sent_at, nonce, body)
        SELECT id, sender_id, recipient_id, room_id,
            CASE WHEN recipient_id IS NULL THEN row_number() OVER (PARTITION BY room_id, recipient_id IS NULL
                ORDER BY id) END,
            to_char(timestamp '2024-01-01' + id * interval '6 seconds', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            to_hex(1700000000000 + id * 6000) || '-' || lpad(to_hex(at * 999983::bigint), 16, '0'),
            substr(%(pool)s, at + 1, 70 + at %% 20)
        FROM draft ORDER BY id
    """,
    """
    INSERT INTO unseen (recipient_id, id, sender_id)
        SELECT recipient_id, id, sender_id FROM draft WHERE recipient_id IS NOT NULL AND id > %(count)s * 0.99
    """,
    """
    INSERT INTO seen (id, seen_at)
        SELECT id, chat_now() FROM draft WHERE recipient_id IS NOT NULL AND id <= %(count)s * 0.99
    """,
    # Half of the users have read everything, the others up to some message; the last one has read nothing.
    """
    CREATE TEMPORARY TABLE reader ON COMMIT DROP AS
        SELECT n AS user_id, round(%(count)s * least(1, 2 - 2 * n / %(users)s::numeric))::bigint AS read_id
        FROM generate_series(1, %(users)s) AS n
    """,
    """
    INSERT INTO marker (user_id, read_id, last_seen_at, read_position, own_unread)
        SELECT r.user_id, r.read_id, chat_now(),
            (SELECT count(*) FROM draft WHERE recipient_id IS NULL AND room_id IS NULL) * r.read_id / %(count)s,
            coalesce(own.count, 0)
        FROM reader AS r LEFT JOIN (
            SELECT d.sender_id, count(*) FROM draft AS d JOIN reader AS r ON r.user_id = d.sender_id
            WHERE d.recipient_id IS NULL AND d.room_id IS NULL AND d.id > r.read_id GROUP BY d.sender_id
        ) AS own ON own.sender_id = r.user_id
    """,
    """
    UPDATE room SET messages = d.count, last_id = d.newest
        FROM (SELECT room_id, count(*), max(id) AS newest FROM draft WHERE room_id IS NOT NULL GROUP BY room_id) AS d
        WHERE d.room_id = room.id
    """,
    """
    INSERT INTO member (room_id, user_id, role, joined_at, read_id, read_position)
        SELECT r.id, n, 'member', chat_now(), round(%(count)s * 0.99), r.messages
        FROM room AS r, generate_series(1, %(users)s) AS n WHERE n = 1 OR (n - 2) %% 10 = r.id %% 10
    """,
    "UPDATE room SET members = (SELECT count(*) FROM member WHERE room_id = room.id)",
    "SELECT setval('message_id', %(count)s)",
    "UPDATE search_cursor SET id = %(count)s",  # nothing is searched for here, and upkeep has nothing to do
)


def make(cluster: Cluster, count: int) -> str:
    """Makes a database with `count` messages, and returns its URL. Reports its progress on stderr."""
    import psycopg  # noqa: PLC0415 (not everybody has it)

    url, started_at = new_database(cluster), time.perf_counter()
    pool = random.Random(1).choices(generate.make_words(), k=500)  # noqa: S311
    values = {
        "count": count, "users": generate.USERS, "rooms": generate.ROOMS, "talks": generate.TALKS,
        "pool": " ".join(pool)[:2_100],
    }  # fmt: skip
    with psycopg.connect(url, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute(_SESSION)
        connection.execute("TRUNCATE message, unseen, seen")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'chat' AND tablename = 'message' "
            "AND indexname <> 'message_pkey'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        for number, statement in enumerate((*_STEPS, *(definition for _, definition in indexes))):
            connection.execute(statement.encode(), values if number < len(_STEPS) else None)
            done = (number + 1) * 100 // (len(_STEPS) + len(indexes))
            sys.stderr.write(f"{count:,} messages over PostgreSQL: {done:3} % of the steps\n")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    seconds = time.perf_counter() - started_at
    sys.stderr.write(f"{count:,} messages over PostgreSQL made in {seconds:.0f} s\n")
    return url


def measure(count: int = generate.MESSAGES) -> dict[str, float]:
    """Makes the history, and measures over it."""
    with running_postgres(**_SETTINGS) as cluster:
        return measure_over(make(cluster, count), count)


def measure_over(url: str, count: int) -> dict[str, float]:
    """Measures pages, and logins of who has read all, and of who has read nothing."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(url) as connection:
        talks = connection.execute(
            "SELECT sender_id, recipient_id FROM chat.message WHERE recipient_id IS NOT NULL AND id > %s LIMIT %s",
            (count // 2, TIMES),
        ).fetchall()
    with closing(open_storage(url, call_back)) as storage:
        figures = read_pages(storage, count, talks)
        for user_id, unread in ((1, "0 unread"), (generate.USERS, "8M unread")):
            user, token, now = storage.find_user(f"user{user_id}"), new_token(), format_time(utcnow())
            storage.release()
            assert user is not None
            storage.result(storage.log_in(user, token.hash, now, lifetime=DEFAULT_LIFETIME))

            def log_in(token_hash: bytes = token.hash, now: str = now) -> None:
                storage.result(storage.resume(token_hash, now))

            times = time_each(TIMES, log_in)
            figures |= {f"{unread} p50 ms": statistics.median(times), f"{unread} p99 ms": p99(times)}
    return figures


CELLS: Final[dict[str, Cell]] = {
    "pghistory": Cell(
        "ten million messages over PostgreSQL: a page of 50, and a login by token",
        lambda _: measure(),
        targets=(
            *(Target(f"{kind} p50 ms", "<=", 5) for kind in ("room", "talk", "missed", "since")),
            *(Target(f"{kind} p50 ms", "<=", 10) for kind in ("0 unread", "8M unread")),
        ),
    )
}
