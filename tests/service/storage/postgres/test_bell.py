"""service/storage/postgres/bell.py: what ends the wait of the writer thread."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from service.storage.postgres.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bell() -> Iterator[Bell]:
    """One whose lock this thread holds."""
    lock = threading.Lock()
    with lock:
        bell = Bell(lock)
        yield bell
        bell.close()


def test_a_notify_ends_the_wait_once(bell: Bell) -> None:
    """However often it came; the next wait has its time."""
    for _ in range(5):
        bell.notify()
    assert not bell.wait(None)
    assert not bell.is_rung_by_socket
    bell.wait(0.001)


def test_the_lock_is_free_while_it_waits(bell: Bell) -> None:
    """So that another thread can notify."""

    def ring() -> None:
        with bell._lock:
            bell.notify()

    ringer = threading.Thread(target=ring)
    ringer.start()
    bell.wait(None)
    assert bell._lock.locked()
    bell._lock.release()
    ringer.join()
    bell._lock.acquire()


def test_the_socket_ends_the_wait(bell: Bell) -> None:
    """It is said that it was the socket, until it is read."""
    here, there = socket.socketpair()
    rung: list[bool] = []
    with closing(here), closing(there):
        bell.watch(here.fileno())
        there.send(b"!")
        bell.wait(None)
        rung.append(bell.is_rung_by_socket)
        here.recv(1)
        bell.wait(0)
        rung.append(bell.is_rung_by_socket)
        there.send(b"!")
        bell.watch(-1)
        bell.wait(0)
        rung.append(bell.is_rung_by_socket)
    assert rung == [True, False, False]


def test_a_closed_bell_is_silent(bell: Bell) -> None:
    """Whoever comes too late notifies nobody, and closing again does nothing."""
    bell.close()
    bell.notify()
