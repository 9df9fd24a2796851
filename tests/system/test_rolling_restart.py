"""Two services over PostgreSQL behind a real HAProxy, as docs/scaling.txt sets it up, restarted in turn under load.

The clients are those of the soak: each of them ends with exactly what the database has for it.
"""

from __future__ import annotations

import asyncio
import re
import signal
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.haproxy import HAPROXY, running_haproxy
from tests.support.helpers import PATIENCE, Process, free_port, until
from tests.support.papers import PAPERS, block
from tests.support.web import ask
from tests.system.soak.client import Act, Visit
from tests.system.soak.gathering import meet
from tests.system.soak.rooms import make_client
from tests.system.soak.stores import read_postgres
from tests.system.soak.verdict import compare_views
from tests.system.soak.world import Door, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLIENTS: Final = 24
DRAIN: Final = 6  # seconds; HAProxy looks each second, and needs two bad answers
PAPER: Final = block(PAPERS["docs/scaling.txt"], "For HAProxy, on 10.0.0.2:")
OPTIONS: Final = (
    *("--trusted-proxy", "127.0.0.9", "--proxy-protocol", "yes", "--web-tls", "no", "--drain", str(DRAIN)),
    *("--web-name", "localhost"),
)

pytestmark = pytest.mark.skipif(not HAPROXY, reason="no haproxy here: apt install haproxy")


@contextmanager
def haproxy(folder: Path, doors: list[Door]) -> Iterator[Door]:
    """Its two ports, before these services; it comes to them from 127.0.0.9."""
    front = Door(free_port(), free_port())
    here = PAPER.replace("bind :12000", f"bind 127.0.0.1:{front.port}")
    here = re.sub(r"bind :443 .*", f"bind 127.0.0.1:{front.web_port}", here)
    for address, door in zip(("10.0.0.5", "10.0.0.6"), doors, strict=True):
        here = here.replace(f"{address}:12000 check port 8080", f"127.0.0.1:{door.port} check port {door.web_port}")
        here = here.replace(f"{address}:8080", f"127.0.0.1:{door.web_port}")
    here = re.sub(r"(server \w+ .*)", r"\1 source 127.0.0.9", here)
    with running_haproxy(folder, here):
        until(lambda: is_well(front))
        yield front


def is_well(door: Door) -> bool:
    """Whether what is there answers, and can store."""
    try:
        return ask(door.web_port, "/healthz").status == 200
    except OSError:
        return False


class Service:
    """One of the two, on ports that stay."""

    def __init__(self, folder: Path, database: str) -> None:
        self.door = Door(free_port(), free_port())
        self._folder, self._options = folder, ("--web-port", str(self.door.web_port), "--db", database, *OPTIONS)
        self.start()

    def start(self) -> None:
        self._process = Process(self._folder, *self._options, port=self.door.port)

    def restart(self) -> None:
        """Ends when it has told everybody; it is back when it is well."""
        assert self._process.stop(signal.SIGTERM) == 0, self._process.log
        self.start()
        until(lambda: is_well(self.door))

    def close(self) -> None:
        self._process.__exit__()


def test_nobody_loses_or_doubles_a_message(tmp_path: Path, database: str) -> None:
    """While both are restarted in turn; nobody is refused, since HAProxy learns of the end before it comes."""
    world = World([], seed=1)
    names = [f"client{number:03d}" for number in range(CLIENTS)]
    for number, name in enumerate(names):
        world.clients.append(make_client(world, number, [friend for friend in names[:4] if friend != name]))
    with ExitStack() as stay:
        services = [Service(tmp_path, database) for _ in range(2)]
        for service in services:
            stay.callback(service.close)
        world.doors.append(stay.enter_context(haproxy(tmp_path, [service.door for service in services])))
        asyncio.run(talk(world, services))
    assert world.faults == []
    assert list(compare_views(partial(read_postgres, database), world.clients)) == []
    assert world.counts["bye shutdown"] > 0
    assert world.counts["no connection"] == 0, (tmp_path / "haproxy.log").read_text()
    assert sum(len(client.acked) for client in world.clients) > CLIENTS


async def talk(world: World, services: list[Service]) -> None:
    """All chat while each service is restarted; then everyone gets an ack for all, and everyone sees everyone."""

    async def do_all(act: Act) -> None:
        async with asyncio.timeout(3 * PATIENCE):
            await asyncio.gather(*(client.insist(act) for client in world.clients))

    await do_all(Visit.acknowledged)
    lives = [asyncio.create_task(client.live()) for client in world.clients]
    for service in services:
        await asyncio.to_thread(service.restart)
        await asyncio.sleep(2)  # HAProxy sees that it is back
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    for last in (Visit.acknowledged, meet, Visit.take_leave, look_back):
        await do_all(last)


async def look_back(visit: Visit) -> None:
    await visit.look_back()
