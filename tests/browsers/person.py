"""Somebody at the page in Chromium, who finds things by their roles and names as people do. Holds no test."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import expect

from tests.support.helpers import PASSWORD, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Locator, Page

ELSEWHERE: Final = "elsewhere.example"  # a name of somebody else's that leads to this machine
FLAGS: Final = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-component-update",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]
DESKTOP: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 720}}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
_POLICY: Final = re.compile("Content Security Policy|Trusted Type")  # in complaints of the browser

expect.set_options(timeout=PATIENCE * 1_000)


class Person:
    """A page, and what its user does and sees. Whatever they look for may come later: it is waited for."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.url = url
        self.faults: list[str] = []  # errors of the page's own, and what its policy forbade
        self.page = self.open_tab(url)

    @classmethod
    @contextmanager
    def visit(cls, browser: Browser, url: str, **context: Any) -> Iterator[Person]:
        """Yields somebody who opened this address, and shares nothing with others; ends without faults."""
        with browser.new_context(**{"locale": "en-GB", **DESKTOP, **context}) as made:
            made.set_default_timeout(PATIENCE * 1_000)
            person = cls(made, url)
            yield person
            assert person.faults == [], person.faults

    def open_tab(self, url: str) -> Page:
        """Returns a further tab of theirs."""
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.faults.append(error.stack or str(error)))
        page.on("console", lambda told: self.faults.extend([told.text] * bool(_POLICY.search(told.text))))
        page.goto(url)
        return page

    def beside(self, url: str = "") -> Person:
        """Returns the same person at a second tab, which shares what the browser keeps."""
        other = object.__new__(Person)
        other.context, other.url, other.faults = self.context, url or self.url, self.faults
        other.page = other.open_tab(other.url)
        return other

    # -- in and out ---------------------------------------------------------------------------------------------------
    def offer_name(self, name: str) -> None:
        """Says who they are, at the door."""
        self.field("Your name").fill(name)
        self.button("Continue").click()

    def offer_password(self, password: str = PASSWORD, *, stays: bool = True) -> None:
        """Types the password of an account."""
        self.field("Password").fill(password)
        self.page.get_by_label("Stay logged in").set_checked(stays)
        self.button("Log in").click()

    def choose_password(self, password: str = PASSWORD, *, stays: bool = True) -> None:
        """Types the password of a new account, twice."""
        self.field("Choose a password").fill(password)
        self.field("The same again").fill(password)
        self.page.get_by_label("Stay logged in").set_checked(stays)
        self.button("Register and log in").click()

    def log_in(self, name: str, *, stays: bool = True) -> None:
        """Comes in, with the password that all have here."""
        self.offer_name(name)
        self.offer_password(stays=stays)
        self.is_in()

    def register(self, name: str, *, stays: bool = True) -> None:
        """Comes in by a new name."""
        self.offer_name(name)
        self.choose_password(stays=stays)
        self.is_in()

    def log_out(self) -> None:
        """Says so in the dialog about the account."""
        self.open_account()
        self.dialog.get_by_role("button", name="Log out").click()
        self.dialog.get_by_role("button", name="Log out").click()
        self.is_out()

    def is_in(self) -> None:
        """Waits until the chat is there; on a phone it may be the list of conversations."""
        expect(self.composer.or_(self.button("Your account")).first).to_be_visible()

    def is_out(self) -> None:
        """Waits until the door is there."""
        expect(self.field("Your name")).to_be_visible()

    def is_refused(self, words: str) -> None:
        """Waits for what a form says in red."""
        expect(self.page.get_by_role("alert").filter(has_text=words)).to_be_visible()

    def is_at(self, name: str) -> None:
        """Waits until the conversation is open that is called that."""
        expect(self.page.locator("#title")).to_contain_text(name)

    # -- what there is ------------------------------------------------------------------------------------------------
    def button(self, name: str) -> Locator:
        """The button that is called that."""
        return self.page.get_by_role("button", name=name)

    def field(self, label: str) -> Locator:
        """The field that is called that."""
        return self.page.get_by_label(label, exact=True)

    @property
    def dialog(self) -> Locator:
        """The dialog that is open."""
        return self.page.get_by_role("dialog")

    @property
    def composer(self) -> Locator:
        """The box that one writes in."""
        return self.page.get_by_role("textbox", name="Message ")

    @property
    def talk(self) -> Locator:
        """Where the messages are."""
        return self.page.get_by_role("region", name="Messages")

    @property
    def rows(self) -> Locator:
        """The messages."""
        return self.talk.locator(".message")

    def row(self, text: str) -> Locator:
        """The message in which this stands."""
        return self.rows.filter(has_text=text)

    def conversation(self, name: str) -> Locator:
        """The line of a conversation in the list of them."""
        conversations = self.page.get_by_role("navigation", name="Conversations")
        return conversations.get_by_role("link").filter(has=self.page.get_by_text(name, exact=True))

    def member(self, name: str) -> Locator:
        """The line of somebody in the list of members."""
        return self.page.get_by_role("complementary", name="Members").get_by_role("button").filter(has_text=name)

    def reads(self, *texts: str) -> None:
        """Waits until exactly these messages stand there."""
        expect(self.rows.locator(".body")).to_have_text(list(texts), use_inner_text=True)

    def sees(self, text: str) -> None:
        """Waits until this message is in sight."""
        expect(self.row(text).last).to_be_in_viewport()

    def is_told(self, words: str) -> None:
        """Waits until these words are in sight, wherever."""
        expect(self.page.get_by_text(words).last).to_be_visible()

    def is_not_told(self, words: str) -> None:
        """Waits until these words are nowhere in sight."""
        expect(self.page.get_by_text(words).filter(visible=True)).to_have_count(0)

    def has_sent(self, text: str) -> None:
        """Waits until a message of theirs is said to be stored."""
        expect(self.row(text)).to_have_attribute("data-id", re.compile("[0-9]+"))
        expect(self.row(text).locator(".late")).to_have_count(0)

    @property
    def spoken(self) -> Locator:
        """What is read out: it is there before it is drawn."""
        return self.page.get_by_role("log", name="New messages")

    @property
    def divider(self) -> Locator:
        """The line above what is unread."""
        return self.talk.locator("#divider")

    # -- what one does ------------------------------------------------------------------------------------------------
    def say(self, text: str) -> None:
        """Types it, and Enter."""
        self.composer.fill(text)
        self.composer.press("Enter")

    def turn_to(self, name: str) -> None:
        """Opens a conversation of the list."""
        self.conversation(name).click()
        self.is_at(name)

    def write_to(self, name: str) -> None:
        """Begins a talk with somebody."""
        self.button("Write to somebody").click()
        self.dialog.get_by_label("Name").fill(name)
        self.dialog.get_by_role("button", name="Open the talk").click()
        self.is_at(name)

    def make_room(self, name: str, topic: str = "", *, private: bool = False) -> None:
        """Makes a room, and is in it then."""
        self.button("Join or make a room").click()
        self.dialog.get_by_text("Make a room").click()
        self.dialog.get_by_label("Name").fill(name)
        self.dialog.get_by_label("Topic").fill(topic)
        self.dialog.get_by_label("Private").set_checked(private)
        self.dialog.get_by_role("button", name="Make the room").click()
        self.is_at(name)

    def join_room(self, name: str) -> None:
        """Joins a room of the list of all."""
        self.button("Join or make a room").click()
        self.dialog.get_by_role("button", name=f"Join {name}").click()
        self.is_at(name)

    def moderate(self, name: str, deed: str) -> None:
        """Does that to a member of the room that is open."""
        self.member(name).click()
        self.dialog.get_by_role("button", name=deed).click()
        self.dialog.get_by_role("button", name=deed).click()
        expect(self.dialog).to_have_count(0)

    def search(self, words: str) -> None:
        """Looks for words in all that they may read."""
        self.button("Search").click()
        self.dialog.get_by_label("Words to look for").fill(words)
        self.dialog.get_by_role("button", name="Search", exact=True).click()

    def open_account(self) -> None:
        """Opens the dialog about themselves."""
        self.button("Your account").click()

    def reload(self) -> None:
        """Loads the page anew."""
        self.page.reload()
        self.is_in()

    def press_wherever(self, name: str) -> None:
        """Presses a button, on a phone in the pane that has it."""
        if not self.button(name).is_visible():
            back = self.button("Back to the conversations")
            back.click() if back.is_visible() else self.conversation("all").click()
        self.button(name).click()

    def paste(self, text: str) -> None:
        """Pastes into the box."""
        self.context.grant_permissions(["clipboard-read", "clipboard-write"])
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        self.composer.press("Control+v")

    def scroll_to(self, text: str) -> None:
        """Turns the wheel up until this message is the first in sight, or nearly."""
        self.row(text).evaluate("row => row.scrollIntoView()")
        self.next_frame()

    def next_frame(self) -> None:
        """Waits until the browser has drawn twice: what a movement brings about is done then."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    # -- being away ---------------------------------------------------------------------------------------------------
    def look_away(self) -> None:
        """Turns to another window: the page is hidden, and has no focus."""
        self._set_looking(here=False)

    def look_back(self) -> None:
        """Turns to the page again."""
        self._set_looking(here=True)

    def _set_looking(self, *, here: bool) -> None:
        # A browser without windows takes every page as looked at.
        self.page.evaluate(
            """here => {
                Object.defineProperty(document, "hidden", {configurable: true, value: !here});
                const value = here ? "visible" : "hidden";
                Object.defineProperty(document, "visibilityState", {configurable: true, value});
                document.hasFocus = () => here;
                document.dispatchEvent(new Event("visibilitychange"));
                window.dispatchEvent(new Event(here ? "focus" : "blur"));
            }""",
            here,
        )

    def try_now(self) -> None:
        """Has the page connect at once, as where the network is back."""
        self.page.evaluate("window.dispatchEvent(new Event('online'))")


def has_state(row: Locator, words: str) -> None:
    """Waits until a message of one's own is said to be in this state."""
    expect(row.locator(".state")).to_contain_text(words)
