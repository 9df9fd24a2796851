"""The box that one writes in: drafts, what is pasted, what an input method composes, and the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.helpers import PASSWORD, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat


@pytest.fixture
def alice(visit: Callable[..., Person]) -> Person:
    """At the page, with a room besides the main one."""
    alice = visit()
    alice.register("alice")
    alice.make_room("ops")
    return alice


def test_each_conversation_has_its_draft(alice: Person) -> None:
    """It is there again after a turn elsewhere and after a reload, and gone with the message."""
    alice.composer.fill("for the ops")
    alice.turn_to("all")
    expect(alice.composer).to_have_value("")
    expect(alice.conversation("ops")).to_contain_text("draft")
    alice.composer.fill("for all")
    alice.turn_to("ops")
    expect(alice.composer).to_have_value("for the ops")
    alice.reload()
    expect(alice.composer).to_have_value("for the ops")
    alice.composer.press("Enter")
    alice.reads("for the ops")
    alice.turn_to("all")
    expect(alice.composer).to_have_value("for all")
    expect(alice.conversation("ops")).not_to_contain_text("draft")


def test_drafts_are_forgotten_with_the_login(alice: Person) -> None:
    """Who comes after at the same machine sees nothing of them."""
    alice.composer.fill("for the ops")
    alice.log_out()
    until(lambda: "for the ops" not in str(alice.context.storage_state()))
    alice.register("bob")
    expect(alice.composer).to_have_value("")


def test_many_pasted_lines_are_asked_about(alice: Person) -> None:
    """Few are not. They go nowhere before somebody says so."""
    alice.paste("one\ntwo")
    expect(alice.composer).to_have_value("one\ntwo")
    alice.composer.fill("")
    text = "\n".join(f"line {number}" for number in range(30))
    alice.paste(text)
    alice.is_told("Paste 30 lines?")
    alice.dialog.get_by_role("button", name="Cancel").click()
    expect(alice.composer).to_have_value("")
    alice.paste(text)
    alice.dialog.get_by_role("button", name="Put it in the box").click()
    expect(alice.composer).to_have_value(text)
    alice.composer.press("Enter")
    alice.reads(text)


def test_what_is_too_long_is_sent_in_pieces_or_kept(alice: Person, chat: Chat) -> None:
    """Nothing of it is lost; a message that was typed too long stays in the box."""
    lines = [f"line {number} {'x' * 90}" for number in range(100)]
    alice.paste("\n".join(lines))
    alice.is_told("It is longer than a message may be")
    alice.dialog.get_by_role("button", name="Send as 3 messages").click()
    expect(alice.rows).to_have_count(3)
    expect(alice.rows.locator(".late")).to_have_count(0)  # it stands in the message as long as it is there
    assert "\n".join(alice.rows.locator(".body").all_inner_texts()).split("\n") == lines
    alice.composer.fill("x" * 4_097)
    alice.is_told("1 character too many")
    alice.composer.press("Enter")
    expect(alice.composer).to_have_value("x" * 4_097)
    expect(alice.rows).to_have_count(3)


def test_enter_belongs_to_the_input_method_while_it_composes(alice: Person) -> None:
    """It chooses a word then, and sends nothing; the next one sends."""
    session = alice.context.new_cdp_session(alice.page)
    alice.composer.focus()
    session.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    session.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
    session.send("Input.insertText", {"text": "日本"})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **key})
    expect(alice.composer).to_have_value("日本")
    expect(alice.rows).to_have_count(0)
    alice.composer.press("Enter")
    alice.reads("日本")


def test_one_comes_in_and_writes_by_keys_alone(visit: Callable[..., Person]) -> None:
    """The next field has the focus each time."""
    alice = visit()
    keys = alice.page.keyboard
    expect(alice.field("Your name")).to_be_focused()
    keys.type("alice")
    keys.press("Enter")
    expect(alice.field("Choose a password")).to_be_focused()
    keys.type(PASSWORD)
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(alice.composer).to_be_focused()
    keys.type("good morning")
    keys.press("Enter")
    alice.reads("good morning")


def test_the_keys_are_listed(alice: Person) -> None:
    """At ?, outside the box; in the box it is a letter."""
    alice.composer.press("?")
    expect(alice.composer).to_have_value("?")
    alice.composer.fill("")
    alice.talk.focus()
    alice.page.keyboard.press("?")
    alice.is_told("Keyboard shortcuts")
    expect(alice.dialog).to_contain_text("Shift Enter")
    alice.page.keyboard.press("Escape")
    expect(alice.dialog).to_have_count(0)


def test_the_keys_do_what_the_list_says(alice: Person, chat: Chat) -> None:
    """Conversations by number, and the next with something new; up to the messages, and back."""
    keys = alice.page.keyboard
    keys.press("Alt+1")
    alice.is_at("#all")
    keys.press("Alt+2")
    alice.is_at("#ops")
    chat.enter("bob").ask("pm", message="news")
    expect(alice.conversation("all")).to_contain_text("1 unread")
    keys.press("Alt+a")
    alice.sees("news")
    alice.say("mine")
    alice.has_sent("mine")
    alice.reads("news", "mine")
    keys.press("ArrowUp")
    expect(alice.row("mine")).to_be_focused()
    keys.press("Delete")
    alice.dialog.get_by_role("button", name="Delete").click()
    alice.reads("news", "This message was deleted.")
    expect(alice.dialog).to_have_count(0)  # it goes with the answer, which may come behind the event
    keys.press("Escape")
    expect(alice.composer).to_be_focused()
    keys.press("Control+k")
    expect(alice.dialog.get_by_label("Words to look for")).to_be_focused()
