"""What the page costs in a browser: python -m benchmarks.page. Needs chromium and requirements-browsers.txt.

It measures all that is loaded with heads and an empty cache, also what comes after the talk is on screen; the
time from opening with a token to the talk on screen; and each of 10,000 messages that come while the page is open.
It judges nothing.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import sync_playwright

from tests.browsers.person import FLAGS, Person
from tests.browsers.service import Chat

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession

    from tests.support.helpers import Wire

MESSAGES: Final = 10_000
AT_ONCE: Final = 100  # messages that are written before the ack of the last one is awaited
OPENINGS: Final = 15
# When the newest message is drawn, and the longest pause between two pictures, in ms of the page's own clock.
NOTE_TIMES: Final = """
    window.drawnAt = 0; window.longestPause = 0;
    let before = performance.now();
    const draw = now => {
        window.longestPause = Math.max(window.longestPause, now - before);
        before = now;
        if (!window.drawnAt && document.querySelector("#list .message")) { window.drawnAt = performance.now(); }
        requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
"""


def say(bob: Wire, count: int, last: str) -> None:
    """Says so many things in the main room, at the pace of the service, and then the last one."""
    for number in range(count):
        bob.send({"command": "pm", "message": f"message {number}: " + "some words " * (1 + number % 9)})
        if number % AT_ONCE == 0:
            bob.read_until_pong()
    bob.ask("pm", message=last)


def cpu_seconds(session: CDPSession) -> float:
    """The time that the page's main thread has worked."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    seconds: float = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
    return seconds


def measure(person: Person, chat: Chat) -> dict[str, float]:
    """Returns the figures by their names, with units."""
    bob, sent = chat.enter("bob", presence="changes"), [0]
    say(bob, AT_ONCE, "there before")
    person.register("alice")
    person.context.add_init_script(NOTE_TIMES)
    session = person.context.new_cdp_session(person.page)
    session.send("Network.enable")
    session.send("Performance.enable")
    session.on("Network.loadingFinished", lambda event: sent.append(event["encodedDataLength"]))
    openings, loads = [], []
    for _ in range(OPENINGS):
        sent.clear()
        session.send("Network.clearBrowserCache")
        person.reload()
        person.sees("there before")
        person.next_frame()
        openings.append(person.page.evaluate("window.drawnAt"))
        loads.append(sum(sent))
    before = cpu_seconds(session)
    person.page.evaluate("window.longestPause = 0")
    say(bob, MESSAGES, "the last of them")
    person.sees("the last of them")
    person.next_frame()
    return {
        "all files KB": max(loads) / 1e3,
        "open to talk p50 ms": statistics.median(openings),
        "open to talk max ms": max(openings),
        "append ms of CPU": (cpu_seconds(session) - before) / MESSAGES * 1e3,
        "longest pause ms": person.page.evaluate("window.longestPause"),
        "rows": person.rows.count(),
    }


def main() -> int:
    """Returns the exit status."""
    program = shutil.which("chromium")
    if program is None:
        print("There is no chromium here. Install it (Debian, Ubuntu: apt install chromium)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder, Chat(Path(folder)) as chat, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        with Person.visit(browser, chat.url) as person:
            for name, figure in measure(person, chat).items():
                print(f"{name:20} {figure:10,.2f}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
