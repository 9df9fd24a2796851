"""Lines of JSON: hostile ones answered with the right code, round trips of it all."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from service.errors import CommandError
from service.wire import protocol
from service.wire.framing import LineDecoder
from service.wire.json_lines import decode, decode_event, encode, size
from service.wire.limits import MAX_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMAND_TYPES: Final = protocol.AnyCommand.__args__
EVENT_TYPES: Final = protocol.AnyEvent.__args__
fast = settings(deadline=None, max_examples=60)

# -- round trips ------------------------------------------------------------------------------------------------------
NASTY: Final = [
    "\n",
    "\r\n",
    "\u2028",
    "\u2029",
    "\u0085",
    "\x00",
    "\x1b",
    "😀",
    "\U0010ffff",
    '"',
    "\\",
    "\\n",
    "}\n{",
    "é",
]
TEXTS: Final = st.text(max_size=12) | st.lists(st.sampled_from(NASTY), max_size=12).map("".join)


def values_of(kind: msgspec.inspect.Type) -> st.SearchStrategy[Any]:
    """Any value of a field's type, within its bounds."""
    if isinstance(kind, msgspec.inspect.StrType):
        shortest, longest = kind.min_length or 0, kind.max_length
        return TEXTS.map(lambda text: (text + "x" * shortest)[:longest])
    if isinstance(kind, msgspec.inspect.IntType):
        edges = (0 if kind.ge is None else kind.ge, MAX_ID if kind.le is None else kind.le)
        return st.integers(*edges) | st.sampled_from(edges)
    if isinstance(kind, msgspec.inspect.ListType):
        return st.lists(values_of(kind.item_type), min_size=kind.min_length or 0, max_size=4)
    if isinstance(kind, msgspec.inspect.StructType):
        return messages_of(kind.cls)
    others = {
        msgspec.inspect.FloatType: lambda: st.floats(allow_nan=False, allow_infinity=False),
        msgspec.inspect.LiteralType: lambda: st.sampled_from(getattr(kind, "values")),  # noqa: B009
        msgspec.inspect.BoolType: st.booleans,
    }
    return others[type(kind)]()


def messages_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any message of that type, with and without the fields that may be missing."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    values = {field.name: values_of(field.type) for field in info.fields}
    needed = {field.name: values.pop(field.name) for field in info.fields if field.required}
    return st.fixed_dictionaries(needed, optional=values).map(lambda fields: kind(**fields))


def of_each(kinds: Iterable[type[msgspec.Struct]]) -> pytest.MarkDecorator:
    """A case for each of these types, named by its tag."""
    return pytest.mark.parametrize("kind", [pytest.param(kind, id=str(kind.__struct_config__.tag)) for kind in kinds])


@of_each(COMMAND_TYPES)
@fast
@given(data=st.data())
def test_every_command_survives_the_wire(kind: type[protocol.Command], data: st.DataObject) -> None:
    """A command comes back equal, from one line with one LF, whatever its texts hold."""
    command = data.draw(messages_of(kind))
    line = encode(command)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert [decode(part) for part in LineDecoder(len(line)).feed(line) if isinstance(part, bytes)] == [command]


@of_each(EVENT_TYPES)
@fast
@given(data=st.data())
def test_every_event_survives_the_wire(kind: type[protocol.Event], data: st.DataObject) -> None:
    """An event comes back equal, from one line with one LF, whatever its texts hold."""
    event = data.draw(messages_of(kind))
    line = encode(event)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert [decode_event(part) for part in LineDecoder(len(line)).feed(line) if isinstance(part, bytes)] == [event]


@fast
@given(st.lists(messages_of(protocol.StoredMessage), min_size=1, max_size=4))
def test_size_of_a_message_within_a_page_is_told_exactly(stored: list[protocol.StoredMessage]) -> None:
    """The sizes add up to what a page of these messages is longer than an empty one, but for the last one's comma."""
    page, empty = (encode(protocol.MissedReply(messages=some, more=False)) for some in (stored, []))
    assert len(page) - len(empty) == sum(map(size, stored)) - 1


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            protocol.BroadcastEvent(id=17, time="T", from_="alice", message="hi"),
            b'{"type":"broadcast","id":17,"time":"T","from":"alice","message":"hi"}',
        ),
        (
            protocol.DirectEvent(id=18, time="T", from_="alice", to="bob", message="hi"),
            b'{"type":"direct","id":18,"time":"T","from":"alice","to":"bob","message":"hi"}',
        ),
        (
            protocol.PasswordRequiredReply(username="alice", registered=True),
            b'{"type":"password_required","username":"alice","registered":true}',
        ),
        (protocol.ReadyReply(command="pm"), b'{"type":"ready","command":"pm"}'),
        (protocol.AckReply(command="seen", ids=[18, 21]), b'{"type":"ack","command":"seen","ids":[18,21]}'),
        (protocol.ByeReply(reason="exit"), b'{"type":"bye","reason":"exit"}'),
        (
            protocol.ErrorReply(code="bad_json", message="m", fatal=True),
            b'{"type":"error","code":"bad_json","message":"m","fatal":true}',
        ),
    ],
    ids=lambda value: value.__struct_config__.tag if isinstance(value, msgspec.Struct) else "",
)
def test_events_are_shaped_as_the_protocol_says(event: protocol.Event, line: bytes) -> None:
    """Names and fields are those of protocol 1; a field that is not set is not on the wire."""
    assert msgspec.json.decode(encode(event)) == msgspec.json.decode(line)


# -- decoding commands ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "command"),
    [
        (
            '{"type":"command","command":"login","username":"alice","password":"securepassword"}',
            protocol.Login(username="alice", password="securepassword"),
        ),
        ('{"type":"command","command":"pm"}', protocol.Pm()),
        ('{"command":"pm","message":"hi","nonce":"n1","ref":"r"}', protocol.Pm(message="hi", nonce="n1", ref="r")),
        ('{"command":"dm","to":"bob","message":"hi"}', protocol.Dm(to="bob", message="hi")),
        ('{"command":"missed"}', protocol.Missed(limit=50)),
        ('{"command":"search","query":"deploy"}', protocol.Search(query="deploy", limit=20)),
        ('{"command":"history","with":"bob"}', protocol.History(with_="bob", limit=50)),
        (' { "ref" : "r" , "command" : "ping" } ', protocol.Ping(ref="r")),
        ('{"command":"ping","new":[1,{"a":null}],"type":5,"message":7}', protocol.Ping()),
        ('{"\\u0063ommand":"\\u0070ing"}', protocol.Ping()),
        ('{"command":"pm","message":"a","message":"b"}', protocol.Pm(message="b")),
        ('{"command":"pm","message":"\\ud83d\\ude00"}', protocol.Pm(message="😀")),
        ('{"command":"pm","later":' + "9" * 5_000 + "}", protocol.Pm()),
        ('{"command":"ping","ref":"' + "é" * 64 + '"}', protocol.Ping(ref="é" * 64)),
        ('{"command":"pm","nonce":"' + "n" * 64 + '"}', protocol.Pm(nonce="n" * 64)),
        (f'{{"command":"seen","id":{MAX_ID}}}', protocol.Seen(id=MAX_ID)),
        ('{"command":"seen","id":0}', protocol.Seen(id=0)),
        (f'{{"command":"seen","ids":{[1] * 200}}}', protocol.Seen(ids=[1] * 200)),
        ('{"command":"missed","limit":1}', protocol.Missed(limit=1)),
        ('{"command":"missed","limit":200}', protocol.Missed(limit=200)),
    ],
    ids=range(20),
)
def test_good_lines_are_taken(line: str, command: protocol.Command) -> None:
    """What the protocol allows is decoded, at the edges too; unknown fields and `"type":"command"` are ignored."""
    assert decode(line.encode()) == command


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"[" * 100_000,
        b'{"command":"ping","later":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"command":"missed","limit":NaN}',
        b'{"command":"missed","limit":Infinity}',
        b'{"command":"missed","limit":05}',
        b'{"command":"pm","message":"\\ud800"}',
        b'{"command":"pm","message":"\\udc00\\ud800"}',
        b'{"command":"pm","message":"\xff"}',
        b'{"command":"pm","message":"\xc0\x80"}',
        b'{"command":"pm","message":"\xed\xa0\x80"}',
        b'{"command":"pm","message":"\xf4\x90\x80\x80"}',
        b'{"command":"pm","message":"a\x01b"}',
        b'\xef\xbb\xbf{"command":"ping"}',
        '{"command":"ping"}'.encode("utf-16"),
        b'\x00{"command":"ping"}',
        b'{"command":"ping"}{"command":"ping"}',
        b'{"command":"ping",}',
        b'{"command":"ping"',
        b"{'command':'ping'}",
        b'{command:"ping"}',
        b"GET / HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_no_json_is_bad_json(line: bytes) -> None:
    """Whatever is not one JSON value in UTF-8 is refused as such; no bytes make the decoder raise anything else."""
    with pytest.raises(CommandError) as refusal:
        decode(line)
    assert refusal.value.code == "bad_json"
    assert str(refusal.value).startswith("a command is one JSON object on one line, ended by a newline; this line is")
    assert (refusal.value.ref, refusal.value.command) == (None, None)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"[]", "object"),
        (b"null", "object"),
        (b'"ping"', "object"),
        (b"17", "object"),
        (b"{}", '"command"'),
        (b'{"command":null}', '"command"'),
        (b'{"command":5}', '"command"'),
        (b'{"command":["ping"]}', '"command"'),
        (b'{"command":{"command":"ping"}}', '"command"'),
        (b'{"command":"ping","command":"ex"}', '"command"'),
        (b"[1e999]", "object"),
        (b'{"command":1e999}', '"command"'),
    ],
    ids=repr,
)
def test_a_line_without_one_command_is_a_bad_request(line: bytes, field: str) -> None:
    """JSON that is no object, or names no command, or two, is told what is missing."""
    with pytest.raises(CommandError, match=field) as refusal:
        decode(line)
    assert refusal.value.code == "bad_request"


HUGE: Final = "9" * 5_000
WRONG_FIELDS: Final[list[tuple[str, str, list[str | None]]]] = [
    ("login", "username", ["5", "null", "[]", None]),
    ("login", "password", ["5", "null", "true"]),
    ("login", "confirm", ["1", '"true"', "null"]),
    ("login", "quiet", ["1", '"true"', "null"]),
    ("login", "rooms", ["1", '"true"', "null"]),
    ("login", "presence", ['"lists"', "true", "null"]),
    ("login", "lifetime", ["-1", "2592001", '"1"', "null", HUGE]),
    ("register", "username", ["{}", None]),
    ("register", "password", ["5", None]),
    ("register", "confirm", ["0"]),
    ("register", "quiet", ["0"]),
    ("register", "rooms", ["1", '"true"', "null"]),
    ("register", "presence", ['"lists"', "true", "null"]),
    ("register", "lifetime", ["-1", "2592001", '"1"', "null", HUGE]),
    ("resume", "token", ["5", "null", None]),
    ("resume", "confirm", ['"yes"']),
    ("resume", "quiet", ['"yes"']),
    ("resume", "rooms", ["1", '"true"', "null"]),
    ("resume", "presence", ['"lists"', "true", "null"]),
    ("pm", "room", ["5", "null", '""', "[]"]),
    ("pm", "created", ["5", "null"]),
    ("pm", "message", ["5", "null", '["hi"]']),
    ("pm", "kind", ["null", "5", '"shout"', '""']),
    ("pm", "nonce", ["5", '"' + "n" * 65 + '"']),
    ("dm", "to", ["5", "null", '["bob"]']),
    ("dm", "message", ["5"]),
    ("dm", "kind", ["null", "5", '"shout"', '""']),
    ("dm", "nonce", ['"' + "n" * 65 + '"']),
    ("delete", "id", ["-1", str(MAX_ID + 1), '"1"', "null", None, HUGE]),
    ("delete", "reason", ["5", "null", '"' + "r" * 301 + '"']),
    ("missed", "limit", ["0", "201", "-1", '"5"', "1.5", "1.0", "true", "null", HUGE, "-" + HUGE, "1e999"]),
    ("seen", "room", ["5", "null", '""']),
    ("seen", "with", ["5", "null"]),
    ("seen", "id", ["-1", str(MAX_ID + 1), "1e30", '"1"', "true", "null", HUGE]),
    ("seen", "ids", ["[]", "1", "[-1]", '["1"]', "[null]", f"[{MAX_ID + 1}]", str([1] * 201), f"[{HUGE}]"]),
    ("history", "room", ["5", "null", '""']),
    ("history", "with", ["5", "null"]),
    ("history", "before", ["-1", '"1"', HUGE]),
    ("history", "after", ["-1", str(MAX_ID + 1), HUGE]),
    ("history", "limit", ["0", "201"]),
    ("search", "query", ["5", "null", None, '"' + "q" * 4_097 + '"']),
    ("search", "room", ["5", "null", '""']),
    ("search", "with", ["[]"]),
    ("search", "before", ["-1", HUGE]),
    ("search", "limit", ["0", "201"]),
    ("since", "id", ["-1", str(MAX_ID + 1), '"1"', "null", None, HUGE]),
    ("since", "limit", ["0", "201"]),
    ("since", "deleted_after", ["5", "null"]),
    ("since", "room", ["5", "null", '""']),
    ("rooms", "after", ["5", "null"]),
    ("rooms", "limit", ["0", "201"]),
    ("create", "room", ["5", "null", '""', None]),
    ("create", "topic", ["5", "null", '"' + "t" * 301 + '"']),
    ("create", "private", ["1", '"true"', "null"]),
    ("join", "room", ["5", "null", '""', None]),
    ("leave", "room", ["5", "null", '""', None]),
    ("members", "room", ["5", "null", '""', None]),
    ("members", "after", ["5", "null"]),
    ("members", "limit", ["0", "201"]),
    ("set_room", "room", ["5", "null", '""', None]),
    ("set_room", "topic", ["5", "null", '"' + "t" * 301 + '"']),
    ("set_room", "private", ["1", '"true"', "null"]),
    ("moderate", "room", ["5", "null", '""', None]),
    ("moderate", "username", ["5", "null", None]),
    ("moderate", "action", ["5", "null", '"shout"', '""', None]),
    ("moderate", "role", ["5", "null", '"king"', '""']),
    ("moderate", "reason", ["5", "null", '"' + "r" * 301 + '"']),
    ("moderate", "minutes", ["0", "525601", '"5"', "1.5", "null", HUGE]),
    ("bans", "room", ["5", "null", '""', None]),
    ("bans", "after", ["5", "null"]),
    ("bans", "limit", ["0", "201"]),
    ("password", "old", ["5", None]),
    ("password", "new", ["null", None]),
]
NEEDED: Final = {
    "login": {"username": '"alice"'},
    "register": {"username": '"alice"', "password": '"securepassword"'},
    "resume": {"token": '"t"'},
    "delete": {"id": "1"},
    "search": {"query": '"deploy"'},
    "since": {"id": "1"},
    "create": {"room": '"ops"'},
    "join": {"room": '"ops"'},
    "leave": {"room": '"ops"'},
    "members": {"room": '"ops"'},
    "set_room": {"room": '"ops"'},
    "moderate": {"room": '"ops"', "username": '"bob"', "action": '"kick"'},
    "bans": {"room": '"ops"'},
    "password": {"old": '"securepassword"', "new": '"anotherpassword"'},
}


@pytest.mark.parametrize(
    ("command", "field", "value"),
    [
        pytest.param(command, field, value, id=f"{command}-{field}-{(value or 'missing')[:20]}")
        for command, field, values in WRONG_FIELDS
        for value in values
    ],
)
def test_a_wrong_field_is_named(command: str, field: str, value: str | None) -> None:
    """A missing, ill-typed or out-of-range field is a bad request that names it, with its `ref` and `command`."""
    fields = {"command": f'"{command}"', "ref": '"r1"'} | NEEDED.get(command, {}) | {field: value}
    line = ",".join(f'"{name}":{text}' for name, text in fields.items() if text is not None)
    with pytest.raises(CommandError) as refusal:
        decode(f"{{{line}}}".encode())
    assert (refusal.value.code, refusal.value.ref, refusal.value.command) == ("bad_request", "r1", command)
    assert field in str(refusal.value)
    assert len(str(refusal.value)) < 200


def test_every_field_of_every_command_has_a_wrong_case() -> None:
    """The table of wrong fields leaves out no field, so that a new one gets its cases."""
    fields = {
        (kind.__struct_config__.tag, name)
        for kind in COMMAND_TYPES
        for name in kind.__struct_encode_fields__
        if name != "ref"
    }
    assert fields == {(command, field) for command, field, _ in WRONG_FIELDS}


@pytest.mark.parametrize("ref", ["5", "null", "[]", '"' + "r" * 65 + '"'])
@pytest.mark.parametrize("command", ["ping", "pm"])
def test_a_wrong_ref_is_named_and_not_sent_back(command: str, ref: str) -> None:
    """A `ref` that is no string of at most 64 characters makes the line a bad request without a `ref`."""
    with pytest.raises(CommandError, match='"ref"') as refusal:
        decode(f'{{"command":"{command}","ref":{ref}}}'.encode())
    assert (refusal.value.code, refusal.value.ref, refusal.value.command) == ("bad_request", None, command)


@pytest.mark.parametrize("name", ["bogus", "Ping", "ping ", "", "hello", "b" * 60_000])
@pytest.mark.parametrize("more", ["", ',"limit":1e999', f',"limit":{HUGE}'], ids=["", "infinite", "huge"])
def test_an_unknown_command_is_told_which_are_known(name: str, more: str) -> None:
    """The refusal carries the `ref`, names the command (a long one in part) and those that there are."""
    with pytest.raises(CommandError) as refusal:
        decode(f'{{"command":"{name}","ref":"r1"{more}}}'.encode())
    assert (refusal.value.code, refusal.value.ref, refusal.value.command) == ("unknown_command", "r1", None)
    assert all(known in str(refusal.value) for known in ("login", "history", name[:64]))
    assert len(str(refusal.value)) < 300


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0019edcomanpig ', max_size=60).map(str.encode))
def test_no_bytes_raise_anything_but_a_command_error(line: bytes) -> None:
    """Whatever comes, the decoders give what they promise or say what is wrong with it."""
    for decoder in (decode, decode_event):
        with suppress(CommandError):
            decoded = decoder(line)
            assert decoded is None or isinstance(decoded, msgspec.Struct)


# -- decoding events --------------------------------------------------------------------------------------------------
def test_unknown_fields_of_an_event_are_ignored() -> None:
    """A field that a later service adds does not hurt a client of today."""
    event = decode_event(b'{"type":"bye","reason":"exit","later":{"a":[1]},"message":5}')
    assert event == protocol.ByeReply(reason="exit", ref=UNSET)


@pytest.mark.parametrize("more", ["", ',"reason":5', ',"n":1e999', f',"n":{HUGE}'], ids=["", "field", "1e999", "huge"])
def test_an_unknown_type_is_nothing_to_a_client(more: str) -> None:
    """A type that a later service adds is no error, whatever its fields hold."""
    assert decode_event(f'{{"type":"typing"{more}}}'.encode()) is None


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"[]",
        b"{}",
        b'{"type":5}',
        b'{"type":null}',
        b'{"command":"ping"}',
        b'{"type":"bye"}',
        b'{"type":"broadcast","id":"17","time":"T","from":"alice","message":"hi"}',
        b"[" * 100_000,
        b'{"type":"bye","reason":"\xff"}',
    ],
    ids=lambda line: repr(line[:40]),
)
def test_what_is_no_event_is_an_error(line: bytes) -> None:
    """A peer that does not speak protocol 1 is found out."""
    with pytest.raises(CommandError):
        decode_event(line)
