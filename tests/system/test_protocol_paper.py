"""docs/protocol.txt is the whole wire: what it says of commands, events, errors and limits is what the code has."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec.inspect
import pytest

from service.accounts.names import RESERVED
from service.config import Settings
from service.errors import ErrorCode
from service.wire import protocol
from tests.support.helpers import ROOT, Wire, enter, running_server
from tests.support.papers import PAPERS, limit

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.helpers import Line

pytestmark = pytest.mark.engines
PAPER: Final = PAPERS["docs/protocol.txt"]
LARGEST: Final = 2**63 - 1
LISTED: Final = {  # rows of pages, as the paper calls several of them
    protocol.StoredMessage: "messages",
    protocol.RoomInfo: "rooms",
    protocol.MemberInfo: "members",
    protocol.BanInfo: "bans",
}

Row = tuple[str, str]  # type, and whether it may be left out


# -- what the paper has -----------------------------------------------------------------------------------------------
def section(title: str) -> str:
    """The text under a numbered heading."""
    (text,) = re.findall(rf"^\d+ +{title}\n-+\n(.*?)(?=^\d+  |\Z)", PAPER, re.MULTILINE | re.DOTALL)
    return str(text)


def parts(kind: str) -> dict[str, tuple[str, str]]:
    """Of each command or event: what stands behind its name, and its lines."""
    found = re.findall(rf"^{kind} (\w+), (.*)\n((?:    .*\n|\n)+)", PAPER, re.MULTILINE)
    assert len({name for name, _, _ in found}) == len(found)
    return {name: (when, lines) for name, when, lines in found}


def rows(lines: str) -> dict[str, Row]:
    """The fields of a table."""
    table = re.findall(r"^    (\w+)  +(\S.*?)  +(required|optional|default \w+)  ", lines, re.MULTILINE)
    return {name: (kind, need) for name, kind, need in table}


# -- what the code has ------------------------------------------------------------------------------------------------
def describe(kind: msgspec.inspect.Type) -> str:
    """A type in the words of the paper."""
    if isinstance(kind, msgspec.inspect.StrType):
        return "text" if kind.max_length is None else f"text, {kind.max_length:,}"
    if isinstance(kind, msgspec.inspect.IntType):
        return "number" if (kind.ge, kind.le) == (0, LARGEST) else f"number, {kind.ge} to {kind.le}"
    if isinstance(kind, msgspec.inspect.ListType):
        bounds = "" if kind.max_length is None else f", {kind.min_length} to {kind.max_length}"
        item = kind.item_type
        what = LISTED[item.cls] if isinstance(item, msgspec.inspect.StructType) else f"{describe(item)}s"
        return f"list of {what}{bounds}"
    if isinstance(kind, msgspec.inspect.LiteralType):
        return "one of a list"
    return {msgspec.inspect.BoolType: "true or false", msgspec.inspect.FloatType: "seconds"}[type(kind)]


def fields_of(kind: type[Any]) -> dict[str, Row]:
    """The fields of a command or an event as the paper should have them; `ref` stands there once for all."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    found = {}
    for field in info.fields:
        is_unset = field.default in {msgspec.NODEFAULT, msgspec.UNSET}
        default = "optional" if is_unset else f"default {str(field.default).lower() or 'empty'}"
        found[field.encode_name] = describe(field.type), "required" if field.required else default
    found.pop("ref", None)
    return found


def tagged(union: Any) -> dict[str, type[Any]]:
    """Each command or event by its name."""
    return {kind.__struct_config__.tag: kind for kind in get_args(union)}


# -- that they are the same -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "union"), [("Command", protocol.AnyCommand), ("Event", protocol.AnyEvent)])
def test_each_has_its_fields(kind: str, union: Any) -> None:
    """All commands and events stand there, and no other, with type, bounds and default of each field."""
    written = {name: rows(lines) for name, (_, lines) in parts(kind).items()}
    assert written == {name: fields_of(each) for name, each in tagged(union).items()}


@pytest.mark.parametrize(
    ("title", "row"),
    [
        ("A message in a page", protocol.StoredMessage),
        ("A room in a list", protocol.RoomInfo),
        ("A member in a list", protocol.MemberInfo),
        ("A ban in a list", protocol.BanInfo),
    ],
)
def test_a_row_of_a_page_has_its_fields(title: str, row: type[Any]) -> None:
    """It is part of several events."""
    (lines,) = re.findall(rf"^{title}\n((?:    .*\n)+)", PAPER, re.MULTILINE)
    assert rows(lines) == fields_of(row)


def test_a_reference_is_where_the_paper_says() -> None:
    """Every command takes one, and what is called a reply has one."""
    (of_commands,) = re.findall(r"takes this field:\n\n(.*\n)", PAPER)
    for kind in tagged(protocol.AnyCommand).values():
        (ref,) = (field for field in msgspec.structs.fields(kind) if field.name == "ref")
        assert rows(of_commands) == {"ref": (describe(msgspec.inspect.type_info(ref.type)), "optional")}
    for name, (when, _) in parts("Event").items():
        has_one = "ref" in tagged(protocol.AnyEvent)[name].__struct_fields__
        assert has_one == when.startswith("reply")


def test_each_command_says_when_it_is_allowed(tmp_path: Path) -> None:
    """As the service itself answers, before the login and after it."""
    with running_server(tmp_path) as server, Wire(server.port) as stranger, enter(server.port, "alice") as alice:
        for name, (when, lines) in parts("Command").items():
            if name in ("ex", "logout"):
                continue  # it would end this
            needed: Line = {field: "x" for field, (_, need) in rows(lines).items() if need == "required"}
            needed |= {field: 1 for field, row in rows(lines).items() if row == ("number", "required")}
            needed |= {field: "kick" for field in needed if field == "action"}
            codes = [wire.ask(name, **needed).get("code") for wire in (stranger, alice)]
            assert (codes[0] == "not_logged_in") == (when == "after the login"), name
            assert (codes[1] == "already_logged_in") == (when == "before the login"), name


def test_each_error_has_its_line() -> None:
    """The codes are those of the service, and each that a command names is one of them."""
    codes = set(get_args(ErrorCode))
    assert set(re.findall(r"^    (\w+) +(?:no|yes|at times)  ", section("Errors"), re.MULTILINE)) == codes
    named = re.findall(r"^    Errors: ([a-z_, ]+)\.", PAPER, re.MULTILINE)
    assert named
    assert {code for codes_ in named for code in codes_.split(", ")} <= codes


def test_each_ending_has_its_line() -> None:
    """The reasons of `bye`, of which the event itself tells, and which the service gives."""
    reasons = set(re.findall(r"^    (\w+)  ", section("Endings"), re.MULTILINE))
    told = (tagged(protocol.AnyEvent)["bye"].__doc__ or "").partition(": ")[2]
    assert reasons == set(re.findall(r"[a-z_]+", told)) - {"or"}
    code = "".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    assert [reason for reason in reasons if f'"{reason}"' not in code] == []


def test_the_limits_are_those_of_the_service() -> None:
    """Each number of the list, in its order; those that an operator may set are the defaults."""
    defaults = {field.name: field.default for field in fields(Settings)}
    assert [
        int(number.replace(",", "")) for number in re.findall(r"^    ([\d,]+)  +\w", section("Limits"), re.MULTILINE)
    ] == [
        limit("LOGIN_LINE"),
        defaults["max_line"],
        defaults["max_message"],
        limit("MAX_REF"),
        limit("MAX_NONCE"),
        limit("MAX_TOPIC"),
        limit("MAX_PAGE"),
        limit("DEFAULT_PAGE"),
        limit("DEFAULT_SEARCH_PAGE"),
        limit("MAX_QUERY"),
        limit("MAX_SEARCH_WORDS"),
        limit("MAX_ENDINGS"),
        limit("MAX_USERNAME"),
        defaults["min_password"],
        limit("MAX_PASSWORD"),
        limit("MAX_DELETED"),
        limit("FRAGMENTS"),
        defaults["login_timeout"],
        limit("HANDSHAKE_TIMEOUT"),
        limit("MAX_LIFETIME") / 86_400,
        limit("TOKENS_PER_USER"),
        limit("MAX_MINUTES"),
        defaults["max_rooms"],
        defaults["max_members"],
        defaults["rooms_per_account"],
        defaults["max_invitations"],
        limit("MAX_BANS"),
        defaults["users_interval"],
        defaults["max_per_address"],
        defaults["max_connections"],
        limit("OUTBOX_BYTES") / 2**20,
    ]
    shares = f"an account has {defaults['rate']:g} messages a second after the first {defaults['burst']}, and "
    shares += f"{limit('READ_RATE'):g} other commands a second after the first {limit('READ_BURST'):,}"
    assert shares in " ".join(PAPER.split())
    assert f"comes in {limit('FRAGMENTS')} frames at most" in PAPER


def test_the_first_dialogue_goes_as_written(tmp_path: Path) -> None:
    """What is typed is answered with these lines; only names of the place, tokens and times differ."""
    lines = re.sub(r"\n     (?=\S)", "", section("A first dialogue"))
    said, answered = (re.findall(rf'^    (\{{"{kind}".*\}})$', lines, re.MULTILINE) for kind in ("command", "type"))
    with running_server(tmp_path, login_rate=10) as server, Wire(server.port) as wire:
        wire.send_bytes("".join(f"{line}\n" for line in said).encode())
        heard = [wire.hello, *wire.read_to_end()]
    kept = [line for line in heard if line["type"] != "users"]
    expected = [msgspec.json.decode(line) for line in answered if '"type":"users"' not in line]
    for line, model in zip(kept, expected, strict=True):
        assert line.keys() == model.keys()
        assert {key: line[key] for key in line if model[key] != "…"} == {
            key: value for key, value in model.items() if value != "…"
        }


def test_it_names_the_reserved_words() -> None:
    """Those that no new name may be, in their order."""
    (words,) = re.findall(r"nor one of\n\n((?:    .*\n)+)", PAPER)
    assert tuple(words.split()) == RESERVED
