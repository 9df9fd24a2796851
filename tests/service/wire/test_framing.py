"""Framing: lines are cut alike however the stream was torn, within bounds."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.wire.framing import LineDecoder, Oversize

if TYPE_CHECKING:
    from collections.abc import Iterable

LIMIT: Final = 10
STREAMS: Final = st.text(alphabet="ab \r\n\t\v", max_size=80).map(str.encode)
CUTS: Final = st.lists(st.integers(min_value=0, max_value=80))


def cut(stream: bytes, cuts: Iterable[int]) -> list[bytes]:
    """The stream as packets that end at these places; some may be empty."""
    ends = [0, *sorted(min(place, len(stream)) for place in cuts), len(stream)]
    return [stream[start:end] for start, end in pairwise(ends)]


def feed(packets: Iterable[bytes], limit: int = LIMIT) -> list[bytes | Oversize]:
    """All that one decoder makes of the packets."""
    decoder = LineDecoder(limit)
    return [line for packet in packets for line in decoder.feed(packet)]


def expected_lines(stream: bytes, limit: int = LIMIT) -> list[bytes | Oversize]:
    """The rules in their plainest form, for a stream that is there as a whole."""
    *ended, rest = stream.split(b"\n")
    lines = [Oversize.LINE if len(line) > limit else line for line in (part.removesuffix(b"\r") for part in ended)]
    kept = [line for line in lines if isinstance(line, Oversize) or line.strip()]
    return [*kept, Oversize.LINE] if len(rest) > limit + 1 else kept


@settings(deadline=None, max_examples=500)
@given(STREAMS, CUTS)
def test_lines_are_the_same_however_the_stream_is_torn(stream: bytes, cuts: list[int]) -> None:
    """Whole, byte by byte or torn anywhere, a stream gives the same lines and the same oversize ones, in order."""
    expected = expected_lines(stream)
    assert feed([stream]) == expected
    assert feed(stream[place : place + 1] for place in range(len(stream))) == expected
    assert feed(cut(stream, cuts)) == expected


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"") + b"."),
            st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"\n \n", b"\n\t\r\n"]),
        )
    ),
    CUTS,
)
def test_any_bytes_but_lf_make_a_line(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    """Lines of any bytes come out as they went in, with LF or CR LF, and with empty lines between them."""
    stream = b"".join(line + end for line, end in parts)
    assert feed(cut(stream, cuts), limit=100) == [line for line, _ in parts]


@pytest.mark.parametrize(
    ("line", "is_over"),
    [
        (b"x" * LIMIT + b"\n", False),
        (b"x" * LIMIT + b"\r\n", False),
        (b"x" * (LIMIT + 1) + b"\n", True),
        (b"x" * (LIMIT + 1) + b"\r\n", True),
        (b"x" * LIMIT + b"\r\r\n", True),
        (b"x" * LIMIT * 50 + b"\n", True),
        (b" " * (LIMIT + 1) + b"\n", True),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_limit_counts_the_line_without_its_end(line: bytes, size: int, *, is_over: bool) -> None:
    """A line may have just the limit, its line end not counted; one more byte is too many; the next line is fine."""
    stream = line + b"next\n"
    packets = [stream[place : place + size] for place in range(0, len(stream), size)]
    first: bytes | Oversize = Oversize.LINE if is_over else b"x" * LIMIT
    assert feed(packets) == [first, b"next"]


def test_oversize_is_told_as_soon_as_it_is_certain_and_once() -> None:
    """The verdict does not wait for the line's end, and the rest of the line brings no second one."""
    decoder = LineDecoder(LIMIT)
    assert list(decoder.feed(b"x" * (LIMIT + 1))) == []  # the last byte could have been a CR
    assert list(decoder.feed(b"x")) == [Oversize.LINE]
    for _ in range(5):
        assert list(decoder.feed(b"x" * 100)) == []
    assert list(decoder.feed(b"end\nping\n" + b"y" * 100)) == [b"ping", Oversize.LINE]
    assert list(decoder.feed(b"\n\nping\n")) == [b"ping"]


def test_what_has_no_end_yet_is_counted() -> None:
    """The bytes after the last LF; none of a line that is skipped."""
    decoder = LineDecoder(LIMIT)
    for data, unended in ((b"", 0), (b"ab", 2), (b"c\r", 4), (b"\nd", 1), (b"x" * LIMIT * 2, 0), (b"\n", 0)):
        list(decoder.feed(data))
        assert decoder.unended == unended


def test_nothing_of_a_long_line_is_kept() -> None:
    """A line without an end costs no more memory than one within the limit, however long it goes on."""
    decoder, packet = LineDecoder(1_000), b"x" * 65_536
    list(decoder.feed(packet))
    tracemalloc.start()
    try:
        for _ in range(100):
            list(decoder.feed(packet))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < len(packet)


def test_the_limit_may_change_between_two_lines() -> None:
    """What is done with a line counts for the next one, also where both come in one packet."""
    decoder, got = LineDecoder(LIMIT), []
    for line in decoder.feed(b"login\n" + b"x" * LIMIT * 2 + b"\n" + b"y" * LIMIT * 2):
        got.append(line)
        decoder.limit = LIMIT * 2
    assert [*got, *decoder.feed(b"\n")] == [b"login", b"x" * LIMIT * 2, b"y" * LIMIT * 2]
