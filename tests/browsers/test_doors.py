"""Pages of other origins: they cannot connect to the chat, fetch from it, frame it or hold on to it."""

from __future__ import annotations

import re
import socket
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.browsers.person import ELSEWHERE
from tests.browsers.service import Chat
from tests.support.helpers import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CONNECT: Final = """address => new Promise(resolve => {
    const socket = new WebSocket(address);
    socket.onopen = () => { socket.close(); resolve("open"); };
    socket.onerror = () => resolve("refused");
})"""
CONNECT_FROM_NOWHERE: Final = """address => new Promise(resolve => {
    window.onmessage = event => resolve(event.data);
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.srcdoc = `<script>const socket = new WebSocket("${address}");
        socket.onopen = () => parent.postMessage("open", "*");
        socket.onerror = () => parent.postMessage("refused", "*");</script>`;
    document.body.append(frame);
})"""
FETCH: Final = "([address, mode]) => fetch(address, {mode}).then(got => got.type, () => 'refused')"
LOAD: Final = """([tag, address]) => new Promise(resolve => {
    const element = document.createElement(tag);
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("refused");
    if (tag === "link") { element.rel = "stylesheet"; element.href = address; } else { element.src = address; }
    document.body.append(element);
})"""


class Elsewhere(BaseHTTPRequestHandler):
    """A page that allows everything, whatever is asked for."""

    def do_GET(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Elsewhere</title><body>")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class OtherServer(ThreadingHTTPServer):
    """Serves those pages. Its end ends its connections: a browser also opens some on which it asks nothing."""

    daemon_threads = False  # so that its end waits for the threads of all requests

    def __init__(self) -> None:
        self._sockets: set[Any] = set()
        super().__init__(("127.0.0.1", 0), Elsewhere)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._sockets.discard(request)

    def server_close(self) -> None:
        for each in self._sockets.copy():
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a browser that went away before its answer came."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def other_port() -> Iterator[int]:
    """Where somebody else has a web server."""
    with OtherServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="elsewhere")
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    """One service for all of these: nothing in it changes."""
    with Chat(tmp_path_factory.mktemp("doors")) as chat:
        yield chat


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab of somebody who has not been at the chat."""
    with chromium.new_context() as context:
        yield context.new_page()


@pytest.fixture(params=["127.0.0.1", "localhost", ELSEWHERE])
def stranger(request: pytest.FixtureRequest, page: Page, other_port: int) -> Page:
    """A page of another origin: another port, another name of this machine, a name of somebody else's."""
    page.goto(f"http://{request.param}:{other_port}/")
    return page


def socket_of(chat: Chat) -> str:
    return f"{chat.url.replace('http', 'ws')}chat"


def test_its_own_page_connects(page: Page, chat: Chat) -> None:
    """So that the tests below would see it if a stranger did."""
    page.goto(chat.url)
    assert page.evaluate(CONNECT, socket_of(chat)) == "open"
    assert page.evaluate(FETCH, [f"{chat.url}main.js", "cors"]) == "basic"


def test_a_stranger_cannot_connect(stranger: Page, chat: Chat) -> None:
    """Its Origin is not the page's; nor is that of a page without one."""
    assert stranger.evaluate(CONNECT, socket_of(chat)) == "refused"
    assert stranger.evaluate(CONNECT_FROM_NOWHERE, socket_of(chat)) == "refused"


@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_a_stranger_cannot_fetch(stranger: Page, chat: Chat, mode: str) -> None:
    """Neither to read it nor to know that it is there."""
    assert stranger.evaluate(FETCH, [chat.url, mode]) == "refused"
    assert stranger.evaluate(FETCH, [f"{chat.url}main.js", mode]) == "refused"


@pytest.mark.parametrize(("tag", "name"), [("script", "main.js"), ("link", "style.css"), ("img", "icon.svg")])
def test_a_stranger_cannot_use_its_files(stranger: Page, chat: Chat, tag: str, name: str) -> None:
    """As a script, a style or a picture."""
    assert stranger.evaluate(LOAD, [tag, f"{chat.url}{name}"]) == "refused"


def test_a_stranger_cannot_frame_it(stranger: Page, chat: Chat) -> None:
    """The frame shows an error of the browser's own, as does one within the page itself."""
    stranger.evaluate(LOAD, ["iframe", chat.url])
    (frame,) = stranger.main_frame.child_frames
    until(lambda: stranger.evaluate("true") and frame.url not in {"", "about:blank"})
    assert frame.url.startswith("chrome-error:")


def test_a_stranger_that_opens_it_does_not_keep_hold(stranger: Page, chat: Chat) -> None:
    """Neither window has the other then."""
    with stranger.expect_popup() as opened:
        stranger.evaluate("address => { window.opened = window.open(address); }", chat.url)
    opened.value.wait_for_url(re.compile(re.escape(chat.url)))
    assert opened.value.evaluate("window.opener === null")
    until(lambda: stranger.evaluate("window.opened.closed"))


def test_a_name_of_others_does_not_lead_to_it(page: Page, chat: Chat) -> None:
    """One that they have lead to this machine, so that their page would be of the chat's origin."""
    answer = page.goto(chat.url.replace("127.0.0.1", ELSEWHERE))
    assert answer is not None
    assert answer.status == HTTPStatus.MISDIRECTED_REQUEST
    assert page.evaluate(CONNECT, socket_of(chat).replace("127.0.0.1", ELSEWHERE)) == "refused"
