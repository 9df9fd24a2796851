"""Takes pictures of the page in its states, sizes and colours, for people to look at: `make pictures`. Judges nothing.

python -m tests.browsers.pictures FOLDER
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import expect, sync_playwright

from tests.browsers.person import FLAGS, Person
from tests.browsers.service import Chat

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SIZES: Final = ((390, 844), (800, 600), (1280, 720), (1920, 1080))
PHONE: Final = 700  # px of width, up to which one pane is there at a time
WIDE: Final = "名" * 32
TALKS: Final = {
    "three": ["good morning", "The deploy is done; have a look at `make status` before you go home.", "thanks, alice!"],
    "long-word": ["w" * 4_096, "after it"],
    "right-to-left": ["שלום לכולם", "مرحبا بالجميع، كيف حالكم اليوم؟ " * 6, "and back, alice"],
    "emoji": ["👩‍👩‍👧‍👦🚀🎉" * 120, "🙂", "👍🏽 👍🏽"],
    "code": [
        "```\n#!/bin/sh\nset -eu\nmake lint test\n```",
        "see https://example.org/a/long/path?with=a&query=of#some",
        "`x`",
    ],
    "three-hundred": [f"message {number}: " + "some words " * (1 + number * 7 % 23) for number in range(300)],
}


def furnish(chat: Chat) -> None:
    """Makes rooms with all that can be said in them, and somebody with much to read."""
    alice, bob, wide = (chat.enter(name, rooms=True) for name in ("alice", "bob", WIDE))
    for room, texts in TALKS.items():
        bob.ask("create", room=room, topic=f"What is said about {room}, and all that has to do with it")
        for each in (alice, wide):
            each.ask("join", room=room)
        for number, text in enumerate(texts):
            (bob, bob, wide)[number % 3].ask("pm", room=room, message=text)
    alice.ask("pm", room="three", message="you are welcome")
    gone = alice.ask("pm", room="three", message="oops")["id"]
    alice.ask("delete", id=gone)
    bob.ask("pm", room="three", message="waves", kind="action")
    bob.ask("create", room="empty")
    alice.ask("join", room="empty")
    bob.ask("create", room="silence")
    alice.ask("join", room="silence")
    bob.ask("moderate", room="silence", username="alice", action="mute", minutes=30)
    for number in range(16):
        chat.enter(f"user{number:02}").ask("dm", to="alice", message=f"hello from number {number}")
        bob.ask("create", room=f"room{number:02}")
        alice.ask("join", room=f"room{number:02}")
    alice.ask("dm", to="bob", message="are you there?")
    bob.ask("dm", to="alice", message="I am")
    chat.enter("carol").ask("ex")
    alice.ask("dm", to="carol", message="for later")
    alice.ask("ex")


class Camera:
    """Takes pictures of one person's page, named by what is on them, the size and the colours."""

    def __init__(self, person: Person, folder: Path, end: str) -> None:
        self.person, self._folder, self._end = person, folder, end

    def take(self, name: str) -> None:
        """Once all letters and pictures are there."""
        self.person.page.evaluate("() => document.fonts.ready")
        self.person.next_frame()
        self.person.page.screenshot(path=self._folder / f"{name}-{self._end}.png", animations="disabled", caret="hide")

    def turn_to(self, address: str) -> None:
        """Opens what the address says after its #, and waits until it is there."""
        self.person.page.goto(f"{self.person.url}#/{address}")
        expect(self.person.page.locator("#title")).to_contain_text(address.lstrip("@") or "#all")

    def take_door(self) -> None:
        """What somebody sees who comes for the first time, and with an account."""
        self.person.is_out()
        self.take("door")
        self.person.offer_name("newcomer")
        expect(self.person.field("The same again")).to_be_visible()
        self.take("door-new")
        self.person.button("Another name").click()
        self.person.offer_name("alice")
        self.person.offer_password("wrong horse")
        self.person.is_refused("password")
        self.take("door-wrong")

    def take_talks(self) -> None:
        """Every conversation that is told from the others."""
        self.take("begin")
        for address in (*TALKS, "empty", "silence", "@bob", "@carol"):
            self.turn_to(address)
            self.take(address.lstrip("@"))
        self.turn_to("three-hundred")
        self.person.talk.evaluate("scroller => scroller.scrollBy(0, -2_000)")
        self.take("above")

    def take_dialogs(self) -> None:
        """Each over the same talk."""
        self.turn_to("three")
        for name in ("Search", "About this room", "Show or hide the members"):
            self.person.button(name).click()
            self.take(name.split()[-1].lower())
            self.person.page.keyboard.press("Escape")
        for name in ("Your account", "Join or make a room", "Write to somebody"):
            self.turn_to("three")
            self.person.press_wherever(name)
            expect(self.person.dialog).to_be_visible()
            self.take(name.split()[-1].lower())
            self.person.page.keyboard.press("Escape")

    def take_outage(self, chat: Chat) -> None:
        """What waits, and what it is written into."""
        self.turn_to("three")
        chat.kill()
        text = f"on its way, {self._end}"
        self.person.say(text)
        self.person.is_told("Reconnecting")
        self.take("offline")
        chat.start_again()
        self.person.try_now()
        self.person.has_sent(text)


def take_all(browser: Browser, chat: Chat, folder: Path) -> None:
    """In all sizes and colours."""
    for width, height in SIZES:
        for colours in ("light", "dark"):
            size: dict[str, Any] = {"viewport": {"width": width, "height": height}, "color_scheme": colours}
            if width <= PHONE:
                size |= {"has_touch": True, "is_mobile": True, "device_scale_factor": 2}
            with Person.visit(browser, chat.url, **size) as person:
                camera = Camera(person, folder, f"{width}x{height}-{colours}")
                camera.take_door()
                person.offer_password()
                person.is_in()
                camera.take_talks()
                camera.take_dialogs()
                camera.take_outage(chat)


def main(folder: Path) -> int:
    """Returns the exit status."""
    program = shutil.which("chromium")
    if program is None:
        print("There is no chromium here. Install it (Debian, Ubuntu: apt install chromium)", file=sys.stderr)  # noqa: T201
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, Chat(Path(data)) as chat, sync_playwright() as playwright:
        furnish(chat)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        take_all(browser, chat, folder)
        browser.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
