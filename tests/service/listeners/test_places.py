"""service/listeners/places.py: the places, and which client gives up its place for a newcomer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from service.chat.session import Account
from service.listeners.places import (
    CROWDED,
    LEAVING_AT_ONCE,
    OWN_PLACES_RATE,
    RUSH,
    RUSH_TIME,
    SWITCH_INTERVAL,
    Members,
    Places,
    Strangers,
)
from service.origin import origin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from service.delivery.loop import Delivery
    from service.listeners.connection import Connection

KEPT: Final = 2  # places that an account keeps here
OWN: Final = 3  # places at once that an address may take from its own here
PER_CLIENT: Final = 2 * SWITCH_INTERVAL
PER_LEAVING: Final = 3 * PER_CLIENT


class Visitor:
    """As much of a connection and its session as the places ask for. An upper-case letter: one just logging in."""

    def __init__(self, letter: str = "a", user_id: int | None = None) -> None:
        self.session = self
        self.origin = origin_of(address_of(letter))
        self.peer = letter
        self.is_entering = letter.isupper()
        self.account: Account | None = None
        self.end = ""
        if user_id is not None:
            self.log_in(user_id)

    def log_in(self, user_id: int) -> None:
        self.account = Account(user_id, f"user{user_id}", 0, confirm=False)

    def logged_in_account(self) -> Account:
        assert self.account is not None
        return self.account

    def drop(self, reason: str) -> bool:
        if self.account is not None or self.is_entering:
            return False
        assert reason == CROWDED
        self.end = "dropped"
        return True

    def give_way(self) -> None:
        self.end = "gave way"


class StillDelivery:
    """Does what is posted when the test says so."""

    def __init__(self) -> None:
        self.posted: list[tuple[Callable[[Any], None], Any]] = []

    def post(self, function: Callable[[Any], None], argument: Any) -> None:
        self.posted.append((function, argument))

    def run(self) -> None:
        for function, argument in self.posted:
            function(argument)
        self.posted.clear()


class House:
    """A few places and those that come."""

    def __init__(self, most: int) -> None:
        self.delivery = StillDelivery()
        self.seconds = 0.0
        self.places = Places(
            most,
            cast("Delivery", self.delivery),
            lambda: self.seconds,
            account_places=KEPT,
            own_burst=OWN,
            switch_per_client=(PER_CLIENT, PER_LEAVING),
        )

    def come(self, letter: str, user_id: int | None = None) -> Visitor | None:
        """A visitor, if there is a place. One that has to go for that is told, but still there."""
        if not self.places.make_place(origin_of(address_of(letter)).network):
            return None
        visitor = Visitor(letter)
        self.places.add(as_connection(visitor))
        if user_id is not None:
            visitor.log_in(user_id)
            self.places.note_login(as_connection(visitor))
        self.delivery.run()
        return visitor

    def leave(self, *visitors: Visitor | None) -> None:
        """They are gone."""
        for visitor in visitors:
            assert visitor is not None
            self.places.remove(as_connection(visitor))


def as_connection(visitor: Visitor) -> Connection:
    return cast("Connection", visitor)


def address_of(letter: str) -> str:
    """An address for each letter."""
    return f"192.0.2.{ord(letter.lower())}"


@pytest.fixture(autouse=True)
def interval() -> Iterator[None]:
    """The interpreter is shared as before when the test is over."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


# -- all together -----------------------------------------------------------------------------------------------------
def test_there_are_so_many_places() -> None:
    """Up to the most nobody has to go; a place that a client leaves is free again."""
    house = House(2)
    one, two = house.come("A"), house.come("B")
    assert house.come("c") is None
    house.leave(one)
    three = house.come("C")
    assert set(house.places.connections()) == {cast("Connection", visitor) for visitor in (two, three)}
    assert house.come("c") is None
    assert [visitor.end for visitor in (one, two, three) if visitor] == ["", "", ""]


def test_a_stranger_goes_before_a_member() -> None:
    """A session of an account that has many keeps its place while anyone has not logged in."""
    house = House(4)
    members, stranger = [house.come("a", user_id=1) for _ in range(KEPT + 1)], house.come("b")
    newcomer = house.come("c", user_id=2)
    assert stranger is not None
    assert stranger.end == "dropped"
    house.leave(stranger)
    assert house.come("d") is not None
    assert [member.end for member in members if member] == ["gave way", "", ""]
    assert newcomer is not None
    assert newcomer.end == ""


def test_an_account_keeps_some_places() -> None:
    """When nobody can go a newcomer gets no place."""
    house = House(KEPT)
    members = [house.come("a", user_id=1) for _ in range(KEPT)]
    assert house.come("b") is None
    assert [member.end for member in members if member] == [""] * KEPT


def test_each_newcomer_takes_another_place_of_an_account() -> None:
    """A session that was told to go, and is still there, is not counted on again."""
    house = House(KEPT + 2)
    members = [house.come("a", user_id=1) for _ in range(KEPT + 2)]
    assert None not in [house.come("B"), house.come("C")]
    assert house.come("D") is None
    assert [member.end for member in members if member] == ["gave way", "gave way", "", ""]


def test_an_address_replaces_its_own_only_so_often() -> None:
    """Beyond that it gets no place until some time has gone; another address gets one."""
    house = House(1)
    chain = [house.come("a")]
    for _ in range(OWN):
        chain.append(house.come("a"))
        house.leave(chain[-2])
    assert house.come("a") is None
    assert [visitor.end for visitor in chain if visitor] == ["dropped"] * OWN + [""]
    house.seconds += 1 / OWN_PLACES_RATE
    assert house.come("a") is not None
    house.leave(chain[-1])
    assert house.come("a") is None
    assert house.come("b") is not None


def test_only_so_many_are_on_their_way_out() -> None:
    """Beyond LEAVING_AT_ONCE of them no newcomer gets a place; when one of them is gone it does."""
    house = House(1)
    visitors = [house.come(chr(ord("a") + number)) for number in range(1 + LEAVING_AT_ONCE)]
    assert [visitor.end for visitor in visitors if visitor] == ["dropped"] * LEAVING_AT_ONCE + [""]
    assert house.come("A") is None
    house.leave(visitors[0])
    assert house.come("A") is not None


def test_a_place_is_given_once() -> None:
    """However many ask before the first of them has taken it; one that does not come gives it back."""
    house = House(1)
    network = origin_of(address_of("a")).network
    assert [house.places.make_place(network) for _ in range(3)] == [True, False, False]
    house.places.give_back()
    assert house.come("b") is not None


@pytest.mark.parametrize(("then", "goes_next"), [("fails", True), ("logs in", False), ("is gone", False)])
def test_a_client_that_has_just_begun_to_log_in_is_spared(then: str, *, goes_next: bool) -> None:
    """Its login may have begun after it was chosen. If that fails it is a stranger as before."""
    house = House(1)
    first = house.come("a")
    assert first is not None
    assert house.places.make_place(origin_of(address_of("b")).network)  # the first one is to go
    first.is_entering = True
    if then == "logs in":
        first.log_in(1)
        house.places.note_login(as_connection(first))
    if then == "is gone":
        house.leave(first)
    house.delivery.run()
    first.is_entering = False
    house.places.add(as_connection(Visitor("B")))
    assert (house.come("c") is not None) == goes_next
    assert first.end == ("dropped" if goes_next else "")


def test_the_interpreter_is_asked_for_less_often_by_many() -> None:
    """A thread that waits asks at CPython's interval; with many clients at a longer one, and when they go as before."""
    house = House(3)
    visitors = [house.come("a") for _ in range(3)]
    assert sys.getswitchinterval() == pytest.approx(3 * PER_CLIENT)
    house.leave(*visitors)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
    assert house.places.connections() == []


@pytest.mark.parametrize(("seconds", "interval"), [(RUSH_TIME - 0.01, PER_LEAVING), (RUSH_TIME, PER_CLIENT)])
def test_it_is_asked_for_even_less_often_while_many_leave(seconds: float, interval: float) -> None:
    """So many threads wait then that they would do little else; when few leave, it is as before."""
    house = House(RUSH + 2)
    visitors = [house.come("a") for _ in range(RUSH + 2)]
    house.leave(visitors[0])
    house.seconds += seconds
    house.leave(*visitors[1 : RUSH - 1])
    assert sys.getswitchinterval() == pytest.approx(3 * PER_CLIENT)
    house.leave(visitors[RUSH - 1])
    assert sys.getswitchinterval() == pytest.approx(2 * interval)


# -- who goes ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("hosts", "comer", "gone"),
    [
        ("abbc", "z", "1023"),
        ("aabbb", "z", "20314"),
        ("A", "z", ""),
        ("AAb", "z", "2"),
        ("aAa", "z", "02"),
        ("abb", "b", "120"),  # the address with most
        ("aabb", "b", "2031"),  # one of those with most
        ("aaab", "b", "0132"),  # not it, until it has as many
        ("AAbbb", "a", "2"),  # never at the cost of an address that has no more
        ("a", "b", "0"),
    ],
)
def test_the_order_in_which_strangers_go(hosts: str, comer: str, gone: str) -> None:
    """The oldest of the address with most of them; never one whose password is being checked (in upper case)."""
    strangers = Strangers()
    visitors = [as_connection(Visitor(host)) for host in hosts]
    for visitor in visitors:
        strangers.add(visitor)
    order = ""
    while (stranger := strangers.choose(address_of(comer))) is not None:
        strangers.discard(stranger)
        order += str(visitors.index(stranger))
    assert order == gone


@pytest.mark.parametrize(
    ("accounts", "gone"), [("", ""), ("abc", ""), ("aabb", ""), ("aaabb", "0"), ("abaaaab", "023"), ("abbbbcc", "12")]
)
def test_the_order_in_which_members_go(accounts: str, gone: str) -> None:
    """The oldest of the account that has most, where that is more than each may keep."""
    members, visitors = Members(KEPT), [as_connection(Visitor(user_id=ord(account))) for account in accounts]
    for visitor in visitors:
        members.add(visitor)
    order = ""
    while (chosen := members.choose()) is not None:
        members.discard(chosen)
        order += str(visitors.index(chosen))
    assert order == gone
    for visitor in visitors:
        members.discard(visitor)
    assert members._by_account == {}
