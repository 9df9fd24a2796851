"""Names, passwords, the turns of bcrypt, and tokens."""

from __future__ import annotations

import base64
import hashlib
import queue
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest

from service.accounts.authentication import BCRYPT_PER_ACCOUNT, BCRYPT_PER_ADDRESS, Accounts, hash_token, new_token
from service.clock import format_time, utcnow
from service.config import Settings
from service.errors import PeerError
from service.origin import Origin, origin_of
from service.storage.records import UnknownToken
from tests.support.helpers import PATIENCE, open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from freezegun.api import FrozenDateTimeFactory

    from service.storage.contract import Storage
    from service.storage.records import Login, User

pytestmark = pytest.mark.engines
PASSWORD = "correct horse"
HERE, THERE = origin_of("192.0.2.1"), origin_of("192.0.2.2")


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    """An empty database."""
    with open_storage(tmp_path / "chat.db") as storage:
        yield storage


def make(
    storage: Storage,
    *,
    processors: int | None = None,
    waiting: int | None = None,
    per_address: int = BCRYPT_PER_ADDRESS,
    **more: Any,
) -> Accounts:
    """Accounts with the cheapest bcrypt."""
    settings = Settings(**{"bcrypt_cost": 4, "login_rate": 0} | more)
    return Accounts(storage, settings, processors=processors, waiting=waiting, per_address=per_address)


def add_user(storage: Storage, accounts: Accounts, name: str = "alice", password: str = PASSWORD) -> str:
    """Registers a user; gives the token."""
    token = new_token()
    password_hash = accounts.hash(accounts.check_new_password(password), "alice", HERE)
    storage.result(storage.register(name, name, password_hash, token.hash, format_time(utcnow())))
    return token.text


# -- passwords --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("minimum", "text", "reason"),
    [
        (8, "1234567", "at least 8 characters"),
        (8, "e\u0301" * 7, "at least 8 characters"),
        (12, "x" * 11, "at least 12 characters"),
        (8, "x" * 1_025, "at most 1024 bytes"),
        (8, "\u00e9" * 513, "at most 1024 bytes"),
        (8, "12345678\n", "no control characters"),
        (1, "", "a password has"),
    ],
)
def test_weak_passwords_are_refused_without_hashing(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, minimum: int, text: str, reason: str
) -> None:
    """A password that is too short, too long or none at all costs no work; the refusal says what is wrong with it."""
    accounts = make(storage, min_password=minimum)
    monkeypatch.setattr(bcrypt, "hashpw", None)
    with pytest.raises(PeerError, match=reason) as refusal:
        accounts.hash(accounts.check_new_password(text), "alice", HERE)
    assert refusal.value.code == "weak_password"


@pytest.mark.parametrize("text", ["12345678", "\U0001f600" * 8, "x" * 1_024, "\u00e9" * 512])
def test_passwords_at_the_limits_are_taken(storage: Storage, text: str) -> None:
    """Eight characters and 1,024 bytes are enough and not too much; the hash has the cost that was set."""
    accounts = make(storage, bcrypt_cost=5)
    assert accounts.hash(accounts.check_new_password(text), "alice", HERE).startswith("$2b$05$")
    add_user(storage, accounts, password=text)
    user = accounts.verify("alice", text, HERE)
    assert user is not None
    assert user.name == "alice"


@pytest.mark.parametrize("place", [0, 1, 54, 55, 71, 72, 73, 500, 1_022, 1_023])
def test_every_byte_of_a_long_password_counts(storage: Storage, place: int) -> None:
    """Passwords that differ in one byte are different, also beyond the 72 that bcrypt reads."""
    accounts, password = make(storage), "x" * 1_024
    add_user(storage, accounts, password=password)
    assert accounts.verify("alice", password, HERE)
    for other in (password[:place] + "y" + password[place + 1 :], password[:place]):
        with pytest.raises(PeerError) as refusal:
            accounts.verify("alice", other, HERE)
        assert refusal.value.code == "bad_credentials"


# -- who may come in --------------------------------------------------------------------------------------------------
def test_right_and_wrong_passwords(storage: Storage) -> None:
    """The right password, however composed, gives the account; any other is refused, whatever was wrong."""
    accounts = make(storage)
    add_user(storage, accounts, password="caf\u00e9 au lait")
    user = accounts.verify("alice", "cafe\u0301 au\u00a0lait", HERE)
    assert user == storage.find_user("alice")
    for wrong in ("caf\u00e9 au lai", "Caf\u00e9 au lait", "caf\u00e9 au lait ", "", "\0", "x" * 2_000):
        with pytest.raises(PeerError, match="wrong name or password") as refusal:
            accounts.verify("alice", wrong, HERE)
        assert refusal.value.code == "bad_credentials"


@pytest.mark.parametrize("text", [PASSWORD, "", "x" * 2_000])
@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_an_unknown_name_costs_as_much_as_a_known_one(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """With registration closed each refusal takes one check at the same cost, so that its time tells no name."""
    accounts = make(storage, registration="closed", bcrypt_cost=5)
    add_user(storage, accounts, password="another password")
    real, hashes = bcrypt.checkpw, list[bytes]()

    def check(password: bytes, password_hash: bytes) -> bool:
        hashes.append(password_hash)
        return real(password, password_hash)

    monkeypatch.setattr(bcrypt, "checkpw", check)
    with pytest.raises(PeerError, match="wrong name or password") as refusal:
        accounts.verify(name, text, HERE)
    assert refusal.value.code == "bad_credentials"
    assert [password_hash[:7] for password_hash in hashes] == [b"$2b$05$"]


def test_no_password_opens_an_unknown_name(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a password that the dummy hash would take lets nobody in."""
    accounts = make(storage, registration="closed")
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: True)
    with pytest.raises(PeerError) as refusal:
        accounts.verify("nobody", PASSWORD, HERE)
    assert refusal.value.code == "bad_credentials"


@pytest.mark.sqlite
@pytest.mark.parametrize("password", [PASSWORD, "another one"])
@pytest.mark.parametrize("name", ["alice", "former", "deleted-3", "server"])
def test_a_name_that_is_nobodys_any_more_is_a_wrong_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, password: str
) -> None:
    """It counts as registered, and takes the statements and the hash of one that is somebody's."""
    with open_storage(tmp_path / "chat.db") as storage:
        accounts = make(storage)
        for other in ("alice", "former", "gone"):
            add_user(storage, accounts, other, "the right one")
        storage.result(storage.rename_user("former", "later", "later", "t"))
        storage.result(storage.delete_user("gone", "t"))
        hashes, statements = list[bytes](), list[str]()

        def check(_: bytes, password_hash: bytes) -> bool:
            hashes.append(password_hash)
            return name != "alice"  # even a password that the dummy hash would take lets nobody in

        monkeypatch.setattr(bcrypt, "checkpw", check)
        storage.read(lambda connection: connection.set_trace_callback(statements.append))
        with pytest.raises(PeerError, match="wrong name or password"):
            accounts.verify(name, password, HERE)
        assert ([one[:7] for one in hashes], len(statements)) == ([b"$2b$04$"], 1)
        assert accounts.is_registered(name)


def test_an_id_is_forgotten_with_its_name(storage: Storage) -> None:
    """Closed accounts have none to be written to; nor do former names, once the ids were forgotten."""
    accounts = make(storage)
    add_user(storage, accounts)
    bob = accounts.find_id("alice")
    storage.result(storage.rename_user("alice", "alicia", "alicia", "t"))
    accounts.forget_ids()
    assert [accounts.find_id(name) for name in ("alice", "alicia", "server")] == [None, bob, None]


def test_a_look_up_under_way_brings_no_old_id_back(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before the commit is kept for nobody after it."""
    accounts = make(storage)
    add_user(storage, accounts)
    find_user = storage.find_user

    def find_and_be_overtaken(name: str) -> User | None:
        user = find_user(name)
        storage.result(storage.rename_user("alice", "alicia", "alicia", "t"))
        accounts.forget_ids()
        return user

    with monkeypatch.context() as patched:
        patched.setattr(storage, "find_user", find_and_be_overtaken)
        assert accounts.find_id("alice") is not None
    assert accounts.find_id("alice") is None


@pytest.mark.parametrize(("registration", "known", "unknown"), [("open", True, False), ("closed", True, True)])
def test_whether_a_name_is_registered_is_told_only_when_open(
    storage: Storage, registration: str, *, known: bool, unknown: bool
) -> None:
    """Who may register learns whether the name is free; who may not learns nothing about names."""
    accounts = make(storage, registration=registration)
    add_user(storage, accounts)
    assert accounts.is_registered("alice") == known
    assert accounts.is_registered("nobody") == unknown
    assert accounts.registration_open == (registration == "open")


def test_a_free_name_may_be_registered_when_open(storage: Storage) -> None:
    """With registration open, a password for an unknown name is no error: the name is free."""
    accounts = make(storage)
    assert accounts.verify("alice", PASSWORD, HERE) is None
    accounts.check_registration("alice", "alice")


@pytest.mark.parametrize(
    ("registration", "name", "code"),
    [
        ("open", "alice", "username_taken"),
        ("closed", "alice", "registration_closed"),
        ("closed", "nobody", "registration_closed"),
    ],
)
def test_registering_is_refused_before_it_costs_a_hash(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, registration: str, name: str, code: str
) -> None:
    """A taken name and a closed service are told at once; a closed one does not tell which names there are."""
    accounts = make(storage, registration=registration)
    add_user(storage, accounts)
    monkeypatch.setattr(bcrypt, "hashpw", None)
    with pytest.raises(PeerError) as refusal:
        accounts.check_registration(name, name)
    assert refusal.value.code == code


# -- the turns of bcrypt -----------------------------------------------------------------------------------------------
class Bench:
    """One processor whose bcrypt works as long as the test wants, and threads that want a hash."""

    def __init__(self, accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.accounts = accounts
        self.entered = threading.Semaphore(0)  # a count of those that began to hash
        self.may_end = threading.Event()
        self.results: queue.Queue[str | PeerError] = queue.Queue()
        self._threads: list[threading.Thread] = []
        monkeypatch.setattr(bcrypt, "hashpw", self._hash)

    def _hash(self, *_: object) -> bytes:
        self.entered.release()
        assert self.may_end.wait(PATIENCE)
        return b"hash"

    def ask(self, account: str = "alice", origin: Origin = HERE) -> None:
        """Asks for a hash on a thread of its own."""
        self._threads.append(threading.Thread(target=self._ask, args=(account, origin)))
        self._threads[-1].start()

    def _ask(self, account: str, origin: Origin) -> None:
        try:
            self.results.put(self.accounts.hash(PASSWORD, account, origin))
        except PeerError as refusal:
            self.results.put(refusal)

    def finish(self) -> list[str | PeerError]:
        """Lets all work end; gives the results that were not taken yet."""
        self.may_end.set()
        for thread in self._threads:
            thread.join()
        return [self.results.get_nowait() for _ in range(self.results.qsize())]


def make_bench(storage: Storage, monkeypatch: pytest.MonkeyPatch, waiting: int) -> Bench:
    """A bench with one processor and places for so many to wait, with somebody at work."""
    bench = Bench(make(storage, processors=1, waiting=waiting), monkeypatch)
    bench.ask()
    assert bench.entered.acquire(timeout=PATIENCE)
    return bench


@pytest.mark.parametrize("waiting", [0, 1, 3])
def test_beyond_the_waiting_room_logins_are_refused(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, waiting: int
) -> None:
    """One works, so many wait and are served, and each further one is told at once when to come again."""
    bench = make_bench(storage, monkeypatch, waiting)
    for _ in range(waiting + 2):
        bench.ask()
    for _ in range(2):
        refusal = bench.results.get(timeout=PATIENCE)
        assert isinstance(refusal, PeerError)
        assert (refusal.code, refusal.fatal) == ("rate_limited", False)
        assert refusal.retry_after
        assert refusal.retry_after > 0
    assert not bench.entered.acquire(blocking=False)
    assert bench.finish() == ["hash"] * (waiting + 1)


def test_a_check_stands_in_the_same_line(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login, too, is refused while the room is full."""
    bench = make_bench(storage, monkeypatch, 0)
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: True)
    storage.result(storage.register("alice", "alice", "$2b$", b"hash", "2026-11-21T09:30:00.000Z"))
    with pytest.raises(PeerError) as refusal:
        bench.accounts.verify("alice", PASSWORD, HERE)
    bench.finish()
    assert refusal.value.code == "rate_limited"
    assert bench.accounts.verify("alice", PASSWORD, HERE)


@pytest.mark.parametrize("login_rate", [0, 10])
def test_an_account_has_so_many_hashes_at_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, login_rate: float
) -> None:
    """Of one address, logins, registrations and changes together; without --login-rate there is no such limit."""
    bench = Bench(make(storage, processors=1, login_rate=login_rate), monkeypatch)
    for _ in range(BCRYPT_PER_ACCOUNT + 1):
        bench.ask()
    if login_rate:
        assert isinstance(bench.results.get(timeout=PATIENCE), PeerError)
        bench.ask("alice", THERE)
        bench.ask("bob", HERE)
    while len(bench.finish()) < BCRYPT_PER_ACCOUNT + 1:
        pass


@pytest.mark.parametrize(("share", "most"), [(3, 6), (0.01, BCRYPT_PER_ACCOUNT)])
def test_an_address_has_so_many_hashes_at_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, share: float, most: int
) -> None:
    """Whatever accounts it asks for; as many times more as --address-share says, but never too few to log in."""
    bench = Bench(make(storage, processors=1, per_address=2, login_rate=10, address_share=share), monkeypatch)
    for number in range(most + 1):
        bench.ask(f"user{number}")
    assert isinstance(bench.results.get(timeout=PATIENCE), PeerError)
    bench.ask("alice", THERE)
    assert bench.finish() == ["hash"] * (most + 1)


def test_a_failure_gives_the_place_back(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an exception while hashing nor a refusal takes a place for ever."""
    bench = make_bench(storage, monkeypatch, 0)
    bench.ask()
    assert isinstance(bench.results.get(timeout=PATIENCE), PeerError)
    bench.finish()
    with monkeypatch.context() as broken:
        broken.setattr(bcrypt, "hashpw", None)
        for _ in range(3):
            with pytest.raises(TypeError):
                bench.accounts.hash(PASSWORD, "alice", HERE)
    assert bench.accounts.hash(PASSWORD, "alice", HERE) == "hash"


def test_at_the_end_those_who_wait_are_let_go(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutdown waits for the hash under way, and for none of those that would come after it."""
    bench = make_bench(storage, monkeypatch, 5)
    for _ in range(5):
        bench.ask()
    bench.accounts.close()
    results = bench.finish()
    refusals = [result for result in results if isinstance(result, PeerError)]
    assert [refusal.code for refusal in refusals] == ["rate_limited"] * 5
    assert len(results) == 6
    assert not bench.entered.acquire(blocking=False)


# -- tokens -----------------------------------------------------------------------------------------------------------
def resume(storage: Storage, text: str) -> Login:
    """Logs in with a token, as the command does."""
    return storage.result(storage.resume(hash_token(text), format_time(utcnow())))


def test_a_token_lives_for_30_days_since_its_last_use(storage: Storage, clock: FrozenDateTimeFactory) -> None:
    """Each use gives a token another 30 days; a millisecond before their end it works, and at their end no more."""
    accounts = make(storage)
    text = add_user(storage, accounts)
    for _ in range(3):
        clock.tick(timedelta(days=30, milliseconds=-1))
        assert resume(storage, text).name == "alice"
    clock.tick(timedelta(days=30))
    with pytest.raises(UnknownToken):
        resume(storage, text)


def test_expired_tokens_are_removed_and_no_others(storage: Storage, clock: FrozenDateTimeFactory) -> None:
    """What the purge removes is what would not be taken any more."""
    accounts = make(storage)
    old = add_user(storage, accounts, "alice")
    clock.tick(timedelta(seconds=1))
    young = add_user(storage, accounts, "bob")
    clock.tick(timedelta(days=30, seconds=-1))
    assert storage.result(storage.delete_expired_tokens(format_time(utcnow()))) == 1
    assert resume(storage, young).name == "bob"
    with pytest.raises(UnknownToken):
        resume(storage, old)


@pytest.mark.parametrize("text", ["", "nonsense", "\0", "é", "x" * 60_000])
def test_an_unknown_token_is_refused(storage: Storage, text: str) -> None:
    """Any text may come as a token; one that was not given out opens nothing."""
    accounts = make(storage)
    add_user(storage, accounts)
    with pytest.raises(UnknownToken):
        resume(storage, text)


def test_a_token_is_random_and_its_text_is_not_stored() -> None:
    """A token has 256 random bits; what is stored is only its SHA-256, which says nothing about it."""
    tokens = [new_token() for _ in range(50)]
    assert len({token.text for token in tokens}) == 50
    assert {len(base64.urlsafe_b64decode(token.text + "=")) for token in tokens} == {32}
    assert all(token.hash == hashlib.sha256(token.text.encode()).digest() for token in tokens)
    assert hash_token(tokens[0].text) == tokens[0].hash
