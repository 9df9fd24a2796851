"""Nothing keeps people out: axe finds nothing serious on any view, in any size and colours; what is new is read out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browsers.person import DESKTOP, PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat

GRAVE: Final = ("serious", "critical")  # as axe calls them


def grave(person: Person) -> list[str]:
    """What axe finds on the page as it is."""
    found = Axe().run(person.page).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:200]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(
    visit: Callable[..., Person], chat: Chat, size: dict[str, Any], colours: str
) -> None:
    """At the door, in a talk with all that can stand there, and in each dialog."""
    alice = visit(chat.url, color_scheme=colours, **size)
    alice.is_out()
    found = {"the door": grave(alice)}
    alice.offer_name("alice")
    expect(alice.field("The same again")).to_be_visible()
    found["a new name"] = grave(alice)
    alice.choose_password()
    alice.is_in()
    found["the conversations"] = grave(alice)
    alice.page.goto(f"{alice.url}#/")
    alice.is_told("Nobody has written here yet")
    found["an empty room"] = grave(alice)
    bob = chat.enter("bob")
    for text in ("hello, alice", "see https://example.org and `code`", "```\na block\n```", "* waves"):
        bob.ask("pm", message=text)
    bob.ask("dm", to="alice", message="for you")
    alice.say("mine")
    alice.sees("mine")
    found["a talk"] = grave(alice)
    for name in ("Your account", "Search", "About this room", "Join or make a room", "Write to somebody"):
        alice.press_wherever(name)
        expect(alice.dialog).to_be_visible()
        found[name] = grave(alice)
        alice.page.keyboard.press("Escape")
        expect(alice.dialog).to_have_count(0)
    chat.kill()
    alice.page.goto(f"{alice.url}#/")
    alice.say("waits")
    alice.is_told("Reconnecting")
    found["offline"] = grave(alice)
    assert {name: faults for name, faults in found.items() if faults} == {}


def test_only_what_is_new_is_read_out(visit: Callable[..., Person], chat: Chat) -> None:
    """Not what was there before, not what one wrote."""
    bob = chat.enter("bob")
    bob.ask("pm", message="from before")
    alice = visit()
    alice.register("alice")
    alice.sees("from before")
    alice.say("mine")
    bob.ask("pm", message="something new")
    expect(alice.spoken).to_have_text("bob: something new")


def test_there_are_landmarks_and_a_way_round_them(visit: Callable[..., Person]) -> None:
    """The conversations, the talk and the members; the first link leads to the box."""
    alice = visit()
    alice.register("alice")
    expect(alice.page.get_by_role("navigation", name="Conversations")).to_be_visible()
    expect(alice.page.get_by_role("main", name="Talk")).to_be_visible()
    expect(alice.page.get_by_role("complementary", name="Members")).to_be_visible()
    first = alice.page.get_by_role("link").first
    expect(first).to_have_text("Skip to the message box")
    first.press("Enter")
    expect(alice.composer).to_be_focused()


def test_nothing_moves_for_who_does_not_want_it(visit: Callable[..., Person], chat: Chat) -> None:
    """As the system says."""
    alice = visit(chat.url, reduced_motion="reduce")
    alice.register("alice")
    chat.enter("bob").ask("pm", message="hello")
    alice.sees("hello")
    moving = "document.getAnimations().filter(each => each.effect.getComputedTiming().duration > 1).length"
    assert alice.page.evaluate(moving) == 0
