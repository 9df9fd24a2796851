"""The service is killed between a message of the page and its ack: the message is there once, and the page says so.

`make soak-web` does it fifty times.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.helpers import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.between import Between
    from tests.browsers.person import Person
    from tests.browsers.service import Chat

KILLS: Final = int(os.environ.get("KILLS", "10"))


def kill_after_the_commit(chat: Chat, between: Between, alice: Person, text: str) -> None:
    """The message is stored, and its ack is lost."""
    between.down.hold()
    alice.say(text)
    until(lambda: chat.stored(text))
    chat.kill()


def kill_before_it_comes(chat: Chat, between: Between, alice: Person, text: str) -> None:
    """The message is lost."""
    between.up.hold()
    before = between.up.arrived
    alice.say(text)
    between.up.wait_for_more(before)
    chat.kill()
    assert not chat.stored(text)


def kill_meanwhile(chat: Chat, between: Between, alice: Person, text: str) -> None:
    """Nobody knows."""
    before = between.up.arrived
    alice.say(text)
    between.up.wait_for_more(before)
    chat.kill()


WAYS: Final = (kill_after_the_commit, kill_before_it_comes, kill_meanwhile)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_message_is_there_once(
    chat: Chat, between: Between, visit: Callable[..., Person], way: Callable[..., None]
) -> None:
    """Whenever the service was killed: it is stored once and shown once, as stored, in the order of the writing."""
    alice = visit(between.url)
    alice.register("alice")
    texts = [f"message {number} of {KILLS}" for number in range(-(-KILLS // len(WAYS)))]
    for text in texts:
        way(chat, between, alice, text)
        between.cut()
        between.up.open()
        between.down.open()
        alice.is_told("Reconnecting")
        chat.start_again()
        alice.try_now()
        alice.has_sent(text)
    assert [len(chat.stored(text)) for text in texts] == [1] * len(texts)
    alice.reads(*texts)
    alice.reload()
    alice.reads(*texts)
    bob = chat.enter("bob")
    assert [row["message"] for row in bob.ask("history", limit=200)["messages"]] == texts
