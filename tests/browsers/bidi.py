"""Firefox, driven over WebDriver BiDi on its own debugging port. Holds no test, and knows nothing of the page.

https://w3c.github.io/webdriver-bidi/ has the commands.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self, cast

from websockets.sync.client import connect

from tests.support.helpers import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

# Nothing of its own over the network, no first-run pages.
_PREFERENCES: Final = {
    "app.normandy.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}
ENTER: Final = "\ue007"  # as WebDriver names the key


class Failed(Exception):  # noqa: N818 - what the browser answered
    """The browser refused a command; the text is its own."""


class Firefox:
    """A browser without a window, with a profile in `folder`."""

    def __init__(self, program: str, folder: Path) -> None:
        lines = [f'user_pref("{name}", {json.dumps(value)});\n' for name, value in _PREFERENCES.items()]
        (folder / "user.js").write_text("".join(lines))
        command = [program, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
        self._log = (folder / "log").open("w+")
        self._program = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True)
        until(self._has_port)
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(f"{self._address}/session", open_timeout=PATIENCE, max_size=None, compression=None, proxy=None)
        )
        self._number = 0
        self.call("session.new", capabilities={})

    def _has_port(self) -> bool:
        assert self._program.poll() is None, f"Firefox ended: {self._read_log()}"
        found = re.search(r"BiDi listening on (ws://\S+)", self._read_log())
        self._address = found[1] if found else ""
        return found is not None

    def _read_log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Has the browser carry out a command; returns what it answers. Raises Failed."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(PATIENCE))).get("id") != self._number:
            pass  # an event
        if answer["type"] == "error":
            raise Failed(f"{method}: {answer['error']}: {answer['message']}")
        return cast("dict[str, Any]", answer["result"])

    def open_tab(self) -> Tab:
        """Returns a new tab that shares nothing with others: cookies, storage."""
        person = self.call("browser.createUserContext")["userContext"]
        return Tab(self, self.call("browsingContext.create", type="tab", userContext=person)["context"], person)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        self._program.send_signal(signal.SIGTERM)
        try:
            self._program.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._program.kill()
            self._program.wait()
        self._log.close()


class Tab:
    """A tab of Firefox. What it looks for may come later: it waits."""

    def __init__(self, browser: Firefox, context: str, person: str) -> None:
        self._browser, self._context, self._person = browser, context, person

    def go(self, url: str) -> None:
        """Opens an address; returns when all of it is loaded."""
        self._browser.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def reload(self) -> None:
        """Loads the page anew."""
        self._browser.call("browsingContext.reload", context=self._context, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Returns what it is worth in the page: text, a number, a truth value or nothing. Promises are awaited."""
        target = {"context": self._context}
        answer = self._browser.call("script.evaluate", expression=expression, target=target, awaitPromise=True)
        if answer["type"] == "exception":
            raise Failed(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def click(self, role: str, name: str) -> None:
        """Presses the middle of the element with that role and that accessible name."""
        self._point(self._find(role=role, name=name))

    def fill(self, name: str, text: str) -> None:
        """Types into the field with that accessible name; `ENTER` in the text is that key."""
        self._point(self._find(name=name))  # by no role: one for a password has none
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._perform({"type": "key", "id": "keys", "actions": keys})

    def sees(self, text: str) -> None:
        """Waits until this text stands in the page, as it is shown."""
        shown = ""

        def is_there() -> bool:
            nonlocal shown
            shown = self.evaluate("document.body.innerText")
            return text in shown

        try:
            until(is_there)
        except AssertionError:
            raise AssertionError(f"no {text!r} in {shown!r}") from None

    def close(self) -> None:
        """Ends the tab and forgets what it stored."""
        self._browser.call("browser.removeUserContext", userContext=self._person)

    def _find(self, **value: str) -> str:
        found: list[dict[str, Any]] = []

        def look() -> bool:
            locator = {"type": "accessibility", "value": value}
            answer = self._browser.call("browsingContext.locateNodes", context=self._context, locator=locator)
            found[:] = answer["nodes"]
            return bool(found)

        until(look)
        return cast("str", found[0]["sharedId"])

    def _point(self, element: str) -> None:
        origin = {"type": "element", "element": {"sharedId": element}}
        actions = [
            {"type": "pointerMove", "x": 0, "y": 0, "origin": origin},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._perform({"type": "pointer", "id": "mouse", "actions": actions})

    def _perform(self, source: dict[str, Any]) -> None:
        self._browser.call("input.performActions", context=self._context, actions=[source])
