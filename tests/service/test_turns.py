"""service/turns.py: places that are taken in turns between networks, addresses and accounts."""

from __future__ import annotations

import threading
from typing import Final

import pytest

from service.origin import NETWORK_SHARE, Origin
from service.turns import UNLIMITED, CrowdedError, QueueLimits, Turns
from tests.support.helpers import PATIENCE, until

NO_LIMITS: Final = QueueLimits(UNLIMITED)


def origin(text: str) -> Origin:
    """An address, which is its network, too; with a slash the network stands before it."""
    return Origin(text, text.partition("/")[0])


A, B, C = map(origin, "abc")


class Queue:
    """Threads that want the only place. It is taken until `let_go`; `worked` is who then had it, in order."""

    def __init__(self, limits: QueueLimits = NO_LIMITS, *, places: int = 1) -> None:
        self.turns = Turns(places, limits)
        self.worked: list[str] = []
        self.refused: list[str] = []
        self._threads: list[threading.Thread] = []
        self._held = self.turns.turn(origin("first"), "first")
        self._held.__enter__()

    def come(self, *who: str) -> None:
        """Each of these, "address account" or "network/number account", lines up behind those before, or is refused."""
        for text in who:
            thread = threading.Thread(target=self._work, args=text.split())
            self._threads.append(thread)
            thread.start()
            until(lambda: self.turns._queue.length + len(self.worked) + len(self.refused) == len(self._threads))

    def _work(self, address: str, account: str) -> None:
        try:
            with self.turns.turn(origin(address), account):
                self.worked.append(f"{address} {account}")
        except CrowdedError:
            self.refused.append(f"{address} {account}")

    def let_go(self) -> list[str]:
        """Lets them work, one after the other; gives who did."""
        self._held.__exit__(None, None, None)
        for thread in self._threads:
            thread.join(PATIENCE)
        assert self.turns._present == {}
        return self.worked


def test_addresses_take_turns() -> None:
    """However many of one address wait, a newcomer from another one is next but one."""
    queue = Queue()
    queue.come("a 1", "a 2", "a 3", "b 1", "c 1", "b 2")
    assert queue.let_go() == ["a 1", "b 1", "c 1", "a 2", "b 2", "a 3"]


def test_accounts_of_one_address_take_turns() -> None:
    """One account with many connections does not hold up another behind the same router."""
    queue = Queue()
    queue.come("a 1", "a 1", "a 1", "a 2", "a 3")
    assert queue.let_go() == ["a 1", "a 2", "a 3", "a 1", "a 1"]


def test_a_network_of_many_addresses_gets_no_more_turns() -> None:
    """Networks take turns, and within one its addresses: thousands of them hold up nobody, nor does one of them."""
    queue = Queue()
    queue.come("n/1 1", "n/1 2", "n/2 1", "n/3 1", "b 1", "m/1 1", "b 2")
    assert queue.let_go() == ["n/1 1", "b 1", "m/1 1", "n/2 1", "b 2", "n/3 1", "n/1 2"]


def test_a_network_has_space_for_a_few_addresses() -> None:
    """One of its addresses cannot take the places of the others; all together have that of NETWORK_SHARE."""
    queue = Queue(QueueLimits(UNLIMITED, per_address=2))
    queue.come(*(f"n/1 {n}" for n in range(3)), "n/2 1")
    assert queue.refused == ["n/1 2"]
    queue.come(*(f"n/{n} 1" for n in range(3, 2 * NETWORK_SHARE + 1)), "b 1")
    assert queue.refused[1:] == [f"n/{2 * NETWORK_SHARE} 1"]
    assert len(queue.let_go()) == 2 * NETWORK_SHARE + 1


def test_a_free_place_is_taken_at_once() -> None:
    """As many as there are places work at the same time, and a place that came free is free."""
    turns = Turns(2, QueueLimits(0))
    for _ in range(2):
        with turns.turn(A, "1"), turns.turn(B, "1"), pytest.raises(CrowdedError), turns.turn(C, "1"):
            pass


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        (QueueLimits(UNLIMITED, per_address=3), "a 4"),
        (QueueLimits(UNLIMITED, per_account=1), "a 1"),
        (QueueLimits(UNLIMITED, per_address=4), ""),
    ],
)
def test_an_address_and_an_account_may_have_so_many(limits: QueueLimits, refused: str) -> None:
    """One more is refused at once; other addresses notice nothing, and the same account comes from there."""
    queue = Queue(limits)
    queue.come("a 1", "a 2", "a 3", "b 1", "b 2", *([refused] if refused else []))
    assert queue.refused == ([refused] if refused else [])
    assert len(queue.let_go()) == 5


def test_who_works_counts_as_well() -> None:
    """A limit of one for an account leaves nobody waiting behind the one who works."""
    queue = Queue(QueueLimits(UNLIMITED, per_account=1))
    queue.come("first first")
    assert queue.refused == ["first first"]
    queue.let_go()


def test_when_all_is_full_the_largest_crowd_gives_way() -> None:
    """A newcomer from an address with few takes the place of the last one of the address with most; not the reverse."""
    queue = Queue(QueueLimits(3))
    queue.come("a 1", "a 2", "a 3", "b 1")
    assert queue.refused == ["a 3"]
    queue.come("a 4", "b 2")  # two of a and one of b wait: neither has fewer by more than one
    assert queue.refused == ["a 3", "a 4", "b 2"]
    assert queue.let_go() == ["a 1", "b 1", "a 2"]


def test_the_largest_crowd_of_a_network_gives_way() -> None:
    """Where a network fills all places alone, its address with most gives way to one that has few."""
    queue = Queue(QueueLimits(4))
    queue.come("n/1 1", "n/1 2", "n/1 2", "n/2 1", "n/3 1")
    assert queue.refused == ["n/1 2"]
    queue.come("n/2 2")  # no other of its addresses has two more
    queue.come("b 1")  # but the network has
    assert queue.refused[1:] == ["n/2 2", "n/1 2"]
    assert queue.let_go() == ["n/1 1", "b 1", "n/2 1", "n/3 1"]


def test_a_failure_gives_the_place_back() -> None:
    """What goes wrong at work takes no place for ever."""
    turns = Turns(1, QueueLimits(0))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn(A, "1"):
            raise ZeroDivisionError
    assert turns._present == {}


def test_the_end_sends_away_who_waits() -> None:
    """Work under way goes on; all that wait or come later are told."""
    queue = Queue()
    queue.come("a 1", "b 1")
    queue.turns.close()
    assert queue.let_go() == []
    assert sorted(queue.refused) == ["a 1", "b 1"]
    with pytest.raises(CrowdedError), queue.turns.turn(C, "1"):
        pass


def test_who_is_stopped_while_waiting_leaves_the_line() -> None:
    """An exception before the wait takes no place from those behind."""

    def fail() -> None:
        raise ZeroDivisionError

    queue = Queue()
    with pytest.raises(ZeroDivisionError), queue.turns.turn(A, "1", fail):
        pass
    queue.come("b 1")
    assert queue.let_go() == ["b 1"]
    with queue.turns.turn(C, "1"):
        assert queue.turns._queue.length == 0
