"""The main paths in Firefox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browsers.bidi import ENTER
from tests.support.helpers import PASSWORD, until

if TYPE_CHECKING:
    from tests.browsers.bidi import Tab
    from tests.browsers.service import Chat


def register(tab: Tab, chat: Chat) -> None:
    tab.go(chat.url)
    tab.fill("Your name", f"alice{ENTER}")
    tab.fill("Choose a password", PASSWORD)
    tab.fill("The same again", PASSWORD)
    tab.click("checkbox", "Stay logged in on this device")
    tab.click("button", "Register and log in")
    tab.sees("#all")


def test_people_talk(tab: Tab, chat: Chat) -> None:
    """Both ways."""
    bob = chat.enter("bob")
    register(tab, chat)
    tab.fill("Message #all", f"good morning{ENTER}")
    assert bob.read_type("broadcast")["message"] == "good morning"
    bob.ask("pm", message="good morning, alice")
    tab.sees("good morning, alice")


def test_a_wrong_password_is_told(tab: Tab, chat: Chat) -> None:
    """The right one is then taken."""
    chat.enter("alice")
    tab.go(chat.url)
    tab.fill("Your name", f"alice{ENTER}")
    tab.fill("Password", f"wrong horse{ENTER}")
    tab.sees("Wrong name or password")


def test_a_reload_stays_logged_in(tab: Tab, chat: Chat) -> None:
    """And shows what was said."""
    register(tab, chat)
    tab.fill("Message #all", f"good morning{ENTER}")
    tab.sees("good morning")
    tab.reload()
    tab.sees("good morning")
    tab.fill("Message #all", f"still here{ENTER}")
    until(lambda: chat.stored("still here"))


def test_it_comes_back_after_a_crash(tab: Tab, chat: Chat) -> None:
    """What was written meanwhile is sent, once; what was said meanwhile is there."""
    register(tab, chat)
    chat.kill()
    tab.fill("Message #all", f"on its way{ENTER}")
    tab.sees("Waits for the connection")
    chat.start_again()
    chat.enter("bob").ask("pm", message="said meanwhile")
    until(lambda: chat.stored("on its way"))
    tab.sees("said meanwhile")
    assert len(chat.stored("on its way")) == 1
