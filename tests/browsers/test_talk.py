"""People talk: in the main room, in rooms and one to one, at the page and at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browsers.person import has_state

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat


def test_two_people_talk(visit: Callable[..., Person]) -> None:
    """What one writes, the other sees, in the order of the writing."""
    alice, bob = visit(), visit()
    alice.register("alice")
    bob.register("bob")
    alice.say("good morning")
    bob.sees("good morning")
    bob.say("good morning, alice")
    alice.sees("good morning, alice")
    for each in (alice, bob):
        each.reads("good morning", "good morning, alice")
        each.reload()
        each.reads("good morning", "good morning, alice")


def test_the_page_and_a_terminal_talk(visit: Callable[..., Person], chat: Chat) -> None:
    """An action and a text of several lines are the same to both."""
    bob = chat.enter("bob")
    alice = visit()
    alice.register("alice")
    alice.say("/me waves")
    assert bob.read_type("broadcast")["kind"] == "action"
    bob.ask("pm", message="one\ntwo")
    bob.ask("pm", message="waves back", kind="action")
    alice.reads("* alice waves", "one\ntwo", "* bob waves back")
    alice.composer.press_sequentially("first")
    alice.composer.press("Shift+Enter")
    alice.composer.press_sequentially("second")
    alice.composer.press("Enter")
    assert bob.read_type("broadcast")["message"] == "first\nsecond"


def test_a_direct_message_says_how_far_it_came(visit: Callable[..., Person], chat: Chat) -> None:
    """Stored, where its reader is away; delivered, where they are there. It waits for them."""
    chat.enter("bob").ask("ex")
    alice, bob = visit(), visit()
    alice.register("alice")
    alice.write_to("bob")
    alice.say("are you there?")
    has_state(alice.row("are you there?"), "bob will see it when back")
    bob.log_in("bob")
    expect(bob.conversation("alice")).to_contain_text("1 unread")
    bob.turn_to("alice")
    bob.reads("are you there?")
    bob.say("now I am")
    alice.sees("now I am")
    alice.say("good")
    has_state(alice.row("good"), "Delivered")


def test_a_room_is_made_joined_and_left(visit: Callable[..., Person]) -> None:
    """Its members talk there, and who is in the main room alone sees nothing of it."""
    alice, bob = visit(), visit()
    alice.register("alice")
    bob.register("bob")
    alice.make_room("ops", topic="What runs, and what does not")
    alice.say("for the room alone")
    bob.button("Join or make a room").click()
    bob.dialog.get_by_role("button", name="Join ops").click()
    bob.is_told("What runs, and what does not")
    bob.reads("for the room alone")
    bob.say("thank you")
    alice.sees("thank you")
    bob.turn_to("all")
    expect(bob.rows).to_have_count(0)
    bob.turn_to("ops")
    bob.button("About this room").click()
    bob.dialog.get_by_role("button", name="Leave the room").click()
    bob.dialog.get_by_role("button", name="Leave the room").click()
    expect(bob.conversation("ops")).to_have_count(0)


def test_a_private_room_is_for_whom_it_invites(visit: Callable[..., Person]) -> None:
    """Nobody else finds it."""
    alice, bob = visit(), visit()
    alice.register("alice")
    bob.register("bob")
    alice.make_room("den", private=True)
    bob.button("Join or make a room").click()
    bob.is_told("You can make one")
    bob.page.keyboard.press("Escape")
    alice.button("About this room").click()
    alice.dialog.get_by_label("Invite somebody").fill("bob")
    alice.dialog.get_by_role("button", name="Invite", exact=True).click()
    alice.is_told("bob is invited")
    bob.turn_to("den")
    bob.page.locator("#composer").get_by_role("button", name="Join").click()
    bob.say("here I am")
    alice.page.keyboard.press("Escape")
    alice.sees("here I am")


def test_a_moderator_silences_and_takes_out(visit: Callable[..., Person], chat: Chat) -> None:
    """Whom it concerns is told why they cannot write; the others what was done."""
    alice, bob = visit(), visit()
    alice.register("alice")
    bob.register("bob")
    alice.make_room("ops")
    bob.join_room("ops")
    alice.moderate("bob", "Silence")
    bob.is_told("A moderator has silenced you here")
    expect(bob.composer).to_be_hidden()
    expect(alice.member("bob")).to_contain_text("silenced")
    alice.moderate("bob", "Let write again")
    bob.say("thank you")
    alice.sees("thank you")
    alice.moderate("bob", "Take out")
    bob.is_told("You are no longer in #ops")


def test_a_deleted_message_is_gone_everywhere(visit: Callable[..., Person], chat: Chat) -> None:
    """The text leaves both pages and the history; that something was there stays."""
    alice, bob = visit(), visit()
    alice.register("alice")
    bob.register("bob")
    alice.say("a secret")
    alice.say("no secret")
    bob.sees("no secret")
    alice.has_sent("no secret")  # what waits has another row, which the press would choose
    alice.row("a secret").click()
    alice.button("Delete").click()
    alice.dialog.get_by_role("button", name="Delete").click()
    for each in (alice, bob):
        each.reads("This message was deleted.", "no secret")
    assert chat.stored("a secret") == []
    bob.reload()
    bob.reads("This message was deleted.", "no secret")
    bob.row("no secret").click()
    expect(bob.button("Delete")).to_have_count(0)  # not hers to delete


def test_a_search_leads_to_its_place(visit: Callable[..., Person], chat: Chat) -> None:
    """In the midst of messages that had not been loaded."""
    bob = chat.enter("bob")
    for number in range(400):
        bob.send({"command": "pm", "message": f"message {number}" + " with the needle" * (number == 100)})
    bob.read_until_pong()
    alice = visit()
    alice.register("alice")
    alice.sees("message 399")
    alice.search("needle")
    alice.dialog.get_by_role("button", name="with the needle").click()
    alice.sees("with the needle")
    alice.sees("message 101")
    alice.button("To the newest").click()
    alice.sees("message 399")
    alice.search("haystack")
    alice.is_told("Nothing found for “haystack”")


def test_who_is_there_is_shown(visit: Callable[..., Person], chat: Chat) -> None:
    """Whoever comes and goes, without a line in the talk."""
    alice = visit()
    alice.register("alice")
    expect(alice.member("bob")).to_have_count(0)
    bob = chat.enter("bob")
    expect(alice.member("bob")).to_contain_text("online")
    bob.ask("ex")
    expect(alice.member("bob").filter(has_text="online")).to_have_count(0)
    expect(alice.rows).to_have_count(0)
