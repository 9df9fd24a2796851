"""TLS records made by hand: a real server takes them."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING

from benchmarks.attacks.tls_records import APPLICATION_DATA, RecordWriter, find_secret
from tests.support.tls import Authority

if TYPE_CHECKING:
    from pathlib import Path


def test_openssl_takes_key_updates_made_by_hand(tmp_path: Path) -> None:
    """What is sent after any number of them is decrypted, and the server answers those that ask for it."""
    client, server, key_log = shake_hands(tmp_path)
    cipher = client.tls.cipher()
    assert cipher is not None
    writer = RecordWriter(cipher[0], find_secret(key_log.read_text()))
    server.incoming.write(writer.seal(APPLICATION_DATA, b"first\n"))
    assert server.tls.read() == b"first\n"
    for number in range(100):
        server.incoming.write(writer.update_keys(asks=number % 2 == 1))
    server.incoming.write(writer.seal(APPLICATION_DATA, b"") + writer.seal(APPLICATION_DATA, b"last\n"))
    assert server.tls.read() == b"last\n"
    server.tls.write(b"answer\n")
    client.incoming.write(server.outgoing.read())
    assert client.tls.read() == b"answer\n"


class Side:
    """One side of TLS between two buffers."""

    def __init__(self, context: ssl.SSLContext, *, is_server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, is_server, None if is_server else "localhost")

    def shake(self) -> bytes:
        """As far as it goes; what is to be sent."""
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()


def shake_hands(folder: Path) -> tuple[Side, Side, Path]:
    """A client and a server after the handshake, and the key log."""
    key_log = folder / "keys"
    authority = Authority(folder)
    context = authority.trusting()
    context.keylog_filename = str(key_log)
    server_context = authority.issue().context()
    server_context.num_tickets = 0
    client, server = Side(context, is_server=False), Side(server_context, is_server=True)
    for _ in range(3):
        server.incoming.write(client.shake())
        client.incoming.write(server.shake())
    return client, server, key_log
