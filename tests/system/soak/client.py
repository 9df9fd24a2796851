"""One client of the soak: what it has been shown, and how it comes, talks, drops, lags and returns.

It holds the service to docs/protocol.txt while it lives; what it has at the end is compared in verdict.py.
"""

from __future__ import annotations

import asyncio
import json
import random
from array import array
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from tests.system.soak.link import Link, WebLink
from tests.system.soak.world import DELETED, Line, fingerprint

if TYPE_CHECKING:
    from tests.system.soak.world import World

PASSWORD: Final = "correct horse"
FRIENDS: Final = 6  # with whom one exchanges direct messages
ABSENCE: Final = 5.0  # seconds, on average
PAUSE: Final = 4.0  # seconds between two actions, on average
LAG: Final = 12.0  # seconds without reading, at most
STORM: Final = 2_600  # direct messages of 4,000 characters at one that does not read: more than an outbox holds
STORM_TIME: Final = 20.0  # seconds at most
PAGE: Final = 200
STEP: Final = 5  # every fifth client comes by WebSocket
WEIGHTS: Final = {"talk": 60, "whisper": 25, "look": 5, "confirm": 8, "lag": 2, "drop": 5, "leave": 3}
RETRIED: Final = frozenset({"storage_unavailable", "rate_limited", "too_many_connections", "login_timeout"})

Act = Callable[["Visit"], Coroutine[Any, Any, None]]  # what is done in a visit, after login and catching up


class Client:
    """One account, over all its visits. Remembers a number for each id, and an id for each message of its own."""

    def __init__(self, world: World, number: int, friends: list[str], visits: type[Visit] | None = None) -> None:
        """`visits` is how it comes; None: as a client that knows no rooms."""
        self.visits = visits or Visit
        self.knows_rooms = self.visits.knows_rooms
        self.keeps = ""  # the room that it made and never leaves
        self.world = world
        self.name = f"client{number:03d}"
        self.friends = friends
        self.confirms = number % 2 == 0
        self.is_on_the_web = number % STEP == STEP - 1
        self.random = random.Random(f"{world.seed} {self.name}")
        self.token: str | None = None
        self.since: int | None = None  # the newest id when it came for the first time
        self.mark = 0  # it has everything up to here
        self.shown = array("I")  # by id: the fingerprint of what was shown; 0: it was not
        self.deleted_after = ""  # it knows of all deletions before that time
        self.final: dict[int, int] = {}  # what the service says at the end, of all that it may read
        self.unacked: dict[str, Line] = {}  # by nonce; sent again, after a drop, until acknowledged
        self.acked = array("q")  # the id of each message of its own, by its number
        self.visit: Visit | None = None

    def show(self, line: Line) -> None:
        """Takes a message in, unless it was shown before."""
        message_id, recipient = line["id"], line.get("to")
        if recipient is not None and self.name not in {line["from"], recipient}:
            self.world.fault(f"{self.name} was told {message_id}, a direct message of others")
        if message_id >= len(self.shown):
            self.shown.extend([0] * (message_id + 1024 - len(self.shown)))
        if "deleted" in line:
            self.shown[message_id] = DELETED
        elif not self.shown[message_id]:
            place = f"#{line['room']}" if "room" in line else recipient
            self.shown[message_id] = fingerprint(message_id, line["from"], place, line["message"])
            self.world.counts["shown"] += 1

    def forget(self, message_id: int) -> None:
        """A message was deleted; what was not shown yet has nothing to forget."""
        if message_id < len(self.shown) and self.shown[message_id]:
            self.shown[message_id] = DELETED
            self.world.counts["forgotten"] += 1

    def compose(self, to: str | None, size: int, **more: str) -> Line:
        """A new message, which stays unacknowledged until its ack; `more` names a room."""
        number = len(self.acked)
        self.acked.append(0)
        nonce = f"{number:08d}"
        text = f"{self.name} {nonce}|" + "x" * size
        command: Line = {"command": "pm" if to is None else "dm", "message": text, "nonce": nonce, "ref": nonce}
        if to is not None:
            command["to"] = to
        command |= more
        self.unacked[nonce] = command
        return command

    def note_ack(self, line: Line) -> None:
        """Its own message is stored."""
        nonce, message_id = line["nonce"], line["id"]
        earlier = self.acked[int(nonce)]
        if earlier not in {0, message_id}:
            self.world.fault(f"{self.name} got ids {earlier} and {message_id} for one message")
        command = self.unacked.pop(nonce, None)
        if command is not None:
            self.acked[int(nonce)] = message_id
            place = {"room": command["room"]} if "room" in command else {"to": line.get("to")}
            self.show({"id": message_id, "from": self.name, "message": command["message"], **place})

    async def live(self) -> None:
        """Comes and goes until cancelled."""
        while True:
            await self.attend(Visit.chat)
            await asyncio.sleep(self.random.expovariate(1 / ABSENCE))

    async def insist(self, act: Act) -> None:
        """Comes again until that was done."""
        while not await self.attend(act):
            await asyncio.sleep(0.5)

    async def attend(self, act: Act) -> bool:
        """One visit, with what is done in it after login and catching up; true if that came to its end."""
        try:
            visit = await self.visits.begin(self)
        except OSError:
            self.world.counts["no connection"] += 1
            await asyncio.sleep(0.2)
            return False
        self.visit = visit
        try:
            return await visit.run(act)
        finally:
            self.visit = None


class Visit:
    """One connection of a client: one task listens, another acts."""

    harmless: frozenset[str] = frozenset({"bad_token", "unknown_user"})  # codes of errors that may come
    knows_rooms = False
    weights: Mapping[str, int] = WEIGHTS
    asks: Mapping[str, Any] = {}  # for at a login

    def __init__(self, client: Client, link: Link) -> None:
        self.client, self.world = client, client.world
        self._link = link
        self._replies: dict[str, asyncio.Future[Line]] = {}
        self._refs = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self.login: Line = {}
        self._seam: int | None = None
        self._newest = 0  # id that came live
        self._position = 0  # everything up to here has come, once caught up
        self._caught_up = False
        self._unconfirmed: list[int] = []

    @classmethod
    async def begin(cls, client: Client) -> Self:
        """A new connection. Raises OSError."""
        door = client.random.choice(client.world.doors)
        if client.is_on_the_web:
            return cls(client, await WebLink.open(door.web_port))
        return cls(client, await Link.open(door.port))

    async def run(self, act: Act) -> bool:
        """Logs in, catches up, acts; ends without a word unless `act` took leave."""
        listening = asyncio.create_task(self._listen())
        acting = asyncio.create_task(self._enter(act))
        try:
            await asyncio.wait({listening, acting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, acting):
                task.cancel()
            self._link.abort()  # before the next wait, which a cancellation may end
            results = await asyncio.gather(listening, acting, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, OSError):
                    self.world.fault(f"{self.client.name} failed: {result!r}")
            if self._caught_up:
                self.client.mark = max(self.client.mark, self._position)
        return results[1] is None

    # -- listening ----------------------------------------------------------------------------------------------------
    async def _listen(self) -> None:
        while True:
            await self.reading.wait()
            line = await self._link.read()
            if not line.endswith(b"\n"):
                return
            self._take(json.loads(line))

    def _take(self, line: Line) -> None:
        kind = line["type"]
        if kind in {"broadcast", "direct"}:
            self._take_live(line)
        elif kind == "ack" and line["command"] in {"pm", "dm"}:
            self.client.note_ack(line)
            if not self.knows_rooms:  # else the cursor of `since` counts, which is never that of an ack
                self._position = max(self._position, line["id"])
        elif kind == "login_ok":
            self._seam = self._position = self._newest = line["last_id"]
        elif kind == "deleted":
            self.client.forget(line["id"])
        elif kind == "bye":
            self.world.counts[f"bye {line['reason']}"] += 1
        elif kind == "error" and line["code"] not in RETRIED | self.harmless:
            self.world.fault(f"{self.client.name} was told {line}")
        reply = self._replies.pop(line.get("ref", ""), None)
        if reply is not None and not reply.done():
            reply.set_result(line)

    def _take_live(self, line: Line) -> None:
        message_id = line["id"]
        if self._seam is None or message_id <= self._newest:
            self.world.fault(f"{self.client.name} got {message_id} live after {self._newest}, seam {self._seam}")
        self._newest = message_id
        self._position = max(self._position, message_id)
        self.client.show(line)
        if line.get("to") == self.client.name:
            self._unconfirmed.append(message_id)

    # -- acting -------------------------------------------------------------------------------------------------------
    def send(self, *commands: Line) -> None:
        """Sends commands; what the kernel does not take waits here."""
        self._link.write(json.dumps(command).encode() + b"\n" for command in commands)

    async def ask(self, command: str, **fields: Any) -> Line:
        """Sends a command and waits for its reply. Raises ConnectionAbortedError if it is to be tried again later."""
        self._refs += 1
        ref = f"r{self._refs}"
        self._replies[ref] = asyncio.get_running_loop().create_future()
        reply = self._replies[ref]
        self.send({"command": command, "ref": ref, **fields})
        line = await reply
        if line.get("code") in RETRIED:
            self.world.counts[line["code"]] += 1
            raise ConnectionAbortedError(line["code"])
        return line

    async def _enter(self, act: Act) -> None:
        await self._log_in()
        await self._catch_up()
        self.send(*self.client.unacked.values())
        self.world.counts["retries"] += len(self.client.unacked)
        await act(self)

    async def _log_in(self) -> None:
        client, confirm = self.client, {"confirm": self.client.confirms, **self.asks}
        reply: Line = {}
        if client.token is not None:
            reply = await self.ask("resume", token=client.token, **confirm)
            self.world.counts["resumed"] += reply["type"] == "login_ok"
        if client.token is None or reply.get("code") == "bad_token":
            reply = await self.ask("login", username=client.name, password=PASSWORD, **confirm)
        if reply["type"] == "password_required":
            reply = await self.ask("register", username=client.name, password=PASSWORD, **confirm)
        client.token = reply["token"]
        if client.since is None:
            client.since = client.mark = reply["last_id"]
        self.login = reply

    async def _catch_up(self) -> None:
        """Fetches what was said while it was away."""
        await self._catch_up_missed()
        await self._catch_up_with()
        # What is written to a client that does not confirm counts as seen, though it dropped before reading it: the
        # talks have it.
        for friend in [] if self.client.confirms else self.client.friends:
            await self._catch_up_with(friend)
        self._caught_up = True

    async def _catch_up_missed(self) -> None:
        more = True
        while more:
            page = await self.ask("missed", limit=PAGE)
            for message in page["messages"]:
                message_id, shown = message["id"], self.client.shown
                if message_id <= self.client.mark and not (message_id < len(shown) and shown[message_id]):
                    self.world.fault(f"{self.client.name} missed {message_id} while it was there")
                self.client.show(message)
            self._unconfirmed += [message["id"] for message in page["messages"]]
            await self.confirm()
            more = page["more"]

    async def _catch_up_with(self, friend: str | None = None) -> None:
        after, more = self.client.mark, True
        while more:
            fields = {} if friend is None else {"with": friend}
            page = await self.ask("history", after=after, limit=PAGE, **fields)
            for message in page.get("messages", ()):  # a friend may not have come yet
                if message["id"] <= after:
                    self.world.fault(f"{self.client.name} got a page out of order at {message['id']}")
                after = message["id"]
                self.client.show(message)
            more = page.get("more", False)

    async def chat(self) -> None:
        """Does this and that until it drops or leaves."""
        plan = self.client.random
        while True:
            await asyncio.sleep(plan.expovariate(1 / PAUSE))
            (action,) = plan.choices(list(self.weights), list(self.weights.values()))
            self.world.counts[action] += 1
            if action == "drop":
                return
            if action == "leave":
                await self.ask("ex")
                return
            await self._do(action)

    async def acknowledged(self) -> None:
        """Waits until all that it has said is stored."""
        while self.client.unacked:
            await self.ask("ping")
            await asyncio.sleep(0.05)

    async def take_leave(self) -> None:
        """Has all, says so if it is one of those who do, and leaves."""
        await self.confirm()
        if self.client.confirms:
            await self.ask("seen", id=self._position)
        page = await self.ask("missed")
        if page["messages"]:
            self.world.fault(f"{self.client.name} has seen all, and yet misses {page['messages'][0]['id']}")
        await self.ask("ex")

    async def look_back(self) -> None:
        """Finds at its login that nothing waits for it."""
        if self.login["missed"] or (self.client.confirms and self.login["unread"]):
            self.world.fault(f"{self.client.name} has seen all, and yet finds {self.login}")

    def _do(self, action: str) -> Coroutine[Any, Any, None]:
        actions: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "talk": self.talk, "whisper": self.whisper, "look": self.look, "confirm": self.confirm, "lag": self.lag,
            **self.more_actions(),
        }  # fmt: skip
        return actions[action]()

    def more_actions(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What a subclass can do besides."""
        return {}

    async def talk(self) -> None:
        """Writes to everyone, at times several lines at once."""
        plan = self.client.random
        self.send(*(self.client.compose(None, plan.choice((10, 80, 400))) for _ in range(plan.randint(1, 3))))

    async def whisper(self) -> None:
        """Writes to a friend."""
        plan = self.client.random
        self.send(self.client.compose(plan.choice(self.client.friends), plan.choice((10, 80, 400))))

    async def look(self) -> None:
        """Reads back, searches, or asks who is there."""
        page = await self.ask(*self.client.random.choice((("history",), ("users",), ("ping",))))
        if page["type"] == "history" and self.client.random.random() < 0.5:
            await self.ask("search", query=self.client.random.choice(self.client.friends))

    async def confirm(self) -> None:
        """Says what it has seen, if it is one of those who do."""
        while self._unconfirmed and self.client.confirms:
            ids, self._unconfirmed = self._unconfirmed[:PAGE], self._unconfirmed[PAGE:]
            await self.ask("seen", ids=ids)
        self._unconfirmed.clear()

    async def lag(self) -> None:
        """Stops reading for a while."""
        self.reading.clear()
        await asyncio.sleep(self.client.random.uniform(1, LAG))
        self.reading.set()

    async def storm(self, friend: Client) -> None:
        """Writes so much to a friend who has stopped reading that the service ends it."""
        other = friend.visit
        if other is None:
            return
        other.reading.clear()
        self.send(*(self.client.compose(friend.name, 3_900) for _ in range(STORM)))
        with suppress(TimeoutError, OSError):
            await asyncio.wait_for(self.ask("ping"), STORM_TIME)  # answered after the messages
        other.reading.set()
