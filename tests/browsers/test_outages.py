"""The network or the service is away for a while: nothing is lost, and the page says what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.helpers import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import WebSocketRoute

    from tests.browsers.between import Between
    from tests.browsers.person import Person
    from tests.browsers.service import Chat


def test_what_is_written_without_a_service_is_sent_later(visit: Callable[..., Person], chat: Chat) -> None:
    """In the order of the writing, after a reload of the page, too, as far as it came from the browser's memory."""
    alice = visit()
    alice.register("alice")
    alice.say("before")
    alice.has_sent("before")
    chat.kill()
    for text in ("one", "two", "three"):
        alice.say(text)
    alice.is_told("Reconnecting, 3 messages wait")
    expect(alice.row("three")).to_contain_text("Waits for the connection")
    chat.start_again()
    alice.try_now()
    alice.has_sent("three")
    alice.reads("before", "one", "two", "three")
    assert [len(chat.stored(text)) for text in ("one", "two", "three")] == [1, 1, 1]


def test_what_waits_outlives_the_page(visit: Callable[..., Person], chat: Chat, between: Between) -> None:
    """The tab is closed before the service is back: the next one sends it."""
    alice = visit(between.url)
    alice.register("alice")
    between.up.hold()
    alice.say("on its way")
    expect(alice.row("on its way")).to_be_visible()
    alice.page.close()
    between.cut()
    between.up.open()
    again = alice.beside()
    again.has_sent("on its way")
    assert len(chat.stored("on its way")) == 1


def test_what_came_meanwhile_is_there(visit: Callable[..., Person], chat: Chat) -> None:
    """In all conversations, deletions too, without a hole."""
    bob = chat.enter("bob")
    gone = bob.ask("pm", message="soon deleted")["id"]
    alice = visit()
    alice.register("alice")
    alice.reads("soon deleted")
    chat.kill()
    chat.start_again()
    bob = chat.enter("bob")
    bob.ask("delete", id=gone)
    for number in range(120):
        bob.send({"command": "pm", "message": f"message {number}"})
    bob.ask("dm", to="alice", message="for you alone")
    alice.try_now()
    alice.sees("message 119")
    expect(alice.conversation("bob")).to_contain_text("1 unread")
    alice.reads("This message was deleted.", *(f"message {number}" for number in range(120)))


def test_what_came_before_ones_own_message_is_there(visit: Callable[..., Person], chat: Chat) -> None:
    """The ack of what waited comes before the page has fetched what others said meanwhile, which stands above it."""
    alice = visit("about:blank")
    held: list[Callable[[], None]] = []

    def hold_what_was_said(route: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            if '"type":"since"' in str(message):
                held.append(lambda: route.send(message))
            else:
                route.send(message)

        route.connect_to_server().on_message(pass_on)

    alice.page.route_web_socket("**/chat", hold_what_was_said)
    alice.page.goto(chat.url)
    alice.register("alice")
    chat.kill()
    alice.say("on its way")
    alice.is_told("Waits for the connection")
    chat.start_again()
    chat.enter("bob").ask("pm", message="said meanwhile")
    alice.try_now()
    until(lambda: alice.page.evaluate("true") and held and chat.stored("on its way"))
    alice.next_frame()
    held.pop()()
    alice.reads("said meanwhile", "on its way")


@pytest.mark.parametrize("is_told", [True, False], ids=["told by the browser", "silent"])
def test_a_network_that_is_gone_is_noticed(
    visit: Callable[..., Person], chat: Chat, between: Between, is_told: bool
) -> None:
    """The socket stays open and nothing comes: the page asks, hears nothing and says so; what waits is sent later."""
    alice = visit("about:blank")
    alice.page.clock.install()
    alice.page.goto(between.url)
    alice.register("alice")
    between.up.hold()
    between.down.hold()
    if is_told:
        alice.context.set_offline(offline=True)
    alice.say("into the silence")
    for _ in range(1 if is_told else 4):  # without a word from the browser it asks after 20 s, and waits for 15 more
        alice.page.clock.run_for(10_000)
    alice.is_told("Reconnecting, 1 message waits")
    between.cut()
    between.up.open()
    between.down.open()
    alice.context.set_offline(offline=False)
    alice.page.clock.run_for(2_000)
    alice.has_sent("into the silence")
    assert len(chat.stored("into the silence")) == 1
    alice.is_not_told("Reconnecting")


def test_a_short_loss_is_not_told(visit: Callable[..., Person], chat: Chat, between: Between) -> None:
    """The page is back before anybody has to know: on a slow machine, too, as its stop-watch stands still."""
    alice = visit(between.url)
    alice.register("alice")
    alice.page.evaluate(
        """() => {
            const now = performance.now();
            performance.now = () => now;
            window.told = [];
            const look = () => { const text = document.querySelector("#head").innerText;
                text.includes("Reconnecting") && window.told.push(text); };
            new MutationObserver(look).observe(document.querySelector("#head"), {subtree: true, childList: true});
        }"""
    )
    between.cut()
    alice.try_now()
    chat.enter("bob").ask("pm", message="still there?")
    alice.sees("still there?")
    assert alice.page.evaluate("window.told") == []


def test_the_operator_stops_the_service(visit: Callable[..., Person], chat: Chat) -> None:
    """What was read can still be read; the page comes back by itself."""
    chat.enter("bob").ask("pm", message="read me")
    alice = visit()
    alice.register("alice")
    chat.program.stop()
    alice.is_told("Reconnecting")
    alice.sees("read me")
    chat.start_again()
    alice.is_not_told("Reconnecting")  # by its own clock, without an event
    alice.say("good morning")
    alice.has_sent("good morning")
