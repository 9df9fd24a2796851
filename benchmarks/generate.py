"""Creates a database with a long history: ``python3 -m benchmarks.generate [1000000 /tmp/million.db]``.

Eight in ten messages are to the main room, by 1,000 of 2,000 users. One is to one of 200 rooms, half of which fell
silent after the first tenth; one belongs to one of 10,000 direct conversations. The newest hundredth is unseen. A text
has 10 to 15 of 50,000 invented words, common and rare ones as in a language. The users are user1, user2 … with the
password "password"; each is in 20 rooms, user1 in all. Equal numbers of messages give equal texts.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.accounts import passwords
from service.storage.sqlite import fulltext, markers, schema, unread
from service.storage.sqlite.engine import SqliteStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).parent
MESSAGES: Final = 10_000_000
USERS: Final = 2_000
PUBLIC_SENDERS: Final = 1_000
TALKS: Final = 10_000
ROOMS: Final = 200
_EACH: Final = 10  # one user in so many is in a room
WORDS: Final = 50_000
_DIRECT: Final = 0.1  # of all messages
_IN_ROOMS: Final = 0.1  # of all messages
_TALKATIVE: Final = 0.1  # of all messages: after these, half of the rooms are silent
_SEEN: Final = 0.99  # of all messages
_PACE: Final = 12_000  # milliseconds from one message to the next, at most
_END: Final = datetime(2026, 11, 21, tzinfo=UTC)  # about the time of the newest message
_POOL: Final = 2_000_000  # random words in a row; each text is a piece of it, as drawing each word takes half a minute
_AT_ONCE: Final = 20_000  # messages
_BAR: Final = 40  # characters

# id, time, sender, recipient, room, text, nonce, seen_at
_Row = tuple[int, str, int, "int | None", "int | None", str, str, "str | None"]


def history(count: int = MESSAGES, folder: Path = FOLDER) -> Path:
    """Returns the database with `count` messages; creates it if missing. Removes one with an older schema."""
    path = folder / f"history-{count}-{schema.revisions()[-1]}.db"
    if not path.exists():
        for old in folder.glob(f"history-{count}-*"):
            old.unlink()
        unfinished = path.with_name(f"unfinished-{path.name}")
        unfinished.unlink(missing_ok=True)
        make(unfinished, count)
        unfinished.rename(path)
    return path


def make(path: Path, count: int) -> None:
    """Creates a database with `count` messages, indexed for the search. Reports its progress on stderr."""
    SqliteStorage(path, lambda _: None).close()
    password_hash = passwords.make_hash("password", 4)
    progress = _Progress(count)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # An incomplete file is discarded, so nothing needs to be safe.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("BEGIN")
        _add_messages(connection, count, password_hash, progress)
        markers.count_anew(connection)
        counted = 0
        while unread.complete_blocks(connection):
            counted += 1
            progress.show("counts", counted << 16)
        while fulltext.index_some(connection, _AT_ONCE):
            (indexed,) = connection.execute(fulltext.INDEXED).fetchone()
            progress.show("search index", indexed)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
    progress.end(path)


def _add_messages(connection: sqlite3.Connection, count: int, password_hash: str, progress: _Progress) -> None:
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE tbl_name = 'message' AND type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("PRAGMA defer_foreign_keys = ON")  # the users come last: their rows name newest messages
    newest = [0] * (USERS + 1)
    rows = _make_rows(count, newest)
    while batch := list(islice(rows, _AT_ONCE)):
        connection.executemany(
            "INSERT INTO message (id, sent_at, sender_id, recipient_id, room_id, body, nonce, seen_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            batch,
        )
        progress.show("messages", batch[-1][0])
    for number, (_, sql) in enumerate(indexes):  # an index built from all rows is sorted once
        progress.show("indexes", count * number // len(indexes))
        connection.execute(sql)
    connection.execute("INSERT INTO era SELECT DISTINCT id >> 15 FROM message WHERE recipient_id IS NOT NULL")
    # Half of the users have read everything, the others up to some message; the last user has read nothing.
    now = _END.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    connection.executemany(
        "INSERT INTO user (id, name, password_hash, created_at, last_seen_at, read_id, direct_id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (n, f"user{n}", password_hash, now, now, round(count * min(1, 2 - 2 * n / USERS)), newest[n])
            for n in range(1, USERS + 1)
        ),
    )
    connection.executemany(
        "INSERT INTO room (id, name, look, topic, private, created_at) VALUES (?1, ?2, ?2, '', ?1 % 2, ?3)",
        ((n, f"room{n}", now) for n in range(1, ROOMS + 1)),
    )
    connection.executemany(
        "INSERT INTO member (room_id, user_id, role, joined_at, read_id, read_position) "
        "VALUES (?, ?, 'member', ?, ?, 0)",
        ((room, n, now, round(count * _SEEN)) for room in range(1, ROOMS + 1) for n in _members(room)),
    )


def _members(room: int) -> list[int]:
    """Returns the users in a room: user1, and one in ten of the others."""
    return [1, *range(2 + room % _EACH, USERS + 1, _EACH)]


def make_words() -> list[str]:
    """Returns the same words each time; the common, short ones come first."""
    generator = random.Random(WORDS)  # noqa: S311
    syllables = [first + second for first in "bcdfghjklmnprstvwz" for second in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < WORDS:
        count = generator.choice((1, 2, 2, 3) if len(words) < 300 else (2, 3, 3, 4))
        words["".join(generator.choices(syllables, k=count)) + generator.choice(("", "", "n", "s", "r"))] = None
    return list(words)


def _make_rows(count: int, newest: list[int]) -> Iterator[_Row]:
    """Yields the messages; `newest` gets, by user, the last direct message sent or received."""
    generator = random.Random(count)  # noqa: S311
    words = make_words()
    often = list(accumulate(1 / (rank + 2.7) for rank in range(WORDS)))  # Zipf's law, with Mandelbrot's shift
    pool = generator.choices(words, cum_weights=often, k=_POOL)
    pairs: dict[tuple[int, ...], None] = {}
    while len(pairs) < TALKS:
        pairs[tuple(sorted(generator.sample(range(1, USERS + 1), 2)))] = None
    talks = list(pairs)
    members = [_members(room) for room in range(ROOMS + 1)]
    draw = generator.random
    clock = [f"T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}." for second in range(86_400)]
    now = round((_END - timedelta(milliseconds=count * _PACE / 2)).timestamp() * 1000)
    day, date = 0, ""
    for message_id in range(1, count + 1):
        now += int(draw() * _PACE)
        if now // 86_400_000 != day:
            day = now // 86_400_000
            date = datetime.fromtimestamp(now // 1000, UTC).date().isoformat()
        sent_at = f"{date}{clock[now // 1000 % 86_400]}{now % 1000:03}Z"
        sender, recipient, room, seen_at = 1 + int(draw() * draw() * PUBLIC_SENDERS), None, None, None
        if (lot := draw()) < _DIRECT:
            sender, recipient = talks[int(lot / _DIRECT * TALKS)][:: 1 if message_id % 2 else -1]
            newest[sender] = newest[recipient] = message_id
            if message_id <= count * _SEEN:
                seen_at = sent_at
        elif lot < _DIRECT + _IN_ROOMS:
            room = 1 + int((lot - _DIRECT) / _IN_ROOMS * (ROOMS if message_id < count * _TALKATIVE else ROOMS // 2))
            sender = members[room][message_id % len(members[room])]
        start = int(draw() * (_POOL - 15))
        text = " ".join(pool[start : start + 10 + start % 6])
        yield message_id, sent_at, sender, recipient, room, text, f"{now:x}-{generator.getrandbits(48):012x}", seen_at


class _Progress:
    """Shows a bar on a terminal, else a line for each tenth."""

    # The share of the time of each part.
    _PARTS: Final = {"messages": 0.4, "indexes": 0.15, "counts": 0.05, "search index": 0.4}

    def __init__(self, count: int) -> None:
        self._count = count
        self._shown = -1
        self._started_at = time.perf_counter()
        self._step = 1 if sys.stderr.isatty() else 10  # percent

    def show(self, part: str, done: int) -> None:
        """Reports that `done` messages have passed this part, and all have passed the parts before it."""
        before = sum(list(self._PARTS.values())[: list(self._PARTS).index(part)])
        percent = int(100 * (before + self._PARTS[part] * min(done / self._count, 1)))
        if percent // self._step <= self._shown:
            return
        self._shown = percent // self._step
        if self._step == 1:
            bar = "#" * (percent * _BAR // 100)
            sys.stderr.write(f"\r{self._count:,} messages [{bar:.<{_BAR}}] {percent:3} %  {part:12}")
        else:
            sys.stderr.write(f"{self._count:,} messages: {percent:3} %, {part}\n")
        sys.stderr.flush()

    def end(self, path: Path) -> None:
        start = "\r\033[K" if self._step == 1 else ""
        seconds, size = time.perf_counter() - self._started_at, path.stat().st_size / 1e9
        sys.stderr.write(f"{start}{self._count:,} messages made in {seconds:.0f} s: {size:.2f} GB\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        make(Path(sys.argv[2]), int(sys.argv[1]))
    else:
        print(history())
