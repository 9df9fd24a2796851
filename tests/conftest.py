"""What every test runs under."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import freezegun
import pytest
from freezegun.api import FrozenDateTimeFactory
from hypothesis import HealthCheck, settings

from tests.support.delivery import Peer, StillDelivery, still_delivery
from tests.support.doors import Door, open_door
from tests.support.engines import POSTGRES, is_on_postgres, on_postgres
from tests.support.postgres import Cluster, MissingError
from tests.support.tls import Authority, Pair

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# A shell that starts the tests in the background ignores Ctrl-C, and programs that a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests start programs by the hundred. Where nothing is kept compiled, each start takes half as long again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

BUDGET: Final = 360  # seconds that those on PostgreSQL may take, two at a time on two cores; it decides nothing
_BEGAN: Final = time.monotonic()

# Clients started by a test must neither find nor leave logins and profiles of the person at this machine.
_HOME = tempfile.TemporaryDirectory()
CONFIG, STATE = Path(_HOME.name) / "config" / "chat", Path(_HOME.name) / "state" / "chat"
os.environ |= {"XDG_CONFIG_HOME": str(CONFIG.parent), "XDG_STATE_HOME": str(STATE.parent)}

# The delivery thread measures waits (a peer that lingers, the pace of the users list), not the time of day: these go on
# while a test has stopped the clock. So do those for PostgreSQL.
freezegun.configure(
    extend_ignore_list=[
        *("service.delivery.loop", "service.listeners", "service.server", "service.net.tls"),
        *("service.storage.postgres", "psycopg"),
    ]
)

# How long an example takes says something of the machine, not of the code: it decides no test.
settings.register_profile("chat", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("chat")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CHAT_TEST_ALL=1, as in CI, a test fails that would be skipped for what the machine lacks."""
    report = yield
    if report.skipped and os.environ.get("CHAT_TEST_ALL"):
        report.outcome = "failed"
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what needs a PostgreSQL on any engine: `make test` runs without."""
    for item in items:
        given = getattr(item, "callspec", None)  # a case's own `cluster` is one of characters
        if "cluster" in getattr(item, "fixturenames", ()) and not (given and "cluster" in given.params):
            item.add_marker(pytest.mark.postgres)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how long the tests on PostgreSQL took."""
    if POSTGRES:
        spent = time.monotonic() - _BEGAN
        terminalreporter.write_line(f"Tests on PostgreSQL: {spent:.0f} s of the {BUDGET} s they may take")


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Every test ends with the threads that it began with: what starts one also stops it."""
    before = set(threading.enumerate())
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert not left, f"threads left running: {left}"


@pytest.fixture(autouse=True)
def engine_under_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """With ENGINE=postgres the databases of a test that is marked `engines` are on PostgreSQL."""
    if not POSTGRES or is_on_postgres() or request.node.get_closest_marker("engines") is None:
        yield
        return
    with on_postgres(request.getfixturevalue("cluster")):
        yield


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """Every test begins without profiles and kept logins, but not as a user's first run."""
    shutil.rmtree(_HOME.name)
    STATE.mkdir(parents=True)
    (STATE / "welcomed").touch()


@pytest.fixture
def clock() -> Iterator[FrozenDateTimeFactory]:
    """Time that stands still until it is moved."""
    with freezegun.freeze_time("2026-11-21 09:30:00") as clock:
        assert isinstance(clock, FrozenDateTimeFactory)
        yield clock


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this process's tests. Where there is none they are skipped."""
    try:
        cluster = Cluster()
    except MissingError as missing:
        pytest.skip(str(missing))
    with cluster:
        yield cluster


@pytest.fixture
def database(cluster: Cluster) -> Iterator[str]:
    """The URL of an empty database of a chat, on PostgreSQL."""
    url = cluster.create()
    yield url
    cluster.drop(url)


@pytest.fixture
def delivery(request: pytest.FixtureRequest) -> Iterator[StillDelivery]:
    """A delivery that stands still; `with_limits` gives it other limits."""
    with still_delivery(**getattr(request, "param", {})) as delivery:
        yield delivery


@pytest.fixture
def peer(delivery: StillDelivery) -> Peer:
    """One client of that delivery."""
    return delivery.connect()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One that signs certificates for these tests."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def pair(authority: Authority) -> Pair:
    """A certificate for this machine, signed by that authority, and its key."""
    return authority.issue()


@pytest.fixture
def door(request: pytest.FixtureRequest, authority: Authority, pair: Pair) -> Door:
    """The way in that the test is for: see tests/support/doors.py."""
    return open_door(request.param, authority, pair)
