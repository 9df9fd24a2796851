"""The model behind its lock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from client.chat.model import Model
from client.text import hint
from client.view import View
from service.wire.protocol import Login, UsersReply
from tests.support.events import TIME, login_ok

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from client.text import Line


def test_what_is_shown_stirs() -> None:
    """Outside the lock; what has no lines shows nothing."""
    shown: list[str] = []

    def show(lines: Sequence[Line]) -> None:
        assert not view.lock.locked()
        shown.extend(line.text for line in lines)

    view = View(Model(), show)
    view.stir = lambda: shown.append("stirred")
    view.tell(lambda _: [])
    view.tell(lambda _: [hint("hi")])
    assert (shown, view.look(lambda model: model.name)) == (["hi", "stirred"], "")


def test_what_can_wait_is_told_later() -> None:
    """By who gives the time."""
    shown: list[str] = []
    later: list[Callable[[], None]] = []
    model = Model(lambda: datetime(2026, 11, 21, 12, tzinfo=UTC), UTC, presence="folded")
    view = View(model, lambda lines: shown.extend(line.text for line in lines), lambda _seconds, do: later.append(do))
    view.look(lambda model: model.receive(login_ok(), Login(username="alice")))
    view.tell(lambda model: model.receive(UsersReply(users=["alice"], time=TIME)))
    assert shown == []
    later[0]()
    assert shown == ["09:30 -- bob is gone"]
