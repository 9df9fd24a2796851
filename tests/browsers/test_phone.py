"""A phone: one pane at a time, with the system's way back; nothing is too small to press."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browsers.person import PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat


@pytest.fixture
def alice(visit: Callable[..., Person], chat: Chat) -> Person:
    """At the page, on a phone: she sees her conversations."""
    alice = visit(chat.url, **PHONE)
    alice.register("alice")
    return alice


def test_one_pane_is_there_at_a_time(alice: Person, chat: Chat) -> None:
    """The list, a talk, its members; back is the button's and the system's."""
    chat.enter("bob").ask("pm", message="hello")
    expect(alice.conversation("all")).to_contain_text("1 unread")
    expect(alice.composer).to_be_hidden()
    alice.turn_to("all")
    alice.sees("hello")
    expect(alice.conversation("all")).to_be_hidden()
    alice.button("Show or hide the members").click()
    expect(alice.page.get_by_role("complementary", name="Members")).to_contain_text("bob")
    expect(alice.composer).to_be_hidden()
    alice.page.go_back()
    expect(alice.composer).to_be_visible()
    alice.button("Back to the conversations").click()
    expect(alice.composer).to_be_hidden()
    expect(alice.conversation("all")).not_to_contain_text("unread")


def test_what_is_pressed_is_large_enough(alice: Person, chat: Chat) -> None:
    """44 px each way at least, and fields of 16 px letters: smaller ones make a phone zoom."""
    chat.enter("bob").ask("pm", message="hello")
    small = """() => [...document.querySelectorAll("button, a, input, textarea, select")]
        .filter(each => each.checkVisibility({visibilityProperty: true}) && !each.closest("#list .body"))
        .filter(each => !each.matches(".link, .skip, [type=checkbox]"))
        .map(each => [each.outerHTML.slice(0, 80), each.getBoundingClientRect(), getComputedStyle(each).fontSize])
        .filter(([, box, size]) => box.width && (box.height < 44 || box.width < 44))
        .map(([text, box]) => `${text} ${box.width}x${box.height}`)"""
    assert alice.page.evaluate(small) == []
    alice.turn_to("all")
    alice.sees("hello")
    assert alice.page.evaluate(small) == []
    assert alice.composer.evaluate("box => parseFloat(getComputedStyle(box).fontSize)") >= 16


def test_the_keyboard_leaves_the_box_in_sight(alice: Person) -> None:
    """It takes the half of the screen; the box is above it, and the newest message above the box."""
    alice.turn_to("all")
    for number in range(30):
        alice.say(f"number {number}")
    alice.sees("number 29")
    alice.page.set_viewport_size({"width": 390, "height": 420})
    expect(alice.composer).to_be_in_viewport(ratio=1)
    alice.sees("number 29")


def test_a_turned_phone_shows_the_same(alice: Person) -> None:
    """Landscape: the talk that was open is open."""
    alice.turn_to("all")
    alice.say("hello")
    alice.page.set_viewport_size({"width": 844, "height": 390})
    alice.sees("hello")
    expect(alice.composer).to_be_in_viewport(ratio=1)
    alice.page.set_viewport_size({"width": 390, "height": 844})
    alice.sees("hello")
