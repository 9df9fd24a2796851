"""A monitor in the soak: posts to a webhook, each text with a key, and posts it again until it is answered.

What it was answered is compared with the database in verdict.py.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support.helpers import ROOT

if TYPE_CHECKING:
    from tests.system.soak.world import World

NAME: Final = "monitor"
PAUSE: Final = 0.5  # seconds between two texts, on average
_LINE: Final = 3_000  # characters: no two lines fit into a message, so each is one
_LINES: Final = (1, 1, 1, 4)  # of a text
_RETRY: Final = 0.3  # seconds
_ANSWER_TIME: Final = 30.0  # seconds for an answer
_RETRIED: Final = frozenset({429, 503})


class Text(NamedTuple):
    """What it sends at once."""

    number: int
    lines: list[str]


class Monitor:
    """Has one webhook for the main room."""

    def __init__(self, world: World) -> None:
        self.answered: dict[int, tuple[int, int]] = {}  # by a text's number: the id of the last message, and how many
        self._world = world
        self._random = random.Random(f"{world.seed} {NAME}")
        self._path = ""
        self._present = self._write(0)

    def make_hook(self, db: str) -> None:
        """Beside the running service."""
        command = [sys.executable, "-m", "service.admin", "hook", "add", NAME, "--json", "--db", db]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
        self._path = "/hook/" + json.loads(told.stdout)["url"].rpartition("/")[2]

    async def live(self) -> None:
        """Posts until cancelled; then a text may be under way."""
        while True:
            await self.finish()
            await asyncio.sleep(self._random.expovariate(1 / PAUSE))

    async def finish(self) -> None:
        """Posts the present text until it is answered. Some are posted once more: that must change nothing."""
        text = self._present
        while True:
            status, answer = await self._post(text)
            if status == 200:
                break
            if status and status not in _RETRIED:
                self._world.fault(f"the webhook was answered {status}: {answer!r}")
                break
            self._world.counts["hook retries"] += 1
            await asyncio.sleep(_RETRY)
        if status == 200:
            message_id = json.loads(answer)["id"]
            self.answered[text.number] = message_id, len(text.lines)
            self._world.counts["hook texts"] += 1
            if self._random.random() < 0.1:
                status, again = await self._post(text)
                if status == 200 and again != answer:
                    self._world.fault(f"the webhook's text {text.number} was answered {answer!r} and {again!r}")
        self._present = self._write(text.number + 1)

    def _write(self, number: int) -> Text:
        count = self._random.choice(_LINES)
        return Text(number, [f"{NAME} {number:08d}.{line}|" + "x" * _LINE for line in range(count)])

    async def _post(self, text: Text) -> tuple[int, bytes]:
        """Returns the status and the answer; 0 where there was none."""
        body = "\n".join(text.lines).encode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n"
            f"Idempotency-Key: {text.number}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        door = self._random.choice(self._world.doors)
        try:
            async with asyncio.timeout(_ANSWER_TIME):
                reader, writer = await asyncio.open_connection("127.0.0.1", door.web_port)
                try:
                    writer.write(head.encode() + body)
                    received = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return 0, b""
        top, _, answer = received.partition(b"\r\n\r\n")
        is_whole = bool(answer) and answer[-1:] in b"}\n"
        return (int(top.split()[1]), answer) if is_whole else (0, b"")
