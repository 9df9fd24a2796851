"""The send buffer beside a model: whatever the kernel takes, lines stay whole and notes are of what was sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.delivery.run import Note, Shown
from service.delivery.send_buffer import SendBuffer

LINES = st.lists(st.integers(1, 6).map(lambda size: b"x" * (size - 1) + b"\n"), min_size=1, max_size=6)
TAKEN = st.lists(st.integers(0, 8), max_size=12)


def send(buffer: SendBuffer, taken: list[int]) -> bytes:
    """Sends as the kernel takes it, so many bytes at once; says what was sent."""
    sent, left = b"", list(taken)

    def take(data: bytes | memoryview) -> int:
        nonlocal sent
        part = bytes(data[: left.pop(0)]) if left else b""
        sent += part
        return len(part)

    while left and buffer.waiting:
        buffer.send(take)
    return sent


def notes_of(buffer: SendBuffer) -> list[Note]:
    """What it says was written since it was asked last."""
    notes: list[Note] = []
    buffer.tell_written(notes.append)
    return notes


def whole(lines: list[bytes], size: int) -> int:
    """How many of the lines end within so many bytes."""
    return sum(len(b"".join(lines[: place + 1])) <= size for place in range(len(lines)))


@given(LINES, TAKEN, st.integers(1, 20))
def test_what_is_sent_is_what_was_added(lines: list[bytes], taken: list[int], send_bytes: int) -> None:
    """However little is joined or taken at once, the bytes keep their order, and each note comes with its line."""
    buffer = SendBuffer(send_bytes)
    for number, line in enumerate(lines):
        buffer.add(line, Note(number))
    everything = b"".join(lines)
    sent = send(buffer, taken)
    assert sent == everything[: len(sent)]
    assert buffer.waiting == len(everything) - len(sent)
    assert notes_of(buffer) == [Note(number) for number in range(whole(lines, len(sent)))]
    assert sent + send(buffer, [len(everything)] * len(lines)) == everything
    assert buffer.waiting == 0
    assert notes_of(buffer) == [Note(number) for number in range(len(lines))][whole(lines, len(sent)) :]


@given(lines=LINES, taken=TAKEN, sealed=st.integers(0, 10), send_bytes=st.integers(1, 20), at_once=st.booleans())
def test_a_cut_keeps_what_is_sealed_and_the_line_that_is_begun(
    lines: list[bytes], taken: list[int], sealed: int, send_bytes: int, *, at_once: bool
) -> None:
    """After a cut whole lines have been sent, no more of them than it takes; their notes, and no others, come."""
    buffer = SendBuffer(send_bytes)
    notes = [Note(number, (number,)) for number in range(1, len(lines) + 1)]
    if at_once:
        buffer.add(b"".join(lines), Note(len(lines), range(1, len(lines) + 1)), Shown(lines, [*notes]))
    else:
        for line, note in zip(lines, notes, strict=True):
            buffer.add(line, note)
    sent = send(buffer, taken)
    sealed = min(sealed, len(buffer.rest))
    least = len(sent) + sealed
    buffer.cut(sealed)
    sent += send(buffer, [1_000] * 2)
    count = next(count for count in range(len(lines) + 1) if len(b"".join(lines[:count])) >= least)
    assert sent == b"".join(lines[:count])
    told = notes_of(buffer)
    assert max((note.public_id for note in told), default=0) == count
    assert [id_ for note in told for id_ in note.direct_ids] == list(range(1, count + 1))


@given(LINES, TAKEN)
def test_after_a_drop_the_notes_of_what_was_sent_remain(lines: list[bytes], taken: list[int]) -> None:
    """Nothing waits any more, and only lines that were sent whole are noted."""
    buffer = SendBuffer()
    buffer.add(b"".join(lines), Note(len(lines)), Shown(lines, [Note(number + 1) for number in range(len(lines))]))
    sent = send(buffer, taken)
    buffer.drop()
    assert buffer.waiting == 0
    assert send(buffer, [1_000]) == b""
    count = whole(lines, len(sent))
    assert max((note.public_id for note in notes_of(buffer)), default=0) == count
