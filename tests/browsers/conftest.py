"""The browsers, a service with its page, and the people at it. What this machine lacks, the tests are skipped for."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.browsers.between import Between
from tests.browsers.service import Chat

try:
    from playwright.sync_api import sync_playwright

    from tests.browsers.bidi import Firefox
    from tests.browsers.person import FLAGS, Person
except ModuleNotFoundError as error:
    collect_ignore_glob = ["test_*.py"]
    MISSING = error.name
else:
    MISSING = None

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.browsers.bidi import Tab

BUDGET: Final = 300  # seconds that all may take, two at a time on two cores; it is said at the end and decides nothing
_BEGAN: Final = time.monotonic()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how long it took, and what is to be done where nothing ran."""
    if MISSING:
        terminalreporter.write_line(f"The tests in browsers need {MISSING}: make test-browsers")
    terminalreporter.write_line(f"Tests in browsers: {time.monotonic() - _BEGAN:.0f} s of the {BUDGET} s they may take")


def find(program: str) -> str:
    """Returns the path of a browser; skips the test where there is none."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"there is no {program} here (Debian, Ubuntu: apt install {program})")
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    """Firefox, without a window."""
    with Firefox(find("firefox-esr"), tmp_path_factory.mktemp("firefox")) as browser:
        yield browser


@pytest.fixture
def tab(firefox: Firefox) -> Iterator[Tab]:
    """A tab of Firefox."""
    tab = firefox.open_tab()
    yield tab
    tab.close()


@pytest.fixture
def chat(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Chat]:
    """A service with its page; `indirect` parameters are its options."""
    with Chat(tmp_path, *getattr(request, "param", ())) as chat:
        yield chat


@pytest.fixture
def between(chat: Chat) -> Iterator[Between]:
    """A proxy of that page."""
    with Between(chat.web_port) as between:
        yield between


@pytest.fixture
def visit(chromium: Browser, chat: Chat) -> Iterator[Callable[..., Person]]:
    """Opens the page for somebody new to it, who shares nothing with others; `visit(url, **context)`.

    At the end no page has had an error of its own, or done what its policy forbids.
    """
    with ExitStack() as people:

        def open_page(url: str = chat.url, **context: Any) -> Person:
            return people.enter_context(Person.visit(chromium, url, **context))

        yield open_page
