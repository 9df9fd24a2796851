"""service/admin/show.py: what an order tells, as a terminal, a pipe or a program gets it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from service.admin.desk import Note, Progress, Row
from service.admin.show import show
from service.errors import ServiceError

if TYPE_CHECKING:
    from service.admin.desk import Told, Work


def work(*tells: Told, error: Exception | None = None) -> Work:
    yield from tells
    if error is not None:
        raise error


def test_rows_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Each column is as wide as its widest cell on a terminal; rows of another shape are another table."""
    show(
        work(
            Row({"name": "zoë", "last_seen": None, "online": True}),
            Row({"name": "日本", "last_seen": 12_345, "online": False}),
            Row({"id": 1}),
        ),
        "text",
    )
    assert capsys.readouterr().out == (
        "NAME  LAST SEEN  ONLINE\nzoë   -          yes\n日本  12,345     no\nID\n1\n"
    )  # fmt: skip


def test_a_long_table_is_printed_before_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    """The first hundred rows give the widths; later ones are printed as they come."""

    def tell() -> Work:
        for n in range(100):
            yield Row({"number": n})
        assert capsys.readouterr().out.splitlines()[:2] == ["NUMBER", "0"]
        yield Row({"number": 100})

    show(tell(), "text")
    assert capsys.readouterr().out == "100\n"


def test_a_table_has_times_to_the_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """So that a row of `users` fits a screen of 80 columns."""
    time = "2026-11-21T09:30:59.123Z"
    row = {
        "name": "alexandra",
        "created": time,
        "last_seen": time,
        "online": False,
        "role": "moderator",
        "disabled": None,
    }
    show(work(Row(row)), "text")
    head, line = capsys.readouterr().out.splitlines()
    assert line.split()[1:3] == ["2026-11-21T09:30Z", "2026-11-21T09:30Z"]
    assert max(len(head), len(line)) <= 80


def test_lines_for_people_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order in which they come, and a note beside them."""
    done = "done at 2026-11-21T09:30:59.123Z"
    show(work(Row({"a": 1}), Row({"b": 2}, [done]), Note("look at this")), "text")
    assert capsys.readouterr() == (f"A\n1\n{done}\n", "chat admin: look at this\n")


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the values alone."""
    rows = {"name": "zoë\x7f\x9b", "sessions": 2}, {"n": None}
    show(work(Row(rows[0], ["text"]), Row(rows[1])), "json")
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x7f" not in out
    assert tuple(map(json.loads, out.splitlines())) == rows


def test_csv_is_flushed_row_by_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a head."""
    show(work(Row({"name": "a,b", "password": "x"})), "csv")
    assert capsys.readouterr().out == '"a,b",x\n'


def test_nothing_steers_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a name, a line or a note holds."""
    show(work(Row({"name": "a\x1b[2J\n"}), Row({}, ["b\x9b\n"]), Note("c\r")), "text")
    assert capsys.readouterr() == ("NAME\na␛[2J␊\nb<U+009B>␊\n", "chat admin: c␍\n")


def test_progress_shows_on_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is gone before anything else is printed; an empty one repeats the last."""
    monkeypatch.setattr("service.admin.show.TICK", 0)
    show(work(Progress("counting")), "text")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show(work(Progress("counting"), Progress(""), Row({}, ["done"])), "text")
    told = capsys.readouterr()
    assert (told.err.count("\rcounting, 0 s"), told.err.endswith("\r\x1b[K"), told.out) == (2, True, "done\n")


def test_what_was_told_before_an_error_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The error goes on."""
    with pytest.raises(ServiceError):
        show(work(Row({"a": 1}), error=ServiceError("no")), "text")
    assert capsys.readouterr().out == "A\n1\n"


def test_ctrl_c_while_something_is_printed_reaches_the_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is done by then, or that all is."""

    def interrupt(_: object) -> str:
        monkeypatch.undo()
        raise KeyboardInterrupt

    def work(last: Row | None) -> Work:
        try:
            yield Row({"n": 1})
        except KeyboardInterrupt:
            if last is None:
                raise KeyboardInterrupt("one is done") from None
            yield last

    monkeypatch.setattr("service.admin.show.as_json", interrupt)
    with pytest.raises(KeyboardInterrupt, match="one is done"):
        show(work(None), "json")
    monkeypatch.setattr("service.admin.show.as_json", interrupt)
    show(work(Row({"n": 2})), "json")
    assert capsys.readouterr().out == '{"n": 2}\n'
