"""The delivery thread's contract, and that of the runs of lines for everyone, over real loopback connections."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from service.delivery.outbox import Outbox
from service.delivery.run import Note
from tests.support.delivery import (
    FILLER,
    PLAIN,
    SLOW,
    Line,
    Noticed,
    Peer,
    StillDelivery,
    Toy,
    ack_of,
    finish_and_read,
    line_of,
    still_delivery,
    with_limits,
)
from tests.support.helpers import PATIENCE

if TYPE_CHECKING:
    import pytest

    from service.wire.codec import Codec


# -- order -------------------------------------------------------------------------------------------------------------
def test_lines_keep_the_order_of_their_posting(delivery: StillDelivery, peer: Peer) -> None:
    """Replies, posted lines and those handed over by the writer go out in the order in which they came."""
    lines = [b"line %d\n" % number for number in range(3_000)]
    delivery.go()
    for place in range(0, len(lines), 3):
        peer.reply(lines[place])
        delivery.post(peer.append, lines[place + 1])
        delivery.hand_over([(peer.append, lines[place + 2])])
    assert peer.read(sum(map(len, lines))) == b"".join(lines)


def test_actions_run_in_the_order_of_their_posting(delivery: StillDelivery) -> None:
    """All that one thread posts runs in its order, on the delivery thread; `run` returns when its action is done."""
    ran: list[object] = []
    delivery.go()
    for number in range(100):
        delivery.post(ran.append, number)
    delivery.hand_over([(ran.append, number) for number in range(100, 200)])
    delivery.run(lambda _: ran.append(threading.current_thread().name))
    assert ran == [*range(200), "chat-delivery"]


def test_who_does_not_read_holds_up_nobody(delivery: StillDelivery) -> None:
    """While one client reads nothing, another one gets its lines."""
    deaf, other = delivery.connect(), delivery.connect()
    delivery.go()
    delivery.post(deaf.append, FILLER)
    for number in range(100):
        line = b"%d\n" % number
        delivery.post(deaf.append, line)
        delivery.post(other.append, line)
        assert other.read(len(line)) == line


@with_limits(outbox_bytes=1_000)
def test_a_burst_makes_nobody_slow_who_reads(delivery: StillDelivery, peer: Peer) -> None:
    """Lines that were committed together are offered to the kernel before anybody is called slow for them."""
    lines = [b"line %02d\n" % number * 5 for number in range(50)]
    delivery.hand_over([(peer.append, line) for line in lines])
    delivery.go()
    delivery.flushed()
    peer.reply(b"the end\n")
    received = b""
    while not received.endswith((b"the end\n", SLOW)):
        received += peer.read(1)
    assert received == b"".join(lines) + b"the end\n"


@with_limits(queue=5, alive_check=3_600.0)  # it must be woken, not find out by itself
def test_the_writer_waits_while_too_much_is_queued(delivery: StillDelivery) -> None:
    """Who hands over more than the queue's bound goes on only when the delivery thread has caught up."""
    ran: list[int] = []
    delivery._space = space = Noticed(delivery.go)
    delivery.hand_over([(ran.append, number) for number in range(5)])
    assert (space.waits, ran) == (0, [])
    delivery.hand_over([(ran.append, 5)])
    assert space.waits
    delivery.settle()
    assert ran == [*range(6)]


# -- lines for everyone -----------------------------------------------------------------------------------------------
def test_every_other_member_gets_the_lines_in_order(delivery: StillDelivery) -> None:
    """What one member says in a round all others get in its order; it gets its acks and not its own lines."""
    sender, *others = delivery.connect_members(4)
    for public_id in range(1, 101):
        delivery.say(sender, public_id)
    delivery.go()
    lines, acks = ([form(public_id) for public_id in range(1, 101)] for form in (line_of, ack_of))
    for other in others:
        assert other.read(sum(map(len, lines))) == b"".join(lines)
    assert finish_and_read(delivery, sender) == b"".join(acks)


def test_two_senders_in_a_round_each_get_their_acks_in_place(delivery: StillDelivery) -> None:
    """Each sender's acks stand where the others find its lines, among the lines of the other sender."""
    first, second, other = delivery.connect_members(3)
    for sender, public_id in ((first, 1), (second, 2), (second, 3), (first, 4), (second, 5)):
        delivery.say(sender, public_id)
    delivery.go()
    assert finish_and_read(delivery, first) == b"ack 1\nline 2\nline 3\nack 4\nline 5\n"
    assert finish_and_read(delivery, second) == b"line 1\nack 2\nack 3\nline 4\nack 5\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 2\nline 3\nline 4\nline 5\n"


def test_the_order_holds_from_round_to_round(delivery: StillDelivery) -> None:
    """What is said while earlier rounds are sent comes after them, for everyone."""
    sender, other = delivery.connect_members(2)
    delivery.go()
    for public_id in range(1, 301):
        delivery.post(lambda public_id: delivery.say(sender, public_id), public_id)
        delivery.post(other.append, b"direct %d\n" % public_id)
    assert finish_and_read(delivery, sender) == b"".join(ack_of(public_id) for public_id in range(1, 301))
    expected = b"".join(line_of(public_id) + b"direct %d\n" % public_id for public_id in range(1, 301))
    assert finish_and_read(delivery, other) == expected


def test_lines_for_one_stand_at_their_place(delivery: StillDelivery) -> None:
    """Direct lines, also several, come to one member between the lines for everyone that were said around them."""
    sender, receiver, other = delivery.connect_members(3)
    receiver.append(b"before\n")
    delivery.say(sender, 1)
    receiver.append(b"direct\n")
    receiver.append(b"another\n")
    delivery.say(sender, 2)
    receiver.append(b"after\n")
    delivery.go()
    assert finish_and_read(delivery, receiver) == b"before\nline 1\ndirect\nanother\nline 2\nafter\n"
    assert finish_and_read(delivery, sender) == b"ack 1\nack 2\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 2\n"


def test_a_senders_own_lines_stand_among_its_acks(delivery: StillDelivery) -> None:
    """A sender's direct lines come before or after its acks, as they were said."""
    sender, other = delivery.connect_members(2)
    sender.append(b"before\n")
    delivery.say(sender, 1)
    sender.append(b"between\n")
    delivery.say(sender, 2)
    delivery.say(other, 3)
    sender.append(b"after\n")
    delivery.go()
    assert finish_and_read(delivery, sender) == b"before\nack 1\nbetween\nack 2\nline 3\nafter\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 2\nack 3\n"


def test_a_reply_stands_at_its_place(delivery: StillDelivery) -> None:
    """A reply from a connection thread comes between the lines for everyone that were posted before and after it."""
    sender, asking = delivery.connect_members(2)
    for public_id in (1, 2, 3):
        delivery.post(lambda public_id: delivery.say(sender, public_id), public_id)
        if public_id < 3:
            asking.reply(b"reply %d\n" % public_id)
    delivery.go()
    assert finish_and_read(delivery, asking) == b"line 1\nreply 1\nline 2\nreply 2\nline 3\n"


def test_who_joins_within_a_round_gets_what_comes_after(delivery: StillDelivery) -> None:
    """A new member gets nothing that was said before it joined, and all that is said after."""
    sender, other = delivery.connect_members(2)
    late = delivery.connect()
    delivery.say(sender, 1)
    late.append(b"hello\n")
    delivery.join(late.outbox)
    late.append(b"welcome\n")
    delivery.say(sender, 2)
    delivery.go()
    assert finish_and_read(delivery, late) == b"hello\nwelcome\nline 2\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 2\n"


def test_who_leaves_within_a_round_gets_what_came_before(delivery: StillDelivery) -> None:
    """A member that leaves gets all that was said till then and nothing more but its own lines."""
    sender, other, leaving = delivery.connect_members(3)
    leaving.append(b"direct\n")
    delivery.say(sender, 1)
    delivery.leave(leaving.outbox)
    delivery.say(sender, 2)
    leaving.append(b"goodbye\n")
    delivery.go()
    assert finish_and_read(delivery, leaving) == b"direct\nline 1\ngoodbye\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 2\n"


def test_who_is_no_member_gets_none_of_it(delivery: StillDelivery, peer: Peer) -> None:
    """A client that has not joined, or left long ago, gets only what is for it alone."""
    sender, gone = delivery.connect_members(2)
    delivery.leave(gone.outbox)
    delivery.leave(gone.outbox)  # does no harm
    delivery.say(sender, 1)
    peer.append(b"direct\n")
    delivery.say(sender, 2)
    delivery.go()
    assert finish_and_read(delivery, peer) == b"direct\n"
    assert finish_and_read(delivery, gone) == b""


def test_a_last_word_comes_after_the_lines_so_far(delivery: StillDelivery) -> None:
    """Who is finished within a round gets what was said till then, its last word and nothing more."""
    sender, ending, other = delivery.connect_members(3)
    delivery.say(sender, 1)
    ending.append(b"direct\n")
    ending.finish(b"bye\n")
    delivery.say(sender, 2)
    ending.append(b"too late\n")
    delivery.go()
    assert ending.read_to_end() == b"line 1\ndirect\nbye\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 2\n"


def test_a_closing_member_is_skipped(delivery: StillDelivery) -> None:
    """A member that was told its last word gets no more lines and no acks; what it said still reaches the others."""
    closing, other = delivery.connect_members(2)
    closing.finish(b"bye\n")
    delivery.say(other, 1)
    delivery.say(closing, 2)
    closing.append(b"too late\n")
    delivery.go()
    assert closing.read_to_end() == b"bye\n"
    assert finish_and_read(delivery, other) == b"ack 1\nline 2\n"


def test_a_member_that_is_gone_is_skipped(delivery: StillDelivery) -> None:
    """A connection that broke holds up no line of the others, whether it is found out before or during the round."""
    sender, broken, other = delivery.connect_members(3)
    broken.reset()
    delivery.go()
    for public_id in (1, 2):
        delivery.run(lambda public_id: delivery.say(sender, public_id), public_id)
        delivery.flushed()
    assert broken.outbox.closing
    assert finish_and_read(delivery, other) == b"line 1\nline 2\n"


@with_limits(run_bytes=20)
def test_lines_are_put_into_the_outboxes_in_handy_parts(delivery: StillDelivery) -> None:
    """A round with more lines than one send takes is put into the outboxes before its end, and keeps its order."""
    sender, other = delivery.connect_members(2)
    for public_id in (1, 2, 3, 4):
        delivery.say(sender, public_id)
        other.append(b"direct %d\n" % public_id)
    other.outbox.flush()
    assert other.told == Note(3)
    assert other.read(39) == b"line 1\ndirect 1\nline 2\ndirect 2\nline 3\n"
    delivery.go()
    assert finish_and_read(delivery, other) == b"direct 3\nline 4\ndirect 4\n"
    assert finish_and_read(delivery, sender) == b"ack 1\nack 2\nack 3\nack 4\n"


@with_limits(send_bytes=10, run_bytes=30)
def test_the_order_holds_when_each_send_is_small(delivery: StillDelivery) -> None:
    """However little is joined for one send, every member gets all lines in order."""
    sender, other = delivery.connect_members(2)
    for public_id in range(1, 101):
        delivery.say((sender, other)[public_id % 7 == 0], public_id)
    delivery.go()
    said = range(1, 101)
    assert finish_and_read(delivery, other) == b"".join(ack_of(n) if n % 7 == 0 else line_of(n) for n in said)
    assert finish_and_read(delivery, sender) == b"".join(line_of(n) if n % 7 == 0 else ack_of(n) for n in said)


def test_a_failure_within_a_round_loses_no_line(delivery: StillDelivery, caplog: pytest.LogCaptureFixture) -> None:
    """When an action fails after it said something, this and what the others say in the round is sent."""
    sender, other = delivery.connect_members(2)

    def say_and_fail(public_id: int) -> None:
        delivery.say(sender, public_id)
        raise RuntimeError("a bug")

    delivery.hand_over([(say_and_fail, 1), (say_and_fail, 2)])
    delivery.go()
    assert other.read(14) == b"line 1\nline 2\n"
    delivery.settle()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a bug"] * 2


def test_who_is_too_slow_for_a_round_stops_nobody(delivery: StillDelivery) -> None:
    """A round that overflows some outboxes, of senders and of others, is complete for the rest."""
    slow_sender, slow, sender, other = delivery.connect_members(4)
    for peer in (slow_sender, slow):
        peer.fill(left=10)
    for public_id in range(1, 101):
        delivery.say((slow_sender, sender)[public_id % 2], public_id)
    delivery.go()
    assert [peer.read_to_end() for peer in (slow_sender, slow)] == [FILLER + SLOW] * 2
    said = range(1, 101)
    assert finish_and_read(delivery, sender) == b"".join(ack_of(n) if n % 2 else line_of(n) for n in said)
    assert finish_and_read(delivery, other) == b"".join(map(line_of, said))


def test_who_is_too_slow_at_its_end_gets_one_last_word(delivery: StillDelivery) -> None:
    """A client that ends just when the lines so far are too many for it is told so, and nothing else after it."""
    sender, ending = delivery.connect_members(2)
    ending.fill(left=5)
    delivery.say(sender, 1)
    ending.finish(b"bye\n")
    delivery.go()
    assert ending.read_to_end() == FILLER + SLOW


# -- what was written of it -------------------------------------------------------------------------------------------
def test_a_member_is_told_the_last_public_id(delivery: StillDelivery) -> None:
    """A client that only listens learns, once all is written, up to which message it has seen."""
    sender, other = delivery.connect_members(2)
    for public_id in (4, 5, 6):
        delivery.say(sender, public_id)
    assert other.notes == []
    delivery.go()
    assert other.read(21) == b"line 4\nline 5\nline 6\n"
    delivery.settle()
    assert other.told == Note(6)


def test_a_member_with_direct_lines_is_told_their_ids_as_well(delivery: StillDelivery) -> None:
    """Direct ids reach the one that they are for, the last public id everyone."""
    sender, receiver, other = delivery.connect_members(3)
    for public_id in (4, 6, 8):
        delivery.say(sender, public_id)
        receiver.append(b"direct\n", Note(0, (public_id + 1,)))
        receiver.append(b"plain\n")
    delivery.go()
    finish_and_read(delivery, receiver)
    finish_and_read(delivery, other)
    assert (receiver.told, other.told) == (Note(8, (5, 7, 9)), Note(8))


def test_a_sender_is_told_what_the_others_said(delivery: StillDelivery) -> None:
    """Who says something in a round has also seen the lines of the others in it."""
    sender, other = delivery.connect_members(2)
    delivery.say(other, 4)
    delivery.say(sender, 5)
    sender.append(b"direct\n", Note(0, (6,)))
    delivery.say(other, 7)
    delivery.go()
    finish_and_read(delivery, sender)
    assert sender.told == Note(7, (6,))


def test_who_leaves_is_told_nothing_of_what_follows(delivery: StillDelivery) -> None:
    """The last public id is that of a line that the client got."""
    sender, leaving, joining = delivery.connect_members(3)
    delivery.leave(joining.outbox)
    delivery.say(sender, 1)
    delivery.join(joining.outbox)
    delivery.leave(leaving.outbox)
    assert finish_and_read(delivery, joining) == b""
    delivery.say(sender, 2)
    assert finish_and_read(delivery, leaving) == b"line 1\n"
    assert (leaving.told, joining.told) == (Note(1), Note(0))


def test_who_does_not_want_notes_gets_the_lines_all_the_same(delivery: StillDelivery) -> None:
    """A client that confirms by itself needs no note, in its outbox or for others."""
    sender, other = delivery.connect_members(2)
    confirming = delivery.connect(confirms=True)
    delivery.join(confirming.outbox)
    delivery.say(sender, 1)
    confirming.append(b"direct\n", Note(0, (2,)))
    delivery.say(sender, 3)
    delivery.go()
    assert finish_and_read(delivery, confirming) == b"line 1\ndirect\nline 3\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 3\n"
    assert (confirming.told, other.told) == (Note(0), Note(3))


# -- beside a model ---------------------------------------------------------------------------------------------------
class Seen:
    """What the model knows of one client."""

    def __init__(self, delivery: StillDelivery, codec: Codec) -> None:
        self.peer = delivery.connect(codec=codec)
        self.codec = codec
        self.is_member = False
        self.lines: list[bytes] = []
        self.newest = 0  # public id of another's line
        self.directs: list[int] = []

    def expect(self, line: bytes) -> None:
        """Its next line is this one, in its codec."""
        self.lines.append(self.codec.encode(Line(line)))


def say(delivery: StillDelivery, clients: list[Seen], sender: Seen | None, number: int) -> None:
    """A member says something to everyone, or another service's user does."""
    delivery.say(None if sender is None else sender.peer, number)
    for client in clients:
        if client is sender:
            client.expect(ack_of(number))
        elif client.is_member:
            client.expect(line_of(number))
            client.newest = number


def act(delivery: StillDelivery, clients: list[Seen], action: str, client: Seen, number: int) -> None:
    """One step of the delivery and of the model. Only members say something to everyone."""
    outbox = client.peer.outbox
    if action == "say from elsewhere" or (action == "say" and client.is_member):
        say(delivery, clients, client if action == "say" else None, number)
    elif action == "direct":
        client.peer.append(b"direct %d\n" % number, Note(0, (number,)))
        client.expect(b"direct %d\n" % number)
        client.directs.append(number)
    elif action in {"join", "leave"}:
        client.is_member = action == "join"
        (delivery.join if client.is_member else delivery.leave)(outbox)
    elif action == "end the round":
        delivery.end_run()
    elif action == "send":
        outbox.flush()


ACTIONS = st.sampled_from(
    ["say"] * 4 + ["say from elsewhere"] + ["direct"] * 3 + ["join"] * 2 + ["leave", "end the round", "send"]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(ACTIONS, st.integers(0, 3)), max_size=60), st.sampled_from([1, 30, 1 << 18]))
def test_every_client_gets_what_the_model_says(steps: list[tuple[str, int]], send_bytes: int) -> None:
    """Whatever is said by whom, to whom and in how many rounds, each client gets its lines in order, and its notes.

    Half of them speak another codec.
    """
    with still_delivery(send_bytes=send_bytes, run_bytes=send_bytes) as delivery:
        toy = Toy()
        clients = [Seen(delivery, codec) for codec in (PLAIN, toy, PLAIN, toy)]
        for number, (action, place) in enumerate([("join", 0), ("join", 1), *steps], start=1):
            act(delivery, clients, action, clients[place], number)
        delivery.go()
        for client in clients:
            assert finish_and_read(delivery, client.peer) == b"".join(client.lines)
            told = client.peer.told
            assert told.direct_ids == tuple(client.directs)
            # Its own messages may count as seen, or not.
            assert client.newest <= told.public_id
            assert (
                told.public_id in {0, client.newest}
                or client.codec.encode(Line(ack_of(told.public_id))) in client.lines
            )


# -- state for everyone ------------------------------------------------------------------------------------------------
@with_limits(pace=3_600.0)
def test_announcements_within_the_pace_are_one_state(delivery: StillDelivery, peer: Peer) -> None:
    """After a state the next one waits for the pace, however often it changes; without a change there is none."""
    makers: list[str] = []

    def make() -> bytes:
        makers.append(threading.current_thread().name)
        return b"state\n"

    delivery.snapshot = make
    delivery.join(peer.outbox)
    delivery.go()
    delivery.flushed()
    assert makers == []
    for _ in range(50):
        delivery.announce()
        delivery.flushed()
    assert makers == ["chat-delivery"]
    delivery.run(peer.finish)
    assert peer.read_to_end() == b"state\n"


@with_limits(pace=0.02)
def test_the_last_change_always_arrives(delivery: StillDelivery, peer: Peer) -> None:
    """The last announcement is followed by its state, also when it came just after another one; states are paced."""
    states, made, received = [0], list[float](), b""

    def make() -> bytes:
        made.append(time.monotonic())
        return b"state %d\n" % states[-1]

    delivery.snapshot = make
    delivery.join(peer.outbox)
    delivery.go()
    for state in range(1, 201):
        states.append(state)
        delivery.announce()
        delivery.settle()
    while not received.endswith(b"state 200\n"):
        received += peer.read(1)
    delivery.settle()
    assert len(made) <= 2 + (made[-1] - made[0]) / 0.02


@with_limits(pace=0.0)
def test_a_state_that_cannot_be_made_is_not_the_last(delivery: StillDelivery, caplog: pytest.LogCaptureFixture) -> None:
    """A failure to make the state is logged; after the next change it is tried all the same."""
    tries = threading.Semaphore(0)

    def make() -> bytes:
        tries.release()
        raise RuntimeError("no list today")

    delivery.snapshot = make
    delivery.go()
    for _ in range(2):
        delivery.announce()
        assert tries.acquire(timeout=PATIENCE)
    delivery.flushed()
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["no list today"] * 2


def test_only_members_get_the_state(delivery: StillDelivery) -> None:
    """Who has not joined, has left or is closing gets no state."""
    member, stranger, gone, closing = (delivery.connect() for _ in range(4))
    for peer in (member, gone, closing):
        delivery.join(peer.outbox)
    delivery.leave(gone.outbox)
    closing.finish(b"bye\n")
    delivery.snapshot = lambda: b"state\n"
    delivery.announce()
    delivery.go()
    delivery.flushed()
    for peer in (member, stranger, gone):
        delivery.run(peer.finish)
    assert [peer.read_to_end() for peer in (member, stranger, gone, closing)] == [b"state\n", b"", b"", b"bye\n"]


# -- the thread --------------------------------------------------------------------------------------------------------
def test_an_action_that_raises_does_not_stop_the_thread(
    delivery: StillDelivery, peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing action is logged, and the next ones run; a thread that waits for it with `run` goes on."""

    def fail(_: object) -> None:
        raise RuntimeError("a bug")

    delivery.go()
    delivery.post(fail)
    delivery.run(fail)
    delivery.hand_over([(fail, None), (peer.append, b"line\n")])
    assert peer.read(5) == b"line\n"
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a bug"] * 3


def test_stop_ends_the_thread_when_the_last_outbox_is_closed(delivery: StillDelivery) -> None:
    """With time to spare, each client gets its last lines, and the thread ends when the last stream is closed."""
    peers = [delivery.connect() for _ in range(3)]
    readers = [threading.Thread(target=peer.read_to_end) for peer in peers]
    delivery.go()
    for peer, reader in zip(peers, readers, strict=True):
        delivery.post(peer.append, FILLER)
        delivery.post(peer.finish, b"bye\n")
        delivery.post(Outbox.release, peer.outbox)
        reader.start()
    delivery.stop(PATIENCE)
    for reader in readers:
        reader.join()
    assert [peer.stream.fileno() for peer in peers] == [-1] * 3
    assert "chat-delivery" not in {thread.name for thread in threading.enumerate()}


def test_stop_ends_the_thread_when_its_time_is_over(delivery: StillDelivery) -> None:
    """Clients that do not go are cut off at the end of the time, and no descriptor stays open."""
    idle, deaf = delivery.connect(), delivery.connect()
    deaf.block()
    delivery.go()
    delivery.stop(0.05)
    assert (idle.stream.fileno(), deaf.stream.fileno()) == (-1, -1)
    assert idle.read_to_end() == b""
    assert "chat-delivery" not in {thread.name for thread in threading.enumerate()}


@with_limits(alive_check=0.01)
def test_run_after_the_end_returns(delivery: StillDelivery) -> None:
    """Who comes too late does not wait for a thread that is gone."""
    delivery.go()
    delivery.stop(0)
    delivery.settle()
    delivery.announce()


def test_a_bug_while_sending_ends_only_that_client(delivery: StillDelivery, caplog: pytest.LogCaptureFixture) -> None:
    """Whose lines cannot be sent, or noted, is cut off; the others get theirs."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    unlucky, other = delivery.connect_members(2)
    unlucky.outbox.report_written(fail)
    delivery.say(delivery.connect(), 1)
    delivery.go()
    assert unlucky.read_to_end() == other.read(len(line_of(1))) == line_of(1)
    delivery.flushed()
    assert "a client's lines were not sent" in caplog.text
