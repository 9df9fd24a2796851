"""A few places for costly work, which are taken in turns: between networks, the addresses of one, and their accounts.

So whoever comes waits for one turn of each other network, however many of one wait, and from however many addresses.
Knows no client, and nothing of the work.
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

_Path = tuple[str, ...]  # whose turn it is: network, address, account


class CrowdedError(Exception):
    """The queue is full, or closed: come again later."""


class QueueLimits(NamedTuple):
    """How many may wait or work at once."""

    in_all: int  # beyond it somebody of the network or address that has most is sent away
    per_address: int = UNLIMITED  # a network of many addresses has NETWORK_SHARE times as many
    per_account: int = UNLIMITED  # of one address: nobody keeps an account's owner out from elsewhere


class _Ticket:
    """Somebody who waits."""

    __slots__ = ("called", "may_work")

    def __init__(self) -> None:
        self.called = threading.Event()
        self.may_work = False


class _Queue:
    """Who waits: all, or those of one network, address or account. Its parts take turns, the next one first."""

    __slots__ = ("_parts", "_tickets", "length")

    def __init__(self) -> None:
        self.length = 0
        self._parts: OrderedDict[str, _Queue] = OrderedDict()
        self._tickets: OrderedDict[_Ticket, None] = OrderedDict()  # an account's, which has no parts

    def add(self, path: _Path, ticket: _Ticket) -> None:
        self.length += 1
        if not path:
            self._tickets[ticket] = None
            return
        if path[0] not in self._parts:
            self._parts[path[0]] = _Queue()
        self._parts[path[0]].add(path[1:], ticket)

    def remove(self, path: _Path, ticket: _Ticket) -> bool:
        """Whether it was there."""
        if not path:
            found = ticket in self._tickets
            self._tickets.pop(ticket, None)
        else:
            found = path[0] in self._parts and self._parts[path[0]].remove(path[1:], ticket)
            self._drop_if_empty(path[0])
        self.length -= found
        return found

    def take_next(self) -> _Ticket:
        """The next one, whose network, address and account then stand at the end of their queues."""
        self.length -= 1
        if self._tickets:
            return self._tickets.popitem(last=False)[0]
        name = next(iter(self._parts))
        ticket = self._parts[name].take_next()
        self._parts.move_to_end(name)
        self._drop_if_empty(name)
        return ticket

    def send_away(self, newcomer: _Path) -> _Ticket | None:
        """Takes out the last one of the largest part; where the newcomer's own has as many, of its largest part.

        None if there is no part that has two more than the newcomer's own.
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
    """Places for so many at a time. `account` is any text that tells them apart."""

    def __init__(self, places: int, limits: QueueLimits) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._limits = limits
        self._closed = False
        self._queue = _Queue()
        # Waiting or at work: of each network, address and account, by the path to it.
        self._present: Counter[_Path] = Counter()

    @contextmanager
    def turn(self, origin: Origin, account: str, before_waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Round the work: waits for a place, and gives it back. Raises CrowdedError, also after `close`.

        `before_waiting` is called where there is a wait: whoever waits gives back what others need meanwhile.
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
        """Sends away all who wait, and whoever comes; who works goes on."""
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
            if self._free:  # and then nobody waits
                self._free -= 1
                ticket.may_work = True
                ticket.called.set()
            else:
                self._queue.add(path, ticket)
        if sent_away is not None:
            sent_away.called.set()
        return ticket

    def _admit(self, path: _Path) -> _Ticket | None:
        """Checks that one more may wait; gives the one that is sent away for it. Raises CrowdedError."""
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
            self._queue.remove(path, ticket)  # it is there if whoever waited was stopped by an exception
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
    """The paths to the network, to the address and to the account."""
    return [path[:end] for end in range(1, len(path) + 1)]
