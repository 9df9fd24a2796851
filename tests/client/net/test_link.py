"""client/net/link.py: a chat that outlives its connections, against the real service."""

from __future__ import annotations

import queue
import signal
import sqlite3
import threading
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from client.net import catch_up as catch_up_module
from client.net import link as link_module
from client.net.connection import CannotConnectError, ConnectionLostError, connect
from client.net.link import MOST_PENDING, Link, OfflineError
from service.wire.protocol import AckReply, BroadcastEvent, DirectEvent, Dm, ErrorReply, Login, LoginOkReply, Pm, Users
from tests.support.helpers import PASSWORD, PATIENCE, Process, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from client.net.connection import Connection
    from service.wire.protocol import AnyCommand, AnyEvent, StoredMessage


class Recorder:
    """What a link told: the ids of messages in their order, and its turns."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.turns: queue.Queue[str] = queue.Queue()
        self.arrived = threading.Event()

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:  # noqa: ARG002
        if isinstance(event, (BroadcastEvent, DirectEvent)) and event.id not in self.ids:
            self.ids.append(event.id)
            self.arrived.set()

    def lose(self, error: ConnectionLostError) -> None:  # noqa: ARG002
        self.turns.put("lost")

    def catch_up(self, messages: Sequence[StoredMessage]) -> None:
        self.ids += [message.id for message in messages if message.id not in self.ids]
        self.arrived.set()

    def come_back(self, login: LoginOkReply) -> None:  # noqa: ARG002
        self.turns.put("back")

    def end(self, error: ConnectionLostError) -> None:
        self.turns.put(f"end: {error}")

    def wait_for(self, turn: str) -> None:
        """The next turn, which must be that one."""
        assert self.turns.get(timeout=PATIENCE).startswith(turn)


class Onlooker(Recorder):
    """Looks what is pending while an ack is received."""

    link: Link

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[object] = []

    def receive(self, event: AnyEvent, request: AnyCommand | None) -> None:
        super().receive(event, request)
        if isinstance(event, AckReply):
            self.pending.append([command.message for command in self.link.pending()])


def dial(port: int) -> Connection:
    """A greeted connection."""
    return connect("127.0.0.1", port)


@contextmanager
def linked(
    port: int,
    name: str = "bob",
    *,
    follows: bool = True,
    recorder: Recorder | None = None,
    again: Callable[[int], Connection] = dial,
) -> Iterator[tuple[Link, Recorder]]:
    """A link of a user who is registered, logged in; left at the end. `again` connects to a port after a loss."""
    link = Link(dial(port), partial(again, port), follows=follows)
    recorder = recorder or Recorder()
    link.start(recorder)
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


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A link may come back only once this is set."""
    gate = threading.Event()
    returning = Link._return

    def wait_and_return(self: Link) -> None:
        assert gate.wait(PATIENCE)
        returning(self)

    monkeypatch.setattr(Link, "_return", wait_and_return)
    yield gate
    gate.set()


def drop(link: Link) -> None:
    """Pulls the plug of the present connection."""
    assert link._connection is not None
    link._connection._socket.shutdown(2)


def test_a_long_gap_is_fetched_page_by_page(
    tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many public and direct messages are mixed, all come, once, in the order of their ids."""
    monkeypatch.setattr(catch_up_module, "MAX_PAGE", 7)
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            direct = {"command": "dm", "to": "bob", "message": "x"}
            alice.send(
                *[direct if n % 3 == 0 or 40 < n < 70 else {"command": "pm", "message": "x"} for n in range(100)]
            )
            for _ in range(100):
                alice.read_type("ack")
            gate.set()
            bob.wait_for("back")
            assert bob.ids == list(range(1, 101))
        with enter(server.port, "bob") as again:
            assert again.hello["missed"] == 0


@pytest.mark.parametrize("most", [2_000, 3])
def test_what_comes_live_meanwhile_waits_its_turn(
    tmp_path: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Messages that arrive while older ones are fetched come after them; if they are too many, they are fetched too."""
    monkeypatch.setattr(link_module, "MOST_HELD", most)
    catching_up, may_go_on = threading.Event(), threading.Event()
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port) as (link, bob):
            catch_up = bob.catch_up

            def slow(messages: Sequence[StoredMessage]) -> None:
                catching_up.set()
                assert may_go_on.wait(PATIENCE)
                catch_up(messages)

            monkeypatch.setattr(bob, "catch_up", slow)
            drop(link)
            bob.wait_for("lost")
            alice.ask("pm", message="in the gap")
            gate.set()
            assert catching_up.wait(PATIENCE)
            for n in range(5):
                alice.ask("pm", message=f"live {n}")
                alice.ask("dm", to="bob", message=f"live {n}")
            alice.read_until_pong()
            may_go_on.set()
            bob.wait_for("back")
            wait_for_ids(bob, *range(1, 12))


def test_what_is_typed_meanwhile_is_sent_when_back(tmp_path: Path, gate: threading.Event) -> None:
    """Messages wait, in their order, and their replies come; whatever else is asked is refused."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice:
        enter(server.port, "bob").close()
        with linked(server.port) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            replies = [link.send(Pm(message="one")), link.send(Dm(to="alice", message="two"))]
            assert [command.message for command in link.pending()] == ["one", "two"]
            with pytest.raises(OfflineError, match="Not connected just now"):
                link.send(Users())
            gate.set()
            assert [type(reply.result(PATIENCE)) for reply in replies] == [AckReply, AckReply]
            assert [alice.read_type(kind)["message"] for kind in ("broadcast", "direct")] == ["one", "two"]
            assert link.pending() == []


def test_a_message_is_not_pending_any_more_when_its_ack_comes(tmp_path: Path) -> None:
    """Or it would stand on the screen twice: stored, and pending."""
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        onlooker = Onlooker()
        with linked(server.port, recorder=onlooker) as (link, _):
            onlooker.link = link
            link.send(Pm(message="stored")).result(PATIENCE)
            assert onlooker.pending == [[]]


def test_only_so_much_can_wait(tmp_path: Path, gate: threading.Event) -> None:
    """Beyond the limit a message is refused at once, and those that wait are sent."""
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            replies = [link.send(Pm(message=f"{n}")) for n in range(MOST_PENDING)]
            with pytest.raises(OfflineError, match="Too many"):
                link.send(Pm(message="one more"))
            gate.set()
            assert all(isinstance(reply.result(PATIENCE), AckReply) for reply in replies)


def test_a_changed_password_is_the_end(tmp_path: Path) -> None:
    """What the server ends on purpose is not tried again."""
    with running_server(tmp_path) as server, enter(server.port, "bob") as other, linked(server.port) as (link, bob):
        other.ask("password", old=PASSWORD, new="another one")
        bob.wait_for("end: The password was changed")
        with pytest.raises(ConnectionLostError):
            link.send(Users())


def test_a_session_that_is_void_is_the_end(tmp_path: Path, gate: threading.Event) -> None:
    """If the token is not taken any more, it says to log in again."""
    with running_server(tmp_path) as server, enter(server.port, "bob") as other, linked(server.port) as (link, bob):
        waiting = None
        drop(link)
        bob.wait_for("lost")
        waiting = link.send(Pm(message="never"))
        other.ask("password", old=PASSWORD, new="another one")
        gate.set()
        bob.wait_for("end: Your session has ended")
        assert isinstance(waiting.exception(PATIENCE), ConnectionLostError)


def test_a_loss_before_the_login_is_the_end(tmp_path: Path) -> None:
    """Without a token there is no way back."""
    with running_server(tmp_path) as server:
        again = partial(connect, "127.0.0.1", server.port)
        link, recorder = Link(again(), again), Recorder()
        link.start(recorder)
        server.stop()
        recorder.wait_for("end: The server is shutting down")
        link.leave()


def test_it_tries_until_there_is_a_server_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure is followed by a pause and another try."""
    tries = queue.Queue[int]()

    def fail(port: int) -> Connection:
        tries.put(1)
        if tries.qsize() < 4:
            raise CannotConnectError("nothing there")
        return dial(port)

    monkeypatch.setattr(link_module, "FIRST_PAUSE", 0.01)
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=fail) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            bob.wait_for("back")
            assert tries.qsize() == 4


def test_it_gives_up_where_another_try_is_of_no_use(tmp_path: Path) -> None:
    """Such as a server that is now known to speak TLS; the last word says why."""

    def refuse(_: int) -> Connection:
        raise CannotConnectError("it speaks TLS", is_final=True)

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=refuse) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            bob.wait_for("end: it speaks TLS")


def test_a_message_hurries_the_next_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who writes while the client waits for its next try finds out at once whether the server is back."""
    monkeypatch.setattr(link_module, "FIRST_PAUSE", 3_600.0)
    monkeypatch.setattr(link_module, "LONGEST_PAUSE", 7_200.0)
    monkeypatch.setattr("tenacity.wait.random.uniform", lambda _, longest: longest)
    failed = threading.Event()

    def fail_once(port: int) -> Connection:
        if failed.is_set():
            return dial(port)
        failed.set()
        raise CannotConnectError("nothing there")

    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port, again=fail_once) as (link, bob):
            drop(link)
            bob.wait_for("lost")
            assert failed.wait(PATIENCE)
            assert isinstance(link.send(Pm(message="back?")).result(PATIENCE), AckReply)


def test_leaving_while_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leaves does not wait for the next try."""
    monkeypatch.setattr(link_module, "FIRST_PAUSE", 3_600.0)
    monkeypatch.setattr(link_module, "LONGEST_PAUSE", 7_200.0)
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port) as (_, bob):
            server.stop()
            bob.wait_for("lost")


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


def test_each_login_is_given_to_be_kept(tmp_path: Path, gate: threading.Event) -> None:
    """The first one, and that of each return."""
    logins: queue.Queue[LoginOkReply] = queue.Queue()
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        again = partial(connect, "127.0.0.1", server.port)
        link = Link(again(), again, logins.put)
        link.start(Recorder())
        link.send(Login(username="bob", password=PASSWORD, confirm=True))
        first = logins.get(timeout=PATIENCE)
        drop(link)
        gate.set()
        assert logins.get(timeout=PATIENCE).token == first.token
        link.leave()


KILLS = 100


def test_a_hundred_kills_between_sending_and_ack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message lands exactly once, in the order of sending, and everyone has it exactly once."""
    monkeypatch.setattr(link_module, "LONGEST_PAUSE", 0.2)
    services = [Process(tmp_path)]
    port = services[0].port
    for name in ("alice", "bob"):
        enter(port, name).close()
    with linked(port, "alice") as (link, alice), linked(port, "bob") as (_, bob):
        replies = []
        for kill in range(KILLS):
            replies += [link.send(Pm(message=f"{kill} {n}")) for n in range(3)]
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


def test_a_loss_while_the_password_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    """A dead token is no reason to give up while a new one is on its way."""
    fetch_token, refused = catch_up_module.fetch_token, threading.Event()
    ask = catch_up_module.ask
    links: list[Link] = []

    def note(connection: Connection, command: AnyCommand) -> AnyEvent:
        reply = ask(connection, command)
        if isinstance(reply, ErrorReply):
            refused.set()
        return reply

    def lose_and_fetch(connect: Callable[[], Connection], name: str, password: str) -> str:
        drop(links[0])
        gate.set()
        assert refused.wait(PATIENCE)
        return fetch_token(connect, name, password)

    monkeypatch.setattr(catch_up_module, "ask", note)
    monkeypatch.setattr(link_module, "fetch_token", lose_and_fetch)
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port) as (link, bob):
            links.append(link)
            link.change_password(PASSWORD, "new password")
            bob.wait_for("lost")
            bob.wait_for("back")


def test_a_new_password_without_a_new_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no new token is to be had, the chat goes on until the connection is lost, and then says what to do."""
    with running_server(tmp_path) as server:
        enter(server.port, "bob").close()
        with linked(server.port) as (link, bob):
            monkeypatch.setattr(catch_up_module, "ask", lambda *_: ErrorReply(code="rate_limited", message="slow"))
            assert isinstance(link.change_password(PASSWORD, "new password"), AckReply)
            monkeypatch.undo()
            drop(link)
            bob.wait_for("lost")
            bob.wait_for("end: Your session has ended. Start the client again and log in.")
