"""service/admin/__main__.py: what an operator types, and is told."""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import subprocess
import sys
import threading
from ast import literal_eval
from shutil import copytree, ignore_patterns
from typing import TYPE_CHECKING

import pexpect
import pytest

from service import programs
from service.admin import __main__ as admin
from service.admin.desk import Progress
from service.admin.orders.status import Users
from service.storage.sqlite import schema
from service.storage.sqlite.schema import revisions
from tests.support.helpers import PATIENCE, ROOT, open_storage, running_server
from tests.support.storage import add, say

if TYPE_CHECKING:
    from pathlib import Path

    from service.admin.desk import Desk, Work

URL = "postgresql://localhost/chat"
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with one user and one message, in the current folder."""
    monkeypatch.chdir(tmp_path)
    with open_storage(tmp_path / "chat.db") as storage:
        say(storage, add(storage, "alice"), "hi")
    return tmp_path / "chat.db"


def test_backup_verify_restore(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each says its result in one line, with what the file holds."""
    held = f"1 message, 1 user, schema {revisions()[-1]}"
    assert admin.main(["backup", "copy.db"]) == 0
    assert re.fullmatch(rf"copy\.db: [\d,]+ bytes, {held}, \d+\.\d s\n", capsys.readouterr().out)
    assert admin.main(["verify", "copy.db"]) == 0
    assert capsys.readouterr().out == f"copy.db: sound, {held}\n"
    assert admin.main(["restore", "copy.db"]) == 0
    told = capsys.readouterr().out
    assert re.fullmatch(rf"chat\.db: restored, {held}; the old file is now .*/chat-before-[\d-]+T\d+Z\.db\n", told)
    assert admin.main(["verify"]) == 0


def test_copy_there_and_back(path: Path, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each way says what went over, and that nothing differs; what may not be is said in a line, and nothing done."""
    held = f"1 message, 1 user, schema {revisions()[-1]}"
    assert admin.main(["copy", "--from", "chat.db", "--to", database]) == 0
    assert admin.main(["copy", "--from", database, "--to", "back.db"]) == 0
    for told, (source, target) in zip(
        capsys.readouterr().out.splitlines(), (("chat.db", database), (database, "back.db")), strict=True
    ):
        ended = r"\d+\.\d s; the rows of both are the same"
        assert re.fullmatch(rf"{re.escape(target)}: copied from {re.escape(source)}, {held}, {ended}", told)
    for source, target in (
        ("chat.db", database),
        (database, str(path)),
        ("none.db", database),
        ("chat.db", "other.db"),
    ):
        assert admin.main(["copy", "--from", source, "--to", target]) == 1
        assert capsys.readouterr().err.count("\n") == 1
    assert not path.with_name("none.db").exists()


def test_a_backup_without_a_name_gets_one(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the time, in the folder backups, which others cannot look into."""
    assert admin.main(["backup", "--db", str(path)]) == 0
    assert re.match(r"backups/chat-\d{4}-\d\d-\d\dT\d{6}Z\.db: ", capsys.readouterr().out)
    assert (path.parent / "backups").stat().st_mode & 0o777 == 0o700


def test_an_upgrade_makes_a_backup_first_if_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the older form, as it was; a database that is current, or not there yet, is not copied."""
    monkeypatch.chdir(tmp_path)
    newest = revisions()[-1]
    copytree(schema.MIGRATIONS, tmp_path / "older", ignore=ignore_patterns("__pycache__", f"{newest}*"))
    schema.prepare(tmp_path / "chat.db", tmp_path / "older")
    assert [admin.main(["init-db", file, "--backup"]) for file in ("chat.db", "chat.db", "new.db")] == [0, 0, 0]
    copied, *others = capsys.readouterr().out.splitlines()
    assert others == [
        f"{file}, schema {newest}" for file in ("chat.db: upgraded", "chat.db: current", "new.db: created")
    ]
    (copy,) = (tmp_path / "backups").iterdir()
    assert copied.startswith(f"backups/{copy.name}: ")
    assert schema.read_revision(copy) == revisions()[-2]


@pytest.mark.parametrize("command", [["status"], ["announce", "hi"], ["disable", "alice"], ["repair"], ["compact"]])
def test_no_other_command_upgrades(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """Without a backup there would be no way back: an older database is left as it is, and what to type is said."""
    monkeypatch.chdir(tmp_path)
    copytree(schema.MIGRATIONS, tmp_path / "older", ignore=ignore_patterns("__pycache__", f"{revisions()[-1]}*"))
    schema.prepare(tmp_path / "chat.db", tmp_path / "older")
    assert admin.main(command) == 1
    assert f"Type: {programs.ADMIN} init-db chat.db --backup\n" in capsys.readouterr().err
    assert schema.read_revision(tmp_path / "chat.db") == revisions()[-2]


def test_old_backups_are_deleted_when_the_new_one_is_made(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So many are left, and what goes is named; with a name of one's own, or after a failure, nothing goes."""
    folder = path.parent / "backups"
    folder.mkdir()
    old = [folder / f"chat-2026-01-0{day}T000000Z.db" for day in (1, 2, 3)]
    for each in old:
        each.touch()
    assert admin.main(["backup", "--keep", "2", "--db", "none.db"]) == 1
    assert admin.main(["backup", "mine.db", "--keep", "2"]) == 1
    assert "leave FILE out" in capsys.readouterr().err
    assert (all(each.exists() for each in old), (path.parent / "mine.db").exists()) == (True, False)
    assert admin.main(["backup", "--keep", "2"]) == 0
    _, *deleted = capsys.readouterr().out.splitlines()
    assert deleted == [f"backups/{each.name}: deleted, as 2 are kept" for each in old[:2]]
    assert [each.exists() for each in old] == [False, False, True]
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["backup", "chat.db"], "chat.db is the database itself; name another file"),
        (["backup", "letter"], "letter is there already; name another file, or use --overwrite"),
        (["backup", "copy.db", "--db", "letter"], "letter is no SQLite database"),
        (["backup", "letter/copy.db"], "backup: letter: File exists"),
        (["backup", "--db", "none.db"], "there is no database none.db; name it with --db"),
        (["import-users", "missing.csv"], "import-users: missing.csv: No such file or directory"),
        (["init-db", "loop"], ""),  # the words depend on the Python
        (["restore", "missing.db"], "there is no file missing.db"),
        (["restore", "letter"], "letter is no SQLite database"),
        (["verify", "letter"], "letter is no SQLite database"),
    ],
)
def test_what_cannot_be_is_one_line(
    path: Path, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With status 1, and nothing is changed."""
    path.with_name("letter").write_text("Dear reader, " * 100)
    path.with_name("loop").symlink_to("loop")
    assert admin.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"chat admin: {problem}")
    assert path.with_name("letter").read_text().startswith("Dear reader")


STEERING = ["a\x1b[2J", "a\nb", "a\r", "a\x9b2J", "a\u202eb", "a\u2028b", os.fsdecode(b"a\xff\xfe"), "a\u200bb"]
_HARMLESS = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u2028\u202e\ud800-\udfff]*\n")


@pytest.mark.parametrize("name", STEERING, ids=ascii)
def test_no_file_name_is_told_as_it_is(path: Path, name: str) -> None:
    """Neither in a result nor in an error; what is done ends with status 0, whatever the name, and in ASCII too."""
    path.with_name(f"letter{name}").write_text("Dear reader, " * 100)
    (path.parent / f"folder{name}").mkdir()
    orders = [
        (["backup", f"copy{name}"], 0),
        (["backup", f"copy{name}"], 1),
        (["backup", f"folder{name}"], 1),
        (["backup", f"letter{name}/copy"], 1),
        (["backup", f"new{name}/copy.db"], 0),
        (["backup", "x.db", "--db", f"missing{name}"], 1),
        (["verify", f"copy{name}"], 0),
        (["verify", f"letter{name}"], 1),
        (["verify", f"missing{name}"], 1),
        (["init-db", f"new{name}.db"], 0),
        (["init-db", f"letter{name}"], 1),
        (["init-db", f"folder{name}"], 1),
        (["init-db", f"nowhere{name}/chat.db"], 1),
        (["restore", f"copy{name}", "--db", f"new{name}.db"], 0),
        (["restore", f"letter{name}"], 1),
        (["restore", f"missing{name}"], 1),
        (["certs", f"certs{name}"], 0),
        (["certs", f"certs{name}"], 1),
        (["certs", f"letter{name}/certs"], 1),
        (["certs", "other", "--name", name], 1),
        (["add", f"bob{name}"], 1),
        (["disable", "alice", "--db", f"missing{name}"], 1),
        (["disable", "alice", "--db", f"letter{name}"], 1),
        (["disable", "alice", f"more{name}"], 2),
        ([f"dance{name}"], 2),
    ]
    program = (
        "import contextlib, io, os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from service.admin import __main__ as admin\n"
        "for status, *arguments in eval(sys.argv[2]):\n"
        "    stream = io.TextIOWrapper(raw := io.BytesIO(), 'ascii')\n"
        "    errors = io.TextIOWrapper(raw, 'utf-8', 'backslashreplace')\n"
        "    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(errors):\n"
        "        try:\n"
        "            ended = admin.main(arguments)\n"
        "        except SystemExit as error:\n"
        "            ended = error.code\n"
        "        stream.flush(); errors.flush()\n"
        "    print(ascii((ended, raw.getvalue().decode())))\n"
    )
    wanted = [(status, *arguments) for arguments, status in orders]
    told = subprocess.run(
        [sys.executable, "-c", program, str(ROOT), ascii(wanted)],
        cwd=path.parent,
        env=os.environ | {"CHAT_BCRYPT_COST": "4"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    outcomes = [literal_eval(line) for line in told.stdout.splitlines()]
    assert [status for status, _ in outcomes] == [status for _, status in orders]
    for (arguments, status), (_, text) in zip(orders, outcomes, strict=True):
        assert _HARMLESS.fullmatch(text.replace("\n", "", text.count("\n") - 1)), (arguments, text)
        assert status == 2 or arguments[0] == "certs" or text.count("\n") == 1, (arguments, text)


def test_a_bad_command_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As with the service."""
    with pytest.raises(SystemExit) as ended:
        admin.main(["dance"])
    assert ended.value.code == 2


def test_what_sqlite_cannot_do_is_one_line_with_its_command(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that a mail from cron says what was tried."""

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("service.storage.sqlite.integrity.find_problem", fail)
    for command in (["verify"], ["backup", "copy.db"], ["restore", str(path)]):
        assert admin.main([*command, "--db", "other.db"] if command[0] == "restore" else command) == 1
        assert capsys.readouterr().err == f"chat admin: {command[0]}: disk I/O error\n"


def test_long_work_shows_and_ctrl_c_ends_it(path: Path) -> None:
    """On a terminal; and nothing half-done stays."""
    program = (
        "import sys\nfrom service.admin import __main__ as admin\nfrom service.storage.sqlite import integrity\n"
        f"integrity.find_problem = lambda connection, _: connection.execute({ENDLESS!r}).fetchall()\n"
        "from service.admin import show; show.TICK = 0.01\n"
        "sys.exit(admin.main(['backup', sys.argv[1], '--db', sys.argv[2]]))\n"
    )
    arguments = ["-c", program, str(path.with_name("copy.db")), str(path)]
    child = pexpect.spawn(sys.executable, arguments, cwd=ROOT, encoding="utf-8", timeout=PATIENCE)
    child.expect(r"checking, \d+ s")
    child.sendintr()
    child.expect("chat admin: stopped; nothing was changed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert [file.name for file in path.parent.iterdir() if file.name.startswith("copy")] == []


def test_ctrl_c_ends_an_order_of_the_running_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its progress shows on the terminal; after Ctrl-C the service does no more of it."""
    ended = threading.Event()

    def count(_order: Users, _desk: Desk) -> Work:
        try:
            for number in itertools.count():
                yield Progress(f"counting, {number}")
        finally:
            ended.set()

    monkeypatch.setattr("service.admin.handlers.HANDLERS", {Users: count})
    program = (
        "import sys\nfrom service.admin import __main__ as admin, show\nshow.TICK = 0.01\n"
        "sys.exit(admin.main(['users', '--db', sys.argv[1]]))\n"
    )
    with running_server(tmp_path):
        arguments = ["-c", program, str(tmp_path / "chat.db")]
        child = pexpect.spawn(sys.executable, arguments, cwd=ROOT, encoding="utf-8", timeout=PATIENCE)
        child.expect(r"counting, \d+, \d+ s")
        child.sendintr()
        child.expect("chat admin: stopped; what was done until then stays done")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
        assert ended.wait(PATIENCE)


def test_who_reads_may_have_enough(path: Path) -> None:
    """As with `head`: no traceback, and the status says that not all was printed."""
    program = (
        "import sys; from service.admin import __main__ as admin; sys.exit(admin.main(['users', '--db', sys.argv[1]]))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 1


def test_no_progress_is_shown_in_a_pipe(path: Path) -> None:
    """So that cron has one line to send."""
    program = (
        "import sys; from service.admin import __main__ as admin, files, show; files._TICK = show.TICK = 0\n"
        "sys.exit(admin.main(['verify', sys.argv[1]]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert ended.stderr == ""
    assert len(ended.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (["backup", "--db", URL], f"pg_dump .* {URL}"),
        (["restore", "copy.db", "--db", URL], f"pg_restore .*--dbname={URL} "),
        (["verify", URL], f"pg_amcheck .* {URL}"),
        (["repair", "--db", URL], f"change no rows .* psql {URL} "),
        (["compact", "--db", URL], f"psql {URL} --command='VACUUM "),
        (["erase", "--db", URL], f"psql {URL} --command=VACUUM "),
    ],
)
def test_what_needs_a_file_says_what_to_type_for_postgresql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], line: str
) -> None:
    """Its own programs do it. Nothing is done, and no file of that name is made."""
    monkeypatch.chdir(tmp_path)
    assert admin.main(command) == 1
    assert re.search(line, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []
