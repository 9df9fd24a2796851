"""What is said in rooms: who gets it, where it stands among the other lines, and what it costs whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.delivery import (
    FILLER,
    PLAIN,
    SLOW,
    Line,
    StillDelivery,
    Toy,
    ack_of,
    finish_and_read,
    line_of,
    still_delivery,
    with_limits,
)

if TYPE_CHECKING:
    import pytest

    from service.wire.codec import Codec
    from service.wire.protocol import Event

OPS, BAR, EMPTY = 1, 2, 3  # rooms


# -- who gets what, and when -------------------------------------------------------------------------------------------
def test_a_room_gets_what_is_said_there_and_its_sender_the_acks(delivery: StillDelivery) -> None:
    """Those in the room get it in order; others, also of another room, get nothing; acks stand in the lines' place."""
    sender, other = delivery.connect_in_room(2, OPS)
    (stranger,) = delivery.connect_in_room(1, BAR)
    (old,) = delivery.connect_members(1)
    delivery.say_in(OPS, sender, 1)
    delivery.say_in(OPS, other, 2)
    delivery.say_in(OPS, None, 3)
    assert finish_and_read(delivery, sender) == b"ack 1\nline 2\nline 3\n"
    assert finish_and_read(delivery, other) == b"line 1\nack 2\nline 3\n"
    assert (finish_and_read(delivery, stranger), finish_and_read(delivery, old)) == (b"", b"")


def test_the_lines_of_rooms_stand_among_all_others(delivery: StillDelivery) -> None:
    """Main room, rooms, direct lines, replies and acks come to each session in the order in which they were said."""
    both, ops = delivery.connect_in_room(1, OPS, BAR) + delivery.connect_in_room(1, OPS)
    (old,) = delivery.connect_members(1)
    both.append(b"first\n")
    delivery.say(old, 1)
    delivery.say_in(OPS, ops, 2)
    delivery.say(both, 3)
    delivery.say_in(BAR, both, 4)
    delivery.send(Line(b"direct\n"), [both.outbox, ops.outbox, old.outbox])
    delivery.say_in(OPS, both, 5)
    delivery.say(None, 6)
    both.append(b"last\n")
    assert finish_and_read(delivery, both) == b"first\nline 1\nline 2\nack 3\nack 4\ndirect\nack 5\nline 6\nlast\n"
    assert finish_and_read(delivery, ops) == b"line 1\nack 2\nline 3\ndirect\nline 5\nline 6\n"
    assert finish_and_read(delivery, old) == b"ack 1\nline 3\ndirect\nline 6\n"


def test_a_sender_outside_gets_the_ack_at_its_place(delivery: StillDelivery) -> None:
    """Whether it knows rooms or not, and whether anybody is in the room."""
    (inside,), (left,) = delivery.connect_in_room(1, OPS), delivery.connect_in_room(1, BAR)
    (old,) = delivery.connect_members(1)
    for number, sender in enumerate((left, old), start=1):
        delivery.say_in(OPS, sender, number)
        delivery.say_in(EMPTY, sender, number + 2)
    assert finish_and_read(delivery, inside) == b"line 1\nline 2\n"
    assert finish_and_read(delivery, left) == b"ack 1\nack 3\n"
    assert finish_and_read(delivery, old) == b"ack 2\nack 4\n"


def test_who_enters_or_leaves_within_a_round_gets_what_is_said_in_between(delivery: StillDelivery) -> None:
    """Nothing from before, nothing from after; entering or leaving twice changes nothing."""
    stays, comes = delivery.connect_in_room(1, OPS) + delivery.connect_in_room(1)
    delivery.say_in(OPS, stays, 1)
    for _ in range(2):
        delivery.enter_room(OPS, comes.outbox)
    delivery.say_in(OPS, stays, 2)
    for _ in range(2):
        delivery.leave_room(OPS, comes.outbox)
    delivery.say_in(OPS, stays, 3)
    comes.append(b"after\n")
    assert finish_and_read(delivery, comes) == b"line 2\nafter\n"
    assert finish_and_read(delivery, stays) == b"ack 1\nack 2\nack 3\n"


def test_a_room_that_all_leave_and_one_enters_again_mixes_nothing(delivery: StillDelivery) -> None:
    """Within one round, each gets what was said while it was there."""
    first, second = delivery.connect_in_room(2)
    for number, peer in ((1, first), (2, second)):
        delivery.enter_room(OPS, peer.outbox)
        delivery.say_in(OPS, None, number)
        delivery.leave_room(OPS, peer.outbox)
    delivery.say_in(OPS, None, 3)
    assert [finish_and_read(delivery, peer) for peer in (first, second)] == [b"line 1\n", b"line 2\n"]


def test_who_leaves_the_main_room_is_in_no_room(delivery: StillDelivery) -> None:
    """Its session ends: it gets what was said until then; and who does not know rooms enters none."""
    goes, stays = delivery.connect_in_room(2, OPS, BAR)
    (old,) = delivery.connect_members(1)
    delivery.enter_room(OPS, old.outbox)
    delivery.say_in(OPS, stays, 1)
    delivery.leave(goes.outbox)
    delivery.enter_room(OPS, goes.outbox)
    delivery.say_in(BAR, stays, 2)
    delivery.say_in(OPS, stays, 3)
    assert [finish_and_read(delivery, peer) for peer in (goes, old)] == [b"line 1\n", b""]
    assert finish_and_read(delivery, stays) == b"ack 1\nack 2\nack 3\n"


def test_a_last_word_comes_after_what_was_said_in_rooms(delivery: StillDelivery) -> None:
    """Who is finished gets what was said till then and nothing more, though it is still in the room."""
    ending, other = delivery.connect_in_room(2, OPS)
    delivery.say_in(OPS, other, 1)
    ending.finish(b"bye\n")
    delivery.say_in(OPS, other, 2)
    delivery.go()
    assert ending.read_to_end() == b"line 1\nbye\n"
    assert finish_and_read(delivery, other) == b"ack 1\nack 2\n"


# -- bounds ------------------------------------------------------------------------------------------------------------
def test_who_is_too_slow_for_a_room_stops_nobody(delivery: StillDelivery) -> None:
    """Its last word is that it is slow; the others get all lines."""
    slow, sender, other = delivery.connect_in_room(3, OPS)
    slow.fill(left=10)
    for number in range(1, 101):
        delivery.say_in(OPS, sender, number)
    delivery.go()
    assert slow.read_to_end() == FILLER + SLOW
    assert finish_and_read(delivery, sender) == b"".join(map(ack_of, range(1, 101)))
    assert finish_and_read(delivery, other) == b"".join(map(line_of, range(1, 101)))


@with_limits(run_bytes=20)
def test_what_is_said_in_rooms_is_put_into_the_outboxes_in_handy_parts(delivery: StillDelivery) -> None:
    """A round with more lines than one send takes is put there before its end; main room and rooms count together."""
    (sender,), (other,) = delivery.connect_members(1), delivery.connect_in_room(1, OPS)
    for number in (1, 2, 3, 4):
        (delivery.say_in(OPS, sender, number) if number % 2 else delivery.say(sender, number))
    assert other.outbox.waiting == len(b"line 1\nline 2\nline 3\n")
    assert finish_and_read(delivery, other) == b"line 1\nline 2\nline 3\nline 4\n"


# -- what it costs -----------------------------------------------------------------------------------------------------
def test_a_burst_is_encoded_once_for_each_codec_and_shared(
    delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All in the room get the very same bytes; nothing is encoded for a codec that nobody there has."""
    first, second, elsewhere = Toy(b"a:"), Toy(b"b:"), Toy(b"c:")
    peers = [*delivery.connect_in_room(3, OPS, codec=first), *delivery.connect_in_room(3, OPS, BAR, codec=second)]
    delivery.connect_in_room(1, BAR, codec=elsewhere)
    taken: list[bytes] = []
    for peer in peers:
        monkeypatch.setattr(peer.outbox, "take_shared", taken.extend)
    delivery.say(None, 1)
    for number in (2, 3):
        delivery.say_in(OPS, None, number)
    delivery.end_run()
    assert (len(first.made), len(second.made), len(elsewhere.made)) == (3, 3, 1)
    assert sorted(set(taken)) == [b"a:line 1\n", b"a:line 2\na:line 3\n", b"b:line 1\n", b"b:line 2\nb:line 3\n"]
    assert (len(taken), len(set(map(id, taken)))) == (12, 4)


def test_nobody_looks_at_idle_rooms_and_sessions(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said in some rooms costs nothing for those in others."""
    (busy,) = delivery.connect_in_room(1, OPS)
    with monkeypatch.context() as patch:
        for idle in delivery.connect_in_room(3, BAR):
            patch.delattr(idle.outbox, "gathered")  # whoever looks at it fails
        delivery.say_in(OPS, None, 1)
        delivery.end_run()
    assert finish_and_read(delivery, busy) == b"line 1\n"


def test_what_is_delivered_in_rooms_counts(delivery: StillDelivery) -> None:
    """Each client in the room counts, an ack in a message's place too; one for who is outside does not."""
    (sender, *_), (outside,) = delivery.connect_in_room(3, OPS), delivery.connect_in_room(1)
    delivery.say_in(OPS, sender, 1)
    delivery.say_in(OPS, outside, 2)
    delivery.end_run()
    assert delivery.delivered == 6


class Failing(Toy):
    """A codec that cannot say everything."""

    def encode(self, event: Event, /) -> bytes:
        """The line, if it can."""
        if isinstance(event, Line) and event.text == line_of(2):
            raise ZeroDivisionError
        return super().encode(event)


def test_a_line_that_one_codec_cannot_encode_is_in_none(delivery: StillDelivery) -> None:
    """Those around it keep their order and their acks."""
    sender, other = delivery.connect_in_room(1, OPS) + delivery.connect_in_room(1, OPS, codec=Failing(b""))
    for number in (1, 2, 3):
        delivery.post(lambda number: delivery.say_in(OPS, sender, number), number)
    assert finish_and_read(delivery, sender) == b"ack 1\nack 3\n"
    assert finish_and_read(delivery, other) == b"line 1\nline 3\n"


# -- beside a model ----------------------------------------------------------------------------------------------------
class Guest:
    """A client, and what the model says that it gets."""

    def __init__(self, delivery: StillDelivery, codec: Codec, *, knows_rooms: bool) -> None:
        self.peer = delivery.connect(codec=codec, confirms=True)
        self.codec = codec
        self.knows_rooms = knows_rooms
        self.is_member = False
        self.rooms: set[int] = set()
        self.lines: list[bytes] = []

    def expect(self, line: bytes) -> None:
        self.lines.append(self.codec.encode(Line(line)))


Step = tuple[str, int, int]  # what, who, in which room
SPOKEN: Final = ["say", "say from elsewhere", *["say there"] * 3, "say there from elsewhere", "to two", "to two"]
MOVES: Final = ["enter", "enter", "leave it", "join", "leave", "end the run", "send"]
STEPS = st.lists(
    st.tuples(st.sampled_from(SPOKEN + MOVES), st.integers(0, 4), st.sampled_from([OPS, OPS, BAR])), max_size=60
)


def speak(delivery: StillDelivery, guests: list[Guest], number: int, step: Step) -> None:
    """Somebody says something to everyone or in a room, or the service says something to two."""
    action, place, room = step
    if action == "to two":
        receivers = [guests[place], guests[place - 1]]
        delivery.send(Line(b"to you %d\n" % number), [one.peer.outbox for one in receivers])
        for one in receivers:
            one.expect(b"to you %d\n" % number)
        return
    sender = None if action.endswith("from elsewhere") else guests[place]
    peer = None if sender is None else sender.peer
    if action.startswith("say there"):
        delivery.say_in(room, peer, number)
        hearers = [one for one in guests if room in one.rooms]
    else:
        delivery.say(peer, number)
        hearers = [one for one in guests if one.is_member]
    for one in hearers:
        one.expect(ack_of(number) if one is sender else line_of(number))
    if sender is not None and sender not in hearers:
        sender.expect(ack_of(number))


def move(delivery: StillDelivery, guest: Guest, action: str, room: int) -> None:
    """Somebody comes or goes, or is sent what waits."""
    outbox = guest.peer.outbox
    if action == "enter":
        delivery.enter_room(room, outbox)
        if guest.is_member and guest.knows_rooms:
            guest.rooms.add(room)
    elif action == "leave it":
        delivery.leave_room(room, outbox)
        guest.rooms.discard(room)
    elif action == "join":
        delivery.join(outbox, rooms=guest.knows_rooms)
        guest.is_member = True
    elif action == "leave":
        delivery.leave(outbox)
        guest.is_member, guest.rooms = False, set()
    elif action == "end the run":
        delivery.end_run()
    else:
        outbox.flush()


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([30, 1 << 18]))
def test_every_client_gets_what_the_model_says(steps: list[Step], run_bytes: int) -> None:
    """Whatever is said where, by whom and in how many runs, each client gets its lines in the order of the calls.

    Some of them know no rooms, some speak another codec.
    """
    with still_delivery(send_bytes=run_bytes, run_bytes=run_bytes) as delivery:
        toy = Toy()
        guests = [Guest(delivery, PLAIN, knows_rooms=True) for _ in range(2)]
        guests += [Guest(delivery, toy, knows_rooms=knows_rooms) for knows_rooms in (True, False)]
        guests.append(Guest(delivery, PLAIN, knows_rooms=False))
        first: list[Step] = [("join", place, 0) for place in range(4)]
        first += [("enter", place, room) for place in (0, 2) for room in (OPS, BAR)] + [("enter", 1, OPS)]
        for number, step in enumerate(first + steps, start=1):
            action, place, room = step
            if action in SPOKEN:
                speak(delivery, guests, number, step)
            else:
                move(delivery, guests[place], action, room)
        for guest in guests:
            assert finish_and_read(delivery, guest.peer) == b"".join(guest.lines)
