"""The codec of lines of JSON. Pure: no I/O, no threads, no clock; framing.py cuts the lines.

The module itself is the service's `Codec`. The client uses `encode` and `decode_event`.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.errors import CommandError
from service.wire.limits import MAX_REF
from service.wire.protocol import COMMANDS, EVENTS, AnyCommand, AnyEvent, Command, Event, Row

_encoder: Final = msgspec.json.Encoder()
_commands: Final[msgspec.json.Decoder[AnyCommand]] = msgspec.json.Decoder(AnyCommand)
_events: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)
# What msgspec raises for hostile bytes: DecodeError, ValidationError and UnicodeDecodeError are ValueErrors; deep
# nesting raises RecursionError.
_UNDECODABLE: Final = (ValueError, RecursionError)


def encode(message: Command | Event) -> bytes:
    """Returns one line, with its LF."""
    return _encoder.encode(message) + b"\n"


def size(row: Row) -> int:
    """Returns how many bytes `row` takes in a page."""
    return len(_encoder.encode(row)) + 1  # its comma


def decode(line: bytes) -> AnyCommand:
    """Returns the command in a line. Raises CommandError: bad_json, unknown_command or bad_request."""
    try:
        return _commands.decode(line)
    except _UNDECODABLE as error:
        raise _explain(line, error) from None


def decode_event(line: bytes) -> AnyEvent | None:
    """Returns the event in a line; None if this version does not know its type. Raises CommandError otherwise."""
    try:
        return _events.decode(line)
    except _UNDECODABLE as error:
        kind = _string(_decode_head(line).type)
        if kind is not None and kind not in EVENTS:
            return None
        raise CommandError("bad_json", f"not a line of protocol 1: {_reason(error)}") from None


class _Head(Struct):
    """The fields that identify the command of a line; all other fields are skipped."""

    command: msgspec.Raw | UnsetType = UNSET
    type: msgspec.Raw | UnsetType = UNSET
    ref: msgspec.Raw | UnsetType = UNSET


_heads: Final = msgspec.json.Decoder(_Head)


def _explain(line: bytes, error: BaseException) -> CommandError:
    """Returns the error for a line that is no command, with the line's `ref` and `command` if they are readable."""
    head = _decode_head(line)
    ref = _string(head.ref)
    ref = ref if ref is not None and len(ref) <= MAX_REF else None
    if not isinstance(error, msgspec.ValidationError):  # such as half a surrogate pair in a string
        return CommandError("bad_json", _no_json(error), ref=ref)
    if head.command is UNSET:
        return CommandError("bad_request", 'the field "command" is missing', ref=ref)
    command = _string(head.command)
    if command is None:
        return CommandError("bad_request", 'the field "command" must be a string', ref=ref)
    if command not in COMMANDS:
        shown = command if len(command) <= MAX_REF else command[:MAX_REF] + "…"
        return CommandError("unknown_command", f'unknown command "{shown}"; known: {", ".join(COMMANDS)}', ref=ref)
    return CommandError("bad_request", _reason(error), ref=ref, command=command)


def _decode_head(line: bytes) -> _Head:
    """Returns the identifying fields. Raises CommandError: bad_json if not JSON, bad_request if no object."""
    try:
        line.decode()  # msgspec does not check the strings that it skips
        msgspec.json.decode(line, type=msgspec.Raw)
    except _UNDECODABLE as error:
        raise CommandError("bad_json", _no_json(error)) from None
    try:
        return _heads.decode(line)
    except msgspec.ValidationError:
        raise CommandError("bad_request", 'a line must be a JSON object, such as {"command":"ping"}') from None


def _string(raw: msgspec.Raw | UnsetType) -> str | None:
    """Returns a field's value if it is a string."""
    try:
        return None if raw is UNSET else msgspec.json.decode(raw, type=str)
    except _UNDECODABLE:
        return None


def _no_json(error: BaseException) -> str:
    """Returns what a command is, and why this line is none; nothing of the line itself, which may hold a password."""
    return f"a command is one JSON object on one line, ended by a newline; this line is no JSON: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """Returns the decoder's error as a sentence that names the field: field "limit": Expected `int` <= 200."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    complaint, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").removeprefix(".")
    return f'field "{field}": {complaint}' if field else complaint
