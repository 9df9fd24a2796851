"""Frames: their heads, their borders in whatever comes, and the check of texts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.net.frames import Cutter, Framer, Message, read_texts
from tests.support.frames import BINARY, CONT, PING, TEXT, frames_of, masked

if TYPE_CHECKING:
    from types import FrameType

SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_whatever_its_length_data_is_one_frame(size: int) -> None:
    """Its head says the length, in the shortest of the three ways."""
    data = b"x" * size
    frame = Framer().frame(data)
    assert frames_of(frame) == [(TEXT, data)]
    assert len(frame) - size == (2 if size < 126 else 4 if size < 65_536 else 10)


def test_the_same_bytes_are_framed_once() -> None:
    """As long as nothing else is framed between; equal bytes are not the same."""
    framer, one, other = Framer(), b"one line\n", memoryview(b"one line\n")
    frame = framer.frame(one)
    assert framer.frame(one) is frame
    again = framer.frame(other)
    assert again == frame
    assert again is not frame


def test_threads_that_share_it_get_their_own_frames() -> None:
    """Whatever another thread frames between two steps of one."""
    framer, others = Framer(), list[bytes]()

    def come_between(*_: FrameType | str | None) -> Any:
        others.append(framer.frame(b"other\n"))
        return come_between

    before = sys.gettrace()
    sys.settrace(come_between)
    try:
        frames = [framer.frame(b"mine\n"), framer.frame(b"mine, too\n")]
    finally:
        sys.settrace(before)
    assert [payload for _, payload in frames_of(b"".join(frames))] == [b"mine\n", b"mine, too\n"]
    assert {payload for _, payload in frames_of(b"".join(others))} == {b"other\n"}


@pytest.mark.parametrize("size", SIZES[:-1])
def test_the_cutter_cuts_after_each_frame(size: int) -> None:
    """Frames of any length that come together are told apart."""
    frames = [masked(PING, b"?"), masked(TEXT, b"x" * size, fin=False), masked(CONT)]
    assert Cutter().cut(b"".join(frames)) == frames


@given(
    st.lists(st.sampled_from([0, 1, 5, 125, 126, 300, 70_000]), max_size=5), st.lists(st.integers(1, 20), max_size=9)
)
def test_borders_are_found_however_the_bytes_come(sizes: list[int], steps: list[int]) -> None:
    """No piece has parts of two frames, nothing is lost, and nothing is taken twice."""
    frames = [masked(TEXT, b"x" * size) for size in sizes]
    rest, cutter, pieces = b"".join(frames), Cutter(), list[bytes]()
    for step in [*steps, len(rest) or 1]:
        pieces += cutter.cut(rest[:step])
        rest = rest[step:]
    for frame in frames:
        got = b""
        while len(got) < len(frame):
            got += pieces.pop(0)
        assert got == frame
    assert not any(pieces)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_whatever_comes_is_given_on(received: list[bytes]) -> None:
    """The cutter judges nothing: who reads the pieces finds all bytes in order."""
    cutter = Cutter()
    assert b"".join(piece for data in received for piece in cutter.cut(data)) == b"".join(received)


@pytest.mark.parametrize("size", SIZES[:-2])
def test_texts_in_one_frame_are_read(size: int) -> None:
    """Where they are whole, and within the limit."""
    text = "€".encode() * (size // 3) + b"x" * (size % 3)
    frame = masked(TEXT, text)
    assert read_texts(frame * 3, size) == ([text] * 3, 3 * len(frame))
    assert read_texts(masked(TEXT, b"") + frame, size - 1) == (([b""], 6) if size else ([], 0))
    for end in range(0, len(frame), 1 + size // 200):
        assert read_texts(frame[:end], size) == ([], 0)
        assert read_texts(frame + frame[:end], size) == ([text], len(frame))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        masked(TEXT, b"x", fin=False),
        masked(TEXT, b"x", rsv=4),
        masked(CONT, b"x"),
        masked(BINARY, b"x"),
        masked(PING, b"x"),
        masked(TEXT, b"\xff"),
        b"\x81\x06server",
        masked(TEXT, b"x" * 65_536),
    ],
)
def test_what_is_no_plain_text_is_not_read(frame: bytes) -> None:
    """It is the library's, which knows what else there may be."""
    assert read_texts(frame, 1 << 20) == ([], 0)
    assert read_texts(masked(TEXT, b"text") + frame, 1 << 20) == ([b"text"], 10)


def test_a_text_is_checked_over_its_fragments() -> None:
    """Half a character may stand at a border, not at the end; other data may be anything."""
    message = Message(is_text=True)
    message.add(b"\xe2", is_last=False)
    message.add(b"\x82\xac", is_last=True)
    half = Message(is_text=True)
    half.add(b"x", is_last=False)
    with pytest.raises(UnicodeDecodeError):
        half.add(b"\xe2", is_last=True)
    Message(is_text=False).add(b"\xff", is_last=True)
