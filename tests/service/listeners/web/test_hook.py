"""service/listeners/web/hook.py: what is said, and what each request is answered."""

from __future__ import annotations

import json
import logging
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import quote_plus

import pytest

from service.accounts.limiter import LOGIN_BURST
from service.chat.hooks import MOST_PIECES
from service.errors import StorageFull, StorageUnavailable
from service.listeners.web.answer import HookRequest
from service.listeners.web.hook import RETRY_AFTER, Hooks
from service.origin import origin_of
from service.storage.records import UnknownHook
from service.storage.statements import hooks as statements
from tests.support.helpers import PATIENCE, enter, running_server
from tests.support.hooks import SECRET, add_hook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from service.listeners.web.answer import Answer
    from service.server import Server

pytestmark = pytest.mark.engines
TEXT, JSON, FORM = "text/plain", "application/json", "application/x-www-form-urlencoded"


class Sender:
    """Sends to the webhooks of a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.storage: Any = server.services.storage
        self._hooks = Hooks(server.services)

    def send(
        self,
        body: bytes | str,
        kind: str = TEXT,
        *,
        key: str | None = None,
        secret: str = SECRET,
        host: str = "192.0.2.1",
        seconds: float = PATIENCE,
    ) -> Answer:
        data = body if isinstance(body, bytes) else body.encode()
        return self._hooks.answer(HookRequest(secret, kind, key, data, origin_of(host), time.monotonic() + seconds))

    def said(self) -> list[str]:
        """What the main room has, the oldest first."""
        messages = self.storage.history_page(None, None, None, 200).messages
        self.storage.release()
        return [message.body for message in reversed(messages)]


@contextmanager
def sending(folder: Path, **settings: Any) -> Iterator[Sender]:
    """A sender to a new server with a webhook."""
    with running_server(folder, **settings) as server:
        add_hook(server.services.storage)
        yield Sender(server)


def field(answer: Answer, name: str) -> str | None:
    return dict(answer.fields).get(name)


# -- what is said -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("hi\n", TEXT, "hi"),
        ("gr\u00f6\u00dfe", "text/plain; charset=utf-8", "gr\u00f6\u00dfe"),
        ("hi", 'Text/Plain ; x=1; Charset="UTF-8"', "hi"),
        ("\r\none\r\ntwo\r\n", TEXT, "one\ntwo"),
        ('{"text": "hi"}', JSON, "hi"),
        ('{"text": "a", "attachments": [{"fallback": "b"}]}', "application/json; charset=utf-8", "a\nb"),
        ("payload=" + quote_plus('{"text": "50 % + 1 &amp; \u00f6"}'), FORM, "50 % + 1 & \u00f6"),
        ("&lt;", TEXT, "&lt;"),
    ],
)
def test_a_text_is_said(tmp_path: Path, body: str, kind: str, text: str) -> None:
    """In each of the forms; the answer is what Slack's senders take for success, with the id."""
    with sending(tmp_path) as sender:
        answer = sender.send(body, kind)
        assert (answer.status, answer.content_type, json.loads(answer.body)) == (200, JSON, {"ok": True, "id": 1})
        assert sender.said() == [text]


def test_a_long_text_is_several_messages(tmp_path: Path) -> None:
    """Cut at line ends; the id is the last one's."""
    with sending(tmp_path, max_message=10) as sender:
        answer = sender.send("0123456\n789\n" + "x" * 21)
        assert json.loads(answer.body)["id"] == 5
        assert sender.said() == ["0123456", "789", "x" * 10, "x" * 10, "x"]


def test_a_text_makes_only_so_many_messages(tmp_path: Path) -> None:
    """Of one more none is said."""
    with sending(tmp_path, max_message=1) as sender:
        assert sender.send("x" * (MOST_PIECES + 1)).status == 413
        assert sender.said() == []
        assert sender.send("x" * MOST_PIECES).status == 200


def test_the_largest_body_can_be_said(tmp_path: Path) -> None:
    """However its lines fall, with the ordinary length of a message."""
    with sending(tmp_path) as sender:
        lines = "\n".join(["x" * 4_096, "x"] * 16)[:65_536]
        assert sender.send(lines).status == 200
        assert "\n".join(sender.said()) == lines


def test_a_key_makes_a_retry_safe(tmp_path: Path) -> None:
    """The same text gets the same answer, another one 409; an empty key is none."""
    with sending(tmp_path) as sender:
        first = sender.send("hi", key="k")
        assert sender.send("hi", key="k") == first
        assert sender.send("ho", key="k").status == 409
        assert [json.loads(sender.send("hi", key=key).body)["id"] for key in ("", "", None)] == [2, 3, 4]


# -- what is not ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "kind", "status", "words"),
    [
        (b"", TEXT, 400, "no text"),
        (b" \n\t\n", TEXT, 400, "no text"),
        (b"{}", JSON, 400, "no text"),
        (b'{"attachments": [{}]}', JSON, 400, "no text"),
        (b"{", JSON, 400, "truncated"),
        (b'{"text": 17}', JSON, 400, "text"),
        (b'{"text": "\\ud800"}', JSON, 400, "Content-Type"),
        (b'{"text": "a\\u0000b"}', JSON, 400, "NUL"),
        (b"a\0b", TEXT, 400, "NUL"),
        (b"gr\xf6\xdfe", TEXT, 400, "utf-8"),
        (b"\xed\xa0\x80", TEXT, 400, "utf-8"),
        (b"payload=%7B", FORM, 400, "truncated"),
        (b"hi", "", 415, "Content-Type"),
        (b"hi", "text/html", 415, "Content-Type"),
        (b"<x/>", "application/xml", 415, "text/plain"),
        (b"hi", "text/plain; charset=latin-1", 415, "UTF-8"),
        (b'{"text": "hi"}', "application/json; charset=utf-16", 415, "UTF-8"),
        (b"load is 7 & rising", FORM, 415, "text/plain"),
        (b"gr\xc3\xb6\xc3\x9fe", FORM, 415, "text/plain"),
        (b"&".join([b"a=1"] * 30), FORM, 415, "text/plain"),
    ],
)
def test_what_cannot_be_said_is_refused(tmp_path: Path, body: bytes, kind: str, status: int, words: str) -> None:
    """With a line that says why, and nothing is stored."""
    with sending(tmp_path) as sender:
        answer = sender.send(body, kind)
        assert (answer.status, words in answer.body.decode()) == (status, True)
        assert sender.said() == []


@pytest.mark.parametrize("secret", ["", "battery staple", SECRET + "x", "\udcff", "\u00e9", "x" * 10_000])
def test_a_wrong_secret_is_refused(tmp_path: Path, secret: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is in it; the log has the address that it came from, and never the secret."""
    caplog.set_level(logging.DEBUG)
    with sending(tmp_path) as sender:
        assert sender.send("hi", secret=secret).status == 401
        assert sender.send("bad", "image/png", secret=secret).status == 401
        assert sender.send("hi").status == 200
    assert "192.0.2.1" in caplog.text
    assert SECRET not in caplog.text
    assert not secret or secret not in caplog.text


def test_wrong_secrets_are_limited(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """For their address; the right one goes through all the same, and so do logins from there."""
    with sending(tmp_path, login_rate=10) as sender, enter(sender.server.port, "alice"):
        statuses = [sender.send("hi", secret="x", host="127.0.0.1").status for _ in range(LOGIN_BURST + 2)]
        assert statuses == [401] * LOGIN_BURST + [429] * 2
        limited = sender.send("hi", secret="x", host="127.0.0.1")
        assert field(limited, "Retry-After") == "6"
        assert sender.send("hi", host="127.0.0.1").status == 200
        enter(sender.server.port, "bob").close()
        assert sender.send("hi", secret="x", host="192.0.2.2").status == 401
        clock.tick(timedelta(seconds=6))
        assert sender.send("hi", secret="x", host="127.0.0.1").status == 401


def test_too_much_at_once_is_put_off(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Where a client would be slowed; after that time it is taken."""
    with sending(tmp_path, rate=10, burst=5, max_message=1) as sender:
        assert sender.send("x" * 25).status == 200
        refused = sender.send("y")
        assert (refused.status, field(refused, "Retry-After")) == (429, "2")
        clock.tick(timedelta(seconds=2))
        assert sender.send("y").status == 200


def test_a_room_that_is_gone_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """To who sends, and to the operator by the log."""
    with sending(tmp_path) as sender, enter(sender.server.port, "alice", rooms=True) as alice:
        alice.ask("create", room="ops")
        add_hook(sender.storage, "backup", "ops", secret="another")
        assert sender.send("hi", secret="another").status == 200
        alice.ask("leave", room="ops")
        answer = sender.send("hi", secret="another")
        assert (answer.status, b'"ops" is gone' in answer.body) == (410, True)
    assert "the room of the webhook backup is gone: ops" in caplog.text


def test_a_webhook_that_was_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if that was between the look and the write."""
    with sending(tmp_path) as sender:
        hook = sender.storage.find_hook
        monkeypatch.setattr(sender.storage, "find_hook", Mock(return_value=hook(b"")))
        assert sender.send("hi").status == 401
        monkeypatch.undo()
        monkeypatch.setattr(statements, "post", Mock(side_effect=UnknownHook))
        assert sender.send("hi").status == 401


def test_what_may_be_stored_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends it again without a key might double it."""
    with sending(tmp_path) as sender:
        monkeypatch.setattr(statements, "post", Mock(side_effect=StorageUnavailable("lost", maybe=True)))
        answer = sender.send("hi")
    assert (answer.status, b"it may still be" in answer.body) == (503, True)


@pytest.mark.parametrize("error", [StorageFull("full"), StorageUnavailable("locked")])
@pytest.mark.parametrize("where", ["find", "post"])
def test_what_the_storage_cannot_do_is_put_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, where: str
) -> None:
    """With a time after which to try again; nothing of the cause is told."""
    with sending(tmp_path) as sender:
        with monkeypatch.context() as patched:
            patched.setattr(statements, where, Mock(side_effect=error))
            answer = sender.send("hi")
        assert (answer.status, field(answer, "Retry-After")) == (503, str(RETRY_AFTER))
        assert str(error).encode() not in answer.body.replace(b"Unavailable", b"")
        assert sender.send("hi").status == 200


def test_a_bug_is_an_incident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, by a number that the answer names, without the secret; the next one fares better."""
    with sending(tmp_path) as sender:
        with monkeypatch.context() as patched:
            patched.setattr(statements, "post", Mock(side_effect=ZeroDivisionError))
            answer = sender.send("a text")
        number = answer.body.decode().split()[-1]
        assert (answer.status, f"incident {number}" in caplog.text, "ZeroDivisionError" in caplog.text) == (
            500,
            True,
            True,
        )
        assert SECRET not in caplog.text
        assert "a text" not in caplog.text
        assert sender.send("hi").status == 200


def test_a_disk_that_takes_long_is_not_waited_for(tmp_path: Path) -> None:
    """The answer says that it may be stored."""
    with sending(tmp_path) as sender:
        go, stands = threading.Event(), threading.Event()

        def stand_still(_: object) -> None:
            stands.set()
            go.wait(PATIENCE)

        sender.storage.submit(stand_still)
        assert stands.wait(PATIENCE)
        answer = sender.send("slow", key="k", seconds=0.01)
        go.set()
        assert (answer.status, b"may still be" in answer.body) == (503, True)
        assert sender.send("slow", key="k").status == 200
        assert sender.said() == ["slow"]
