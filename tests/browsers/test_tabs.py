"""Several tabs of one person: each shows all, and only one of them calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.support.helpers import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat

HOUR = 3_600  # seconds
NOTE_CALLS = """
    window.calls = [];
    window.Notification = class extends EventTarget {
        static permission = "granted";
        static requestPermission() { return Promise.resolve("granted"); }
        constructor(title, options) { super(); window.calls.push([title, options.body]); window.last = this; }
        close() {}
    };
"""


def calls(*tabs: Person) -> list[Any]:
    """The notifications of these tabs together."""
    return [call for tab in tabs for call in tab.page.evaluate("window.calls")]


@pytest.fixture
def alice(visit: Callable[..., Person]) -> Person:
    """At the page; she wants notifications."""
    alice = visit("about:blank")
    alice.context.add_init_script(NOTE_CALLS)
    return alice


def enter_and_ask_for_calls(alice: Person, url: str) -> None:
    alice.url = url
    alice.page.goto(url)
    alice.register("alice")
    alice.open_account()
    alice.dialog.get_by_label("Notify me").check()
    alice.page.keyboard.press("Escape")


def open_beside(alice: Person) -> Person:
    """A second tab, which would call if the first were closed."""
    beside = alice.beside()
    beside.is_in()
    until(lambda: waiting_to_lead(beside) == 1)
    return beside


def waiting_to_lead(tab: Person) -> int:
    """How many tabs would call if another one were closed; -1 while none calls."""
    asked = "navigator.locks.query().then(locks => locks.held.length ? locks.pending.length : -1)"
    count: int = tab.page.evaluate(asked)
    return count


def test_what_one_tab_sends_the_others_show(visit: Callable[..., Person], chat: Chat) -> None:
    """Once each, also in the tab that sent it."""
    alice = visit()
    alice.register("alice")
    beside = alice.beside()
    beside.is_in()
    alice.say("from the first")
    beside.sees("from the first")
    beside.say("from the second")
    alice.sees("from the second")
    for tab in (alice, beside):
        tab.reads("from the first", "from the second")


def test_a_text_that_waits_in_two_tabs_is_sent_once(visit: Callable[..., Person], chat: Chat) -> None:
    """Whichever of them connects first; none of them loses what the other wrote."""
    alice = visit()
    alice.register("alice")
    beside = alice.beside()
    beside.is_in()
    chat.kill()
    alice.say("from the first")
    beside.say("from the second")
    alice.is_told("Waits for the connection")
    beside.is_told("Waits for the connection")
    chat.start_again()
    for tab in (alice, beside):
        tab.try_now()
        tab.has_sent("from the first")
        tab.has_sent("from the second")
    assert [len(chat.stored(f"from the {which}")) for which in ("first", "second")] == [1, 1]


def test_one_tab_calls(alice: Person, chat: Chat) -> None:
    """A direct message and a message with one's name, where nobody looks; a press on it leads there."""
    enter_and_ask_for_calls(alice, chat.url)
    beside = open_beside(alice)
    for tab in (alice, beside):
        tab.look_away()
    bob = chat.enter("bob")
    bob.ask("pm", message="nothing for anybody")
    bob.ask("pm", message="have a look, alice")
    bob.ask("dm", to="alice", message="for you alone")
    until(lambda: len(calls(alice)) == 2)
    assert calls(alice, beside) == [["bob, #all", "have a look, alice"], ["bob", "for you alone"]]
    expect(alice.page).to_have_title(re.compile(r"^\(2\) "))
    expect(beside.page).to_have_title(re.compile("^#all"))
    alice.page.evaluate("window.last.onclick()")
    alice.is_at("bob")


def test_nothing_calls_for_what_is_looked_at(alice: Person, chat: Chat) -> None:
    """In this tab or in another one; what comes after it does."""
    clock = alice.page.clock  # of both tabs: the other one says in time that it shows the message
    clock.install(time=0)
    enter_and_ask_for_calls(alice, chat.url)
    beside = open_beside(alice)
    clock.pause_at(HOUR)
    alice.look_away()
    bob = chat.enter("bob")
    bob.ask("pm", message="have a look, alice")
    for tab in (alice, beside):
        expect(tab.spoken).to_contain_text("have a look, alice")
    clock.run_for(400)

    def is_read() -> bool:
        clock.run_for(0)  # what is to be drawn is drawn
        return "unread" not in alice.conversation("all").inner_text()

    until(is_read)
    clock.run_for(1_000)
    assert calls(alice, beside) == []
    beside.look_away()
    bob.ask("pm", message="alice, once more")
    expect(alice.spoken).to_contain_text("alice, once more")
    clock.run_for(1_000)
    assert calls(alice, beside) == [["bob, #all", "alice, once more"]]


def test_the_next_tab_calls_where_the_first_is_closed(alice: Person, chat: Chat) -> None:
    """Nobody misses a call for it."""
    enter_and_ask_for_calls(alice, chat.url)
    beside = open_beside(alice)
    alice.page.close()
    until(lambda: waiting_to_lead(beside) == 0)
    beside.look_away()
    chat.enter("bob").ask("dm", to="alice", message="for you alone")
    until(lambda: calls(beside))
    expect(beside.page).to_have_title(re.compile(r"^\(1\) #all"))
