"""`make fuzz`: atheris throws bytes at the codec and at the client's filter. pytest collects nothing here.

It ends with a traceback, and the bytes in a file crash-…, at the first exception that is none of ours, or rule broken.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Final

import atheris

with atheris.instrument_imports(include=["service", "client"]):
    from client.text import Line, body, one_line
    from service.errors import CommandError
    from service.visible import safe
    from service.wire import json_lines, protocol
    from service.wire.framing import LineDecoder, Oversize

_LIMIT: Final = 64  # bytes of a line: short ones reach every branch
_SEEDS: Final = (
    *(f'{{"command":"{name}","ref":"r"}}'.encode() for name in protocol.COMMANDS),
    b'{"command":"login","username":"alice","password":"securepassword","confirm":true}',
    b'{"command":"dm","to":"bob","message":"hi\\ud83d\\ude00\\n","nonce":"n2"}',
    b'{"command":"seen","ids":[18,21]}\r\n{"command":"history","with":"bob","before":18,"limit":50}\n',
    b'{"type":"broadcast","id":17,"time":"2026-11-21T09:30:00.123Z","from":"alice","message":"hi\\u001b[2J"}',
    b'{"type":"missed","messages":[{"id":1,"time":"t","from":"a","to":"b","message":"m"}],"more":false}',
    b'{"type":"error","code":"bad_json","message":"m","retry_after":1.5,"fatal":true}',
    "a\x1b]52;c;aGk=\x07\x9b2J\u202eb\u2028\u0301\u0301\u0301".encode(),
)


def check(data: bytes) -> None:
    """What must hold for any bytes."""
    _check_lines(data)
    _check_codec(data)
    _check_filter(data.decode("utf-8", "surrogateescape"))


def _check_lines(data: bytes) -> None:
    whole, torn = LineDecoder(_LIMIT), LineDecoder(_LIMIT)
    lines = list(whole.feed(data))
    assert lines == [line for place in range(len(data)) for line in torn.feed(data[place : place + 1])]
    assert all(isinstance(line, Oversize) or (0 < len(line) <= _LIMIT and b"\n" not in line) for line in lines)


def _check_codec(data: bytes) -> None:
    with contextlib.suppress(CommandError):
        command = json_lines.decode(data)
        assert json_lines.decode(json_lines.encode(command)) == command
    with contextlib.suppress(CommandError):
        event = json_lines.decode_event(data)
        assert event is None or json_lines.encode(event).count(b"\n") == 1


def _check_filter(text: str) -> None:
    for shown in (safe(text), one_line(text), body(text), Line(("", text)).text):
        assert all(char in "\n\t" or (char >= " " and not "\x7f" <= char < "\xa0") for char in shown), shown
        assert safe(shown) == shown
    assert "\n" not in one_line(text)


def main() -> None:
    """Runs libFuzzer; its first argument is the folder of the corpus, which begins with the protocol's examples."""
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(_SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
