"""Takes turns at a few places for costly work: between networks, between a network's addresses, and their accounts.

A new request waits for one turn of each other network, however many requests and addresses those networks have. The
module knows neither clients nor the work.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from service.origin import NETWORK_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.origin import Origin

UNLIMITED: Final = 1 << 62

_Path = tuple[str, ...]  # network, address, account


class CrowdedError(Exception):
    """The queue is full or closed; the caller may try again later."""


class QueueLimits(NamedTuple):
    """How many may wait or work at once."""

    in_all: int  # beyond it the network or address with the most waiting loses its last one
    per_address: int = UNLIMITED  # a network may have NETWORK_SHARE times as many
    per_account: int = UNLIMITED  # counted per address, so that no other address can lock an account's owner out


class _Ticket:
    """One waiting request."""

    __slots__ = ("called", "may_work")

    def __init__(self) -> None:
        self.called = threading.Event()
        self.may_work = False


class _Queue:
    """The waiting requests: all, or those of one network, address or account. Its parts take turns."""

    __slots__ = ("_parts", "_tickets", "length")

    def __init__(self) -> None:
        self.length = 0
        self._parts: OrderedDict[str, _Queue] = OrderedDict()
        self._tickets: OrderedDict[_Ticket, None] = OrderedDict()  # only in an account's queue, which has no parts

    def add(self, path: _Path, ticket: _Ticket) -> None:
        self.length += 1
        if not path:
            self._tickets[ticket] = None
            return
        if path[0] not in self._parts:
            self._parts[path[0]] = _Queue()
        self._parts[path[0]].add(path[1:], ticket)

    def remove(self, path: _Path, ticket: _Ticket) -> bool:
        """Returns whether the ticket was in the queue."""
        if not path:
            found = ticket in self._tickets
            self._tickets.pop(ticket, None)
        else:
            found = path[0] in self._parts and self._parts[path[0]].remove(path[1:], ticket)
            self._drop_if_empty(path[0])
        self.length -= found
        return found

    def take_next(self) -> _Ticket:
        """Removes and returns the next ticket; its network, address and account move to the end of their queues."""
        self.length -= 1
        if self._tickets:
            return self._tickets.popitem(last=False)[0]
        name = next(iter(self._parts))
        ticket = self._parts[name].take_next()
        self._parts.move_to_end(name)
        self._drop_if_empty(name)
        return ticket

    def send_away(self, newcomer: _Path) -> _Ticket | None:
        """Removes and returns the last ticket of the largest part; of the newcomer's own part if that is as large.

        Returns None if no part has at least two more than the newcomer's own.
        """
        if not newcomer or not self._parts:
            return None
        largest, own = self._largest(), self._parts.get(newcomer[0])
        if self._parts[largest].length > (own.length if own is not None else 0) + 1:
            return self.take_last()
        ticket = own.send_away(newcomer[1:]) if own is not None else None
        self.length -= ticket is not None
        return ticket

    def take_last(self) -> _Ticket:
        self.length -= 1
        if self._tickets:
            return self._tickets.popitem()[0]
        name = self._largest()
        ticket = self._parts[name].take_last()
        self._drop_if_empty(name)
        return ticket

    def _largest(self) -> str:
        return max(reversed(self._parts), key=lambda name: self._parts[name].length)

    def _drop_if_empty(self, name: str) -> None:
        if name in self._parts and not self._parts[name].length:
            del self._parts[name]


class Turns:
    """So many places at a time. `account` is any text that tells accounts apart."""

    def __init__(self, places: int, limits: QueueLimits) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._limits = limits
        self._closed = False
        self._queue = _Queue()
        # How many wait or work for each network, address and account, by its path.
        self._present: Counter[_Path] = Counter()

    @property
    def waiting(self) -> int:
        """How many wait just now."""
        return self._queue.length

    @contextmanager
    def turn(self, origin: Origin, account: str, before_waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Wraps the work: waits for a place, and frees it afterwards. Raises CrowdedError, also after `close`.

        `before_waiting` is called before a wait, so that the caller can free what other threads need.
        """
        path = (origin.network, origin.address, account)
        ticket = self._queue_up(path)
        try:
            if before_waiting is not None and not ticket.may_work:
                before_waiting()
            ticket.called.wait()
            if not ticket.may_work:
                raise CrowdedError
            yield
        finally:
            self._go(path, ticket)

    def close(self) -> None:
        """Refuses all waiting and all new requests; work under way continues."""
        with self._lock:
            self._closed = True
            sent_away = [self._queue.take_next() for _ in range(self._queue.length)]
        for ticket in sent_away:
            ticket.called.set()

    def _queue_up(self, path: _Path) -> _Ticket:
        ticket = _Ticket()
        with self._lock:
            sent_away = self._admit(path)
            self._present.update(_levels(path))
            if self._free:  # a free place means an empty queue
                self._free -= 1
                ticket.may_work = True
                ticket.called.set()
            else:
                self._queue.add(path, ticket)
        if sent_away is not None:
            sent_away.called.set()
        return ticket

    def _admit(self, path: _Path) -> _Ticket | None:
        """Checks that one more may wait; returns the ticket that loses its place, if any. Raises CrowdedError."""
        limits = self._limits
        most = (NETWORK_SHARE * limits.per_address, limits.per_address, limits.per_account)
        if self._closed or any(self._present[level] >= limit for level, limit in zip(_levels(path), most, strict=True)):
            raise CrowdedError
        if self._free or self._queue.length < limits.in_all:
            return None
        sent_away = self._queue.send_away(path)
        if sent_away is None:
            raise CrowdedError
        return sent_away

    def _go(self, path: _Path, ticket: _Ticket) -> None:
        with self._lock:
            self._queue.remove(path, ticket)  # it is still queued if an exception ended the wait
            self._present.subtract(_levels(path))
            for level in _levels(path):
                if not self._present[level]:
                    del self._present[level]
            following = None
            if ticket.may_work and self._queue.length:
                following = self._queue.take_next()
                following.may_work = True
            elif ticket.may_work:
                self._free += 1
        if following is not None:
            following.called.set()


def _levels(path: _Path) -> list[_Path]:
    """Returns the paths to the network, to the address and to the account."""
    return [path[:end] for end in range(1, len(path) + 1)]
