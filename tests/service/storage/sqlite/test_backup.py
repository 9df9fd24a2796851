"""service/storage/sqlite/backup.py: a copy is whole or not there, and comes back as it was."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.errors import FileError, StorageUnavailable
from service.storage.sqlite import backup, integrity
from service.storage.sqlite.backup import Task
from service.storage.sqlite.writer import Limits
from tests.support.helpers import ROOT, Process, Wire, enter, open_storage, running_server
from tests.support.storage import NOW, add, ids_of, make_chat, say, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.sqlite.engine import SqliteStorage


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with alice and her five messages, closed."""
    return make_chat(tmp_path / "chat.db")


def all_ids(path: Path) -> list[int]:
    with open_storage(path) as storage:
        return ids_of(storage.history_page(None, None, 0, 200))


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


class Chatter(threading.Thread):
    """Stores messages without a pause until told to stop."""

    def __init__(self, storage: SqliteStorage, sender: int) -> None:
        super().__init__(name="chatter")
        self.storage, self.sender = storage, sender
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            say(self.storage, self.sender, "blah " * 100)

    def __enter__(self) -> Chatter:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.enough.set()
        self.join()


# -- backup -----------------------------------------------------------------------------------------------------------
def test_copies_beside_a_busy_writer_are_whole(tmp_path: Path) -> None:
    """Each is one moment of the chat, however many commits and checkpoints fall into its making."""
    counts, limits = [], Limits(checkpoint_pages=10)
    with open_storage(tmp_path / "chat.db", limits=limits) as storage, Chatter(storage, add(storage, "alice")):
        for n in range(8):
            while storage.read(lambda c: c.execute("SELECT count(*) FROM message").fetchone())[0] < 50 * n:
                pass
            copy = tmp_path / "copies" / f"{n}.db"
            counts.append(backup.backup(tmp_path / "chat.db", copy, Task(), step=5).messages)
            assert copy.stat().st_mode & 0o777 == 0o600
    assert counts == sorted(counts)
    assert counts[-1] >= 350
    for n, count in enumerate(counts):
        with closing(sqlite3.connect(tmp_path / "copies" / f"{n}.db")) as connection:
            assert connection.execute("SELECT count(*), max(id) FROM message").fetchone() == (count, count or None)
    assert names(tmp_path / "copies") == {f"{n}.db" for n in range(8)}


def test_a_backup_leaves_its_source_alone(path: Path) -> None:
    """No byte of it, or of what a crash has left in its -wal, is moved."""
    with open_storage(path) as storage:
        say(storage, 1, "in the -wal")
        before = {name: (path.parent / name).read_bytes() for name in ("chat.db", "chat.db-wal")}
        for name, content in before.items():
            (path.parent / name.replace("chat", "crashed")).write_bytes(content)
    held = backup.backup(path.with_name("crashed.db"), path.with_name("copy.db"), Task())
    assert held.messages == 6
    assert {name: (path.parent / name.replace("chat", "crashed")).read_bytes() for name in before} == before
    assert "copy.db-wal" not in names(path.parent)


def test_what_is_there_is_not_overwritten_unless_asked(path: Path) -> None:
    """Nor is the database itself, even then."""
    target = path.with_name("copy.db")
    target.write_text("precious")
    with pytest.raises(FileError, match="is there already; name another"):
        backup.backup(path, target, Task())
    assert target.read_text() == "precious"
    assert backup.backup(path, target, Task(), overwrite=True).messages == 5
    assert integrity.examine(target, lambda _: None).messages == 5
    with pytest.raises(FileError, match="the database itself"):
        backup.backup(path, path, Task(), overwrite=True)
    with pytest.raises(FileError, match="is a folder"):
        backup.backup(path, path.parent, Task(), overwrite=True)
    with pytest.raises(FileError, match="there is no database"):
        backup.backup(path.with_name("missing.db"), path.with_name("copy2.db"), Task())


OWN = ["chat.db", "chat.db-wal", "chat.db-shm", "chat.db-journal", "chat.db-lock", "chat.db-control", "chat.db-backup"]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Path]:
    """The database of a service that runs, in a folder of its own."""
    with running_server(tmp_path) as server:
        enter(server.port, "alice").close()
        (tmp_path / "other").mkdir()
        yield tmp_path / "chat.db"


def ways_to(path: Path, folder: Path) -> Iterator[Path]:
    """Its name, other paths to it, and links, as far as it is there."""
    yield path
    yield folder / ".." / path.name
    yield Path(os.path.relpath(path))
    link = folder / f"link-to-{path.name}"
    link.symlink_to(path)
    yield link
    (folder / "linked").symlink_to(path.parent)
    yield folder / "linked" / path.name
    if path.exists():
        hard = folder / f"hard-link-to-{path.name}"
        hard.hardlink_to(path)
        yield hard


@pytest.mark.parametrize("own", OWN)
def test_a_backup_is_no_file_of_the_database_itself(live: Path, own: str) -> None:
    """On no way to one, even with --overwrite, and also where SQLite would make it only later; nor is one restored."""
    own_file = live.with_name(own)
    before = {name: live.with_name(name).stat().st_ino for name in names(live.parent) - {"other"}}
    source = live.parent / "other" / "link.db"
    source.symlink_to(live)
    for way in ways_to(own_file, live.parent / "other"):
        what = "the database itself" if own == live.name else f"the database's own {own}"
        for db in (live, source):
            with pytest.raises(FileError, match=f"{re.escape(str(way))} is {what}; name another file"):
                backup.backup(db, way, Task(), overwrite=True)
            with pytest.raises(FileError, match=f"is {what}; name another file"):
                backup.restore(way, db, Task())
    assert {name: live.with_name(name).stat().st_ino for name in names(live.parent) - {"other"}} == before


@pytest.mark.parametrize("own", OWN)
def test_nor_is_it_one_beside_another_name_of_the_database(live: Path, own: str) -> None:
    """A service that opened a hard link has its files beside that name, now or later."""
    other = live.parent / "other" / "copy.db"
    other.hardlink_to(live)
    what = "the database itself" if own == live.name else f"the database's own {own}"
    for way in (live.with_name(own), live.parent / "other" / ".." / own):
        with pytest.raises(FileError, match=f"{re.escape(str(way))} is {what}; name another file"):
            backup.backup(other, way, Task(), overwrite=True)
        with pytest.raises(FileError, match=f"is {what}; name another file"):
            backup.restore(way, other, Task())


def test_what_is_only_called_so_is_none_of_its_own(live: Path) -> None:
    """Beside another database, beside a symbolic link, or beside nothing."""
    (live.parent / "other" / "link.db").symlink_to(live)
    (live.parent / "other" / "old.db").write_bytes(b"")
    for name in ("link.db-wal", "old.db-lock", "none.db-shm", "-wal"):
        assert backup.backup(live, live.parent / "other" / name, Task()).users == 1


def test_what_stands_beside_a_database_is_known(live: Path) -> None:
    """Whatever a running service has beside it is one of these, and its backup may be called anything else."""
    backup.backup(live, live.parent / "other" / "copy.db", Task())
    assert names(live.parent) - {"other"} == {*OWN} - {"chat.db-journal"}
    for name in ("chat.db-old", "chat.db.copy", "chat", "other/chat.db", "other/chat.db-wal"):
        assert backup.backup(live, live.parent / name, Task()).users == 1


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_copy_is_not_put_beside_what_another_has_left(path: Path, suffix: str, is_there: bool) -> None:
    """SQLite would take what is in it for a part of the copy."""
    target, left = path.with_name("copy.db"), path.with_name(f"copy.db{suffix}")
    if is_there:
        target.write_text("old")
    left.write_bytes(b"pages")
    with pytest.raises(FileError, match=f"copy.db{suffix} is there: .*Name another file"):
        backup.backup(path, target, Task(), overwrite=True)
    assert (target.exists(), left.read_bytes()) == (is_there, b"pages")


def refuse(*_: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["_copy", "integrity.examine", "_sync"])
def test_a_backup_that_fails_leaves_nothing(path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even its beginnings."""
    monkeypatch.setattr(f"service.storage.sqlite.backup.{step}", refuse)
    with pytest.raises(OSError, match="No space left"):
        backup.backup(path, path.with_name("copy.db"), Task())
    assert [name for name in names(path.parent) if name.startswith("copy")] == []


def test_a_stopped_backup_leaves_nothing(path: Path) -> None:
    """It ends at its next step."""
    steps = []

    class Impatient(Task):
        def check(self) -> None:
            steps.append(self.doing)
            if len(steps) == 5:
                self.stop()
            super().check()

    with pytest.raises(StorageUnavailable, match="stopped"):
        backup.backup(path, path.with_name("copy.db"), Impatient(), step=1)
    assert steps[0] == ""
    assert steps[-1].startswith("copying, ")
    assert len(steps) == 5
    assert [name for name in names(path.parent) if name.startswith("copy")] == []


@pytest.mark.parametrize("step", ["_copy", "integrity.examine", "_sync"])
def test_a_backup_that_is_killed_leaves_no_half_file(path: Path, step: str) -> None:
    """What it was making has a name that says so."""
    program = (
        "import os, pathlib, sys\nfrom service.storage.sqlite import backup\n"
        f"backup.{step} = lambda *_: os.kill(os.getpid(), 9)\n"
        "backup.backup(*map(pathlib.Path, sys.argv[1:]), backup.Task())\n"
    )
    target = path.with_name("copy.db")
    ended = subprocess.run([sys.executable, "-c", program, str(path), str(target)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not target.exists()
    assert {name.rpartition(".")[2] for name in names(path.parent) if name.startswith("copy")} == {"part"}


# -- restore ----------------------------------------------------------------------------------------------------------
def test_the_drill(tmp_path: Path) -> None:
    """A service is backed up while it is busy, goes on, and is set back: users, messages, tokens, search are there."""
    path, copy = tmp_path / "chat.db", tmp_path / "copy.db"
    with Process(tmp_path) as service, enter(service.port, "alice") as alice, enter(service.port, "bob") as bob:
        alice.ask("pm", message="the meeting is at noon", nonce="1")
        alice.send(*({"command": "pm", "message": f"more {n}"} for n in range(200)))
        held = backup.backup(path, copy, Task())
        alice.read_until_pong()
        bob.ask("dm", to="alice", message="after the backup")
        enter(service.port, "late").close()
        last = bob.ask("pm", message="the last one")["id"]
        token = bob.hello["token"]
        assert service.stop() == 0
    with closing(sqlite3.connect(copy)) as connection:
        expected = connection.execute("SELECT * FROM history").fetchall()
    restored, old = backup.restore(copy, path, Task())
    assert restored == held
    assert old is not None
    with Process(tmp_path) as service, enter(service.port, "alice") as alice, Wire(service.port) as bob:
        assert bob.ask("resume", token=token)["username"] == "bob"
        assert bob.ask("search", query="meeting")["messages"][0]["message"] == "the meeting is at noon"
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT * FROM history").fetchall() == expected
            assert connection.execute("SELECT name FROM users").fetchall() == [("alice",), ("bob",)]
        assert alice.ask("pm", message="again")["id"] == last + 1
        service.stop()
        assert not [line for line in service.log if "has lost" in line]


def test_a_token_of_the_backup_still_logs_in(path: Path) -> None:
    """And the search index finds what it did."""
    backup.backup(path, path.with_name("copy.db"), Task())
    backup.restore(path.with_name("copy.db"), path, Task())
    with open_storage(path) as storage:
        assert storage.result(storage.resume(token_of("alice"), NOW)).name == "alice"
        storage.index_search()
        assert len(storage.search_page("message", 1, None, None, 9).messages) == 5


def test_a_restore_waits_for_the_service_to_stop(path: Path) -> None:
    """While it runs nothing is touched."""
    copy = path.with_name("copy.db")
    backup.backup(path, copy, Task())
    with open_storage(path):
        before = names(path.parent)
        with pytest.raises(FileError, match="in use"):
            backup.restore(copy, path, Task())
        assert names(path.parent) == before


def test_the_old_file_is_kept_with_all_that_was_in_it(path: Path) -> None:
    """What a crash has left in its -wal is in it, and not in the new one; ids go on after the newest of all."""
    copy, crashed = path.with_name("copy.db"), path.parent / "crashed" / "chat.db"
    backup.backup(path, copy, Task())
    crashed.parent.mkdir()
    with open_storage(path, limits=Limits(quiet=3600.0)) as storage:  # no checkpoint in a quiet moment
        say(storage, 1, "in the -wal")
        for suffix in ("", "-wal", "-shm"):
            shutil.copy(f"{path}{suffix}", f"{crashed}{suffix}")
    _, old = backup.restore(copy, crashed, Task())
    assert old is not None
    assert names(crashed.parent) == {"chat.db", "chat.db-lock", old.name}
    assert {part.stat().st_mode & 0o777 for part in crashed.parent.iterdir()} == {0o600}
    assert all_ids(old) == [1, 2, 3, 4, 5, 6]
    assert all_ids(crashed) == [1, 2, 3, 4, 5]
    with open_storage(crashed) as storage:
        assert say(storage, 1, "next") == 7


def test_a_damaged_database_is_replaced(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The old file is kept; the newest ids are known from the -lock."""
    copy = path.with_name("copy.db")
    backup.backup(path, copy, Task())
    with open_storage(path) as storage:
        assert say(storage, 1, "lost") == 6
    path.write_bytes(b"\xff" * 8192)
    path.with_name("chat.db-wal").write_bytes(b"stale")
    held, old = backup.restore(copy, path, Task())
    assert held.messages == 5
    assert old is not None
    assert old.read_bytes() == b"\xff" * 8192
    assert "chat.db-wal" not in names(path.parent)
    with open_storage(path) as storage:
        assert ids_of(storage.history_page(None, None, 0, 200)) == [1, 2, 3, 4, 5]
        assert say(storage, 1, "next") == 7
    assert caplog.text == ""


def test_a_wal_that_stays_is_kept_beside_its_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLite cannot move it into the old file: beside the new one it would be taken for that one's."""
    copy = path.with_name("copy.db")
    backup.backup(path, copy, Task())
    path.with_name("chat.db-wal").write_bytes(b"stale")
    monkeypatch.setattr(backup, "_settle_old", lambda _, given: given)
    _, old = backup.restore(copy, path, Task())
    assert old is not None
    assert old.with_name(f"{old.name}-wal").read_bytes() == b"stale"
    assert names(path.parent) >= {"chat.db", old.name, f"{old.name}-wal"}
    assert "chat.db-wal" not in names(path.parent)
    assert "chat.db-shm" not in names(path.parent)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_files_to_their_owner(path: Path) -> None:
    """A service that runs as somebody else can use what root has put back."""
    copy = path.with_name("copy.db")
    backup.backup(path, copy, Task())
    path.with_name("chat.db-lock").unlink()
    os.chown(path, 1234, 1235)
    backup.restore(copy, path, Task())
    for name in ("chat.db", "chat.db-lock"):
        assert (path.with_name(name).stat().st_uid, path.with_name(name).stat().st_gid) == (1234, 1235)


def test_a_bad_backup_is_not_restored(path: Path) -> None:
    """The database stays as it is."""
    copy = path.with_name("copy.db")
    backup.backup(path, copy, Task())
    with copy.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 40_000)
    before = path.read_bytes()
    for source, problem in (
        (copy, "damaged"),
        (path, "the database itself"),
        (path.with_name("none.db"), "there is no file"),
    ):
        with pytest.raises(FileError, match=problem):
            backup.restore(source, path, Task())
    assert path.read_bytes() == before


def test_a_backup_is_restored_where_nothing_was(path: Path) -> None:
    """On a new machine, with a file that only its owner can read."""
    copy, new = path.with_name("copy.db"), path.parent / "new.db"
    backup.backup(path, copy, Task())
    assert backup.restore(copy, new, Task())[1] is None
    assert new.stat().st_mode & 0o777 == 0o600
    assert all_ids(new) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("step", ["_copy", "_settle_old", "_set_aside", "put"])
def test_a_restore_that_fails_leaves_the_database(path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Complete, under its name."""
    copy = path.with_name("copy.db")
    backup.backup(path, copy, Task())
    with monkeypatch.context() as patched:
        patched.setattr(backup, step, refuse)
        with pytest.raises(OSError, match="No space left"):
            backup.restore(copy, path, Task())
    assert not [name for name in names(path.parent) if ".part" in name]
    assert all_ids(path) == [1, 2, 3, 4, 5]


def test_an_upset_umask_opens_no_file(path: Path) -> None:
    """Database, -wal, -shm, -lock and copies are 0600 also where new files are readable for all."""
    old = os.umask(0)
    try:
        with open_storage(path.with_name("open.db")) as storage:
            add(storage, "alice")
            backup.backup(path.with_name("open.db"), path.with_name("open.copy"), Task())
            modes = {part.name: part.stat().st_mode & 0o777 for part in path.parent.glob("open*")}
    finally:
        os.umask(old)
    files = ["open.db", *(f"open.db-{part}" for part in ("wal", "shm", "lock", "backup")), "open.copy"]
    assert modes == dict.fromkeys(files, 0o600)


# -- the note ---------------------------------------------------------------------------------------------------------
def test_the_newest_backup_is_noted(path: Path) -> None:
    """Beside the database, for its owner only; by any name of the database, and until there is a newer one."""
    assert backup.read_note(path) is None
    link = path.with_name("link.db")
    link.symlink_to(path)
    for name in ("one.db", "two words.db"):
        backup.backup(link, path.with_name(name), Task())
        note = backup.read_note(path)
        assert note is not None
        assert note.file == str(path.with_name(name))
    note_file = path.with_name("chat.db-backup")
    assert note_file.stat().st_mode & 0o777 == 0o600
    note_file.write_bytes(b"\xff")
    assert backup.read_note(path) is not None


def test_a_failed_backup_is_not_noted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one before stays the newest."""
    backup.backup(path, path.with_name("one.db"), Task())
    before = backup.read_note(path)
    monkeypatch.setattr("service.storage.sqlite.backup.put", refuse)
    with pytest.raises(OSError, match="No space left"):
        backup.backup(path, path.with_name("two.db"), Task())
    assert backup.read_note(path) == before


def test_a_backup_without_a_note_is_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where only the database may be read."""
    monkeypatch.setattr("service.storage.sqlite.backup._note_of", lambda path: path / "nowhere" / "note")
    assert backup.backup(path, path.with_name("copy.db"), Task()).users == 1
