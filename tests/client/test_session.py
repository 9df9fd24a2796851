"""A session: events are shown in order, and what was shown is confirmed in its own time."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING

import pytest

from client.chat.actions import InChat, Mistake
from client.chat.operations import OPERATIONS
from client.chat.paging import Page
from client.chat.presence import FOLD
from client.net.connection import ConnectionLostError, connect
from client.net.link import Limits, Link
from client.render.layout import Size
from client.session import Session
from service.wire.protocol import AckReply, Dm, ErrorReply, History, Login, Ping, Pm, Users
from tests.support.fake_server import TIME, TIMEOUT, FakeServer, Peer, login_ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from client.text import Line


class Shown:
    """What a session showed, and whether it ended."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.stirred = 0  # how often nothing was shown, so that the bar is drawn anew
        self.ended = threading.Event()

    def show(self, lines: Sequence[Line]) -> None:
        self.stirred += not lines
        self.texts += [line.text for line in lines]

    def end(self, _: ConnectionLostError) -> None:
        self.ended.set()


@contextmanager
def session(
    script: Callable[[Peer], object], pace: float = 0.0, limits: Limits | None = None
) -> Iterator[tuple[Session, Shown]]:
    """A session of alice, logged in; left at the end, with no thread of it left."""
    shown, before = Shown(), set(threading.enumerate())
    with FakeServer(script) as server:
        make_link = partial(Link, first=connect("127.0.0.1", server.port), limits=limits)
        talk = Session(make_link, shown.show, shown.end, seen_pace=pace)
        talk.start()
        try:
            talk.send(Login(username="alice", password="securepassword", confirm=True)).result(TIMEOUT)
            yield talk, shown
        finally:
            talk.leave()
    assert set(threading.enumerate()) <= before


def direct(peer: Peer, message_id: int) -> None:
    peer.say(type="direct", id=message_id, time=TIME, from_="bob", to="alice", message="psst")


def test_what_is_shown_is_confirmed_while_the_session_lasts() -> None:
    """A message that was shown is confirmed soon, without waiting for the end."""

    def script(peer: Peer) -> None:
        peer.log_in()
        direct(peer, 11)
        assert peer.expect("seen")["id"] == 11
        confirmed.set()
        peer.see_off()

    confirmed = threading.Event()
    with session(script):
        assert confirmed.wait(TIMEOUT)


def test_a_burst_is_confirmed_at_once() -> None:
    """Messages within one pace are confirmed by one command; leaving does not wait for the pace."""

    def script(peer: Peer) -> None:
        peer.log_in(missed=1)
        for message_id in range(11, 31):
            command = peer.expect("users")
            direct(peer, message_id)
            peer.answer(command, type="users", users=["alice"], time=TIME)
        peer.see_off()
        assert [seen["ids"] for seen in peer.seen] == [list(range(11, 31))]

    with session(script, pace=3600) as (talk, _):
        for _ in range(20):
            talk.send(Users()).result(TIMEOUT)


def test_what_was_shown_before_a_loss_is_confirmed_after_it() -> None:
    """A public message that was shown just before the cable was pulled is confirmed when the connection is back."""

    def pulled(peer: Peer) -> None:
        peer.log_in()
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="hi")
        peer.expect("seen")  # and it is lost

    def back(peer: Peer) -> None:
        peer.greet()
        peer.answer(peer.expect("resume"), **login_ok(unread=1, last_id=11))
        for kind in ("history", "missed"):
            peer.answer(peer.expect(kind), type=kind, messages=[], more=False)
        assert peer.expect("seen")["id"] == 11
        confirmed.set()
        peer.see_off()

    shown, confirmed = Shown(), threading.Event()
    with FakeServer(pulled) as first, FakeServer(back) as second:
        again = partial(connect, "127.0.0.1", second.port)
        make_link = partial(Link, first=connect("127.0.0.1", first.port), connect=again)
        talk = Session(make_link, shown.show, shown.end, seen_pace=0.0)
        talk.start()
        talk.send(Login(username="alice", password="securepassword", confirm=True)).result(TIMEOUT)
        assert confirmed.wait(TIMEOUT)
        talk.leave()


def test_nothing_shown_is_not_confirmed() -> None:
    """A login that shows no message confirms nothing, however many are missed."""

    def script(peer: Peer) -> None:
        peer.log_in(missed=3, unread=5)
        peer.see_off()
        assert peer.seen == []

    with session(script):
        pass


def test_the_reply_is_shown_before_it_is_given() -> None:
    """When a reply comes it is shown already, after all that came before it."""

    def script(peer: Peer) -> None:
        peer.log_in()
        message = peer.expect("pm")
        peer.say(type="broadcast", id=11, time=TIME, from_="bob", message="first")
        peer.ack(message, 12)
        peer.see_off()

    with session(script) as (talk, shown):
        assert isinstance(talk.send(Pm(message="second")).result(TIMEOUT), AckReply)
        assert [text[-6:] for text in shown.texts[-2:]] == [" first", "second"]


def test_older_goes_on_from_the_last_page() -> None:
    """OLDER asks for what came before the last page, at first for the newest, until there is none."""

    def script(peer: Peer) -> None:
        peer.log_in()
        page = [{"id": 7, "time": TIME, "from": "bob", "message": "hi"}]
        peer.answer(peer.expect("history"), type="history", messages=page, more=True)
        command = peer.expect("history")
        assert command["before"] == 7
        peer.answer(command, type="history", messages=[], more=False)
        peer.see_off()

    with session(script) as (talk, shown):
        for _ in range(2):
            reply = talk.perform(InChat(lambda chat: chat.show_older()))
            assert reply is not None
            reply.result(TIMEOUT)
        assert talk.perform(InChat(lambda chat: chat.show_older())) is None
        assert shown.texts[-1] == "Nothing older."


def test_whether_a_user_exists_is_asked_in_silence() -> None:
    """The reply is given to the one who asks, and nothing is shown or counts as seen."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.answer(peer.expect("history"), type="error", code="unknown_user", message="there is no such user")
        peer.see_off()
        assert peer.seen == []

    with session(script) as (talk, shown):
        before = list(shown.texts)
        assert isinstance(talk.find("zed").result(TIMEOUT), ErrorReply)
        assert shown.texts == before
        assert [talk.knows(name) for name in ("Bob", "zed")] == [True, False]


def test_what_needs_no_server() -> None:
    """HELP and a mistake are shown, and nothing is sent."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.see_off()

    with session(script) as (talk, shown):
        assert talk.perform(Mistake("So not.")) is None
        assert shown.texts[-1] == "So not."
        assert talk.perform(InChat(lambda chat: chat.show_help(OPERATIONS, about_rooms=False))) is None
        assert any(text.startswith("EX ") for text in shown.texts)
        assert talk.names() == ["bob"]


def test_the_loss_is_shown_once() -> None:
    """A lost connection is shown with what was not confirmed, reported once, and leaving it is safe."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.expect("pm")

    with session(script) as (talk, shown):
        with pytest.raises(ConnectionLostError):
            talk.send(Pm(message="a thought")).result(TIMEOUT)
        assert shown.ended.wait(TIMEOUT)
        assert shown.texts[-2:] == ["Not confirmed, so perhaps not sent: a thought", "The server went away."]
        with pytest.raises(ConnectionLostError):
            talk.perform(Users())


def test_what_could_not_be_sent_is_kept() -> None:
    """A message that is too long, or one too many while the connection is lost, is there to be edited, once."""
    long, crowded = Pm(message="too long"), Pm(message="one too many")

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.see_off()

    with session(script, limits=Limits(pending=0)) as (talk, shown):
        assert talk.perform(Mistake("too long", unsent=long)) is None
        assert [talk.take_unsent(), talk.take_unsent()] == [long, None]
        assert talk.perform(crowded) is None
        assert talk.take_unsent() == crowded
    assert "Too many" in shown.texts[-1]


def test_what_is_read_is_not_shown() -> None:
    """A page that is asked for to be read is given, and shown nowhere else; so is the reason why there is none."""

    def script(peer: Peer) -> None:
        peer.log_in()
        message = {"id": 7, "time": TIME, "from": "bob", "message": "hi"}
        peer.answer(peer.expect("history"), type="history", messages=[message], more=True)
        peer.answer(peer.expect("history"), type="error", code="internal", message="no\x1b")
        peer.expect("history")
        peer.say(type="bye", reason="shutdown")

    with session(script) as (talk, shown):
        given: queue.Queue[Page | str] = queue.Queue()
        before, command = list(shown.texts), talk.reading.begin(40)
        assert command == History(limit=40)
        for _ in range(3):
            talk.reading.ask(command, given.put)
            page = given.get(timeout=TIMEOUT)
            if isinstance(page, Page):
                assert (page.lines[-1].text, page.older) == ("09:30 bob: hi", History(before=7, limit=40))
            else:
                before.append(page)
        assert before[-2:] == ["No\u241b.", "The server is shutting down."]
        assert shown.ended.wait(TIMEOUT)
        talk.reading.ask(command, given.put)
        assert given.get(timeout=TIMEOUT) == before[-1]
        assert "bob: hi" not in "".join(shown.texts)


def test_presence_is_told_later() -> None:
    """Who came and went is told by a function that is to be called some seconds later; the bar has it at once."""
    shown, waiting = Shown(), []

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.say(type="users", users=["alice", "zoe"], time=TIME)
        peer.answer(peer.expect("users"), type="users", users=["alice", "zoe"], time=TIME)
        peer.see_off()

    def later(seconds: float, do: Callable[[], None]) -> None:
        waiting.append((seconds, do))

    with FakeServer(script) as server:
        make_link = partial(Link, first=connect("127.0.0.1", server.port))
        talk = Session(make_link, shown.show, shown.end, presence="folded", later=later)
        talk.start()
        talk.send(Login(username="alice", password="securepassword", confirm=True)).result(TIMEOUT)
        talk.send(Users()).result(TIMEOUT)
        ((seconds, do),) = waiting
        assert (seconds, "zoe is online" in shown.texts[-1], shown.stirred > 0) == (FOLD, False, True)
        do()
        assert shown.texts[-1].endswith("-- zoe is online, bob is gone")
        talk.leave()


@pytest.mark.parametrize(("size", "asked"), [(Size(80, 24), [3]), (None, [2, 3])])
def test_what_is_not_on_show_is_not_deleted(size: Size | None, asked: list[int]) -> None:
    """At a terminal a mistyped number deletes nothing; a script knows its numbers."""
    shown, heard = Shown(), []

    def script(peer: Peer) -> None:
        peer.greet(features=["delete"])
        peer.answer(peer.expect("login"), **login_ok("alice"))
        peer.say(type="broadcast", id=3, time=TIME, from_="alice", message="on show")
        peer.answer(peer.expect("users"), type="users", users=["alice"], time=TIME)
        while (command := peer.hear())["command"] in {"delete", "seen"}:
            if command["command"] == "delete":
                heard.append(command["id"])
            peer.answer(command, type="ack", command=command["command"], id=command["id"])
        peer.answer(command, type="bye", reason="exit")

    with FakeServer(script) as server:
        make_link = partial(Link, first=connect("127.0.0.1", server.port))
        talk = Session(make_link, shown.show, shown.end, size=size and (lambda: size))
        talk.start()
        talk.send(Login(username="alice", password="securepassword", confirm=True)).result(TIMEOUT)
        talk.send(Users()).result(TIMEOUT)
        for number in (2, 3):
            if reply := talk.perform(InChat(methodcaller("delete", number))):
                reply.result(TIMEOUT)
        talk.leave()
    assert heard == asked
    assert any("2 is not on show" in text for text in shown.texts) == (size is not None)


@pytest.mark.parametrize(("size", "limit"), [(None, 50), (Size(80, 24), 20)])
def test_history_by_the_screen(size: Size | None, limit: int) -> None:
    """HISTORY asks for as many messages as fit the screen; without one for as many as a page has."""
    shown = Shown()

    def script(peer: Peer) -> None:
        peer.log_in()
        command = peer.expect("history")
        assert command.get("limit", 50) == limit
        peer.answer(command, type="history", messages=[], more=False)
        peer.see_off()

    with FakeServer(script) as server:
        make_link = partial(Link, first=connect("127.0.0.1", server.port))
        talk = Session(make_link, shown.show, shown.end, size=size and (lambda: size))
        talk.start()
        talk.send(Login(username="alice", password="securepassword", confirm=True)).result(TIMEOUT)
        reply = talk.perform(InChat(lambda chat: chat.show_history(None, None)))
        assert reply
        reply.result(TIMEOUT)
        talk.leave()


def test_what_is_sent_to_an_old_name_goes_to_the_new_one() -> None:
    """A talk, a draft or a page to read may still have it; who was muted is so under the new name, and that is kept."""

    def script(peer: Peer) -> None:
        peer.log_in()
        assert peer.expect("ping")
        peer.say(type="renamed", from_="bob", to="bobby", time=TIME)
        sent.append(peer.expect("dm")["to"])
        sent.append(peer.expect("history")["with"])
        done.set()
        peer.see_off()

    sent: list[str] = []
    kept: list[tuple[str, bool]] = []
    done, told = threading.Event(), threading.Event()
    with session(script) as (talk, _):

        def keep(name: str, is_muted: bool) -> None:
            kept.append((name, is_muted))
            if len(kept) == 2:
                told.set()

        talk.deeds.recall_muted(["bob"], keep)
        talk.send(Ping())
        assert told.wait(TIMEOUT)
        talk.send(Dm(to="bob", message="hi"))
        talk.reading.ask(History(with_="bob"), lambda _: None)
        assert done.wait(TIMEOUT)
    assert (sent, sorted(kept)) == (["bobby", "bobby"], [("bob", False), ("bobby", True)])
