"""The outbox's contract, over real loopback connections."""

from __future__ import annotations

import threading
from itertools import accumulate

import pytest

from service.delivery.run import Note
from tests.support.delivery import FILLER, SLOW, Noticed, Peer, StillDelivery, ack_of, line_of, sum_up, with_limits


# -- order -------------------------------------------------------------------------------------------------------------
def test_order_holds_through_a_full_kernel(delivery: StillDelivery, peer: Peer) -> None:
    """Lines that come while earlier ones wait are sent after them, whole."""
    lines = [b"%d\n" % number * 50 for number in range(200)]
    peer.block()
    for line in lines:
        peer.append(line)
        peer.outbox.flush()
    delivery.go()
    assert peer.read(len(FILLER)) == FILLER
    assert peer.read(sum(map(len, lines))) == b"".join(lines)


# -- bounded, closes with a last word ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("filler", "is_whole"), [(FILLER, True), (b"\n" * 600_000, False)], ids=["within a line", "between lines"]
)
def test_who_stops_reading_is_told_so_in_a_last_whole_line(
    delivery: StillDelivery, peer: Peer, filler: bytes, *, is_whole: bool
) -> None:
    """On overflow the line that is half sent is finished, what waits is dropped, and `bye slow` is the last line."""
    peer.block(filler)
    for _ in range(3):
        peer.append(b"x" * 300_000 + b"\n")
    assert peer.outbox.closing
    peer.append(b"too late\n")
    delivery.go()
    received = peer.read_to_end()
    assert received.endswith(b"\n" + SLOW)
    rest = received.removesuffix(SLOW)
    assert rest == filler if is_whole else not rest.strip(b"\n")


@with_limits(outbox_bytes=20)
@pytest.mark.parametrize("taken", range(19))
def test_framing_and_notes_survive_an_overflow_at_any_byte(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    """Wherever the kernel stopped, the client gets whole lines and the last word; the notes are theirs."""
    lines, send = [b"first\n", b"second\n", b"third\n"], peer.stream.send
    with monkeypatch.context() as torn:
        torn.setattr(peer.stream, "send", lambda data: send(data[:taken]) if taken else 0)
        for number, line in enumerate(lines, start=1):
            peer.append(line, Note(number, (number,)))
        peer.outbox.flush()
        peer.append(b"x" * 20 + b"\n", Note(9, (9,)))
    delivery.go()
    begun = [line for place, line in enumerate(lines) if len(b"".join(lines[:place])) < taken]
    assert peer.read_to_end() == b"".join(begun) + SLOW
    delivery.settle()
    assert peer.notes == [Note(number, (number,)) for number in range(1, len(begun) + 1)]


def test_the_bound_is_exact(delivery: StillDelivery, peer: Peer) -> None:
    """As many bytes as the bound may wait; one more is an overflow."""
    peer.fill(left=100)
    verdicts = []
    for size in (60, 40, 1):
        peer.append(b"x" * (size - 1) + b"\n")
        verdicts.append(peer.outbox.closing)
    assert verdicts == [False, False, True]
    delivery.go()
    assert peer.read_to_end() == FILLER + SLOW


@with_limits(outbox_bytes=100)
def test_one_line_over_the_bound_is_sent_to_who_reads(delivery: StillDelivery, peer: Peer) -> None:
    """A message longer than the bound, which settings allow, cuts off no client that has nothing unread."""
    delivery.go()
    peer.reply(b"x" * 500 + b"\n")
    peer.reply(b"the end\n")
    assert peer.read(4) == b"xxxx"
    assert peer.read(497 + 8).endswith(b"x\nthe end\n")


# -- state -------------------------------------------------------------------------------------------------------------
def test_a_state_comes_after_the_lines_that_wait(delivery: StillDelivery, peer: Peer) -> None:
    """What was said before a state is read before it, what is said later after it."""
    peer.append(b"line 0\n")
    peer.outbox.push_snapshot(b"state\n")
    peer.append(b"line 1\n")
    delivery.go()
    expected = b"line 0\nstate\nline 1\n"
    assert peer.read(len(expected)) == expected


@pytest.mark.parametrize("flushes", [0, 1], ids=["full", "writable now and then"])
def test_a_blocked_client_gets_only_the_newest_state(delivery: StillDelivery, peer: Peer, flushes: int) -> None:
    """However many states come while a client has lines unread, it gets the last one; the others take no memory."""
    peer.block()
    waiting = peer.outbox.waiting
    for number in range(100):
        peer.outbox.push_snapshot(b"state %02d\n" % number)
        for _ in range(flushes):
            peer.outbox.flush()  # as when the kernel could take a little more
    assert peer.outbox.waiting <= waiting
    delivery.go()
    peer.reply(b"the end\n")
    assert peer.read(len(FILLER)) == FILLER
    received = b""
    while not (b"the end\n" in received and b"state 99\n" in received):
        received += peer.read(1)
    assert sorted(received.splitlines()) == [b"state 99", b"the end"]


def test_a_closing_outbox_sends_no_state(delivery: StillDelivery, peer: Peer) -> None:
    """After the last word comes nothing, also not a state that waited."""
    peer.block()
    peer.outbox.push_snapshot(b"old\n")
    peer.finish(b"bye\n")
    peer.outbox.push_snapshot(b"new\n")
    delivery.go()
    assert peer.read_to_end() == FILLER + b"bye\n"


# -- notes -------------------------------------------------------------------------------------------------------------
def test_notes_come_for_lines_that_were_written_whole(delivery: StillDelivery, peer: Peer) -> None:
    """A note is given once the kernel has all of its line, in order; a line without one gives none."""
    peer.append(b"first\n", Note(1))
    peer.append(b"plain\n")
    peer.append(b"second\n", Note(0, (2, 5)))
    peer.outbox.flush()
    assert peer.notes == [Note(1), Note(0, (2, 5))]
    peer.append(FILLER, Note(3))
    peer.append(b"fourth\n", Note(4))
    peer.outbox.flush()
    assert peer.notes == [Note(1), Note(0, (2, 5))]
    delivery.go()
    peer.read(len(b"first\nplain\nsecond\n" + FILLER + b"fourth\n"))
    delivery.settle()
    assert peer.notes == [Note(1), Note(0, (2, 5)), Note(3), Note(4)]


def test_no_note_comes_for_what_was_dropped(delivery: StillDelivery, peer: Peer) -> None:
    """On overflow the half-sent line's note still comes when it is whole; those of dropped lines do not."""
    peer.append(FILLER, Note(1))
    peer.outbox.flush()
    for number in range(2, 7):
        peer.append(b"x" * 200_000 + b"\n", Note(number, (number,)))
    assert peer.outbox.closing
    delivery.go()
    assert peer.read_to_end() == FILLER + SLOW
    delivery.flushed()
    assert peer.notes == [Note(1)]


def test_no_note_comes_for_what_was_not_sent(delivery: StillDelivery, peer: Peer) -> None:
    """A connection that breaks leaves its unsent lines unnoted."""
    peer.append(FILLER, Note(1))
    peer.append(b"line\n", Note(2, (2,)))
    peer.outbox.flush()
    peer.reset()
    peer.outbox.flush()
    delivery.go()
    delivery.flushed()
    assert peer.notes == []


# -- notes of lines for everyone --------------------------------------------------------------------------------------
def put_run(delivery: StillDelivery, peer: Peer, *, marked: bool) -> list[tuple[bytes, Note | None]]:
    """Puts lines for everyone into the client's outbox, on wish with some for it alone; says what is to be sent."""
    (sender,) = delivery.connect_members(1)
    delivery.join(peer.outbox)
    shown: list[tuple[bytes, Note | None]] = []
    for public_id in (4, 5, 7):
        if marked and public_id == 5:
            delivery.say(peer, public_id)
            shown.append((ack_of(public_id), None))
        else:
            delivery.say(sender, public_id)
            shown.append((line_of(public_id), Note(public_id)))
        if marked:
            shown.append((b"%d\n" % public_id, Note(0, (public_id + 10,))))
            peer.append(*shown[-1])
    delivery.end_run()
    return shown


def send_only(peer: Peer, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends what waits, as if the kernel took so many bytes of it."""
    send = peer.stream.send

    def send_part(data: memoryview) -> int:
        nonlocal taken
        sent = send(data[:taken]) if taken else 0
        taken -= sent
        return sent

    with monkeypatch.context() as torn:
        torn.setattr(peer.stream, "send", send_part)
        peer.outbox.flush()


CUTS = [*((False, taken) for taken in range(21)), *((True, taken) for taken in range(26))]


def test_the_cuts_below_are_at_every_byte(delivery: StillDelivery) -> None:
    """The tests that cut a client off within a run try every place of it."""
    for marked in (False, True):
        shown = put_run(delivery, delivery.connect(), marked=marked)
        size = sum(len(text) for text, _ in shown)
        assert [taken for is_marked, taken in CUTS if is_marked == marked] == [*range(size)]


@with_limits(outbox_bytes=20)
@pytest.mark.parametrize(("marked", "taken"), CUTS)
def test_an_overflow_at_any_byte_of_a_run_leaves_its_whole_lines(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, taken: int, *, marked: bool
) -> None:
    """A slow client gets the begun line of a run to its end and the last word; its notes are of these lines alone."""
    shown = put_run(delivery, peer, marked=marked)
    send_only(peer, taken, monkeypatch)
    peer.append(b"x" * 20 + b"\n", Note(99, (99,)))
    delivery.go()
    begun = [part for place, part in enumerate(shown) if sum(len(text) for text, _ in shown[:place]) < taken]
    assert peer.read_to_end() == b"".join(text for text, _ in begun) + SLOW
    delivery.settle()
    assert peer.told == sum_up(note for _, note in begun)


@pytest.mark.parametrize(("marked", "taken"), CUTS)
def test_a_break_at_any_byte_of_a_run_leaves_the_notes_of_its_whole_lines(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, taken: int, *, marked: bool
) -> None:
    """Of a connection that breaks within a run, what was written whole is noted, and nothing else."""
    shown = put_run(delivery, peer, marked=marked)
    send_only(peer, taken, monkeypatch)
    peer.reset()
    peer.outbox.flush()
    assert peer.outbox.closing
    ends = accumulate(len(text) for text, _ in shown)
    assert peer.told == sum_up(note for end, (_, note) in zip(ends, shown, strict=True) if end <= taken)


@with_limits(send_bytes=1)  # so that each run is sent by itself
@pytest.mark.parametrize("marked", [False, True])
def test_a_run_that_was_sent_is_noted_whatever_follows(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, *, marked: bool
) -> None:
    """Notes of an earlier run stay when the connection breaks within a later one, or before it."""
    first = put_run(delivery, peer, marked=marked)
    second = put_run(delivery, peer, marked=marked)
    size = sum(len(text) for text, _ in first)
    send_only(peer, size + len(second[0][0]), monkeypatch)
    peer.reset()
    peer.outbox.flush()
    assert peer.told == sum_up([note for _, note in [*first, second[0]]])


@pytest.mark.parametrize("marked", [False, True])
def test_a_run_is_noted_when_its_last_byte_is_sent(
    delivery: StillDelivery, peer: Peer, monkeypatch: pytest.MonkeyPatch, *, marked: bool
) -> None:
    """While a byte of it is missing its last line is not noted; then all of it is."""
    shown = put_run(delivery, peer, marked=marked)
    size = sum(len(text) for text, _ in shown)
    send_only(peer, size - 1, monkeypatch)
    everything = sum_up(note for _, note in shown)
    assert peer.told != everything
    send_only(peer, 1, monkeypatch)
    assert peer.told == everything
    assert peer.read(size) == b"".join(text for text, _ in shown)


@pytest.mark.parametrize("marked", [False, True])
def test_no_note_comes_for_a_run_that_is_dropped(delivery: StillDelivery, peer: Peer, *, marked: bool) -> None:
    """A run that overflows the outbox, or waits when it overflows, is neither sent nor noted."""
    peer.fill(left=30)  # there is space for one run
    put_run(delivery, peer, marked=marked)
    closing = [peer.outbox.closing]
    put_run(delivery, peer, marked=marked)
    closing.append(peer.outbox.closing)
    assert closing == [False, True]
    delivery.go()
    assert peer.read_to_end() == FILLER + SLOW
    delivery.settle()
    assert peer.notes == []


# -- the end -----------------------------------------------------------------------------------------------------------
def test_finish_ends_the_sending_side_after_the_last_line(delivery: StillDelivery, peer: Peer) -> None:
    """What was appended before goes out, then the last line, then an end; the client may still speak."""
    peer.append(b"line\n")
    peer.finish(b"bye\n")
    peer.finish(b"bye again\n")
    peer.append(b"too late\n")
    delivery.go()
    assert peer.read_to_end() == b"line\nbye\n"
    peer.socket.sendall(b"ok\n")
    assert peer.stream.receive() == b"ok\n"


def test_finish_without_a_last_line_just_ends(delivery: StillDelivery, peer: Peer) -> None:
    """An outbox that never had a line ends its side all the same."""
    peer.outbox.finish()
    delivery.go()
    assert peer.read_to_end() == b""


@with_limits(linger=0.05)
@pytest.mark.parametrize("blocked", [False, True])
def test_who_lingers_is_cut_off(delivery: StillDelivery, peer: Peer, *, blocked: bool) -> None:
    """A peer that neither ends its side nor takes its last lines wakes its receiving thread after a while."""
    if blocked:
        peer.block()
    peer.finish(b"bye\n")
    delivery.go()
    assert peer.stream.receive() == b""
    delivery.flushed()
    with pytest.raises(OSError, match="Broken pipe"):
        peer.stream.send(b"x")


def test_release_closes_the_descriptor(delivery: StillDelivery, peer: Peer) -> None:
    """Once the receiving thread is done and all is sent, the descriptor is given back, and nobody waits for it."""
    delivery.go()
    delivery.run(peer.append, b"line\n")
    delivery.run(lambda _: peer.outbox.release())
    delivery.flushed()
    assert peer.stream.fileno() == -1
    assert peer.read_to_end() == b"line\n"
    delivery.stop(3_600)


def test_release_keeps_the_descriptor_until_all_is_sent(delivery: StillDelivery, peer: Peer) -> None:
    """What a client has still to read is sent after the end of its receiving thread, too."""
    peer.block()
    peer.outbox.release()
    delivery.go()
    delivery.flushed()
    assert peer.stream.fileno() != -1
    assert peer.read_to_end() == FILLER
    delivery.flushed()
    assert peer.stream.fileno() == -1


def test_the_descriptor_stays_while_the_receiving_thread_uses_it(delivery: StillDelivery, peer: Peer) -> None:
    """A finished outbox leaves the stream open until it is released: its number must not become another's."""
    peer.finish(b"bye\n")
    delivery.go()
    assert peer.read_to_end() == b"bye\n"
    delivery.flushed()
    assert peer.stream.fileno() != -1
    delivery.run(lambda _: peer.outbox.release())
    assert peer.stream.fileno() == -1


def test_the_end_of_the_notes_is_told_once(delivery: StillDelivery, peer: Peer) -> None:
    """After the last note, when the stream is closed: not while a client has yet to read what is noted."""
    told: list[int] = []
    peer.outbox.report_written(peer.notes.append, at_close=lambda: told.append(len(peer.notes)))
    peer.block()
    peer.append(b"line\n", Note(direct_ids=[1]))
    peer.outbox.release()
    delivery.go()
    delivery.flushed()
    assert told == []
    peer.read_to_end()
    delivery.flushed()
    delivery.run(lambda _: peer.outbox.release())
    assert told == [1]


@pytest.mark.parametrize("blocked", [False, True])
def test_a_peer_that_is_gone_is_given_up(delivery: StillDelivery, peer: Peer, *, blocked: bool) -> None:
    """After a reset nothing is kept, further lines are dropped, and a release closes at once."""
    if blocked:
        peer.block()
    peer.reset()
    delivery.go()
    delivery.run(peer.append, b"anyone?\n")
    delivery.flushed()
    delivery.flushed()  # a blocked one is found by the selector
    assert peer.outbox.closing
    assert peer.outbox.waiting == 0
    delivery.run(peer.append, b"still there?\n")
    delivery.run(lambda _: peer.outbox.release())
    assert peer.stream.fileno() == -1


# -- slowing a client down ---------------------------------------------------------------------------------------------
@with_limits(pause_bytes=1_000)
def test_who_leaves_too_much_unread_is_waited_for(delivery: StillDelivery, peer: Peer) -> None:
    """The connection thread waits until the client has read enough of its replies, and then goes on."""
    reader = threading.Thread(target=peer.read, args=(len(FILLER),))
    peer.outbox._space = space = Noticed(lambda: reader.start() if reader.ident is None else None)
    delivery.go()
    peer.reply(FILLER)
    peer.outbox.wait_for_space()
    assert space.waits
    assert peer.outbox.waiting <= 1_000
    reader.join()


@with_limits(pause_bytes=10)
def test_replies_that_the_delivery_has_not_taken_count(delivery: StillDelivery, peer: Peer) -> None:
    """What is still on its way to the delivery thread is unread as well; within the bound nobody waits."""
    peer.outbox._space = space = Noticed(delivery.go)
    peer.reply(b"ten bytes\n")
    peer.outbox.wait_for_space()
    assert space.waits == 0
    peer.reply(b"\n")
    peer.outbox.wait_for_space()
    assert space.waits
    assert peer.read(11) == b"ten bytes\n\n"


@with_limits(pause_bytes=1_000)
@pytest.mark.parametrize("ending", ["stop_waiting", "finish", "give_up"])
def test_an_end_ends_the_wait_for_space(peer: Peer, ending: str) -> None:
    """Nobody waits for a client whose connection ends, or in a service that stops, before it or during it."""
    peer.outbox._space = space = Noticed(getattr(peer.outbox, ending))
    peer.block()
    peer.outbox.wait_for_space()
    assert space.waits == 1
    peer.outbox.wait_for_space()
    assert space.waits == 1
