"""service/chat/hooks.py: what a webhook says is cut, charged, stored and sent to all in its room."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chat import hooks
from service.chat.hooks import cut_text
from service.config import MESSAGE_BYTES
from service.errors import StorageFull
from service.origin import origin_of
from service.storage.records import NonceReused, UnknownHook, UnknownRoom
from service.storage.sqlite import posting
from tests.support.helpers import PATIENCE, enter, running_server
from tests.support.hooks import add_hook, known_hook
from tests.support.wires import Wires, said

if TYPE_CHECKING:
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from service.server import Server

pytestmark = pytest.mark.engines
HERE, THERE = origin_of("192.0.2.1"), origin_of("192.0.2.2")


def say(server: Server, *texts: str, key: str | None = None, seconds: float = PATIENCE) -> int:
    """Has the one webhook say something."""
    services = server.services
    return hooks.say(services, known_hook(services.storage), HERE, texts, key, time.monotonic() + seconds)


# -- pieces -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("\n\n", []),
        ("abcd", ["abcd"]),
        ("abcd\n", ["abcd"]),
        ("abcde", ["abcd", "e"]),
        ("ab\ncd", ["ab", "cd"]),
        ("a\nb\nc", ["a\nb", "c"]),
        ("ab\n\n\ncd", ["ab", "cd"]),
        ("a\nbcdefg\nh", ["a", "bcde", "fg\nh"]),
        ("abcd\nefgh", ["abcd", "efgh"]),
        ("\nabcde", ["abcd", "e"]),
    ],
)
def test_a_long_text_is_cut_at_line_ends(text: str, pieces: list[str]) -> None:
    """Here after four characters; a longer line is cut hard."""
    assert cut_text(text, 4) == pieces


@given(st.text("ab\n", max_size=40), st.integers(1, 7))
def test_no_character_is_lost(text: str, limit: int) -> None:
    """But line ends between the pieces and around them; none is empty or too long."""
    pieces = cut_text(text, limit)
    assert "".join(pieces).replace("\n", "") == text.replace("\n", "")
    assert all(0 < len(piece) <= limit and piece == piece.strip("\n") for piece in pieces)
    assert sum(map(len, pieces)) + len(pieces) * limit >= len(text.strip("\n")) - text.count("\n")


# -- the way to the readers -------------------------------------------------------------------------------------------
def test_everyone_in_the_main_room_gets_it(tmp_path: Path) -> None:
    """As a notice by its name, as from a user; only after that is it answered, with the last id."""
    with running_server(tmp_path) as server:
        add_hook(server.services.storage)
        wires = Wires(server.port)
        alice, bob = wires.enter("alice"), wires.enter("bob", rooms=True)
        assert say(server, "one", "two") == 2
        for wire in (alice, bob):
            one, two = wire.read_until_pong()
            assert {**one, "time": ""} == {
                "type": "broadcast", "id": 1, "time": "", "from": "monitor", "message": "one", "kind": "notice"
            }  # fmt: skip
            assert two["id"] == 2
        assert server.services.stored["public"] == 2
        wires.close()


def test_only_members_get_what_is_for_their_room(tmp_path: Path) -> None:
    """It is no member there, muted or banned nowhere, and may speak in a private one; all that counts is right."""
    with running_server(tmp_path) as server:
        wires = Wires(server.port)
        alice, bob = wires.enter("alice", rooms=True), wires.enter("bob", rooms=True)
        alice.ask("create", room="ops", private=True)
        alice.read_until_pong()
        add_hook(server.services.storage, room="ops")
        say(server, "full")
        (told,) = alice.read_until_pong()
        assert (told["room"], told["message"], told["kind"]) == ("ops", "full", "notice")
        assert bob.read_until_pong() == []
        again = wires.enter("alice", rooms=True)
        assert [(room["room"], room["unread"]) for room in again.hello["rooms"]] == [("ops", 1)]
        for asked in (again.ask("history", room="ops"), again.ask("since", id=0), again.ask("search", query="full")):
            assert [(row["from"], row["message"]) for row in asked["messages"]] == [("monitor", "full")]
        assert again.ask("seen", room="ops", id=1)["type"] == "ack"
        assert server.services.stored["room"] == 1
        wires.close()


def test_a_moderator_deletes_what_it_said(tmp_path: Path) -> None:
    """As a member's; nobody can write to it, or do anything else to it."""
    with running_server(tmp_path) as server, enter(server.port, "alice", rooms=True) as alice:
        alice.ask("create", room="ops")
        add_hook(server.services.storage, room="ops")
        message_id = say(server, "oops")
        assert alice.ask("delete", id=message_id)["type"] == "ack"
        codes = [alice.ask("dm", to="monitor", message="hi", nonce="n")["code"]]
        codes += [alice.ask("moderate", room="ops", username="monitor", action=act)["code"] for act in ("ban", "mute")]
        codes += [alice.ask(word, **{"with": "monitor"}, **more)["code"] for word, more in WITH.items()]
        assert codes == ["unknown_user"] * len(codes)
        assert [row["name"] for row in alice.ask("members", room="ops")["members"]] == ["alice"]


WITH: dict[str, dict[str, Any]] = {"history": {}, "search": {"query": "oops"}}


def test_nobody_logs_in_as_it(tmp_path: Path) -> None:
    """It is told as of a user whose password is another one, and its name is taken."""
    with running_server(tmp_path) as server, enter(server.port, "alice"):
        add_hook(server.services.storage)
        wires = Wires(server.port)
        wire = wires.connect()
        told = [
            (wire.ask("login", username=name), wire.ask("login", username=name, password="wrong horse"))
            for name in ("monitor", "alice")
        ]
        for asked, refused in told:
            assert (asked["registered"], refused["code"]) == (True, "bad_credentials")
        assert told[0][1]["message"] == told[1][1]["message"]
        assert wire.ask("register", username="monitor", password="long enough")["code"] == "username_taken"
        assert wire.ask("register", username="m0nitor", password="long enough")["code"] == "username_taken"
        wires.close()


# -- retries, and what goes wrong -------------------------------------------------------------------------------------
def test_a_retry_is_sent_once(tmp_path: Path) -> None:
    """With its key it gets the id of the first time; without one it is another message."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        add_hook(server.services.storage)
        ids = [say(server, "one", "two", key="k") for _ in range(2)]
        assert ids == [2, 2]
        with pytest.raises(NonceReused):
            say(server, "one", key="k")
        assert [say(server, "one"), say(server, "one")] == [3, 4]
        assert said(alice.read_until_pong()) == [("one", 1), ("two", 2), ("one", 3), ("one", 4)]


def test_a_key_is_its_webhooks_own(tmp_path: Path) -> None:
    """Another may use the same; however long it is, and whatever is in it."""
    with running_server(tmp_path) as server:
        storage = server.services.storage
        add_hook(storage)
        add_hook(storage, "backup", secret="another")
        key = "\udce4" + "k" * 10_000
        assert say(server, "done", key=key) == 1
        other = known_hook(storage, "another")
        assert hooks.say(server.services, other, HERE, ["done"], key, time.monotonic() + PATIENCE) == 2


def test_what_is_refused_is_raised(tmp_path: Path) -> None:
    """A room that is gone, and a webhook that was removed after it was looked up."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        storage = server.services.storage
        alice.ask("create", room="ops")
        add_hook(storage, room="ops")
        hook = known_hook(storage)
        alice.ask("leave", room="ops")
        with pytest.raises(UnknownRoom):
            say(server, "hi")
        storage.result(storage.remove_hook("monitor"))
        with pytest.raises(UnknownHook):
            hooks.say(server.services, hook, HERE, ["hi"], None, time.monotonic() + PATIENCE)


@pytest.mark.sqlite
def test_a_storage_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was stored then, and the next one is."""
    with running_server(tmp_path) as server:
        add_hook(server.services.storage)
        with monkeypatch.context() as patched:
            patched.setattr(posting, "store_together", Mock(side_effect=StorageFull("full")))
            with pytest.raises(StorageFull):
                say(server, "hi")
        assert say(server, "hi") == 1


def test_it_waits_no_longer_than_told(tmp_path: Path) -> None:
    """While a disk takes its time; it is stored and sent all the same, so with its key it can be sent again."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        storage = server.services.storage
        add_hook(storage)
        go, stands = threading.Event(), threading.Event()

        def stand_still(_: object) -> None:
            stands.set()
            go.wait(PATIENCE)

        storage.submit(stand_still)  # type: ignore[attr-defined]
        assert stands.wait(PATIENCE)
        with pytest.raises(TimeoutError):
            say(server, "slow", key="k", seconds=0.01)
        go.set()
        assert say(server, "slow", key="k") == 1
        assert said(alice.read_until_pong()) == [("slow", 1)]


# -- what it takes ----------------------------------------------------------------------------------------------------
def test_it_takes_what_an_account_may(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """After its burst it owes; another address does not help it, and another webhook is free."""
    with running_server(tmp_path, rate=10, burst=20) as server:
        services = server.services
        add_hook(services.storage)
        add_hook(services.storage, "backup", secret="another")
        hook, other = known_hook(services.storage), known_hook(services.storage, "another")
        for _ in range(3):
            assert hooks.charge(services, hook, HERE, 10) == 0
            say(server, *["x"] * 10)
        for origin in (HERE, THERE):
            assert hooks.charge(services, hook, origin, 10) == pytest.approx(1)
        assert hooks.charge(services, other, HERE, 10) == 0
        clock.tick(timedelta(seconds=1))
        assert hooks.charge(services, hook, HERE, 10) == 0


def test_a_long_message_counts_as_several(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """By its bytes, as a user's."""
    with running_server(tmp_path, rate=10, burst=1) as server:
        add_hook(server.services.storage)
        say(server, "\N{SNOWMAN}" * MESSAGE_BYTES)
        assert hooks.charge(server.services, known_hook(server.services.storage), HERE, 10) == pytest.approx(0.2)


def test_what_is_refused_costs_its_address_too(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Bytes are charged before anybody looks at them; who is put off and asks again owes no more for that."""
    with running_server(tmp_path, rate=10) as server:
        add_hook(server.services.storage)
        hook = known_hook(server.services.storage)
        charged = 0
        while not hooks.charge(server.services, hook, HERE, 65_536):
            charged += 1
        assert 50 < charged < 70
        assert len({hooks.charge(server.services, hook, HERE, 65_536) for _ in range(99)}) == 1
