"""The blocks for proxies in docs/web.txt, as they stand, before a running service: nginx, Caddy and HAProxy."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.helpers import PATIENCE, free_port, until
from tests.support.papers import PAPERS
from tests.support.web import Web, ask, running_web

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from websockets.sync.client import ClientConnection

    from tests.support.tls import Authority, Pair

PATH: Final = f"{os.environ['PATH']}:/usr/sbin"
PAPER: Final = PAPERS["docs/web.txt"]


class Proxy(NamedTuple):
    """A program, where its block begins in the paper, what is put round that, and how it is started."""

    name: str
    beginning: str
    frame: Callable[[str, Path], str]
    arguments: tuple[str, ...]


def in_nginx(block: str, folder: Path) -> str:
    paths = "".join(
        f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off; pid {folder}/pid; error_log {folder}/log info; user root;\nevents {{}}\n"
        f"http {{ access_log {folder}/log;\n{paths}{block} }}\n"
    )


def in_caddy(block: str, folder: Path) -> str:
    """The certificate is not to be got from an authority."""
    block = block.replace("{\n", "{\n    admin off\n    auto_https disable_redirects\n", 1)
    site = re.escape("    reverse_proxy")
    return re.sub(site, f"    tls {folder}/cert.pem {folder}/key.pem\n    reverse_proxy", block)


def in_haproxy(block: str, _folder: Path) -> str:
    defaults = "defaults\n    log global\n    option httplog\n    retries 0\n"
    return f"global\n    log stdout format raw local0\n{defaults}{block}\n"


PROXIES: Final = (
    Proxy("nginx", "    server {\n        listen", in_nginx, ("-e", "stderr", "-c")),
    Proxy("caddy", "    {\n        log {", in_caddy, ("run", "--adapter", "caddyfile", "--config")),
    Proxy("haproxy", "    frontend", in_haproxy, ("-W", "-f")),
)


def block_of(proxy: Proxy, ports: tuple[int, int], folder: Path) -> str:
    """The block from the paper, for a service and a proxy at these ports, with certificates of the folder."""
    rest = PAPER[PAPER.index(proxy.beginning) :]
    text = re.split(r"\n(?=\S)", rest)[0]
    block = "\n".join(line.removeprefix("    ") for line in text.splitlines())
    service, front = ports
    for there, here in (
        ("127.0.0.1:8080", f"127.0.0.1:{service}"),
        ("listen 443", f"listen {front}"),
        ("bind :443", f"bind :{front}"),
        ("chat.example {", f"localhost:{front} {{"),
        ("chat.example", "localhost"),
        ("/etc/ssl/chat", str(folder)),
    ):
        block = block.replace(there, here)
    return block


class Front(NamedTuple):
    """A service, the port of the proxy before it, and what trusts its certificate."""

    web: Web
    port: int
    tls: ssl.SSLContext
    folder: Path

    def log(self) -> str:
        """All that the proxy has written so far."""
        return "".join(file.read_text(errors="replace") for file in self.folder.glob("*log"))

    def connect(self, origin: str, **fields: str) -> AbstractContextManager[ClientConnection]:
        """A page's socket, from another address of this machine, with more fields in its request."""
        raw = socket.create_connection(("127.0.0.1", self.port), PATIENCE, ("127.0.0.2", 0))
        url = f"wss://localhost:{self.port}/chat"
        more = {name.replace("_", "-"): value for name, value in fields.items()}
        return connect(
            url, sock=raw, ssl=self.tls, origin=Origin(origin), open_timeout=PATIENCE, additional_headers=more
        )

    def post(self) -> int:
        """The status of a POST to a webhook that there is not."""
        fields = ("Content-Type: text/plain", "Content-Length: 2")
        host = f"localhost:{self.port}"
        return ask(self.port, "/hook/s3cret", *fields, method="POST", body=b"hi", host=host, tls=self.tls).status


@pytest.fixture(params=PROXIES, ids=lambda proxy: proxy.name)
def front(request: pytest.FixtureRequest, tmp_path: Path, authority: Authority, pair: Pair) -> Iterator[Front]:
    """Each of them, where it is installed."""
    proxy: Proxy = request.param
    program = shutil.which(proxy.name, path=PATH)
    if program is None:
        pytest.skip(f"no {proxy.name} here: apt install {proxy.name}")
    (tmp_path / "service").mkdir()
    trusted = {"trusted_proxy": (ip_network("127.0.0.1"),), "web_name": ("localhost",)}
    with running_web(tmp_path / "service", **trusted) as web:
        port, tls = free_port(), authority.trusting()
        with running_proxy(proxy, program, tmp_path, (web.port, port), pair):
            until(lambda: is_up(port, tls))
            yield Front(web, port, tls, tmp_path)


@contextmanager
def running_proxy(proxy: Proxy, program: str, folder: Path, ports: tuple[int, int], pair: Pair) -> Iterator[None]:
    """Runs the program with the paper's block, before the service's port, at the other one."""
    shutil.copy(pair.cert, folder / "cert.pem")
    shutil.copy(pair.key, folder / "key.pem")
    (folder / "both.pem").write_text(Path(pair.cert).read_text() + Path(pair.key).read_text())
    config = folder / "config"
    config.write_text(proxy.frame(block_of(proxy, ports, folder), folder))
    environment = {"PATH": PATH, "HOME": str(folder)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen([program, *proxy.arguments, str(config)], stdout=log, stderr=log, env=environment) as running,
    ):
        try:
            yield
        finally:
            running.terminate()


def is_up(port: int, tls: ssl.SSLContext) -> bool:
    """Whether the proxy gives requests on."""
    try:
        return ask(port, "/healthz", host=f"localhost:{port}", tls=tls).status == 200
    except OSError:
        return False


def test_the_page_comes_through_it(front: Front) -> None:
    """With the scheme and the name that the browser knows."""
    page = ask(front.port, "/", host=f"localhost:{front.port}", tls=front.tls)
    assert page.status == 200
    assert f"wss://localhost:{front.port};" in page.fields["content-security-policy"]
    assert page.fields["x-content-type-options"] == "nosniff"


def test_its_socket_chats_from_its_own_address(front: Front) -> None:
    """The limits know the browser, not the proxy."""
    with front.connect(f"https://localhost:{front.port}") as page:
        assert '"hello"' in str(page.recv(PATIENCE))
        page.send('{"command":"ping"}')
        assert '"pong"' in str(page.recv(PATIENCE))
        (connection,) = front.web.server.places.connections()
        assert connection.session.origin.address == "127.0.0.2"


def test_nobody_chooses_where_to_come_from(front: Front) -> None:
    """What a browser says of its address, scheme and host does not count."""
    own = f"https://localhost:{front.port}"
    forged = {"X_Forwarded_For": "192.0.2.1", "X_Forwarded_Proto": "http", "X_Forwarded_Host": "evil.example"}
    with front.connect(own, **forged) as page:
        assert '"hello"' in str(page.recv(PATIENCE))
        (connection,) = front.web.server.places.connections()
        assert connection.session.origin.address == "127.0.0.2"


def test_a_foreign_page_and_name_stay_outside(front: Front) -> None:
    """The proxy opens no door that is shut without it."""
    with pytest.raises(InvalidStatus, match="403"), front.connect("https://evil.example"):
        pass
    if ask(front.port, "/", host="evil.example", tls=front.tls).status == 200:
        # Caddy itself answers, with nothing, for names that it was not told of.
        assert ask(front.port, "/", host="evil.example", tls=front.tls).body == b""


def test_no_log_has_the_secret_of_a_webhook(front: Front) -> None:
    """Not even where the service is down. What is no webhook's may be logged."""
    assert front.post() == 401
    front.web.server.stop()
    assert front.post() in {502, 503}
    assert ask(front.port, "/nothing", host=f"localhost:{front.port}", tls=front.tls).status in {502, 503}
    assert "s3cret" not in front.log()
