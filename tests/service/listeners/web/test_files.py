"""service/listeners/web/files.py: which files there are, and how a browser's copy stays the newest."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from service.listeners.web.files import Files
from service.listeners.web.http import parse

if TYPE_CHECKING:
    from pathlib import Path

    from service.listeners.web.answer import Answer

SCRIPT = b"const x = 1;\n"
DRAWING = b"<svg>" + b"x" * 1_000 + b"</svg>"


@pytest.fixture
def page(tmp_path: Path) -> Files:
    """A page of five files, and two that are none of it."""
    for name, content in {
        "index.html": b"<!doctype html>",
        "main.js": SCRIPT,
        "icon.svg": b"<svg/>",
        "large.svg": DRAWING,
        "chat.webmanifest": b"{}",
        "notes.txt": b"secret",
        ".hidden": b"secret",
    }.items():
        (tmp_path / name).write_bytes(content)
    return Files(tmp_path)


def ask(page: Files, target: str, *fields: str) -> Answer | None:
    lines = "".join(f"{field}\r\n" for field in fields)
    return page.answer(parse(f"GET {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()))


def status(page: Files, target: str, *fields: str) -> int:
    answer = ask(page, target, *fields)
    return 404 if answer is None else answer.status


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/?x=1", "text/html; charset=utf-8"),
        ("/main.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
        ("/chat.webmanifest", "application/manifest+json"),
    ],
)
def test_each_file_has_its_kind(page: Files, target: str, kind: str) -> None:
    """A browser takes it for nothing else."""
    answer = ask(page, target)
    assert answer is not None
    assert (answer.status, answer.content_type) == (200, kind)
    assert dict(answer.fields)["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "target",
    [
        "/index.html",
        "/notes.txt",
        "/.hidden",
        "/MAIN.JS",
        "//main.js",
        "/./main.js",
        "/x/../main.js",
        "/../files.py",
        "/..%2ffiles.py",
        "/%2e%2e/files.py",
        "/main.js%00",
        "/main.js/",
        "/m%61in.js",
        "/etc/passwd",
    ],
)
def test_nothing_else_is_there(page: Files, target: str) -> None:
    """A path is looked up as it is: nothing is made of it."""
    assert status(page, target) == 404


def test_a_copy_that_is_still_good_is_not_sent_again(page: Files) -> None:
    """However the browser has it; another one is."""
    answer = ask(page, "/main.js")
    assert answer is not None
    tag = dict(answer.fields)["ETag"]
    for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
        unchanged = ask(page, "/main.js", f"If-None-Match: {known}")
        assert unchanged is not None
        assert (unchanged.status, unchanged.body, dict(unchanged.fields)["ETag"]) == (304, b"", tag)
    assert status(page, "/main.js", 'If-None-Match: W/"x"') == 200
    assert status(page, "/icon.svg", f"If-None-Match: {tag}") == 200


@pytest.mark.parametrize(
    ("accepted", "is_packed"),
    [
        (("Accept-Encoding: gzip, deflate, br",), True),
        (("Accept-Encoding: br", "Accept-Encoding: GZIP;q=0.5"), True),
        (("Accept-Encoding: gzip; q=0",), False),
        (("Accept-Encoding: gzip;q=0.000",), False),
        (("Accept-Encoding: br",), False),
        ((), False),
    ],
)
def test_gzip_is_for_those_who_take_it(page: Files, accepted: tuple[str, ...], is_packed: bool) -> None:
    """The others get the file as it is."""
    answer = ask(page, "/large.svg", *accepted)
    assert answer is not None
    fields = dict(answer.fields)
    assert (fields.get("Content-Encoding") == "gzip", fields["Vary"]) == (is_packed, "Accept-Encoding")
    assert (gzip.decompress(answer.body) if is_packed else answer.body) == DRAWING


def test_what_gzip_makes_longer_is_sent_as_it_is(page: Files) -> None:
    """Small files are."""
    answer = ask(page, "/icon.svg", "Accept-Encoding: gzip")
    assert answer is not None
    assert answer.body == b"<svg/>"


def test_the_own_page_names_what_is_there() -> None:
    """Whatever its HTML names is handed out: scripts, styles, icon, manifest."""
    own = Files()
    answer = ask(own, "/")
    assert answer is not None
    named = re.findall(r'(?:href|src)="(/[^"]+)"', answer.body.decode())
    assert len(named) >= 4
    assert [name for name in named if status(own, name) != 200] == []
