"""A model of the chat beside the real service: whatever several sessions do in whatever order, both agree."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from service.chat import hooks
from service.origin import origin_of
from service.storage.records import NonceReused
from tests.support.doors import door_for_models
from tests.support.helpers import PATIENCE, Wire, running_server
from tests.support.hooks import add_hook, known_hook

NAMES = ("alice", "bob", "carol")
HOOK = "monitor"
HERE = origin_of("192.0.2.1")
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@dataclass
class Message:
    """What the model knows of one stored message."""

    id: int
    sender: str
    recipient: str | None
    text: str
    nonce: str | None
    seen: bool = False


@dataclass(eq=False)
class Client:
    """One session, and the messages that it is to be sent."""

    name: str
    wire: Wire
    confirm: bool
    seam: int
    expected: list[int] = field(default_factory=list)


class Chat(RuleBasedStateMachine):
    """Accounts, sessions, messages, what was seen, and the public read markers."""

    clients: Bundle[Client] = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self.messages: list[Message] = []
        self.online: list[Client] = []
        self.markers = dict.fromkeys(NAMES, 0)

    @initialize()
    def start(self) -> None:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.door = door_for_models()
        self.server = self._stack.enter_context(running_server(folder, **self.door.settings))
        add_hook(self.server.services.storage, HOOK)
        for name in NAMES:
            with self.door.enter(self.server, name) as wire:
                wire.ask("ex")
                wire.read_to_end()

    def teardown(self) -> None:
        for client in self.online:
            client.wire.close()
        self._stack.close()

    # -- what the model says ------------------------------------------------------------------------------------------
    def missed(self, name: str) -> list[Message]:
        return [message for message in self.messages if message.recipient == name and not message.seen]

    def unread(self, name: str) -> int:
        marker = self.markers[name]
        return sum(m.recipient is None and m.sender != name and m.id > marker for m in self.messages)

    def visible(self, name: str) -> list[Message]:
        return [m for m in self.messages if m.recipient is None or name in (m.sender, m.recipient)]

    def note_written(self, client: Client, message: Message) -> None:
        """The service has written this message to this client."""
        client.expected.append(message.id)
        if client.confirm:
            return
        if message.recipient is None:
            self.markers[client.name] = max(self.markers[client.name], message.id)
        elif message.recipient == client.name:
            message.seen = True

    # -- what sessions do ---------------------------------------------------------------------------------------------
    @rule(target=clients, name=st.sampled_from(NAMES), confirm=st.booleans())
    def log_in(self, name: str, confirm: bool) -> Client:
        wire = self.door.enter(self.server, name, confirm=confirm)
        names = sorted({client.name for client in self.online} | {name})
        newest = max((message.id for message in self.visible(name)), default=0)
        assert wire.hello["users"] == names
        assert (wire.hello["missed"], wire.hello["unread"]) == (len(self.missed(name)), self.unread(name))
        assert wire.hello["last_id"] == newest
        client = Client(name, wire, confirm, newest)
        self.online.append(client)
        return client

    @rule(client=consumes(clients), polite=st.booleans())
    def leave(self, client: Client, polite: bool) -> None:
        self.online.remove(client)
        if polite:
            client.wire.ask("ex")
            assert client.wire.read_to_end() == []
        client.wire.close()
        # A session that is gone must be gone before the model goes on: someone else's view of the list tells.
        with self.door.enter(self.server, NAMES[0], confirm=True) as probe:
            names = sorted({other.name for other in self.online} | {NAMES[0]})
            while probe.ask("users")["users"] != names:
                pass
            probe.ask("ex")
            probe.read_to_end()

    @rule(client=clients, text=TEXTS, to=st.none() | st.sampled_from(NAMES), nonce=st.none() | st.sampled_from("abc"))
    def post(self, client: Client, text: str, to: str | None, nonce: str | None) -> None:
        fields: dict[str, Any] = {"message": text} | ({"nonce": nonce} if nonce else {}) | ({"to": to} if to else {})
        reply = client.wire.ask("dm" if to else "pm", **fields)
        first = next((m for m in self.messages if nonce and (m.sender, m.nonce) == (client.name, nonce)), None)
        if first is not None and (first.recipient, first.text) != (to, text):
            assert reply["code"] == "nonce_reused"
            return
        assert reply["type"] == "ack"
        if first is not None:
            assert reply["id"] == first.id
            return
        message = Message(reply["id"], client.name, to, text, nonce)
        assert not self.messages or message.id > self.messages[-1].id
        self.messages.append(message)
        if to:
            there = [other for other in self.online if other.name == to and other is not client]
            assert reply["status"] == ("delivered" if there else "stored")
        for other in self.online:
            if other is not client and (to is None or other.name in (to, client.name)):
                self.note_written(other, message)

    @rule(texts=st.lists(TEXTS, min_size=1, max_size=3), key=st.none() | st.sampled_from("ab"))
    def send_to_the_webhook(self, texts: list[str], key: str | None) -> None:
        """Its pieces are stored together; a retry is none."""
        services = self.server.services
        first = [m for m in self.messages if key and (m.sender, m.nonce) == (HOOK, key)]
        try:
            last_id = hooks.say(services, known_hook(services.storage), HERE, texts, key, time.monotonic() + PATIENCE)
        except NonceReused:
            assert first
            assert [message.text for message in first] != texts
            return
        if first:
            assert [message.text for message in first] == texts
            assert last_id == first[-1].id
            return
        for message_id, text in enumerate(texts, last_id - len(texts) + 1):
            assert not self.messages or message_id > self.messages[-1].id
            self.messages.append(Message(message_id, HOOK, None, text, key))
            for client in self.online:
                self.note_written(client, self.messages[-1])

    @rule(client=clients, limit=st.integers(1, 5))
    def fetch_missed(self, client: Client, limit: int) -> None:
        due = [m for m in self.missed(client.name) if client.confirm or m.id <= client.seam]
        page = client.wire.ask("missed", limit=limit)
        assert [message["id"] for message in page["messages"]] == [message.id for message in due[:limit]]
        assert page["more"] == (len(due) > limit)
        if not client.confirm:
            for message in due[:limit]:
                message.seen = True

    @rule(client=clients, data=st.data())
    def see_up_to(self, client: Client, data: st.DataObject) -> None:
        message_id = data.draw(st.sampled_from([message.id for message in self.messages] or [0]) | st.just(10**9))
        assert client.wire.ask("seen", id=message_id)["id"] == message_id
        for message in self.missed(client.name):
            message.seen = message.id <= message_id
        newest = max((message.id for message in self.messages), default=0)
        self.markers[client.name] = max(self.markers[client.name], min(message_id, newest))

    @rule(client=clients, data=st.data())
    def see_some(self, client: Client, data: st.DataObject) -> None:
        ids = data.draw(st.lists(st.sampled_from([message.id for message in self.messages] or [7]), min_size=1))
        assert client.wire.ask("seen", ids=ids)["ids"] == ids
        for message in self.missed(client.name):
            message.seen = message.id in ids

    @rule(client=clients, partner=st.none() | st.sampled_from(NAMES), limit=st.integers(1, 5), data=st.data())
    def read_history(self, client: Client, partner: str | None, limit: int, data: st.DataObject) -> None:
        pair = {client.name, partner}
        talk = [
            m.id for m in self.messages if (m.recipient is None if partner is None else {m.sender, m.recipient} == pair)
        ]
        key = data.draw(st.sampled_from(["before", "after", None]))
        edge = data.draw(st.sampled_from([*talk, 0, 10**9]))
        page = client.wire.ask(
            "history", limit=limit, **({"with": partner} if partner else {}), **({key: edge} if key else {})
        )
        if key == "after":
            expected = [message_id for message_id in talk if message_id > edge]
            shown = expected[:limit]
        else:
            expected = [message_id for message_id in talk if key is None or message_id < edge]
            shown = expected[-limit:]
        assert [message["id"] for message in page["messages"]] == shown
        assert page["more"] == (len(expected) > limit)

    # -- what must hold -----------------------------------------------------------------------------------------------
    @invariant()
    def everyone_got_exactly_what_they_should(self) -> None:
        """In id order; and as everyone reads after every step, what was sent has been written by the next."""
        for client in self.online:
            got = [line["id"] for line in client.wire.read_until_pong() if line["type"] in ("broadcast", "direct")]
            assert got == client.expected
            client.expected.clear()


TestChat = Chat.TestCase
TestChat.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

pytestmark = pytest.mark.engines
