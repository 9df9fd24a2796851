"""The scripts of the attackers' connections with TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from benchmarks.attacks.links import EITHER
from benchmarks.attacks.tls_records import APPLICATION_DATA, RecordWriter, find_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from benchmarks.attacks.links import Link, Wait

RECORDS: Final = 500  # built at once, so that the other connections get their turn
# OpenSSL accepts 32 empty records in a row; a record with content resets the count.
EMPTY_IN_A_ROW: Final = 30


def make_context() -> ssl.SSLContext:
    """Returns a context that trusts any certificate: it is our own service."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


_context: Final = make_context()


def shake_hands(link: Link, context: ssl.SSLContext) -> Generator[Wait, None, str]:
    """Does the handshake; returns the name of the cipher suite. Raises OSError."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    is_done = False
    while not is_done:
        try:
            tls.do_handshake()
            is_done = True
        except ssl.SSLWantReadError:
            pass
        yield from link.send(outgoing.read())
        if not is_done:
            incoming.write((yield from link.receive()))
    cipher = tls.cipher()
    assert cipher is not None
    return cipher[0]


def shake_and_go(link: Link) -> Generator[Wait, None, None]:
    """Does a handshake, and leaves; counts handshakes."""
    yield from shake_hands(link, _context)
    link.tally.done += 1


def update_keys(link: Link) -> Generator[Wait, None, None]:
    """Sends new keys in each record, and asks the service for new ones; counts records in thousands."""
    yield from _send_records(link, lambda writer: b"".join(writer.update_keys(asks=True) for _ in range(RECORDS)))


def send_nothing(link: Link) -> Generator[Wait, None, None]:
    """Sends empty records, and a line end where content is needed; counts records in thousands."""

    def make(writer: RecordWriter) -> bytes:
        contents = (b"" if number % (EMPTY_IN_A_ROW + 1) else b"\n" for number in range(RECORDS))
        return b"".join(writer.seal(APPLICATION_DATA, content) for content in contents)

    yield from _send_records(link, make)


def _send_records(link: Link, make: Callable[[RecordWriter], bytes]) -> Generator[Wait, None, None]:
    """Sends the records from `make`, RECORDS at a time, as fast as accepted; drops all input."""
    context = make_context()
    key_log = link.ground.folder / f"keys-{link.number}"
    context.keylog_filename = str(key_log)
    suite = yield from shake_hands(link, context)
    writer = RecordWriter(suite, find_secret(key_log.read_text()))
    rest = memoryview(b"")
    while True:
        if not rest:
            rest = memoryview(make(writer))
        rest = rest[link.try_send(rest) :]
        if not rest:
            link.tally.done += RECORDS / 1e3
        link.try_receive()
        yield EITHER
