"""Whether the service can store and deliver, for whoever balances load or wakes its operator. Knows no HTTP."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from service.errors import StorageUnavailable

if TYPE_CHECKING:
    from service.storage.contract import Storage

HEALTH_TIME: Final = 1.0  # seconds for the write for trial to come to the disk and to the delivery thread
HEALTH_KEPT: Final = 1.0  # seconds for which its result holds: who asks in a flood causes no flood of writes


class Health:
    """Answers any thread. It waits for no other thread longer than HEALTH_TIME."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._lock = threading.Lock()  # guards _probe
        self._probe: _Probe | None = None  # the newest; who asks while it has no answer waits for the same one
        self._is_ending = False

    def end(self) -> None:
        """Says from now on that the service stops, so that no new clients are sent here."""
        self._is_ending = True

    def look_for_trouble(self) -> str:
        """Returns why the service cannot store or deliver just now; empty if it can.

        It stores something on the disk, and waits for the delivery thread to hear of it.
        """
        if self._is_ending:
            return "the service is stopping"
        with self._lock:
            is_new = self._probe is None or self._probe.is_old()
            if is_new:
                self._probe = _Probe()
            probe = self._probe
        assert probe is not None  # noqa: S101 (made above)
        if is_new:
            try:
                self._storage.probe(done=probe.succeed, refused=probe.fail)
            except StorageUnavailable as error:
                probe.fail(error)
        if not probe.is_answered.wait(HEALTH_TIME):
            return "storing or delivering takes longer than a second"
        return probe.trouble


class _Probe:
    """A write for trial; the delivery thread tells what came of it."""

    def __init__(self) -> None:
        self.is_answered = threading.Event()
        self.trouble = ""
        self._answered_at = 0.0

    def is_old(self) -> bool:
        """Whether another one is due."""
        return self.is_answered.is_set() and self._answered_at + HEALTH_KEPT <= time.monotonic()

    def succeed(self, _: None) -> None:
        self._answered_at = time.monotonic()
        self.is_answered.set()

    def fail(self, error: Exception) -> None:
        self.trouble = str(error) or "nothing can be stored"
        self.succeed(None)
