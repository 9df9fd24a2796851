"""The reader's place: it is kept whatever comes, and what is new is marked until it was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat
    from tests.support.helpers import Wire

MOST: Final = 400  # rows in the document


@pytest.fixture
def bob(chat: Chat) -> Wire:
    """At a terminal; he has said 600 things of one to three lines."""
    bob = chat.enter("bob")
    talk(bob, range(600))
    return bob


def talk(bob: Wire, numbers: range) -> None:
    for number in numbers:
        bob.send({"command": "pm", "message": f"number {number}." + "\nand more" * (number % 3)})
    bob.read_until_pong()


def top(person: Person, text: str) -> float:
    """How far below the top of the talk a message is, in px."""
    box, frame = person.row(text).bounding_box(), person.talk.bounding_box()
    assert box is not None
    assert frame is not None
    height: float = box["y"] - frame["y"]
    return height


def test_older_messages_do_not_move_the_place(visit: Callable[..., Person], bob: Wire) -> None:
    """Fifty rows come in above, several times: what is read moves by under one pixel."""
    alice = visit()
    alice.register("alice")
    alice.sees("number 599.")
    # The place of the first row in sight, before and after each change of the list.
    alice.page.evaluate(
        """() => {
            const scroller = document.querySelector("#scroll"), list = document.querySelector("#list");
            window.moves = [];
            let seen = null;
            const look = () => {
                const edge = scroller.getBoundingClientRect().top;
                const rows = [...list.querySelectorAll(".message")];
                const row = rows.find(each => each.getBoundingClientRect().bottom > edge);
                seen = row && {row, top: row.getBoundingClientRect().top, first: rows[0]};
            };
            new MutationObserver(() => {
                if (seen && seen.row.isConnected && list.querySelector(".message") !== seen.first) {
                    window.moves.push(Math.abs(seen.row.getBoundingClientRect().top - seen.top));
                }
                look();
            }).observe(list, {childList: true});
            scroller.addEventListener("scroll", look);
            look();
        }"""
    )
    alice.page.mouse.move(640, 300)
    while not alice.row("number 250.").count():  # the test's time-out ends it
        alice.page.mouse.wheel(0, -400)
        alice.next_frame()
    moves = alice.page.evaluate("window.moves")
    assert len(moves) >= 3
    assert max(moves) < 1


def test_new_messages_do_not_move_who_reads_above(visit: Callable[..., Person], bob: Wire) -> None:
    """A storm of two hundred: the place is kept, a button counts them, and leads to them."""
    alice = visit()
    alice.register("alice")
    alice.sees("number 599.")
    alice.scroll_to("number 560.")
    before = top(alice, "number 560.")
    talk(bob, range(600, 800))
    expect(alice.button("200 new")).to_be_visible()
    assert abs(top(alice, "number 560.") - before) < 1
    assert alice.rows.count() <= MOST
    alice.button("200 new").click()
    alice.sees("number 799.")
    expect(alice.button("new")).to_have_count(0)


def test_the_document_stays_small(visit: Callable[..., Person], bob: Wire) -> None:
    """However many messages come, and however far one reads back."""
    alice = visit()
    alice.register("alice")
    alice.sees("number 599.")
    talk(bob, range(600, 1_600))
    alice.sees("number 1599.")
    assert alice.rows.count() <= MOST


def test_who_is_at_the_end_stays_there(visit: Callable[..., Person], bob: Wire) -> None:
    """Each new message is in sight, long ones too."""
    alice = visit()
    alice.register("alice")
    alice.sees("number 599.")
    for number in range(600, 610):
        talk(bob, range(number, number + 1))
        alice.sees(f"number {number}.")


def test_the_divider_stands_still_while_one_looks(visit: Callable[..., Person], chat: Chat) -> None:
    """It says how many came while nobody looked; it stays while they are read, and is gone after an answer."""
    bob = chat.enter("bob")
    alice = visit()
    alice.register("alice")
    bob.ask("pm", message="seen at once")
    alice.sees("seen at once")
    alice.look_away()
    talk(bob, range(3))
    expect(alice.divider).to_have_text("3 unread")
    alice.look_back()
    talk(bob, range(3, 5))
    alice.sees("number 4.")
    expect(alice.divider).to_have_text("3 unread")
    assert alice.divider.evaluate("row => row.nextElementSibling.innerText").endswith("number 0.")
    alice.say("an answer")
    expect(alice.divider).to_have_count(0)


def test_what_is_unread_is_where_a_visit_begins(visit: Callable[..., Person], chat: Chat) -> None:
    """With the divider in sight, however much came since."""
    alice = visit()
    alice.register("alice")
    bob = chat.enter("bob")
    bob.ask("pm", message="seen at once")
    alice.sees("seen at once")
    alice.page.goto("about:blank")
    talk(bob, range(150))
    alice.page.goto(alice.url)
    alice.is_in()
    expect(alice.divider).to_have_text("150 unread")
    expect(alice.divider).to_be_in_viewport()
    alice.sees("number 0.")


def test_only_what_is_looked_at_is_seen(visit: Callable[..., Person], chat: Chat) -> None:
    """Not while the page is hidden, not while one reads further up; the other tab knows at once."""
    bob = chat.enter("bob")
    alice = visit()
    alice.register("alice")
    beside = alice.beside()
    beside.is_in()
    beside.write_to("bob")
    alice.look_away()
    talk(bob, range(3))
    expect(beside.conversation("all")).to_contain_text("3 unread")
    alice.look_back()
    expect(beside.conversation("all")).not_to_contain_text("unread")


def test_an_address_leads_to_a_conversation_or_a_message(visit: Callable[..., Person], bob: Wire, chat: Chat) -> None:
    """It may be kept, or given to others; the system's way back works."""
    bob.ask("dm", to="bob", message="note to oneself")
    alice = visit()
    alice.register("alice")
    alice.make_room("ops")
    (message_id,) = chat.stored("number 99.")
    alice.page.goto(f"{alice.url}#/{''}")
    alice.sees("number 599.")
    alice.page.goto(f"{alice.url}#/ops")
    alice.is_at("#ops")
    alice.page.goto(f"{alice.url}#/@bob")
    alice.is_at("bob")
    alice.page.goto(f"{alice.url}#//{message_id}")
    alice.sees("number 99.")
    alice.page.go_back()
    alice.is_at("bob")
    alice.page.goto(f"{alice.url}#/nowhere")
    alice.is_told("You are not in #nowhere, or it does not exist.")


def test_the_beginning_is_said(visit: Callable[..., Person], chat: Chat) -> None:
    """Where there is nothing before, and where nothing was said at all."""
    alice = visit()
    alice.register("alice")
    alice.is_told("Nobody has written here yet")
    talk(chat.enter("bob"), range(80))
    alice.sees("number 79.")
    alice.page.keyboard.press("Escape")
    alice.talk.focus()
    alice.page.keyboard.press("Home")
    alice.is_told("This is where #all begins")
