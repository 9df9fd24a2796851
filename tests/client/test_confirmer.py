"""What was shown is confirmed; tests/client/test_session.py has it on the wire."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final, cast

import pytest

from client.confirmer import Confirmer
from client.net.connection import ConnectionLostError
from client.net.link import OfflineError
from service.wire.protocol import Seen
from tests.support.events import direct, model_after_login

if TYPE_CHECKING:
    from client.net.link import Link
    from service.wire.protocol import AnyCommand, AnyEvent

PATIENCE: Final = 10.0  # seconds


class FakeLink:
    """Notes what is sent, or fails as it is told to, once."""

    def __init__(self, failure: Exception | None = None, outstanding: int = 0) -> None:
        self.sent: list[AnyCommand] = []
        self.arrived = threading.Event()
        self._failure = failure
        self._outstanding = outstanding

    def outstanding(self) -> int:
        return self._outstanding

    def send(self, command: AnyCommand) -> Future[AnyEvent]:
        if failure := self._failure:
            self._failure = None
            raise failure
        self.sent.append(command)
        self.arrived.set()
        return Future()


def confirmer(link: FakeLink, pace: float = 0.0) -> Confirmer:
    """One with a direct message, 11, to confirm."""
    model = model_after_login()
    model.receive(direct(11))
    return Confirmer(cast("Link", link), model, threading.Lock(), pace)


def test_the_last_thing_is_a_receipt() -> None:
    """However long the pause, leaving confirms what was shown, and ends the thread."""
    link = FakeLink()
    one = confirmer(link, pace=1e6)
    one.start()
    one.stir()
    one.stop(confirm=True)
    assert link.sent == [Seen(id=11)]
    assert "chat-seen" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("started", [False, True])
def test_leaving_without_a_receipt(started: bool) -> None:
    """Where nobody has read what was printed; and where it never began."""
    link = FakeLink()
    one = confirmer(link)
    if started:
        one.start()
    one.stop(confirm=False)
    one.join()
    assert link.sent == []


def test_nothing_is_confirmed_behind_an_editor() -> None:
    """It is, once the screen is back."""
    link = FakeLink()
    one = confirmer(link)
    one.hide(is_hidden=True)
    one.confirm()
    assert link.sent == []
    one.hide(is_hidden=False)
    one.confirm()
    assert link.sent == [Seen(id=11)]


def test_a_server_that_answers_nothing_is_asked_for_no_more() -> None:
    """What it has not confirmed would fill the memory."""
    link = FakeLink(outstanding=1_001)
    confirmer(link).confirm()
    assert link.sent == []


def test_a_receipt_waits_for_a_link_that_is_about_to_be_back() -> None:
    """The model knows already; the link refuses once more."""
    link = FakeLink(OfflineError("not yet"))
    one = confirmer(link)
    one.start()
    one.stir()
    assert link.arrived.wait(PATIENCE)
    one.stop(confirm=False)
    assert link.sent == [Seen(id=11)]


def test_a_loss_for_good_is_no_failure() -> None:
    """The message stays unseen, and is offered at the next login."""
    link = FakeLink(ConnectionLostError("gone"))
    confirmer(link).confirm()
    assert link.sent == []
