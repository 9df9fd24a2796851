"""service/accounts/limiter.py, and that the service keeps to it: limits for one address, one account and one client."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from service.accounts.limiter import ACCOUNT_SHARE, CHECK_BURST, CHECK_RATE, LOGIN_BURST, REGISTER_BURST, Limiter
from service.accounts.shares import READ_BURST, SHARE_BURST
from service.config import ACT_COST, SEARCH_COST, Settings
from service.errors import PeerError
from service.origin import NETWORK_SHARE, Origin, origin_of
from service.storage.records import RoomLimits
from tests.support.helpers import PASSWORD, Wire, enter, running_server, seconds, until

if TYPE_CHECKING:
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

HERE, THERE = origin_of("192.0.2.1"), origin_of("192.0.2.2")


def fail_login(limiter: Limiter, name: str = "alice", address: Origin = HERE) -> PeerError:
    """One more wrong password; gives the error that the client sees."""
    with pytest.raises(PeerError) as caught, limiter.login(name, address):
        raise PeerError("bad_credentials", "wrong")
    return caught.value


# -- failed logins ----------------------------------------------------------------------------------------------------
def test_an_address_that_guesses_is_refused_and_forgiven(clock: FrozenDateTimeFactory) -> None:
    """After so many wrong passwords nothing is checked any more, until time has refilled the budget."""
    limiter = Limiter(Settings(login_rate=6), seconds)
    assert {fail_login(limiter).code for _ in range(LOGIN_BURST)} == {"bad_credentials"}
    refused = fail_login(limiter, "bob")
    assert (refused.code, refused.retry_after) == ("rate_limited", 10)
    clock.tick(timedelta(seconds=10))
    assert [fail_login(limiter, "bob").code for _ in range(2)] == ["bad_credentials", "rate_limited"]


def test_other_addresses_can_still_log_in_to_an_account_under_attack(clock: FrozenDateTimeFactory) -> None:
    """One address that guesses keeps no one else out; only as many as ACCOUNT_SHARE together do."""
    limiter = Limiter(Settings(login_rate=6), seconds)
    for attacker in range(ACCOUNT_SHARE):
        with limiter.login("alice", THERE):
            pass
        for _ in range(LOGIN_BURST):
            fail_login(limiter, address=origin_of(f"198.51.100.{attacker}"))
    assert fail_login(limiter, address=THERE).code == "rate_limited"
    with limiter.login("bob", THERE):
        pass


def log_in(limiter: Limiter, name: str, origin: Origin, most: int = 10_000) -> int:
    """How many logins with the right password there are until one is refused."""
    for count in range(most):
        try:
            with limiter.login(name, origin):
                pass
        except PeerError:
            return count
    return most


def test_right_passwords_are_counted_as_well(clock: FrozenDateTimeFactory) -> None:
    """One account, again and again, is slowed alone: not its neighbours, nor its owner elsewhere; then it goes on."""
    limiter = Limiter(Settings(), seconds)
    assert log_in(limiter, "mallory", HERE) == CHECK_BURST
    assert [log_in(limiter, "alice", HERE, 1), log_in(limiter, "mallory", THERE, 1)] == [1, 1]
    clock.tick(timedelta(seconds=10))
    assert log_in(limiter, "mallory", HERE) == 10 * CHECK_RATE


def test_a_change_of_password_counts_for_two(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """It checks the old one and hashes the new one; so does the next, as long as there is anything left."""
    with running_server(tmp_path, rate=20, login_rate=10) as server, enter(server.port, "alice") as alice:
        counted = server.services.limiter._account_checks
        counted.spend(("127.0.0.1", "alice"), CHECK_BURST - 4)  # the login by which she registered was one
        codes = [alice.ask("password", old=PASSWORD, new=PASSWORD).get("code") for _ in range(3)]
    assert codes == [None, None, "rate_limited"]


def test_an_address_has_so_many_passwords_checked(clock: FrozenDateTimeFactory) -> None:
    """A class of 200 and more at once, whatever the accounts; then so many a second; a network four times as many."""
    settings = Settings()
    limiter, share = Limiter(settings, seconds), settings.address_share
    at_once = SHARE_BURST * share * CHECK_BURST
    assert at_once > 200
    accounts = range(int(at_once) // CHECK_BURST + 1)
    assert sum(log_in(limiter, f"n{n}", HERE) for n in accounts) == at_once
    assert log_in(limiter, "alice", THERE, 1) == 1
    clock.tick(timedelta(seconds=10))
    assert log_in(limiter, "alice", HERE) == 10 * share * CHECK_RATE
    households = [origin_of(f"2001:db8:1:{number}::1") for number in range(NETWORK_SHARE + 1)]
    assert sum(log_in(limiter, f"n{n}", one) for one in households for n in accounts) == NETWORK_SHARE * at_once


@pytest.mark.parametrize("unlimited", [{"rate": 0}, {"login_rate": 0}, {"address_share": 0}])
def test_without_limits_no_right_password_is_counted(unlimited: dict[str, float]) -> None:
    """An operator who wants no limit for an address has none for this either."""
    assert log_in(Limiter(Settings(**unlimited), seconds), "alice", HERE, 1_000) == 1_000  # type: ignore[arg-type]


def test_an_address_with_hardly_a_share_can_log_in() -> None:
    """However small --address-share is."""
    assert log_in(Limiter(Settings(address_share=0.001), seconds), "alice", HERE, 3) == 3


def test_a_right_password_costs_nothing(clock: FrozenDateTimeFactory) -> None:
    """Of what wrong ones may: a class behind one router may log in all at once, and again."""
    limiter = Limiter(Settings(login_rate=6), seconds)
    for number in range(3 * LOGIN_BURST):
        with limiter.login(f"pupil{number}", HERE):
            pass
    assert fail_login(limiter).code == "bad_credentials"


def test_registrations_of_one_address_are_limited(clock: FrozenDateTimeFactory) -> None:
    """So many new names at once, then some a minute; another address is free."""
    limiter = Limiter(Settings(login_rate=6), seconds)
    for _ in range(REGISTER_BURST):
        limiter.register(HERE)
    with pytest.raises(PeerError, match="new names from your address; try again in 10 seconds") as caught:
        limiter.register(HERE)
    assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 10)
    limiter.register(THERE)
    clock.tick(timedelta(seconds=10))
    limiter.register(HERE)


def test_wrong_webhooks_of_one_address_are_limited(clock: FrozenDateTimeFactory) -> None:
    """As failed logins are, and apart from them."""
    limiter = Limiter(Settings(login_rate=6), seconds)
    for _ in range(LOGIN_BURST):
        limiter.wrong_hook(HERE)
    with pytest.raises(PeerError, match="wrong webhooks; try again in 10 seconds") as caught:
        limiter.wrong_hook(HERE)
    assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 10)
    limiter.wrong_hook(THERE)
    assert log_in(limiter, "alice", HERE, 1) == 1
    clock.tick(timedelta(seconds=10))
    limiter.wrong_hook(HERE)


def test_zero_means_no_limit(clock: FrozenDateTimeFactory) -> None:
    """With a rate of 0 nothing is ever refused."""
    limiter = Limiter(Settings(login_rate=0, max_per_address=0), seconds)
    assert {fail_login(limiter).code for _ in range(200)} == {"bad_credentials"}
    assert all(limiter.admit(HERE) for _ in range(500))
    for _ in range(200):
        limiter.register(HERE)


def test_guessing_over_the_wire(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """The real service refuses what is guessed too often, says when to come back, and still takes a token."""
    with running_server(tmp_path, login_rate=6) as server, enter(server.port, "alice") as alice:
        token = alice.hello["token"]
        with Wire(server.port) as wire:
            codes = [wire.ask("login", username="alice", password="wrong")["code"] for _ in range(LOGIN_BURST)]
            assert set(codes) == {"bad_credentials"}
            refused = wire.ask("login", username="alice", password=PASSWORD)
            assert (refused["code"], refused["retry_after"]) == ("rate_limited", 10)
            unknown = wire.ask("login", username="alice", password="wrong")
            assert unknown == refused
            assert wire.ask("resume", token=token)["type"] == "login_ok"
        assert alice.ask("password", old="wrong", new="another one")["code"] == "rate_limited"
        clock.tick(timedelta(seconds=10))
        enter(server.port, "alice").close()


def test_registering_over_the_wire(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Only what would be a new account counts: a name that is taken, or a password too short, costs nothing."""
    with running_server(tmp_path, login_rate=6) as server, Wire(server.port) as wire:
        for _ in range(REGISTER_BURST + 1):
            assert wire.ask("register", username="alice", password="short")["code"] == "weak_password"
        assert wire.ask("register", username="alice", password=PASSWORD)["type"] == "login_ok"


# -- connections ------------------------------------------------------------------------------------------------------
def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    """One more is refused with a word; when one goes there is room again."""
    with running_server(tmp_path, max_per_address=2) as server, enter(server.port, "alice") as alice:
        second = Wire(server.port)
        with Wire(server.port, greet=False) as third:
            refusal, bye = third.read_to_end()
        assert (refusal["code"], refusal["fatal"], bye["reason"]) == ("too_many_connections", True, "kicked")
        assert "from your address" in refusal["message"]
        second.close()
        while (wire := Wire(server.port)).hello["type"] != "hello":
            wire.close()
        wire.close()
        assert alice.ask("ping")["type"] == "pong"


# -- a talkative client -----------------------------------------------------------------------------------------------
def test_a_talkative_client_is_slowed_not_refused(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Beyond its burst no more is read from it, others notice nothing, and all it has sent comes in the end."""
    with (
        running_server(tmp_path, rate=20, burst=5) as server,
        enter(server.port, "bob") as bob,
        enter(server.port, "alice") as alice,
    ):
        alice.send(*[{"command": "pm", "message": f"{n}"} for n in range(10)], {"command": "ping", "ref": "last"})
        for _ in range(6):  # the one that goes beyond the burst is the last that is taken
            alice.read_type("ack")
        assert len(bob.ask("history")["messages"]) == 6
        assert bob.ask("pm", message="I talk on")["type"] == "ack"
        clock.tick(timedelta(seconds=1))
        for _ in range(4):
            alice.read_type("ack")
        assert alice.read_type("pong")["ref"] == "last"


@pytest.mark.parametrize(
    ("command", "cost"),
    [
        *((name, 1) for name in ("history", "missed", "users", "since", "rooms", "members", "bans")),
        *((name, ACT_COST) for name in ("create", "join", "leave", "set_room", "moderate", "delete")),
        ("search", SEARCH_COST),
    ],
)
def test_catching_up_has_a_budget_of_its_own(
    tmp_path: Path, clock: FrozenDateTimeFactory, command: str, cost: int
) -> None:
    """Pages do not use up what a client may say, nor its messages what it may read; some count for several."""
    asked = {"command": command, "query": "word", "id": 9, "topic": "x", "username": "alice", "action": "kick"}
    if command not in ("history", "search", "since"):
        asked["room"] = "ops"
    with running_server(tmp_path, rate=20, burst=1) as server, enter(server.port, "alice") as alice:
        for n in range(2):
            alice.send({"command": "pm", "message": f"{n}"})
        alice.read_type("ack")
        alice.read_type("ack")
        clock.tick(timedelta(seconds=1))
        alice.send(*[asked] * ((READ_BURST - 50) // cost), {"command": "pm", "message": "said", "ref": "after"})
        assert alice.read_type("ack")["ref"] == "after"


def test_a_login_counts_by_its_rooms(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """Who comes again and again, to many rooms, has to wait."""
    here, limits = Origin("127.0.0.1", "127.0.0.1"), RoomLimits(members=1, rooms=100, per_account=100, invitations=0)
    with running_server(tmp_path, rate=20, address_share=0.2) as server:  # 20 lines at once, then one a second
        enter(server.port, "alice").close()
        alice, create = server.services.storage.find_user("alice"), server.services.storage.create_room
        assert alice is not None
        for n in range(100):
            made = create(alice.id, f"r{n}", f"r{n}", "", private=False, least="member", limits=limits)
            server.services.storage.result(made)
        shares = server.services.shares
        assert shares is not None
        clock.tick(timedelta(seconds=20))
        with enter(server.port, "alice") as wire:
            assert wire.ask("ping")["type"] == "pong"
        enter(server.port, "alice").close()
        until(lambda: shares.knock(here, 0) > 1)


def test_a_slowed_client_does_not_hold_up_the_end(tmp_path: Path, clock: FrozenDateTimeFactory) -> None:
    """A stop of the service ends the wait of a client that has sent too much."""
    with running_server(tmp_path, rate=0.001, burst=1) as server, enter(server.port, "alice") as alice:
        alice.send(*[{"command": "pm", "message": "x"}] * 9)
        alice.read_type("ack")
        server.stop()
        assert alice.read_to_end()[-1] == {"type": "bye", "reason": "shutdown"}


def test_networks_of_many_addresses_count_as_one() -> None:
    """Who has a whole network of IPv6 has places for a few addresses; another network is free."""
    limiter, most = Limiter(Settings(max_per_address=3), seconds), 3

    def admit(origin: Origin, count: int) -> int:
        return sum(limiter.admit(origin) for _ in range(count))

    households = [origin_of(f"2001:db8:1:{number}::1") for number in range(10)]
    assert sum(admit(household, 5) for household in households) == NETWORK_SHARE * most
    assert admit(origin_of("2001:db8:2::1"), 5) == most
    assert admit(origin_of("192.0.2.1"), 5) == most
    limiter.leave(households[0])
    assert [limiter.admit(households[1]), limiter.admit(households[9])] == [False, True]
