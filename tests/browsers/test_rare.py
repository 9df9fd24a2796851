"""What is rare at the page: names that are nobody's, rooms that others change, losses at a bad time, the next user."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browsers.person import PHONE
from tests.support.helpers import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Route

    from tests.browsers.between import Between
    from tests.browsers.person import Person
    from tests.browsers.service import Chat


def test_a_topic_that_somebody_else_sets_is_told(visit: Callable[..., Person], chat: Chat) -> None:
    """In a quiet line, and the room goes on."""
    bob, alice = chat.enter("bob", rooms=True), visit()
    bob.ask("create", room="ops")
    alice.register("alice")
    alice.join_room("ops")
    bob.ask("set_room", room="ops", topic="tea")
    alice.is_told("The topic is now: tea")
    bob.ask("pm", room="ops", message="still here")
    alice.sees("still here")


def test_a_room_that_is_gone_says_so(visit: Callable[..., Person], chat: Chat) -> None:
    """Where it is open: in a line, and without an offer to join it again."""
    alice = visit()
    alice.register("alice")
    alice.make_room("ops")
    command = [sys.executable, "-m", "service.admin", "room", "delete", "ops", "--db", str(chat.database)]
    subprocess.run(command, check=True, capture_output=True)
    alice.is_told("#ops is gone. Nobody can read or write there any more.")
    alice.is_told("You are no longer in #ops.")
    expect(alice.page.locator("#composer").get_by_role("button", name="Join")).to_have_count(0)


def test_an_address_of_nobody_says_so(visit: Callable[..., Person], chat: Chat) -> None:
    """It offers no room of that name, and is left like any other conversation."""
    alice = visit(f"{chat.url}#/@nobody-here")
    alice.register("alice")
    alice.is_told("There is no user called nobody-here.")
    expect(alice.page.locator("#composer").get_by_role("button", name="Join")).to_have_count(0)
    alice.turn_to("all")
    expect(alice.conversation("nobody-here")).to_have_count(0)


def test_a_talk_in_capitals_is_the_same_talk(visit: Callable[..., Person], chat: Chat) -> None:
    """What is said there stays in sight."""
    chat.enter("bob")
    alice = visit()
    alice.register("alice")
    alice.page.goto(f"{chat.url}#/@BOB")
    alice.is_at("bob")
    alice.say("hello")
    alice.has_sent("hello")
    expect(alice.page).to_have_url(f"{chat.url}#/@bob")
    expect(alice.conversation("BOB")).to_have_count(0)


def test_half_a_character_does_not_wait_for_ever(visit: Callable[..., Person]) -> None:
    """A text that no line can say is sent with a sign in its place."""
    alice = visit()
    alice.register("alice")
    alice.composer.evaluate("box => { box.value = 'half \\ud83d'; box.dispatchEvent(new Event('input')); }")
    alice.composer.press("Enter")
    alice.has_sent("half")


def test_members_that_left_meanwhile_are_gone(visit: Callable[..., Person], chat: Chat, between: Between) -> None:
    """After a loss the list of members is asked for anew."""
    bob, alice = chat.enter("bob", rooms=True), visit(between.url)
    bob.ask("create", room="ops")
    alice.register("alice")
    alice.join_room("ops")
    expect(alice.member("bob")).to_have_count(1)
    between.down.hold()
    bob.ask("leave", room="ops")
    between.cut()
    between.down.open()
    expect(alice.member("bob")).to_have_count(0)


def test_who_logs_in_next_finds_nothing_of_the_one_before(visit: Callable[..., Person], chat: Chat) -> None:
    """Neither drafts, nor what was read aloud, nor the talk that was open."""
    bob, alice = chat.enter("bob"), visit()
    alice.register("alice")
    alice.write_to("bob")
    bob.ask("dm", to="alice", message="a secret")
    alice.sees("a secret")
    alice.composer.fill("a draft")
    alice.log_out()
    expect(alice.page.locator("#spoken")).to_be_empty()
    expect(alice.page.locator("#text")).to_have_value("")
    alice.register("carol")
    alice.is_at("all")
    expect(alice.conversation("bob")).to_have_count(0)


def test_a_jump_to_the_top_goes_on_to_the_beginning(visit: Callable[..., Person], chat: Chat) -> None:
    """At the very top there is no scrolling further up, and so nothing that asks for more."""
    bob, alice = chat.enter("bob"), visit()
    for number in range(500):
        bob.ask("pm", message=f"message {number}.")
    alice.register("alice")
    alice.sees("message 499.")
    while not alice.row("message 0.").count():  # the test's time-out ends it
        alice.talk.evaluate("talk => { talk.scrollTop = 0; }")
        alice.next_frame()
    alice.talk.evaluate("talk => { talk.scrollTop = 0; }")
    alice.sees("message 0.")


@pytest.mark.parametrize("comes_after", [1, 2, 3], ids=["the first press", "half the second", "both"])
def test_a_button_that_is_pressed_twice_opens_one_dialog(visit: Callable[..., Person], comes_after: int) -> None:
    """Where it is there by then, the second press lands beside it, and leaves it open; a later one there closes it."""
    alice = visit()
    held: list[Route] = []
    alice.page.route("**/search.js", lambda route: held.append(route))  # noqa: PLW0108 - it looks into what it calls
    alice.register("alice")
    until(lambda: alice.page.evaluate("true") and held)
    mouse = alice.page.mouse
    alice.button("Search").hover()
    mouse.down()
    rest: list[Callable[[], None]] = [mouse.up, partial(mouse.down, click_count=2), partial(mouse.up, click_count=2)]
    for number, move in enumerate(rest, start=1):
        move()
        if number == comes_after:
            held.pop().continue_()
            expect(alice.dialog).to_have_count(1)
    alice.next_frame()
    expect(alice.dialog).to_have_count(1)
    mouse.click(1, 1)
    expect(alice.dialog).to_have_count(0)


def test_a_double_press_answers_no_question(visit: Callable[..., Person], chat: Chat) -> None:
    """On a phone the answer stands where the question was asked for: the second press is not for it."""
    alice = visit(chat.url, **PHONE)
    alice.register("alice")
    alice.make_room("ops")
    alice.button("About this room").click()
    leave = alice.dialog.get_by_role("button", name="Leave the room")
    box = leave.bounding_box()
    assert box is not None
    leave.dblclick(position={"x": box["width"] - 40, "y": box["height"] / 2})
    alice.next_frame()
    alice.is_told("Leave #ops?")
    leave.click()
    expect(alice.dialog).to_have_count(0)
    expect(alice.conversation("ops")).to_have_count(0)


def test_a_pull_out_of_a_dialog_leaves_it_open(visit: Callable[..., Person]) -> None:
    """Who chooses a text with the mouse often lets go beside it."""
    alice = visit()
    alice.register("alice")
    alice.button("Search").click()
    words = alice.dialog.get_by_label("Words to look for")
    words.fill("chosen")
    words.hover()
    alice.page.mouse.down()
    alice.page.mouse.move(1, 1)
    alice.page.mouse.up()
    alice.next_frame()
    expect(words).to_have_value("chosen")


@pytest.mark.parametrize("place", ["head", "side", "members"])
def test_a_press_outlives_what_changes_meanwhile(visit: Callable[..., Person], chat: Chat, place: str) -> None:
    """While the mouse is down somebody comes and writes: what is pressed stays, and is drawn anew behind the press."""
    bob, alice = chat.enter("bob"), visit()
    alice.register("alice")
    people, carol = alice.page.locator("#people"), alice.member("carol")
    buttons = {"head": alice.button("Search"), "side": alice.button("Your account"), "members": alice.member("bob")}
    buttons[place].hover()
    alice.page.mouse.down()
    chat.enter("carol")
    bob.ask("dm", to="alice", message="for you alone")
    bob.ask("pm", message="for all")
    alice.sees("for all")
    expect(people.filter(has_text="3").or_(carol).first).to_be_visible()  # that of the two which is not held
    alice.page.mouse.up()
    expect(alice.dialog).to_have_count(1)
    alice.page.keyboard.press("Escape")
    expect(people).to_have_text("3")
    expect(alice.conversation("bob")).to_contain_text("1 unread")
    expect(carol).to_have_count(1)


def test_a_full_storage_costs_no_draft(visit: Callable[..., Person]) -> None:
    """Over a turn to another conversation and back; that one is not logged in for long is said."""
    alice = visit()
    alice.page.evaluate(
        "() => { Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }; }"
    )
    alice.register("alice")
    alice.is_told("This browser keeps nothing for this page")
    alice.composer.fill("a draft")
    alice.make_room("ops")
    alice.turn_to("all")
    expect(alice.composer).to_have_value("a draft")
