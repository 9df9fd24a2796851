"""The protocol as lines of JSON. Pure: no I/O, no threads, no clock; framing.py cuts the lines.

The module is a `Codec`, for the service; a client encodes commands and decodes events.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from service.errors import CommandError
from service.wire.limits import MAX_REF
from service.wire.protocol import COMMANDS, EVENTS, AnyCommand, AnyEvent, Command, Event, StoredMessage

_encoder: Final = msgspec.json.Encoder()
_commands: Final[msgspec.json.Decoder[AnyCommand]] = msgspec.json.Decoder(AnyCommand)
_events: Final[msgspec.json.Decoder[AnyEvent]] = msgspec.json.Decoder(AnyEvent)
# What msgspec raises for hostile bytes: DecodeError, ValidationError and UnicodeDecodeError are ValueErrors; deep
# nesting is a RecursionError.
_UNDECODABLE: Final = (ValueError, RecursionError)


def encode(message: Command | Event) -> bytes:
    """One line, with its LF."""
    return _encoder.encode(message) + b"\n"


def size(message: StoredMessage) -> int:
    """How many bytes `message` takes within a page."""
    return len(_encoder.encode(message)) + 1  # its comma


def decode(line: bytes) -> AnyCommand:
    """The command in a line. Raises CommandError: bad_json, unknown_command or bad_request."""
    try:
        return _commands.decode(line)
    except _UNDECODABLE as error:
        raise _explain(line, error) from None


def decode_event(line: bytes) -> AnyEvent | None:
    """The event in a line; None for a type that this version does not know. Raises CommandError for anything else."""
    try:
        return _events.decode(line)
    except _UNDECODABLE as error:
        kind = _string(_decode_head(line).type)
        if kind is not None and kind not in EVENTS:
            return None
        raise CommandError("bad_json", f"not a line of protocol 1: {_reason(error)}") from None


class _Head(Struct):
    """The fields that tell which command a line was meant to be; the others are skipped, whatever they hold."""

    command: msgspec.Raw | UnsetType = UNSET
    type: msgspec.Raw | UnsetType = UNSET
    ref: msgspec.Raw | UnsetType = UNSET


_heads: Final = msgspec.json.Decoder(_Head)


def _explain(line: bytes, error: BaseException) -> CommandError:
    """Why `line` is no command, with the `ref` and `command` that it carries, so that its sender knows which it was."""
    head = _decode_head(line)
    ref = _string(head.ref)
    ref = ref if ref is not None and len(ref) <= MAX_REF else None
    if not isinstance(error, msgspec.ValidationError):  # such as half a surrogate pair, in a string
        return CommandError("bad_json", f"not a line of JSON: {_reason(error)}", ref=ref)
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
    """What a line claims to be. Raises CommandError: bad_json if it is no JSON, bad_request if no object."""
    try:
        line.decode()  # msgspec does not look into the strings that it skips
        msgspec.json.decode(line, type=msgspec.Raw)
    except _UNDECODABLE as error:
        raise CommandError("bad_json", f"not a line of JSON: {_reason(error)}") from None
    try:
        return _heads.decode(line)
    except msgspec.ValidationError:
        raise CommandError("bad_request", 'a line must be a JSON object, such as {"command":"ping"}') from None


def _string(raw: msgspec.Raw | UnsetType) -> str | None:
    """A field's value if it is a string."""
    try:
        return None if raw is UNSET else msgspec.json.decode(raw, type=str)
    except _UNDECODABLE:
        return None


def _reason(error: BaseException) -> str:
    """The decoder's complaint as a sentence that names the field, such as: field "limit": Expected `int` <= 200."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    complaint, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").removeprefix(".")
    return f'field "{field}": {complaint}' if field else complaint
