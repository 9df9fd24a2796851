"""service/turns.py: places that are taken in turns between addresses and accounts."""

from __future__ import annotations

import threading
from typing import Final

import pytest

from service.turns import UNLIMITED, CrowdedError, Room, Turns
from tests.helpers import PATIENCE, until

ROOM: Final = Room(UNLIMITED)


class Line:
    """Threads that want the only place. It is taken until `let_go`; `worked` is who then had it, in order."""

    def __init__(self, room: Room = ROOM, *, places: int = 1) -> None:
        self.turns = Turns(places, room)
        self.worked: list[str] = []
        self.refused: list[str] = []
        self._threads: list[threading.Thread] = []
        self._held = self.turns.turn("first", "first")
        self._held.__enter__()

    def come(self, *who: str) -> None:
        """Each of these, given as "address account", lines up behind those who came before, or is refused."""
        for text in who:
            thread = threading.Thread(target=self._work, args=text.split())
            self._threads.append(thread)
            thread.start()
            until(lambda: self.turns._waiting + len(self.worked) + len(self.refused) == len(self._threads))

    def _work(self, address: str, account: str) -> None:
        try:
            with self.turns.turn(address, account):
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
    """However many of one address wait, who comes from another one is next but one."""
    line = Line()
    line.come("a 1", "a 2", "a 3", "b 1", "c 1", "b 2")
    assert line.let_go() == ["a 1", "b 1", "c 1", "a 2", "b 2", "a 3"]


def test_accounts_of_one_address_take_turns() -> None:
    """One account with many connections does not hold up another behind the same router."""
    line = Line()
    line.come("a 1", "a 1", "a 1", "a 2", "a 3")
    assert line.let_go() == ["a 1", "a 2", "a 3", "a 1", "a 1"]


def test_a_free_place_is_taken_at_once() -> None:
    """As many as there are places work at the same time, and a place that came free is free."""
    turns = Turns(2, Room(0))
    for _ in range(2):
        with turns.turn("a", "1"), turns.turn("b", "1"), pytest.raises(CrowdedError), turns.turn("c", "1"):
            pass


@pytest.mark.parametrize(
    ("room", "refused"),
    [
        (Room(UNLIMITED, per_address=3), "a 4"),
        (Room(UNLIMITED, per_account=1), "a 1"),
        (Room(UNLIMITED, per_address=4), ""),
    ],
)
def test_an_address_and_an_account_have_so_much_room(room: Room, refused: str) -> None:
    """One more is refused at once; other addresses notice nothing, and the same account comes from there."""
    line = Line(room)
    line.come("a 1", "a 2", "a 3", "b 1", "b 2", *([refused] if refused else []))
    assert line.refused == ([refused] if refused else [])
    assert len(line.let_go()) == 5


def test_who_works_counts_as_well() -> None:
    """A limit of one for an account leaves nobody waiting behind the one who works."""
    line = Line(Room(UNLIMITED, per_account=1))
    line.come("first first")
    assert line.refused == ["first first"]
    line.let_go()


def test_when_all_is_full_the_largest_crowd_gives_way() -> None:
    """A newcomer from an address with few takes the room of the last one of the address with most; not the reverse."""
    line = Line(Room(3))
    line.come("a 1", "a 2", "a 3", "b 1")
    assert line.refused == ["a 3"]
    line.come("a 4", "b 2")  # two of a and one of b wait: neither has fewer by more than one
    assert line.refused == ["a 3", "a 4", "b 2"]
    assert line.let_go() == ["a 1", "b 1", "a 2"]


def test_a_failure_gives_the_place_back() -> None:
    """What goes wrong at work takes no place for ever."""
    turns = Turns(1, Room(0))
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn("a", "1"):
            raise ZeroDivisionError
    assert turns._present == {}


def test_the_end_sends_away_who_waits() -> None:
    """Who works goes on; those who wait, and who comes later, are told."""
    line = Line()
    line.come("a 1", "b 1")
    line.turns.close()
    assert line.let_go() == []
    assert sorted(line.refused) == ["a 1", "b 1"]
    with pytest.raises(CrowdedError), line.turns.turn("c", "1"):
        pass


def test_who_is_stopped_while_waiting_leaves_the_line() -> None:
    """An exception before the wait takes no place from those behind."""

    def fail() -> None:
        raise ZeroDivisionError

    line = Line()
    with pytest.raises(ZeroDivisionError), line.turns.turn("a", "1", fail):
        pass
    line.come("b 1")
    assert line.let_go() == ["b 1"]
    with line.turns.turn("c", "1"):
        assert line.turns._waiting == 0
