"""service/listeners/visitors.py: clients without a place, their deadline, and who makes room for whom."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from service.accounts.shares import KNOCK_BURST, Shares
from service.config import Settings
from service.listeners import visitors as module
from service.listeners.proxies import Proxies
from service.listeners.visitors import LINGER_BYTES, VISIT_COST, Visit, Visitors
from service.net.tls import load_certificate
from service.origin import origin_of
from tests.support.helpers import PATIENCE, seconds, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.tls import Authority, Pair

MOST = 4


class House:
    """Visitors, and the far ends of their connections."""

    def __init__(self, ends: ExitStack, **limits: Any) -> None:
        self.visitors = Visitors(
            Proxies([ip_network("10.0.0.0/8")]), limits.pop("shares", None), **{"most": MOST, "stay": 0.0, **limits}
        )
        self._ends = ends
        self._listening = ends.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.served: list[Visit] = []

    def come(
        self, host: str = "192.0.2.1", serve: Callable[[Visit], None] | None = None, **more: Any
    ) -> socket.socket | None:
        """The far end of a new visit; None if there was no room for it."""
        far = self._ends.enter_context(socket.create_connection(self._listening.getsockname(), PATIENCE))
        near = self._ends.enter_context(self._listening.accept()[0])
        return far if self.visitors.receive(near, (host, 4_711), serve or self.listen, **more) else None

    def listen(self, visit: Visit) -> None:
        """Serves a visit: waits until the peer says something or goes, and says the same."""
        self.served.append(visit)
        visit.send(visit.receive())


@contextmanager
def open_house(**limits: Any) -> Iterator[House]:
    """Stops it at the end: no thread is left."""
    with ExitStack() as ends:
        house = House(ends, **limits)
        try:
            yield house
        finally:
            house.visitors.stop()
            assert not [thread for thread in threading.enumerate() if thread.name.startswith("chat-visit")]


@pytest.fixture
def house() -> Iterator[House]:
    with open_house() as opened:
        yield opened


def is_over(far: socket.socket | None) -> bool:
    """Whether the visit has been cut off or ended; waits for that."""
    assert far is not None
    return far.recv(100) == b""


def goes_on(far: socket.socket | None) -> bool:
    """Whether the visit is served."""
    assert far is not None
    far.sendall(b"hello")
    return far.recv(100) == b"hello"


# -- one visit --------------------------------------------------------------------------------------------------------
def test_a_visit_is_served_and_ended(house: House) -> None:
    """What its port sends arrives whole, then comes the end."""
    far = house.come()
    assert goes_on(far)
    assert is_over(far)


def test_what_the_peer_did_not_say_in_time_is_not_waited_for() -> None:
    """However its bytes drip, at the deadline the port is told so and the visit ends."""
    late: list[Exception] = []

    def collect(visit: Visit) -> None:
        try:
            while visit.receive():
                pass
        except TimeoutError as error:
            late.append(error)
            visit.say_at_once(b"late")

    with open_house(seconds=0.2) as house:
        far = house.come(serve=collect)
        assert far is not None
        far.settimeout(0.01)
        answer = b""
        while not answer:
            try:
                far.sendall(b".")
                answer = far.recv(100)
            except TimeoutError:
                pass
    assert (answer, len(late)) == (b"late", 1)


def test_an_answer_that_nobody_takes_is_given_up() -> None:
    """A peer that does not read holds the visit up to its deadline."""
    with open_house(seconds=0.2) as house:
        tried: list[str] = []

        def shout(visit: Visit) -> None:
            try:
                visit.send(b"x" * 10_000_000)
            except TimeoutError as error:
                tried.append(str(error))

        house.come(serve=shout)
        until(lambda: tried)
    assert tried == ["it took too long"]


def test_a_last_word_is_not_waited_for() -> None:
    """Nor is the end, in TLS: a peer that reads nothing would hold its visit as long again."""
    done: list[bool] = []

    def shout(visit: Visit) -> None:
        visit.receive()
        for _ in range(2):
            visit.say_at_once(b"x" * 10_000_000)
        done.append(True)

    with open_house(seconds=3_600.0) as house:
        far = house.come(serve=shout)
        assert far is not None
        far.sendall(b"hello")
        until(lambda: done)


def test_a_large_answer_arrives_whole(house: House) -> None:
    """More than the kernel takes at once waits until the peer has read."""
    far = house.come(serve=lambda visit: visit.send(b"x" * 3_000_000))
    assert far is not None
    received = 0
    while data := far.recv(1_000_000):
        received += len(data)
    assert received == 3_000_000


def test_a_bug_ends_that_visit_only(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The log has it, its peer is let go, and the next one is served."""
    assert is_over(house.come(serve=lambda _: 1 / 0))  # type: ignore[arg-type]
    assert "a visit of 192.0.2.1:4711 failed" in caplog.text
    assert goes_on(house.come())


def test_what_is_handed_on_stays_open(house: House) -> None:
    """Its new owner may wait without a deadline; the visit's end does not close it."""
    streams: list[Any] = []
    far = house.come(serve=lambda visit: streams.append(visit.hand_on()))
    assert far is not None
    until(lambda: streams and not house.visitors._staying)
    far.sendall(b"still here")
    assert streams[0].receive() == b"still here"
    assert streams[0]._socket.gettimeout() is None


def test_what_is_taken_back_is_ended(house: House) -> None:
    """A stream that its new owner did not want gets a last word, and is closed."""

    def offer(visit: Visit) -> None:
        visit.hand_on()
        visit.take_back()
        visit.send(b"no place")

    far = house.come(serve=offer)
    assert far is not None
    assert (far.recv(100), is_over(far)) == (b"no place", True)


def test_the_last_word_outlives_what_was_not_read(house: House) -> None:
    """What the peer still says is read and dropped, so that no reset takes the answer away."""
    far = house.come(serve=lambda visit: visit.send(b"too much"))
    assert far is not None
    far.sendall(b"x" * 100_000)
    assert (far.recv(100), far.recv(100)) == (b"too much", b"")


def test_who_talks_on_after_the_end_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so much is dropped: else an answered visit would be read from at full speed, at no charge."""
    monkeypatch.setattr(module, "LINGER", 3_600.0)
    far = house.come(serve=lambda _: None)
    assert is_over(far)
    assert far is not None
    with pytest.raises(ConnectionError):
        far.sendall(b"x" * 100 * LINGER_BYTES)


# -- TLS --------------------------------------------------------------------------------------------------------------
def test_a_visit_in_tls(house: House, authority: Authority, pair: Pair) -> None:
    """The port hears and says it in plain."""
    context, _ = load_certificate(*map(str, pair))
    far = house.come(context=context)
    assert far is not None
    with authority.trusting().wrap_socket(far, server_hostname="localhost") as tls:
        tls.sendall(b"secret")
        assert (tls.recv(100), tls.recv(100)) == (b"secret", b"")


def test_who_speaks_no_tls_is_told(house: House, pair: Pair) -> None:
    """In plain; the port hears nothing of it."""
    context, _ = load_certificate(*map(str, pair))
    far = house.come(context=context, not_tls=b"use https")
    assert far is not None
    far.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert (far.recv(100), is_over(far), house.served) == (b"use https", True, [])


# -- room -------------------------------------------------------------------------------------------------------------
def test_where_all_is_taken_the_network_with_most_makes_room(house: House) -> None:
    """Its oldest visit goes, whoever else was there before; the others are served."""
    other, oldest, *rest = [house.come(f"192.0.2.{n}") for n in (1, 2, 2, 2)]
    newcomer = house.come("192.0.2.3")
    assert is_over(oldest)
    assert all(map(goes_on, (other, *rest, newcomer)))


def test_a_network_makes_room_for_its_own() -> None:
    """Where no other has more: its oldest visit goes, but not before it had its time."""
    with open_house(stay=0.0) as house:
        oldest, *_, newcomer = [house.come() for _ in range(MOST + 1)]
        assert is_over(oldest)
        assert goes_on(newcomer)
    with open_house(stay=3_600.0) as house:
        oldest, *_, newcomer = [house.come() for _ in range(MOST + 1)]
        assert newcomer is None
        assert goes_on(oldest)


def test_a_crowd_of_slow_ones_does_not_keep_a_newcomer_out() -> None:
    """Of many that say nothing only a few are there, and who comes from elsewhere is served at once."""
    with open_house(stay=3_600.0) as house:
        slow = [house.come("192.0.2.1") for _ in range(50)]
        assert sum(far is not None for far in slow) == MOST
        assert goes_on(house.come("192.0.2.2"))


def test_only_so_many_are_on_their_way_out() -> None:
    """While those that were cut off are still there nobody else is: threads and descriptors are counted."""
    may_go = threading.Event()

    def stay(_: Visit) -> None:
        may_go.wait(PATIENCE)

    with open_house(leaving=2) as house:
        came = [house.come(serve=stay) for _ in range(MOST + 3)]
        assert [far is not None for far in came] == [True] * (MOST + 2) + [False]
        assert len(house.visitors._staying) + len(house.visitors._cut) == MOST + 2
        may_go.set()
        until(lambda: not house.visitors._cut)
        assert house.come() is not None


def test_who_is_cut_off_gets_no_place(house: House) -> None:
    """A visit that has to go cannot hand its stream on any more."""
    may_go, refused = threading.Event(), list[str]()

    def hand_on_late(visit: Visit) -> None:
        may_go.wait(PATIENCE)
        try:
            visit.hand_on()
        except ConnectionError as error:
            refused.append(str(error))

    house.come(serve=hand_on_late)
    for _ in range(MOST):
        house.come()
    may_go.set()
    until(lambda: refused)
    assert refused == ["its place was needed"]


def test_who_has_been_handed_on_is_not_cut_off(house: House) -> None:
    """Neither for a newcomer nor when the service stops; it counts until its thread is at the end."""
    has_gone, may_go, streams = threading.Event(), threading.Event(), list[Any]()

    def hand_on(visit: Visit) -> None:
        streams.append(visit.hand_on())
        has_gone.set()
        may_go.wait(PATIENCE)

    first = house.come(serve=hand_on)
    assert has_gone.wait(PATIENCE)
    others = [house.come() for _ in range(MOST)]
    assert is_over(others[0])
    stopping = threading.Thread(target=house.visitors.stop)
    stopping.start()
    assert all(map(is_over, others[1:]))
    may_go.set()
    stopping.join()
    assert first is not None
    first.sendall(b"still here")
    assert streams[0].receive() == b"still here"


def test_where_all_have_been_handed_on_nobody_makes_room(house: House) -> None:
    """A newcomer is refused for the moment."""
    may_go = threading.Event()

    def hand_on(visit: Visit) -> None:
        visit.hand_on()
        may_go.wait(PATIENCE)

    for _ in range(MOST):
        house.come(serve=hand_on)
    until(lambda: all(visit.is_handed_on for visit in house.visitors._staying))
    assert house.come() is None
    may_go.set()
    until(lambda: not house.visitors._staying)
    assert goes_on(house.come())


def test_what_is_taken_back_during_a_stop_is_cut_off(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop does not wait for a peer that takes its time to go."""
    monkeypatch.setattr(module, "LINGER", 3_600.0)
    has_gone, may_return = threading.Event(), threading.Event()

    def offer(visit: Visit) -> None:
        visit.hand_on()
        has_gone.set()
        may_return.wait(PATIENCE)
        visit.take_back()

    far = house.come(serve=offer)
    assert has_gone.wait(PATIENCE)
    stopping = threading.Thread(target=house.visitors.stop)
    stopping.start()
    until(lambda: house.visitors._stopping)
    may_return.set()
    stopping.join(PATIENCE)
    assert is_over(far)
    assert not stopping.is_alive()


def test_a_visit_without_a_thread_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """While no thread can be started; then it passes."""
    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", lambda _: (_ for _ in ()).throw(RuntimeError("no thread")))
        assert [house.come() for _ in range(2 * MOST)] == [None] * 2 * MOST
    assert goes_on(house.come())


def test_a_stop_ends_every_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that wait for bytes, for TLS, for a share or for the peer to go; at once, and no thread is left."""
    monkeypatch.setattr(module, "LINGER", 3_600.0)
    with open_house(seconds=3_600.0, shares=Shares(Settings(address_share=0.01), seconds)) as house:
        waits = house.come("192.0.2.1")
        until(lambda: house.served)
        lingers = house.come("192.0.2.2", lambda visit: visit.send(b"bye"))
        owes = house.come("192.0.2.3", lambda visit: visit.charge(1_000.0))
        assert lingers is not None
        assert lingers.recv(100) == b"bye"
        house.visitors.stop()
        assert all(map(is_over, (waits, lingers, owes)))


def test_a_stop_leaves_behind_who_waits_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook's request at a disk that has stopped; it ends by itself, once that or the storage does."""
    monkeypatch.setattr(module, "ANSWERED_BY", 0.01)
    monkeypatch.setattr(module, "LINGER", 0.01)
    stands, go = threading.Event(), threading.Event()

    def wait(_: Visit) -> None:
        stands.set()
        go.wait(PATIENCE)

    with open_house() as house:
        house.come(serve=wait)
        assert stands.wait(PATIENCE)
        (thread,) = house.visitors._staying.values()
        house.visitors.stop()
        assert thread.is_alive()
        go.set()
        thread.join()


# -- shares and proxies -----------------------------------------------------------------------------------------------
def test_a_visit_is_charged_to_its_address() -> None:
    """Beyond its share an address waits, and up to its deadline only; another one does not."""
    shares = Shares(Settings(address_share=0.01), seconds)
    shares.knock(origin_of("192.0.2.1"), KNOCK_BURST)
    with open_house(seconds=0.2, shares=shares) as house:
        assert is_over(house.come("192.0.2.1"))
        assert house.served == []
        assert goes_on(house.come("192.0.2.2"))


def test_behind_a_proxy_the_client_is_charged() -> None:
    """Not the proxy: what one of its clients has used up does not hold up another."""
    shares = Shares(Settings(address_share=0.01), seconds)
    shares.knock(origin_of("192.0.2.1"), KNOCK_BURST)

    def serve(visit: Visit) -> None:
        visit.comes_from(visit.receive().decode())
        visit.send(visit.stream.peer.encode())

    with open_house(seconds=0.5, shares=shares) as house:
        for host, heard in (("192.0.2.1", b""), ("192.0.2.2", b"192.0.2.2"), ("2001:db8::1", b"[2001:db8::1]")):
            far = house.come("10.0.0.1", serve)
            assert far is not None
            far.sendall(host.encode())
            assert far.recv(100) == heard
    assert shares.knock(origin_of("10.0.0.1"), VISIT_COST) == 0.0


def test_what_comes_through_a_proxy_is_never_its_own_debt() -> None:
    """Bytes that came before it is known who sends them are that client's, too: else one held up all that follow."""
    shares = Shares(Settings(address_share=0.01), seconds)

    def serve(visit: Visit) -> None:
        visit.charge(KNOCK_BURST)  # as many bytes would
        visit.comes_from(visit.receive().decode())

    with open_house(seconds=0.2, shares=shares) as house:
        far = house.come("10.0.0.1", serve)
        assert far is not None
        far.sendall(b"192.0.2.1")
        assert is_over(far)
    assert shares.knock(origin_of("10.0.0.1"), VISIT_COST) == 0.0
    assert shares.knock(origin_of("192.0.2.1"), VISIT_COST) > 0.0


def test_behind_a_proxy_the_clients_are_told_apart(house: House) -> None:
    """One that comes often through it makes room for another, once it is known who comes."""
    known: list[str] = []

    def serve(visit: Visit) -> None:
        visit.comes_from(visit.receive().decode())
        known.append(visit.origin.address)
        house.listen(visit)

    fars = []
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.2"):
        far = house.come("10.0.0.1", serve)
        assert far is not None
        far.sendall(host.encode())
        fars.append(far)
        until(lambda: len(known) == len(fars))
    newcomer = house.come("10.0.0.1")
    assert is_over(fars[1])
    assert all(map(goes_on, (fars[0], *fars[2:], newcomer)))
