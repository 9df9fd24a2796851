"""A few places for costly work, which are taken in turns: between addresses, and between the accounts of one.

So whoever comes waits for one turn of each other address, however many of one address wait. Knows no client, and
nothing of the work.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UNLIMITED: Final = 1 << 62


class CrowdedError(Exception):
    """There is no room to wait in, or no more: come again."""


class Room(NamedTuple):
    """How many may wait or work at once."""

    in_all: int  # beyond it somebody of the address that has most is sent away
    per_address: int = UNLIMITED
    per_account: int = UNLIMITED  # of one address: nobody keeps an account's owner out from elsewhere


class _Ticket:
    """Somebody who waits."""

    __slots__ = ("called", "may_work")

    def __init__(self) -> None:
        self.called = threading.Event()
        self.may_work = False


class Turns:
    """Places for so many at a time. `address` and `account` are any text that tells them apart."""

    def __init__(self, places: int, room: Room) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._room = room
        self._closed = False
        self._waiting = 0
        # Who waits: by address, and within it by account, the next one first.
        self._queues: OrderedDict[str, OrderedDict[str, deque[_Ticket]]] = OrderedDict()
        self._present: dict[str, dict[str, int]] = {}  # waiting or at work: by address, and within it by account

    @contextmanager
    def turn(self, address: str, account: str, before_waiting: Callable[[], None] | None = None) -> Iterator[None]:
        """Round the work: waits for a place, and gives it back. Raises CrowdedError, also after `close`.

        `before_waiting` is called where there is a wait: whoever waits gives back what others need meanwhile.
        """
        ticket = self._line_up(address, account)
        try:
            if before_waiting is not None and not ticket.may_work:
                before_waiting()
            ticket.called.wait()
            if not ticket.may_work:
                raise CrowdedError
            yield
        finally:
            self._go(address, account, ticket)

    def close(self) -> None:
        """Sends away all who wait, and whoever comes; who works goes on."""
        with self._lock:
            self._closed = True
            sent_away = [ticket for accounts in self._queues.values() for line in accounts.values() for ticket in line]
            self._queues.clear()
            self._waiting = 0
        for ticket in sent_away:
            ticket.called.set()

    def _line_up(self, address: str, account: str) -> _Ticket:
        ticket = _Ticket()
        with self._lock:
            self._admit(address, account)
            accounts = self._present.setdefault(address, {})
            accounts[account] = accounts.get(account, 0) + 1
            if self._free:  # and then nobody waits
                self._free -= 1
                ticket.may_work = True
                ticket.called.set()
            else:
                self._queues.setdefault(address, OrderedDict()).setdefault(account, deque()).append(ticket)
                self._waiting += 1
        return ticket

    def _admit(self, address: str, account: str) -> None:
        """Sees that there is room for one more. Raises CrowdedError."""
        present = self._present.get(address, {})
        if (
            self._closed
            or sum(present.values()) >= self._room.per_address
            or present.get(account, 0) >= self._room.per_account
            or (not self._free and self._waiting >= self._room.in_all and not self._send_away(address))
        ):
            raise CrowdedError

    def _send_away(self, newcomer: str) -> bool:
        """Makes room: the last of the address with most goes, unless the newcomer's own has as many."""
        if not self._queues:
            return False
        size, largest = max((_count(accounts), address) for address, accounts in self._queues.items())
        if largest == newcomer or size <= _count(self._queues.get(newcomer, {})) + 1:
            return False
        accounts = self._queues[largest]
        account = next(reversed(accounts))
        ticket = accounts[account].pop()
        self._waiting -= 1
        self._drop_if_empty(largest, account)
        ticket.called.set()
        return True

    def _go(self, address: str, account: str, ticket: _Ticket) -> None:
        with self._lock:
            line = self._queues[address].get(account) if address in self._queues else None
            if line is not None and ticket in line:  # whoever waited was stopped by an exception
                line.remove(ticket)
                self._waiting -= 1
                self._drop_if_empty(address, account)
            had_place = ticket.may_work
            accounts = self._present[address]
            accounts[account] -= 1
            if not accounts[account]:
                del accounts[account]
            if not accounts:
                del self._present[address]
            following = self._next() if had_place else None
            if had_place and following is None:
                self._free += 1
        if following is not None:
            following.called.set()

    def _next(self) -> _Ticket | None:
        """The next one to work, whose address and account then stand at the end of their lines."""
        if not self._queues:
            return None
        address, accounts = next(iter(self._queues.items()))
        account, line = next(iter(accounts.items()))
        ticket = line.popleft()
        self._waiting -= 1
        ticket.may_work = True
        accounts.move_to_end(account)
        self._queues.move_to_end(address)
        self._drop_if_empty(address, account)
        return ticket

    def _drop_if_empty(self, address: str, account: str) -> None:
        accounts = self._queues[address]
        if not accounts[account]:
            del accounts[account]
        if not accounts:
            del self._queues[address]


def _count(accounts: dict[str, deque[_Ticket]] | OrderedDict[str, deque[_Ticket]]) -> int:
    return sum(map(len, accounts.values()))
