"""A proxy between services and PostgreSQL that loses connections: before a commit, after it, or by falling silent.

It knows of PostgreSQL's protocol (version 3) what it takes to see where a commit is asked for and where it is answered.
It speaks no TLS, and asks for none. Holds no test.
"""

from __future__ import annotations

import asyncio
import enum
import re
import struct
import threading
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMITS: Final = re.compile(rb"\bcommit\b|\bchat_store\b", re.IGNORECASE)  # in the text of a statement
_NO_END: Final = b"PBDEC"  # messages of a client after which another one follows: Parse, Bind, Describe, Execute, Close
_READY: Final = re.compile(rb"Z\x00\x00\x00\x05([ITE])")  # ReadyForQuery: idle, in a transaction, in a failed one
_ENCRYPTION: Final = frozenset({80877103, 80877104})  # SSLRequest and GSSENCRequest, which come before all else
_CHUNK: Final = 1 << 16  # bytes


class Fate(enum.Enum):
    """What becomes of a commit."""

    PASS = "pass"
    CUT_BEFORE = "cut before"  # the server never hears of it
    CUT_AFTER = "cut after"  # the server does it, and its answer is lost


class PgProxy:
    """Listens at `port` of 127.0.0.1 until it is closed; its thread is pg-proxy."""

    def __init__(self, host: str, port: int) -> None:
        """Goes on to a PostgreSQL there; a `host` with a slash is the folder of its Unix socket."""
        self.decide: Callable[[], Fate] = lambda: Fate.PASS  # asked for each commit, on the proxy's thread
        self.counts: Counter[Fate] = Counter()  # what has become of commits
        self._there = host, port
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="pg-proxy")
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop
        ).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hold(self) -> None:
        """Lets nothing through from now on, in either direction: a host that acknowledges and does not answer."""
        self._do(self._flows.clear)

    def release(self) -> None:
        """Lets through what was held, and all that comes."""
        self._do(self._flows.set)

    def cut(self) -> None:
        """Ends all connections; new ones may come."""
        self._do(self._cut)

    def close(self) -> None:
        """Ends it with all connections."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, act: Callable[[], object]) -> None:
        async def do() -> None:
            act()

        asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    def _cut(self) -> None:
        for link in self._links:
            link.end()

    async def _end(self) -> None:
        self._server.close()
        self._flows.set()
        self._cut()
        while self._links:
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._there
        try:
            if "/" in host:
                there = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            else:
                there = await asyncio.open_connection(host, port)
        except OSError:
            writer.transport.abort()
            return
        link = _Link((reader, writer), there)
        self._links.add(link)
        pumps = [asyncio.create_task(pump) for pump in (self._to_server(link), self._to_client(link))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.end()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)

    async def _to_server(self, link: _Link) -> None:
        """Passes on what the client says, and asks what is to become of each commit."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            link.there.write(await link.read_beginning())
            while True:
                data, commits = await link.read_flight()
                fate = self.decide() if commits else Fate.PASS
                if not self._flows.is_set():
                    await self._flows.wait()
                if fate is Fate.CUT_BEFORE:
                    self.counts[fate] += 1
                    return
                link.is_lost = fate is Fate.CUT_AFTER
                self.counts[fate] += commits and not link.is_lost
                link.there.write(data)
                await link.there.drain()

    async def _to_client(self, link: _Link) -> None:
        """Passes on what the server says, but the answer to a commit that is to be lost."""
        lost = b""
        with suppress(ConnectionError):
            while data := await link.answers.read(_CHUNK):
                if not self._flows.is_set():
                    await self._flows.wait()
                if not link.is_lost:
                    link.writer.write(data)
                    await link.writer.drain()
                    continue
                lost += data
                if ready := _READY.search(lost):
                    self.counts[Fate.CUT_AFTER if ready[1] == b"I" else Fate.CUT_BEFORE] += 1
                    return


class _Link:
    """A connection of a client, and the one that goes on to the server."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.reader, self.writer = client
        self.answers, self.there = server
        self.is_lost = False  # the answer to what the server was just asked
        self._commits: dict[bytes, bool] = {}  # by a prepared statement's name: whether it commits

    def end(self) -> None:
        """Ends both without a word."""
        self.writer.transport.abort()
        self.there.transport.abort()

    async def read_beginning(self) -> bytes:
        """The client's first message, which alone has no type. It may ask for encryption before: there is none."""
        while True:
            head = await self.reader.readexactly(8)
            size, code = struct.unpack("!II", head)
            if code not in _ENCRYPTION:
                return head + await self.reader.readexactly(size - 8)
            self.writer.write(b"N")

    async def read_flight(self) -> tuple[bytes, bool]:
        """What the client says before it waits for an answer, and whether it asks for a commit."""
        data, commits = b"", False
        while True:
            head = await self.reader.readexactly(5)
            body = await self.reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
            data += head + body
            if head[:1] == b"Q":
                commits |= bool(_COMMITS.search(body))
            elif head[:1] == b"P":
                name, statement, _ = body.split(b"\0", 2)
                self._commits[name] = bool(_COMMITS.search(statement))
            elif head[:1] == b"B":
                commits |= self._commits.get(body.split(b"\0", 2)[1], False)
            if head[:1] not in _NO_END:
                return data, commits
