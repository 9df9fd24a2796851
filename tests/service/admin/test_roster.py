"""service/admin/roster.py: accounts for a class, from a file of names."""

from __future__ import annotations

import argparse
import csv
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.admin import roster
from service.admin.desk import Progress, Row
from service.admin.roster import import_users, make_password, read_roster
from service.errors import ServiceError
from service.storage import init_db
from tests.support.engines import name_database
from tests.support.helpers import enter, make_settings, open_storage, running_server
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from pathlib import Path

    from service.admin.desk import Work
    from tests.service.admin.conftest import Run

pytestmark = pytest.mark.engines
ROSTER = "\ufeffClass,Name\r\n7b,Bob\r\n7b,carol\r\n,\r\n7b,dora\r\n"


def write(folder: Path, text: str | bytes = ROSTER) -> str:
    """Writes the file; gives its name."""
    (folder / "class.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return str(folder / "class.csv")


def importing(folder: Path) -> Work:
    """The work, piece by piece."""
    given = argparse.Namespace(file=write(folder), db=name_database(folder / "chat.db"))
    return import_users(given, make_settings(folder))


def names(folder: Path) -> list[str]:
    with open_storage(folder / "chat.db") as storage:
        return [person.name for person in storage.users_page("", 100)]


@pytest.mark.parametrize("is_running", [True, False])
def test_each_name_gets_an_account_and_a_password(tmp_path: Path, run: Run, is_running: bool) -> None:
    """The password is in the same line, and logs in."""
    init_db(name_database(tmp_path / "chat.db"))
    if is_running:
        with running_server(tmp_path, registration="closed"):
            status, out, err = run("import-users", write(tmp_path))
    else:
        status, out, err = run("import-users", write(tmp_path))
    assert (status, err) == (0, "")
    made = dict(csv.reader(out.splitlines()))
    assert list(made) == ["bob", "carol", "dora"]
    with running_server(tmp_path) as server:
        for name, password in made.items():
            enter(server.port, name, password).close()


def test_given_again_it_makes_the_rest(tmp_path: Path, run: Run) -> None:
    """Who is there keeps the password, and is said."""
    init_db(name_database(tmp_path / "chat.db"))
    run("import-users", write(tmp_path, "name\nbob\n"))
    status, out, err = run("import-users", write(tmp_path))
    assert (status, out.count("\n"), err) == (0, 2, "chat admin: bob: is there already\n")


def test_a_name_like_another_is_passed_over(tmp_path: Path, run: Run) -> None:
    """The others have accounts, and the status says that something is to be done."""
    make_chat(tmp_path / "chat.db")
    status, out, err = run("import-users", write(tmp_path, "name\na1ice\nbob\n"))
    assert (status, out.split(",")[0]) == (1, "bob")
    assert 'a1ice: the name "a1ice" looks like one that is taken' in err
    assert "1 of 2 names are refused; the others have accounts" in err
    assert names(tmp_path) == ["alice", "bob"]


def test_nothing_is_made_of_a_file_with_bad_names(tmp_path: Path, run: Run) -> None:
    """All of them are said first, with their lines."""
    init_db(name_database(tmp_path / "chat.db"))
    status, out, err = run("import-users", write(tmp_path, "name\nbob\ntwo words\nx\x1b#\n"))
    assert (status, out) == (1, "")
    assert "line 3, two words: a name has" in err
    assert "line 4, x␛#: " in err
    assert "2 of 3 names cannot be; nothing was changed" in err
    assert names(tmp_path) == []


def test_a_password_is_out_before_its_account_is_made(tmp_path: Path) -> None:
    """Broken off between the two there is no account, and the next time its name gets another line."""
    init_db(name_database(tmp_path / "chat.db"))
    with closing(importing(tmp_path)) as work:
        assert next(work) == Progress("making accounts, 1 of 3")
        row = next(work)
        assert isinstance(row, Row)
        assert row.values["name"] == "bob"
    assert names(tmp_path) == []
    rows = [told.values for told in importing(tmp_path) if isinstance(told, Row)]
    assert rows[0]["name"] == "bob"
    assert rows[0]["password"] != row.values["password"]


def test_ctrl_c_says_what_is_made(tmp_path: Path) -> None:
    """The accounts before it stay."""
    init_db(name_database(tmp_path / "chat.db"))
    with closing(importing(tmp_path)) as work:
        while next(work) != Progress("making accounts, 2 of 3"):
            pass
        with pytest.raises(KeyboardInterrupt, match="the accounts above are made"):
            work.throw(KeyboardInterrupt())
    assert names(tmp_path) == ["bob"]


@pytest.mark.sqlite
def test_an_account_that_cannot_be_stored_voids_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And ends the work: so would the next ones."""
    init_db(name_database(tmp_path / "chat.db"))

    def fail(*_: object) -> None:
        raise ServiceError("disk I/O error")

    monkeypatch.setattr("service.storage.sqlite.users.add", fail)
    with pytest.raises(ServiceError, match=r"disk I/O error\. bob was not made, so its line above is void"):
        list(importing(tmp_path))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", 'no column "name"'),
        ("bob\ncarol\n", 'no column "name"'),
        (b"name\n\xff\n", "no CSV in UTF-8"),
        ('name\n"bob\n', "no CSV in UTF-8"),
        ("name\n" + "bob\n" * 3, "more than 2 names"),
        ("name\n" + "x" * 200, "more than 100 bytes"),
    ],
    ids=str,
)
def test_a_file_that_is_no_roster_says_why(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, content: str | bytes, words: str
) -> None:
    """In one line, and nothing is made."""
    monkeypatch.setattr(roster, "MAX_ROSTER", 2)
    monkeypatch.setattr(roster, "_MAX_BYTES", 100)
    status, _, err = run("import-users", write(tmp_path, content))
    assert (status, words in err, err.count("\n")) == (1, True, 1)
    assert len(read_roster_of(tmp_path)) == 2


def read_roster_of(folder: Path) -> list[tuple[int, str]]:
    """What a file at the limits has."""
    (folder / "good.csv").write_text("name\nbob\n\ncarol\n" + "\n" * 84)
    assert (folder / "good.csv").stat().st_size == 100
    return read_roster(folder / "good.csv")


def test_a_password_is_long_enough_and_random() -> None:
    """Also where an operator asks for longer ones."""
    made = {make_password(8) for _ in range(100)}
    assert len(made) == 100
    assert {len(password) for password in made} == {16}
    assert len(make_password(40)) == 40
