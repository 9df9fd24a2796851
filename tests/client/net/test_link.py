"""client/net/link.py: a chat that outlives its connections, against the real service."""

from __future__ import annotations

import queue
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from client.net.connection import CannotConnectError, ConnectionLostError, Greeted, connect
from client.net.features import Wishes
from client.net.link import Limits, Link, OfflineError, State
from service.wire.protocol import (
    AckReply,
    BroadcastEvent,
    Dm,
    ErrorReply,
    Login,
    LoginOkReply,
    MemberEvent,
    Pm,
    PresenceEvent,
    ReadEvent,
    RoomReply,
    Users,
)
from tests.support.fake_server import TIME, FakeServer, Peer, login_ok
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, enter, running_server, until
from tests.support.link import Recorder, Witness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from service.wire.protocol import AnyCommand, AnyEvent, StoredMessage


OPS = {"room": "ops", "topic": "", "private": False, "role": "member", "members": 2, "unread": 0, "read_id": 10}
KNOWS_ROOMS = Wishes(rooms=True, presence=True)
NEVER = Limits(first_pause=1e8, longest_pause=1e8)  # seconds; the pauses are random, and none is short


class Onlooker(Recorder):
    """Looks what is pending while an ack is received."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[object] = []

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        super().receive(event, request)
        if isinstance(event, AckReply):
            self.pending.append([command.message for command in self.link.pending()])


class Slow(Recorder):
    """Waits while it catches up."""

    def __init__(self) -> None:
        super().__init__()
        self.is_catching_up, self.may_go_on = threading.Event(), threading.Event()

    def catch_up(self, messages: Sequence[StoredMessage], deleted: Sequence[int] | None) -> None:
        self.is_catching_up.set()
        assert self.may_go_on.wait(PATIENCE)
        super().catch_up(messages, deleted)


def dial(port: int) -> Greeted:
    """A greeted connection."""
    return connect("127.0.0.1", port)


@contextmanager
def linked(
    port: int,
    name: str = "bob",
    *,
    follows: bool = True,
    wishes: Wishes | None = None,
    recorder: Recorder | None = None,
    again: Callable[[int], Greeted] = dial,
    limits: Limits | None = None,
) -> Iterator[tuple[Link, Recorder]]:
    """A link of a registered user, logged in; left at the end. `again` connects to a port after a loss."""
    recorder = recorder or Recorder()
    connect_again = partial(again, port)
    link = Link(recorder, dial(port), connect_again, follows=follows, wishes=wishes, limits=limits)
    recorder.link = link
    link.start()
    try:
        reply = link.send(Login(username=name, password=PASSWORD, confirm=True)).result(PATIENCE)
        assert isinstance(reply, LoginOkReply)
        yield link, recorder
    finally:
        link.leave()


def wait_for_ids(recorder: Recorder, *ids: int) -> None:
    """Returns when exactly these have come."""
    while recorder.ids != list(ids):
        assert len(recorder.ids) < len(ids), recorder.ids
        assert recorder.arrived.wait(PATIENCE)
        recorder.arrived.clear()


def test_what_came_meanwhile_comes_in_order_and_once(tmp_path: Path) -> None:
    """After a loss it resumes by token; public and direct messages of the gap come before what is live."""
    with running_server(tmp_path) as server:
        port = server.port
        enter(port, "bob").close()
        with linked(port) as (_, bob):
            with enter(port, "alice") as alice:
                alice.ask("pm", message="before")
                wait_for_ids(bob, 1)
            server.stop()
            bob.wait_for("lost")
            with running_server(tmp_path, port=port), enter(port, "alice") as alice:
                bob.wait_for("back")
                alice.ask("pm", message="live")
                wait_for_ids(bob, 1, 2)


class Gate:
    """Connects again once it is open."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.open = self._opened.set

    def dial(self, port: int) -> Greeted:
        assert self._opened.wait(PATIENCE)
        return dial(port)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A link that dials by this gate comes back only once the gate is open."""
    gate = Gate()
    yield gate
    gate.open()


def drop(link: Link) -> None:
    """Pulls the plug of the present connection."""
    assert link._connection is not None
    link._connection._socket.shutdown(2)


def test_a_long_gap_is_fetched_page_by_page(tmp_path: Path, gate: Gate) -> None:
    """However many public and direct messages are mixed, all come, once, in the order of their ids."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port, again=gate.dial, limits=Limits(page=7)) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            direct = {"command": "dm", "to": "bob", "message": "x"}
            alice.send(
                *[direct if n % 3 == 0 or 40 < n < 70 else {"command": "pm", "message": "x"} for n in range(100)]
            )
            for _ in range(100):
                alice.read_type("ack")
            gate.open()
            bob.wait_for("back")
            assert bob.ids == list(range(1, 101))


def test_what_another_session_sent_and_saw_comes_along(tmp_path: Path, gate: Gate) -> None:
    """What came while the connection was lost has no holes; fetching it makes nothing seen, nor unseen again."""
    bob = Witness()
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port, recorder=bob, again=gate.dial) as (link, _):
            drop(link)
            bob.wait_for("lost")
            with enter(server.port, "bob", confirm=True) as elsewhere:
                seen, unseen = (alice.ask("dm", to="bob", message=text)["id"] for text in ("seen", "unseen"))
                own = [elsewhere.ask("pm", message="own")["id"], elsewhere.ask("dm", to="alice", message="own")["id"]]
                elsewhere.ask("seen", ids=[seen])
            gate.open()
            bob.wait_for("back")
            assert bob.ids == [seen, unseen, *own]
            assert ("back", 1) in bob.told
        with enter(server.port, "bob", confirm=True) as again:
            assert [message["id"] for message in again.ask("missed")["messages"]] == [unseen]


def test_what_was_deleted_meanwhile_is_told(tmp_path: Path, gate: Gate) -> None:
    """By id, of what was taken in before; what is new comes without its text."""
    bob = Witness()
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port, recorder=bob, again=gate.dial) as (link, _):
            alice.ask("pm", message="deleted later")
            wait_for_ids(bob, 1)
            drop(link)
            bob.wait_for("lost")
            alice.ask("pm", message="deleted before it is read")
            for message_id in (1, 2):
                alice.ask("delete", id=message_id)
            gate.open()
            bob.wait_for("back")
            assert ([2], [1]) in bob.told


def test_rooms_come_along(tmp_path: Path, gate: Gate) -> None:
    """What was said in rooms meanwhile stands between the rest, by id; of those that the user left nothing comes."""
    bob = Witness()
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as other:
        for room in ("lab", "ops"):
            alice.ask("create", room=room)
            other.ask("join", room=room)
        with linked(server.port, recorder=bob, again=gate.dial, wishes=KNOWS_ROOMS) as (link, _):
            alice.ask("pm", room="ops", message="live")
            wait_for_ids(bob, 1)
            drop(link)
            bob.wait_for("lost")
            waiting = [link.send(Pm(room=room, message="typed meanwhile")) for room in ("lab", "ops")]
            for room in ("lab", "ops"):
                alice.ask("pm", room=room, message="meanwhile")
            alice.ask("pm", message="meanwhile")
            other.ask("leave", room="lab")
            gate.open()
            bob.wait_for("back")
            assert bob.ids == [1, 3, 4]
            replies = [reply.result(PATIENCE) for reply in waiting]
            assert [reply.code for reply in replies if isinstance(reply, ErrorReply)] == ["unknown_room"]
            assert isinstance(replies[1], AckReply)


@pytest.mark.parametrize("held", [2_000, 3])
def test_what_comes_live_meanwhile_waits_its_turn(tmp_path: Path, gate: Gate, held: int) -> None:
    """Messages that arrive while older ones are fetched come after them; if they are too many, they are fetched too."""
    bob = Slow()
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port, recorder=bob, again=gate.dial, limits=Limits(held=held)) as (link, _):
            drop(link)
            bob.wait_for("lost")
            alice.ask("pm", message="in the gap")
            gate.open()
            assert bob.is_catching_up.wait(PATIENCE)
            for n in range(5):
                alice.ask("pm", message=f"live {n}")
                alice.ask("dm", to="bob", message=f"live {n}")
            alice.read_until_pong()
            bob.may_go_on.set()
            bob.wait_for("back")
            wait_for_ids(bob, *range(1, 12))


def test_a_new_name_is_told_before_what_was_missed(tmp_path: Path, gate: Gate) -> None:
    """The account was renamed while the connection was lost: what is fetched has the new name already."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port, again=gate.dial) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            order = [sys.executable, "-m", "service.admin", "rename", "bob", "bobby", "--db", str(tmp_path / "chat.db")]
            subprocess.run(order, cwd=ROOT, check=True, capture_output=True)
            alice.ask("dm", to="bobby", message="hi")
            gate.open()
            bob.wait_for("bob is bobby, after []")
            bob.wait_for("back")
            assert bob.ids == [1]


def test_a_quiet_link_announces_nobody(tmp_path: Path, gate: Gate) -> None:
    """Neither at the login nor when it comes back."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        while alice.ask("users")["users"] != ["alice"]:
            pass
        with linked(server.port, wishes=Wishes(quiet=True), again=gate.dial) as (link, bob):
            assert alice.ask("users")["users"] == ["alice"]
            drop(link)
            bob.wait_for("lost")
            gate.open()
            bob.wait_for("back")
            assert alice.ask("users")["users"] == ["alice"]


def test_an_older_server_is_asked_for_nothing_quiet() -> None:
    """It has no such sessions, and says no features."""

    def script(peer: Peer) -> None:
        assert "quiet" not in peer.log_in("bob")
        peer.see_off()

    with FakeServer(script) as server, linked(server.port, wishes=Wishes(quiet=True)):
        pass


@contextmanager
def servers(*scripts: Callable[[Peer], object]) -> Iterator[tuple[Link, Witness]]:
    """A link that loses the connection to each server but the last, and comes back to the next. Each script greets."""
    witness = Witness()
    with ExitStack() as stack:
        ports = [stack.enter_context(FakeServer(script)).port for script in scripts][::-1]
        again: Callable[[int], Greeted] = lambda _: dial(ports.pop())  # noqa: E731
        first = ports.pop()
        link, _ = stack.enter_context(linked(first, recorder=witness, again=again, wishes=KNOWS_ROOMS))
        yield link, witness
        until(lambda: state(link) is State.ONLINE)  # else it would leave without a word


def log_in_with_rooms(peer: Peer, **login: object) -> None:
    peer.greet(features=["rooms", "since", "presence"], main_room="all")
    command = peer.expect("login")
    assert (command["rooms"], command["presence"]) == (True, "changes")
    peer.answer(command, **login_ok("bob", **login))


def resume_with_rooms(peer: Peer, **login: object) -> None:
    peer.greet(features=["rooms", "since", "presence"])
    command = peer.expect("resume")
    assert (command["rooms"], command["presence"]) == (True, "changes")
    peer.answer(command, **login_ok("bob", **login))


def test_a_server_with_since_is_asked_for_what_came_since() -> None:
    """Of every conversation, from the last message taken in, with deletions; what comes meanwhile waits, in order."""
    has_all = threading.Event()

    def before(peer: Peer) -> None:
        log_in_with_rooms(peer, time="t0", rooms=[{**OPS, "created": "t0"}])
        peer.say(type="broadcast", id=12, time=TIME, from_="alice", message="live", room="ops")

    def after(peer: Peer) -> None:
        resume_with_rooms(peer, last_id=15, missed=1, rooms=[{**OPS, "created": "t0"}])
        command = peer.expect("since")
        assert (command["id"], command["deleted_after"]) == (12, "t0")
        peer.say(type="member", room="ops", username="carol", action="join", role="member", time=TIME)
        peer.say(type="broadcast", id=16, time=TIME, from_="carol", message="hi", room="ops")
        peer.say(type="read", id=16)
        peer.say(type="presence", arrived=["carol"], left=[], online=3, time=TIME)
        peer.say(type="room", room="ops", created="t0", gone=True)
        own = {"id": 14, "time": TIME, "from": "bob", "message": "from elsewhere", "room": "ops"}
        direct = {"id": 15, "time": TIME, "from": "alice", "to": "bob", "message": "seen elsewhere"}
        peer.answer(command, type="since", messages=[own, direct], more=False, time="t1", deleted=[3])
        assert has_all.wait(PATIENCE)

    def once_more(peer: Peer) -> None:
        resume_with_rooms(peer, last_id=16)
        command = peer.expect("since")
        assert (command["id"], command["deleted_after"]) == (16, "t1")
        peer.answer(command, type="since", messages=[], more=False, time="t2", deleted=[], deleted_more=True)
        peer.see_off()

    with servers(before, after, once_more) as (_, bob):
        bob.wait_for("lost")
        bob.wait_for("back")
        until(lambda: RoomReply in bob.told)
        has_all.set()
        bob.wait_for("lost")
        bob.wait_for("back")
        assert bob.told == [
            *(LoginOkReply, BroadcastEvent, ([14, 15], [3]), ("back", 1)),
            *(MemberEvent, BroadcastEvent, ReadEvent, PresenceEvent, RoomReply),
            *(([], None), ("back", 0)),
        ]


@pytest.mark.parametrize(
    ("rooms", "is_sent"),
    [([{**OPS, "created": "t0"}], True), ([{**OPS, "created": "t1"}], False), ([], False)],
)
def test_what_waits_for_a_room_goes_to_no_other_one(rooms: list[dict[str, object]], is_sent: bool) -> None:
    """A text that was typed meanwhile is not sent if the room is another one now, or is lost; the rest is."""
    may_come_back = threading.Event()

    def before(peer: Peer) -> None:
        log_in_with_rooms(peer, rooms=[{**OPS, "created": "t0"}])

    def after(peer: Peer) -> None:
        assert may_come_back.wait(PATIENCE)
        resume_with_rooms(peer, rooms=rooms)
        peer.answer(peer.expect("since"), type="since", messages=[], more=False, time=TIME)
        if is_sent:
            command = peer.expect("pm")
            assert (command["room"], command["created"]) == ("ops", "t0")
            peer.ack(command, 20, room="ops")
        for number, room in ((21, None), (22, "all")):
            command = peer.expect("pm")
            assert command.get("room") == room
            peer.ack(command, number)
        peer.see_off()

    with servers(before, after) as (link, bob):
        bob.wait_for("lost")
        waiting = (Pm(room="ops", created="t0", message="x"), Pm(message="to all"), Pm(room="all", message="to all"))
        replies = [link.send(pm) for pm in waiting]
        may_come_back.set()
        reply = replies[0].result(PATIENCE)
        assert (reply.code if isinstance(reply, ErrorReply) else "sent") == ("sent" if is_sent else "unknown_room")
        assert all(isinstance(reply.result(PATIENCE), AckReply) for reply in replies[1:])
        assert link.pending() == []
        assert ("unknown_room" in bob.told) is not is_sent


def test_an_older_server_gets_nothing_of_rooms() -> None:
    """It would say in the main room what was meant for another one: it is refused, and the gap goes by pages."""
    may_come_back = threading.Event()

    def before(peer: Peer) -> None:
        log_in_with_rooms(peer, rooms=[{**OPS, "created": "t0"}])

    def after(peer: Peer) -> None:
        assert may_come_back.wait(PATIENCE)
        peer.greet()
        command = peer.expect("resume")
        assert not {"rooms", "presence"} & set(command)
        peer.answer(command, **login_ok("bob", missed=1))
        peer.answer(peer.expect("history"), type="history", messages=[], more=False)
        direct = {"id": 9, "time": TIME, "from": "alice", "to": "bob", "message": "hi"}
        peer.answer(peer.expect("missed"), type="missed", messages=[direct], more=False)
        peer.answer(peer.expect("seen"), type="ack", command="seen")
        peer.see_off()

    with servers(before, after) as (link, bob):
        bob.wait_for("lost")
        waiting = link.send(Pm(room="ops", created="t0", message="x"))
        may_come_back.set()
        reply = waiting.result(PATIENCE)
        assert isinstance(reply, ErrorReply)
        assert reply.code == "unknown_room"
        assert bob.told == [LoginOkReply, ([9], ()), ("back", 0), "unknown_room"]


def test_what_is_typed_meanwhile_is_sent_when_back(tmp_path: Path, gate: Gate) -> None:
    """Messages wait, in their order, and their replies come; whatever else is asked is refused."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port, again=gate.dial) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            replies = [link.send(Pm(message="one")), link.send(Dm(to="alice", message="two"))]
            assert [command.message for command in link.pending()] == ["one", "two"]
            with pytest.raises(OfflineError, match=r"^Not connected. Try again later\.$"):
                link.send(Users())
            gate.open()
            assert [type(reply.result(PATIENCE)) for reply in replies] == [AckReply, AckReply]
            assert [alice.read_type(kind)["message"] for kind in ("broadcast", "direct")] == ["one", "two"]
            assert link.pending() == []


def test_a_message_is_not_pending_any_more_when_its_ack_comes(tmp_path: Path) -> None:
    """Or it would stand on the screen twice: stored, and pending."""
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        onlooker = Onlooker()
        with linked(server.port, recorder=onlooker) as (link, _):
            link.send(Pm(message="stored")).result(PATIENCE)
            assert onlooker.pending == [[]]


def test_what_may_be_stored_is_sent_again_until_that_is_known() -> None:
    """With the same nonce; the listener hears of the first error only, and the reply is what settles it."""

    def script(peer: Peer) -> None:
        peer.log_in("bob")
        first = peer.expect("pm")
        peer.answer(first, type="error", code="storage_unavailable", message="?", maybe=True)
        second = peer.expect("pm")
        peer.answer(second, type="error", code="storage_unavailable", message="nothing was stored")
        third = peer.expect("pm")
        assert first["nonce"] == second["nonce"] == third["nonce"]
        peer.ack(third, 20)
        peer.see_off()

    witness = Witness()
    with FakeServer(script) as server, linked(server.port, recorder=witness, limits=Limits(again=0.01)) as (link, _):
        assert isinstance(link.send(Pm(message="hi")).result(PATIENCE), AckReply)
        assert link.pending() == []
        assert witness.told == [LoginOkReply, "storage_unavailable", AckReply]


def test_only_so_much_can_wait(tmp_path: Path, gate: Gate) -> None:
    """Beyond the limit a message is refused at once, and those that wait are sent."""
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=gate.dial) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            replies = [link.send(Pm(message=f"{n}")) for n in range(Limits().pending)]
            with pytest.raises(OfflineError, match="Too many"):
                link.send(Pm(message="one more"))
            gate.open()
            assert all(isinstance(reply.result(PATIENCE), AckReply) for reply in replies)


def test_a_changed_password_is_the_end(tmp_path: Path) -> None:
    """What the server ends on purpose is not tried again."""
    with running_server(tmp_path) as server, enter(server.port, "bob") as other, linked(server.port) as (link, bob):
        other.ask("password", old=PASSWORD, new="another one")
        bob.wait_for("end: The password was changed")
        with pytest.raises(ConnectionLostError):
            link.send(Users())


def test_a_session_that_is_void_is_the_end(tmp_path: Path, gate: Gate) -> None:
    """If the token is not taken any more, it says to log in again."""
    with (
        running_server(tmp_path) as server,
        enter(server.port, "bob") as other,
        linked(server.port, again=gate.dial) as (link, bob),
    ):
        drop(link)
        bob.wait_for("lost")
        waiting = link.send(Pm(message="never"))
        other.ask("password", old=PASSWORD, new="another one")
        gate.open()
        bob.wait_for("end: Your session has ended")
        assert isinstance(waiting.exception(PATIENCE), ConnectionLostError)


def test_a_loss_before_the_login_is_the_end(tmp_path: Path) -> None:
    """Without a token there is no way back."""
    with running_server(tmp_path) as server:
        again = partial(connect, "127.0.0.1", server.port)
        recorder = Recorder()
        link = Link(recorder, again(), again)
        link.start()
        server.stop()
        recorder.wait_for("end: The server is shutting down")
        link.leave()


def state(link: Link) -> State:
    return link._state


def test_the_states_of_a_link(tmp_path: Path, gate: Gate) -> None:
    """NEW, ONLINE, AWAY and ONLINE again; what the owner leaves has LEFT, and what the server ends has ENDED."""
    with running_server(tmp_path) as server, enter(server.port, "bob") as other:
        link = Link(Recorder(), dial(server.port))
        assert state(link) is State.NEW
        link.leave()
        assert state(link) is State.LEFT
        with linked(server.port, again=gate.dial) as (link, bob):
            assert state(link) is State.ONLINE
            drop(link)
            bob.wait_for("lost")
            assert state(link) is State.AWAY
            gate.open()
            bob.wait_for("back")
            until(lambda: state(link) is State.ONLINE)
            other.ask("password", old=PASSWORD, new="another one")
            bob.wait_for("end")
            assert state(link) is State.ENDED
        assert state(link) is State.LEFT


def test_it_tries_until_there_is_a_server_again(tmp_path: Path) -> None:
    """Each failure is followed by a pause and another try."""
    tries = queue.Queue[int]()

    def fail(port: int) -> Greeted:
        tries.put(1)
        if tries.qsize() < 4:
            raise CannotConnectError("nothing there")
        return dial(port)

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=fail, limits=Limits(first_pause=0.01)) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            bob.wait_for("back")
            assert tries.qsize() == 4


def test_it_gives_up_where_another_try_is_of_no_use(tmp_path: Path) -> None:
    """Such as a server that is now known to speak TLS; the last word says why."""

    def refuse(_: int) -> Greeted:
        raise CannotConnectError("it speaks TLS", is_final=True)

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=refuse) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            bob.wait_for("end: it speaks TLS")


def test_a_message_hurries_the_next_try(tmp_path: Path) -> None:
    """A user who writes during a pause finds out at once whether the server is back."""
    failed = threading.Event()

    def fail_once(port: int) -> Greeted:
        if failed.is_set():
            return dial(port)
        failed.set()
        raise CannotConnectError("nothing there")

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=fail_once, limits=NEVER) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            assert failed.wait(PATIENCE)
            assert isinstance(link.send(Pm(message="back?")).result(PATIENCE), AckReply)


def test_leaving_while_offline(tmp_path: Path) -> None:
    """A user who leaves does not wait for the next try."""
    failed = threading.Event()

    def fail(_: int) -> Greeted:
        failed.set()
        raise CannotConnectError("nothing there")

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=fail, limits=NEVER) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            assert failed.wait(PATIENCE)


def test_a_link_that_does_not_follow_shows_nothing_until_it_does(tmp_path: Path) -> None:
    """It sends and asks, also after a loss; then all after an id comes in order, and what was live meanwhile."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        for n in range(3):
            alice.ask("pm", message=f"before {n}")
        alice.ask("dm", to="bob", message="before")
        with linked(server.port, follows=False) as (link, bob):
            alice.ask("pm", message="live")
            drop(link)
            bob.wait_for("lost")
            assert isinstance(link.send(Pm(message="by bob")).result(PATIENCE), AckReply)
            alice.ask("dm", to="bob", message="live")
            assert bob.ids == []
            link.follow(2)
            bob.wait_for("back")
            alice.ask("pm", message="after")
            wait_for_ids(bob, 3, 4, 5, 7, 8)  # 6 is bob's own, and got its ack


def test_each_login_is_given_to_be_kept(tmp_path: Path, gate: Gate) -> None:
    """The first one, and that of each return."""
    logins: queue.Queue[LoginOkReply] = queue.Queue()
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        link = Link(Recorder(), dial(server.port), partial(gate.dial, server.port), logins.put)
        link.start()
        link.send(Login(username="bob", password=PASSWORD, confirm=True))
        first = logins.get(timeout=PATIENCE)
        drop(link)
        gate.open()
        assert logins.get(timeout=PATIENCE).token == first.token
        link.leave()


KILLS = 20  # as often as one wait for an ack meets another length of it; the soak has more


def test_kills_between_sending_and_ack(tmp_path: Path) -> None:
    """Each message lands exactly once, in the order of sending, and everyone has it exactly once."""
    quick = Limits(longest_pause=0.2)
    services = [Process(tmp_path)]
    port = services[0].port
    with enter(port, "alice") as first, enter(port, "bob") as second:
        made = first.ask("create", room="ops")["created"]
        second.ask("join", room="ops")
    with (
        linked(port, "alice", limits=quick, wishes=KNOWS_ROOMS) as (link, alice),
        linked(port, "bob", limits=quick, wishes=KNOWS_ROOMS) as (_, bob),
    ):
        replies = []
        for kill in range(KILLS):
            replies += [link.send(Pm(message=f"{kill} {n}")) for n in range(2)]
            replies.append(link.send(Pm(room="ops", created=made, message=f"{kill} 2")))
            replies.append(link.send(Dm(to="bob", message=f"{kill} d")))
            with suppress(TimeoutError):  # some kills come before the first ack, some between, some after the last
                replies[-1 - kill % 4].result(kill % 5 * 0.0005)
            services[-1].stop(signal.SIGKILL)
            for recorder in (alice, bob):
                recorder.wait_for("lost")
            services.append(Process(tmp_path, port=port))
            for recorder in (alice, bob):
                recorder.wait_for("back")
        acks = [reply.result(PATIENCE) for reply in replies]
        ids = [ack.id for ack in acks if isinstance(ack, AckReply) and isinstance(ack.id, int)]
        wait_for_ids(bob, *ids)
    services[-1].stop()
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        stored = connection.execute("SELECT id, body FROM message ORDER BY id").fetchall()
    assert stored == [(id_, f"{n // 4} {'012d'[n % 4]}") for n, id_ in enumerate(ids)]
    assert len(ids) == 4 * KILLS


def test_a_new_password_needs_no_new_login(tmp_path: Path) -> None:
    """A password change ends every token; the link has fetched another one, and comes back by itself."""
    with running_server(tmp_path) as server:
        port = server.port
        enter(port, "bob").close()
        with linked(port) as (link, bob):
            assert isinstance(link.change_password("wrong one", "new password"), ErrorReply)
            assert isinstance(link.change_password(PASSWORD, "new password"), AckReply)
            for _ in range(2):
                drop(link)
                bob.wait_for("lost")
                bob.wait_for("back")


def test_a_loss_while_the_password_changes(tmp_path: Path) -> None:
    """A dead token is no reason to give up while a new one is on its way."""
    bob, returns = Recorder(), threading.Semaphore(0)

    def lose(port: int) -> Greeted:
        if threading.current_thread() is threading.main_thread():  # for the new token
            drop(bob.link)
            for _ in range(2):  # the second one says that the first was refused
                assert returns.acquire(timeout=PATIENCE)
        else:
            returns.release()
        return dial(port)

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, recorder=bob, again=lose, limits=Limits(longest_pause=0.01)) as (link, _):
            link.change_password(PASSWORD, "new password")
            bob.wait_for("lost")
            bob.wait_for("back")


def test_a_new_password_without_a_new_token(tmp_path: Path) -> None:
    """If the server gives no new token, the chat goes on until the connection is lost, and then says what to do."""

    def refuse(port: int) -> Greeted:
        if threading.current_thread() is threading.main_thread():
            raise CannotConnectError("full")
        return dial(port)

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=refuse) as (link, bob):
            assert isinstance(link.change_password(PASSWORD, "new password"), AckReply)
            drop(link)
            bob.wait_for("lost")
            bob.wait_for("end: Your session has ended. Start the client again and log in.")
