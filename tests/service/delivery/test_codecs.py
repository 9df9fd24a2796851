"""Clients of two codecs in one delivery: what each gets, and how often each event is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.delivery.run import Note
from tests.support.delivery import (
    FILLER,
    Line,
    StillDelivery,
    Toy,
    ack_of,
    finish_and_read,
    line_of,
    with_limits,
)

if TYPE_CHECKING:
    from service.wire.protocol import Event


class Half:
    """One half of the clients: they share a codec, and are members."""

    def __init__(self, delivery: StillDelivery, prefix: bytes, count: int) -> None:
        self.codec = Toy(prefix)
        self.peers = delivery.connect_members(count, self.codec)
        self._prefix = prefix

    def lines(self, *lines: bytes) -> bytes:
        """What these lines are in this codec."""
        return b"".join(self._prefix + line for line in lines)


def halves(delivery: StillDelivery, count: int = 3) -> tuple[Half, Half]:
    """Twice so many clients."""
    return Half(delivery, b"a:", count), Half(delivery, b"b:", count)


@pytest.mark.parametrize("count", [1, 2, 20])
def test_a_message_to_everyone_is_encoded_once_for_each_codec(delivery: StillDelivery, count: int) -> None:
    """However many clients get it, also one without a sender here; each gets the bytes of its codec, in order."""
    first, second = halves(delivery, count)
    for public_id in (1, 2, 3):
        delivery.say(None, public_id)
    delivery.go()
    said = [line_of(public_id) for public_id in (1, 2, 3)]
    for half in (first, second):
        for peer in half.peers:
            assert peer.read(len(half.lines(*said))) == half.lines(*said)
        assert half.codec.made == [half.lines(line) for line in said]


def test_all_clients_of_a_codec_share_its_bytes(delivery: StillDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is joined once for each codec: what lies in the outboxes is one object."""
    first, second = halves(delivery)
    taken: list[tuple[Toy, int]] = []
    for half in (first, second):
        for peer in half.peers:
            monkeypatch.setattr(peer.outbox, "take", lambda data, *_, codec=half.codec: taken.append((codec, id(data))))
    delivery.say(None, 1)
    delivery.say(None, 2)
    delivery.end_run()
    assert len(taken) == 6
    assert len(set(taken)) == 2


def test_acks_and_replies_are_encoded_for_their_client_alone(delivery: StillDelivery) -> None:
    """The sender's ack and anyone's reply are made once, by the codec of the one that they are for, at their place."""
    first, second = halves(delivery)
    (sender, *_), (asking, *_) = first.peers, second.peers
    delivery.post(lambda _: delivery.say(sender, 1))
    asking.reply(b"reply\n")
    delivery.post(lambda _: delivery.say(asking, 2))
    assert finish_and_read(delivery, sender) == first.lines(ack_of(1), line_of(2))
    assert finish_and_read(delivery, asking) == second.lines(line_of(1), b"reply\n", ack_of(2))
    for half, own in ((first, [ack_of(1)]), (second, [b"reply\n", ack_of(2)])):
        assert finish_and_read(delivery, half.peers[1]) == half.lines(line_of(1), line_of(2))
        assert sorted(half.codec.made) == sorted(half.lines(line) for line in (line_of(1), line_of(2), *own))


def test_what_is_for_several_is_encoded_once_for_each_codec_among_them(delivery: StillDelivery) -> None:
    """A direct message to a user's sessions comes at its place, with its note; others get and cost nothing."""
    first, second = halves(delivery)
    delivery.say(None, 1)
    delivery.send(Line(b"direct\n"), [peer.outbox for peer in first.peers], Note(direct_ids=(7,)))
    delivery.send(Line(b"both\n"), [peer.outbox for half in (first, second) for peer in half.peers[:2]])
    delivery.send(Line(b"none\n"), [])
    delivery.say(None, 2)
    for peer in first.peers[:2]:
        assert finish_and_read(delivery, peer) == first.lines(line_of(1), b"direct\n", b"both\n", line_of(2))
        assert peer.told == Note(2, (7,))
    assert finish_and_read(delivery, first.peers[2]) == first.lines(line_of(1), b"direct\n", line_of(2))
    assert finish_and_read(delivery, second.peers[0]) == second.lines(line_of(1), b"both\n", line_of(2))
    assert finish_and_read(delivery, second.peers[2]) == second.lines(line_of(1), line_of(2))
    assert (len(first.codec.made), len(second.codec.made)) == (4, 3)


def test_a_codec_without_members_encodes_nothing(delivery: StillDelivery) -> None:
    """A codec is in use from the first join to the last leave of its clients, also within a round."""
    first, second = halves(delivery, 2)
    late = Toy(b"c:")
    stranger = delivery.connect(codec=late)
    delivery.say(None, 1)
    delivery.leave(second.peers[0].outbox)
    delivery.say(None, 2)
    delivery.leave(second.peers[1].outbox)
    delivery.join(stranger.outbox)
    delivery.join(stranger.outbox)  # does no harm
    delivery.say(None, 3)
    delivery.leave(stranger.outbox)
    delivery.say(None, 4)
    assert finish_and_read(delivery, second.peers[1]) == second.lines(line_of(1), line_of(2))
    assert finish_and_read(delivery, stranger) == b"c:" + line_of(3)
    assert finish_and_read(delivery, first.peers[0]) == first.lines(*map(line_of, (1, 2, 3, 4)))
    assert [len(codec.made) for codec in (first.codec, second.codec, late)] == [4, 2, 1]


@with_limits(pace=0.0)
def test_a_snapshot_is_encoded_once_for_each_codec(delivery: StillDelivery) -> None:
    """Each push of the users list, and of what has changed in it, is made and encoded once for each codec in use."""
    first, second = halves(delivery, 10)
    delivery.snapshot, delivery.changes = (lambda: b"users\n"), (lambda: b"changes\n")
    delivery.go()
    for pushes in (1, 2):
        delivery.announce()
        for half in (first, second):
            for peer in half.peers:
                assert peer.read(len(half.lines(b"users\n"))) == half.lines(b"users\n")
            assert half.codec.made == [half.lines(b"users\n"), half.lines(b"changes\n")] * pushes


def test_last_words_are_in_the_codec_of_their_client(delivery: StillDelivery) -> None:
    """Of one that is finished, and of one that is too slow, whose last word is made only then."""
    first, second = halves(delivery, 2)
    (slow, ending), (_, slower) = first.peers, second.peers
    for peer in (slow, slower):
        peer.fill(left=5)
    made = [list(half.codec.made) for half in (first, second)]
    assert not any(b"slow" in line for lines in made for line in lines)
    delivery.say(None, 1)
    ending.finish(b"bye\n")
    delivery.go()
    assert ending.read_to_end() == first.lines(line_of(1), b"bye\n")
    assert slow.read_to_end() == first.lines(FILLER, b"bye slow\n")
    assert slower.read_to_end() == second.lines(FILLER, b"bye slow\n")


class Broken(Toy):
    """A codec that cannot say everything."""

    def encode(self, event: Event, /) -> bytes:
        """The line, if it can."""
        if isinstance(event, Line) and event.text == line_of(2):
            raise ZeroDivisionError
        return super().encode(event)


def test_a_message_that_one_codec_cannot_encode_disturbs_no_other(
    delivery: StillDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in a codec is logged; that message is lost, and those around it keep their order in every codec."""
    (plain,) = delivery.connect_members(1, Toy(b"a:"))
    (broken,) = delivery.connect_members(1, Broken(b"b:"))
    for public_id in (1, 2, 3):
        delivery.post(lambda public_id: delivery.say(plain, public_id), public_id)
    assert finish_and_read(delivery, plain) == b"a:ack 1\na:ack 3\n"
    assert finish_and_read(delivery, broken) == b"b:line 1\nb:line 3\n"
    assert "a delivery failed" in caplog.text


def test_a_last_word_that_cannot_be_encoded_keeps_nothing_open(
    delivery: StillDelivery, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is ended without it."""
    peer = delivery.connect(codec=Broken(b""))
    delivery.go()
    delivery.post(peer.finish, line_of(2))
    assert peer.read_to_end() == b""
    delivery.settle()
    assert "a delivery failed" in caplog.text
