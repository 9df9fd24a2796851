"""Webhooks end to end: curl and what monitors send, over the real port, and a service that is killed meanwhile."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from service.listeners import visitors
from tests.support.engines import name_database
from tests.support.helpers import PATIENCE, ROOT, Process, enter, free_port, until
from tests.support.hooks import SECRET, add_hook
from tests.support.storage import stored
from tests.support.web import Reply, ask, running_web

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.tls import Authority

pytestmark = pytest.mark.engines
CURL = shutil.which("curl")
PLAIN = ("Content-Type: text/plain",)


def post(port: int, body: bytes, *fields: str, secret: str = SECRET) -> Reply:
    """Sends a body to the webhook with that secret."""
    return ask(port, f"/hook/{secret}", f"Content-Length: {len(body)}", *fields, method="POST", body=body)


def curl(config: Path, arguments: Sequence[str], body: bytes) -> tuple[int, Any]:
    """Sends a body by curl as docs/web.txt has it, the address in a file; returns the status and the answer."""
    assert CURL is not None
    told = ["--silent", "--max-time", str(PATIENCE), "--write-out", "\n%{http_code} %{content_type}"]
    command = [CURL, *told, "--config", str(config), "--data-binary", "@-", *arguments]
    done = subprocess.run(command, input=body, capture_output=True, check=True)
    answer, _, last = done.stdout.decode().rpartition("\n")
    status, _, kind = last.partition(" ")
    return int(status), json.loads(answer) if kind == "application/json" else answer


def make_hook(db: Path, *options: str) -> str:
    """Makes a webhook beside the running service; returns the address that the operator is shown."""
    command = [sys.executable, "-m", "service.admin", "hook", "add", "monitor", *options, "--json"]
    command += ["--db", name_database(db)]
    told = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return str(json.loads(told.stdout)["url"])


@pytest.mark.skipif(CURL is None, reason="needs curl")
@pytest.mark.parametrize("way", ["http", "https"])
def test_curl_has_it_say_something(tmp_path: Path, authority: Authority, way: str) -> None:
    """By the address that the operator was shown, to who is in the room; a retry with its key is said once."""
    pair = authority.issue()
    secure = {"tls_cert": pair.cert, "tls_key": pair.key} if way == "https" else {}
    cacert = ("--cacert", str(authority.file)) if secure else ()
    with running_web(tmp_path, **secure) as web:
        context = authority.trusting() if secure else None
        with enter(web.server.port, "alice", tls=context, rooms=True) as alice:
            alice.ask("create", room="ops")
            url = make_hook(tmp_path / "chat.db", "--room", "ops")
            assert url.startswith(f"{way}://127.0.0.1:{web.port}/hook/")
            config = tmp_path / "hook.conf"
            config.write_text(f'url = "{url}"\n')
            headers = ("-H", "Content-Type: text/plain", "-H", "Idempotency-Key: one", *cacert)
            for _ in range(2):
                assert curl(config, headers, b"the disk is full\n") == (200, {"ok": True, "id": 1})
            assert curl(config, cacert, b"no such form")[0] == 415
            (said,) = [line for line in alice.read_until_pong() if line["type"] == "broadcast"]
            assert (said["room"], said["from"], said["message"]) == ("ops", "monitor", "the disk is full")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"attachments": [{"fallback": "[FIRING:1] Load", "title": "[FIRING:1] Load", "text": ""}]}, "[FIRING:1] Load"),
        ({"attachments": [{"fallback": "Load | https://a.example", "footer": ""}]}, "Load | https://a.example"),
        ({"text": "built", "blocks": []}, "built"),
    ],
    ids=["grafana", "alertmanager", "github"],
)
def test_what_monitors_take_for_success(tmp_path: Path, body: Any, text: str) -> None:
    """Status 200, and JSON whose `ok` is true; test_slack.py has the whole payloads."""
    with running_web(tmp_path) as web:
        add_hook(web.server.services.storage)
        reply = post(web.port, json.dumps(body).encode(), "Content-Type: application/json; charset=utf-8")
        assert (reply.status, reply.fields["content-type"]) == (200, "application/json")
        assert json.loads(reply.body)["ok"] is True
        with enter(web.server.port, "alice") as alice:
            assert [row["message"] for row in alice.ask("history")["messages"]] == [text]


def test_only_a_post_to_its_address_is_one(tmp_path: Path) -> None:
    """Nothing of that address is a file or a socket, and no secret is no webhook."""
    with running_web(tmp_path) as web:
        add_hook(web.server.services.storage)
        for method in ("GET", "HEAD", "PUT", "OPTIONS"):
            reply = ask(web.port, f"/hook/{SECRET}", method=method)
            assert (reply.status, reply.fields["allow"]) == (405, "POST")
        statuses = [post(web.port, b"x", *PLAIN, secret=secret).status for secret in ("", "x", f"{SECRET}/", "%2e")]
        assert statuses == [401] * 4
        assert ask(web.port, f"/hook/{SECRET}", *PLAIN, method="POST").status == 411
        assert post(web.port, b"x", *PLAIN, "Host: elsewhere.example").status in (400, 421)


def test_a_secret_is_nowhere_but_where_it_was_printed(tmp_path: Path) -> None:
    """Not in the log, whatever it tells, and in no file of the database."""
    port = free_port()
    with Process(tmp_path, "--web-port", str(port), "--log-level", "debug") as service:
        secret = make_hook(tmp_path / "chat.db").rpartition("/")[2]
        for body, fields in ((b"hi", PLAIN), (b"hi", ()), (b"{", ("Content-Type: application/json",))):
            post(port, body, *fields, secret=secret)
        for method, target in (("GET", f"/hook/{secret}"), ("POST", f"/hook/{secret}?x"), ("POST", f"/hook/{secret}")):
            ask(port, target, method=method)
        files = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
        assert service.stop() == 0
    assert "/hook/" in "".join(service.log)
    assert secret not in "".join(service.log)
    assert secret.encode() not in files


def test_a_stop_answers_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A monitor whose text is on its way to the disk when the service stops does not send it again."""
    monkeypatch.setattr(visitors, "ANSWERED_BY", PATIENCE)
    waits, go = threading.Event(), threading.Event()

    def stand_still(_: object) -> None:
        waits.set()
        go.wait(PATIENCE)

    with running_web(tmp_path) as web, ThreadPoolExecutor(2) as both:
        storage = web.server.services.storage
        add_hook(storage)
        storage.submit(stand_still)  # type: ignore[attr-defined]
        assert waits.wait(PATIENCE)
        reply = both.submit(post, web.port, b"the last word", *PLAIN)
        until(lambda: storage.figures().queued)
        stop = both.submit(web.server.stop)
        until(lambda: web.server.visitors._stopping)
        go.set()
        assert reply.result().status == 200
        stop.result()


@pytest.mark.parametrize("moment", range(6))
def test_a_kill_loses_nothing_and_doubles_nothing(tmp_path: Path, moment: int) -> None:
    """Whenever it comes: what was answered is there, and a retry with its key is stored once, all its pieces."""
    port, db = free_port(), tmp_path / "chat.db"
    options = ("--web-port", str(port), "--max-message", "10")
    body, fields = b"one piece\nanother", (*PLAIN, "Idempotency-Key: k")
    with Process(tmp_path, *options) as service:
        secret = make_hook(db).rpartition("/")[2]
        first = post(port, b"before", *fields[:1], secret=secret)
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
            head = f"POST /hook/{secret} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n"
            peer.sendall(head.encode() + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n" + body)
            answered = peer.recv(1) if moment % 2 else b""
            if moment % 3:  # gives the service some time, with another request
                ask(port, "/healthz")
            service.stop(signal.SIGKILL)
    with Process(tmp_path, *options) as service:
        retries = [post(port, body, *fields, secret=secret) for _ in range(2)]
        assert service.stop() == 0
    assert {(reply.status, reply.body) for reply in (first, *retries)} == {
        (200, b'{"ok":true,"id":1}'),
        (200, b'{"ok":true,"id":3}'),
    }
    assert answered in (b"", b"H")
    assert len(stored(db)) == 3
