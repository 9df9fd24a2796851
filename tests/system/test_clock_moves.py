"""The clock is set back an hour, or forward a day: order, pages, tokens and what is missed go by id, and stay right."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from freezegun import freeze_time

from service.storage.records import DEFAULT_LIFETIME, TOKENS_PER_USER
from tests.support.helpers import Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory, StepTickTimeFactory, TickingDateTimeFactory

    from service.server import Server

    Clock = FrozenDateTimeFactory | StepTickTimeFactory | TickingDateTimeFactory

pytestmark = pytest.mark.engines
START: Final = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
BACK, FORWARD = timedelta(hours=-1), timedelta(days=1)
MOVES: Final = pytest.mark.parametrize("step", [BACK, FORWARD], ids=["back an hour", "forward a day"])


@pytest.fixture
def clock() -> Iterator[Clock]:
    """The clock, standing at the start."""
    with freeze_time(START) as clock:
        yield clock


@pytest.fixture
def server(clock: Clock, tmp_path: Path) -> Iterator[Server]:
    """A server under that clock."""
    with running_server(tmp_path) as server:
        yield server


def ids_of(page: dict[str, list[dict[str, int]]]) -> list[int]:
    """The ids on a page."""
    return [message["id"] for message in page["messages"]]


@MOVES
def test_messages_keep_their_order(server: Server, clock: Clock, step: timedelta) -> None:
    """Live, in pages either way and in a search they come by id; only the times jump."""
    with enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        before = [alice.ask("pm", message="a word")["id"] for _ in range(3)]
        clock.move_to(START + step)
        after = [alice.ask("pm", message="a word")["id"] for _ in range(3)]
        both = before + after
        assert both == sorted(both)
        assert [bob.read_type("broadcast")["id"] for _ in both] == both
        page = bob.ask("history")
        assert ids_of(page) == both
        assert page["messages"][-1]["time"] == f"{START + step:%Y-%m-%dT%H:%M:%S.000Z}"
        assert ids_of(bob.ask("history", after=before[-1])) == after
        assert ids_of(bob.ask("history", before=after[0], limit=2)) == before[-2:]
        assert ids_of(bob.ask("search", query="word")) == both[::-1]


@MOVES
@pytest.mark.parametrize("confirm", [False, True])
def test_missed_messages_are_seen_once(server: Server, clock: Clock, step: timedelta, *, confirm: bool) -> None:
    """What was written before and after the move is missed, in order, until it is seen; then no more."""
    enter(server.port, "bob").close()
    with enter(server.port, "alice") as alice:
        while alice.ask("users")["users"] != ["alice"]:
            pass
        sent = [alice.ask("dm", to="bob", message="first")["id"]]
        clock.move_to(START + step)
        sent.append(alice.ask("dm", to="bob", message="later")["id"])
        with enter(server.port, "bob", confirm=confirm) as bob:
            assert (bob.hello["missed"], bob.hello["last_id"]) == (2, sent[-1])
            assert ids_of(bob.ask("missed")) == sent
            if confirm:
                bob.ask("seen", ids=sent)
        with enter(server.port, "bob", confirm=confirm) as bob:
            assert (bob.hello["missed"], ids_of(bob.ask("missed"))) == (0, [])


@MOVES
def test_a_token_goes_on(server: Server, clock: Clock, step: timedelta) -> None:
    """It is good after the move, for its whole life from then on, and no longer."""
    with enter(server.port, "alice") as alice:
        token = alice.hello["token"]
    life = timedelta(seconds=DEFAULT_LIFETIME)
    for moment, kind in [
        (step, "login_ok"),
        (step + life - timedelta(seconds=1), "login_ok"),
        (step + 3 * life, "error"),
    ]:
        clock.move_to(START + moment)
        with Wire(server.port) as wire:
            assert wire.ask("resume", token=token)["type"] == kind


def test_a_login_after_the_clock_was_set_back_keeps_its_token(server: Server, clock: Clock) -> None:
    """With as many tokens as are kept, all of a later time, it is not the new one that goes."""
    for _ in range(TOKENS_PER_USER):
        enter(server.port, "alice").close()
    clock.move_to(START + BACK)
    with enter(server.port, "alice") as alice, Wire(server.port) as again:
        assert again.ask("resume", token=alice.hello["token"])["type"] == "login_ok"


@MOVES
def test_the_users_list_comes_every_thirty_seconds(server: Server, clock: Clock, step: timedelta) -> None:
    """By the new time, from the move on."""
    with enter(server.port, "alice") as alice:
        for seconds in (0, 30, 60):
            clock.move_to(START + step + timedelta(seconds=seconds))
            server.ticker.poke()
            while (
                alice.read_type("users")["time"]
                != f"{START + step + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S.000Z}"
            ):
                pass
