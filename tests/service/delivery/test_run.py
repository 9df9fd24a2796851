"""A run: what each member is given of it. Who gets what over real connections is in test_loop.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.delivery.run import Note, Run, Shown
from tests.support.delivery import PLAIN, Line

if TYPE_CHECKING:
    from service.delivery.run import Piece
    from service.wire.codec import Codec


class Taker:
    """A member that keeps what it is given."""

    def __init__(self) -> None:
        self.codec: Codec = PLAIN
        self.taken: list[tuple[bytes, Note | None, Shown | None]] = []

    def take(self, data: bytes, note: Note | None = None, shown: Shown | None = None) -> None:
        """Keeps it."""
        self.taken.append((data, note, shown))


@pytest.mark.parametrize(
    ("size", "note"),
    [(0, None), (1, None), (2, None), (4, Note(3, [])), (5, Note(3, [])), (9, Note(5, [8, 9])), (99, Note(5, [8, 9]))],
)
def test_what_is_within_a_size_is_what_is_whole_there(size: int, note: Note | None) -> None:
    """The newest public id and all direct ids of the lines that end there; none where these show nothing."""
    shown = Shown([b"a\n", b"b\n", b"cd\n", b"e\n"], [None, Note(3), Note(0, (8, 9)), Note(5)])
    assert shown.within(size) == note


def test_a_run_gives_all_members_the_same_and_marked_ones_their_own() -> None:
    """Lines for one alone stand where they were added, or in place of the last shared one."""
    run, members = Run([PLAIN]), [Taker() for _ in range(3)]
    run.add_for(members[1], b"before\n", Note(0, (1,)))
    run.add(Line(b"one\n"), 4)
    run.replace_last_for(members[0], b"ack\n")
    run.add(Line(b"two\n"), 5)
    run.add_for(members[1], b"after\n", None)
    assert (run.count, run.size) == (2, len(b"one\ntwo\n"))
    run.end({PLAIN: members})
    (first,), (second,), (third,) = (member.taken for member in members)
    assert first == (b"ack\ntwo\n", Note(5, []), Shown([b"ack\n", b"two\n"], [None, Note(5)]))
    assert second[:2] == (b"before\none\ntwo\nafter\n", Note(5, [1]))
    assert third == (b"one\ntwo\n", Note(5), Shown([b"one\n", b"two\n"], [Note(4), Note(5)]))


def test_what_is_no_message_hides_none() -> None:
    """What stands behind a message, and is none itself, leaves it shown."""
    run, members = Run([PLAIN]), [Taker(), Taker()]
    run.add(Line(b"one\n"), 4)
    run.add(Line(b"news\n"), 0)
    run.replace_last_for(members[0], b"ack\n")
    run.end({PLAIN: members})
    assert [member.taken[0][:2] for member in members] == [(b"one\nack\n", Note(4, [])), (b"one\nnews\n", Note(4))]


def test_its_own_message_is_not_shown_to_its_sender() -> None:
    """A sender alone in a run is told of no public id: writing is not reading."""
    run, sender = Run([PLAIN]), Taker()
    run.add(Line(b"one\n"), 4)
    run.replace_last_for(sender, b"ack\n")
    run.end({PLAIN: [sender]})
    assert sender.taken == [(b"ack\n", Note(0, []), Shown([b"ack\n"], [None]))]


def test_what_shows_nothing_takes_nothing_away() -> None:
    """After a message, an event that is none: the message's id is told all the same."""
    run, member = Run([PLAIN]), Taker()
    run.add(Line(b"one\n"), 4)
    run.add(Line(b"deleted\n"), 0)
    run.end({PLAIN: [member]})
    assert member.taken == [(b"one\ndeleted\n", Note(4), Shown([b"one\n", b"deleted\n"], [Note(4), Note(0)]))]


def test_pieces_are_woven_into_a_run() -> None:
    """Each at its place, or in place of a shared line; without shared lines they are all that there is."""
    run = Run([PLAIN])
    assert run.weave(PLAIN, [b"a\n", b"b\n"]) == [b"a\n", b"b\n"]
    for number in (1, 2, 3):
        run.add(Line(b"%d\n" % number), number)
    pieces: list[Piece] = [b"a\n", (1, b"b\n", 1), (1, b"ack 2\n", 2), (3, b"c\n", 3)]
    assert run.weave(PLAIN, pieces) == [b"a\n", b"1\n", b"b\n", b"ack 2\n", b"3\n", b"c\n"]
    assert run.weave(PLAIN, []) == [b"1\n", b"2\n", b"3\n"]
