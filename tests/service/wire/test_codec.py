"""The codecs that there are."""

from __future__ import annotations

import pytest

from service.wire.codec import JSON_LINES, Codec
from service.wire.protocol import Ping, PongReply, StoredMessage


@pytest.mark.parametrize(
    ("codec", "line", "encoded"),
    [(JSON_LINES, b'{"command":"ping"}', b'{"type":"pong","time":"T"}\n')],
    ids=["json_lines"],
)
def test_a_codec_reads_commands_writes_events_and_measures_messages(codec: Codec, line: bytes, encoded: bytes) -> None:
    """It does the three things that the service wants of it, a message in a page being smaller than a line of it."""
    assert codec.decode(line) == Ping()
    assert codec.encode(PongReply(time="T")) == encoded
    assert 0 < codec.size(StoredMessage(id=1, time="T", from_="a", message="hi")) < 100
