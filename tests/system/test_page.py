"""The page's files: its types are those of the wire, its model knows no DOM, and nothing in it is what the CSP forbids.

`deno check`, `deno lint` and `deno test`, which `make lint` and `make test` run, see the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
import msgspec.inspect
import pytest

from service.wire import limits, protocol
from tests.support.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = ROOT / "service/listeners/web/page"
SCRIPTS: Final = sorted(PAGE.glob("*.js"))
FILES: Final = [path for path in sorted(PAGE.iterdir()) if path.suffix in {".js", ".css", ".html"}]
TYPES: Final = (PAGE / "protocol.js").read_text()
ROWS: Final = (protocol.StoredMessage, protocol.RoomInfo, protocol.MemberInfo, protocol.BanInfo)
WIRE: Final = (*ROWS, *protocol.AnyCommand.__args__, *protocol.AnyEvent.__args__)
FORBIDDEN: Final = (  # by the CSP, which has no inline and wants Trusted Types; or where the page is not secure
    *("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"),
    *("javascript:", "randomUUID", "setAttribute('style'", "setAttribute('on"),
)

Field = tuple[str, bool, str]  # name, whether it may be left out, type


def model() -> list[Path]:
    """What session.js needs, itself too."""
    found, todo = set(), ["session.js", "typed.js"]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += re.findall(r"from '\./([\w.]+)';", (PAGE / name).read_text())
    return [PAGE / name for name in sorted(found)]


def describe(kind: msgspec.inspect.Type) -> set[str]:
    """A type as TypeScript has it: its alternatives."""
    if isinstance(kind, msgspec.inspect.UnionType):
        known = [one for one in kind.types if not isinstance(one, msgspec.inspect.CustomType)]  # UNSET: left out
        return {word for one in known for word in describe(one)}
    if isinstance(kind, msgspec.inspect.ListType):
        (item,) = describe(kind.item_type)
        return {f"{item}[]"}
    if isinstance(kind, msgspec.inspect.LiteralType):
        return {f"'{value}'" for value in kind.values}
    if isinstance(kind, msgspec.inspect.StructType):
        return {kind.cls.__name__}
    simple = {msgspec.inspect.StrType: "string", msgspec.inspect.BoolType: "boolean"}
    return {simple.get(type(kind), "number")}


def fields_of(kind: type[Any]) -> set[tuple[str, bool, frozenset[str]]]:
    """The fields of a command, an event or a row in the code."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    found = {(field.encode_name, not field.required, frozenset(describe(field.type))) for field in info.fields}
    if info.tag is not None:
        found.add((str(info.tag_field), False, frozenset({f"'{info.tag}'"})))
    return found


def typedef(name: str) -> str:
    """What stands in a typedef of the page."""
    text = re.sub(r"\n \* +", " ", TYPES)
    (body,) = re.findall(rf"@typedef \{{((?:(?!@typedef).)*)\}} {name}\b", text)
    return str(body)


@pytest.mark.parametrize("kind", WIRE, ids=lambda kind: str(kind.__name__))
def test_a_type_of_the_page_is_that_of_the_wire(kind: type[Any]) -> None:
    """The same fields, of the same types, and the same ones may be left out."""
    listed = re.findall(r"(\w+)(\??): ([^,{}]+?)\s*(?:,|\}|$)", typedef(kind.__name__).strip("{ }"))
    alternatives = {(name, bool(may), frozenset(map(str.strip, words.split("|")))) for name, may, words in listed}
    assert alternatives == fields_of(kind)


@pytest.mark.parametrize(("name", "kinds"), [("Command", protocol.AnyCommand), ("Event", protocol.AnyEvent)])
def test_the_page_has_all_commands_and_events(name: str, kinds: Any) -> None:
    """Each union names the classes of the wire."""
    assert set(map(str.strip, typedef(name).split("|"))) == {kind.__name__ for kind in kinds.__args__}


def test_the_limits_of_the_page_are_those_of_the_wire() -> None:
    """Those that no setting changes, and the version."""
    listed = {name: int(value) for name, value in re.findall(r"^  (MAX_\w+): (\d+),", TYPES, re.MULTILINE)}
    assert listed
    assert listed == {name: getattr(limits, name) for name in listed}
    assert f"export const VERSION = {limits.PROTOCOL_VERSION};" in TYPES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    """No file of the page has over 400 lines."""
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.name))
def test_nothing_is_used_that_the_policy_forbids(path: Path) -> None:
    """No HTML out of text, no code out of text, no inline style or handler, no script of others."""
    text = path.read_text()
    assert [word for word in FORBIDDEN if word in text] == []
    assert re.findall(r"\sstyle=|\son\w+=\"|<style|<script(?![^>]*\ssrc=)", text) == []
    assert re.findall(r"(?:from|import\(?)\s*'(?!\./)", text) == []
    assert re.findall(r"(?:src|href)=\"(?:https?:|//)", text) == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.name))
def test_what_a_module_imports_is_there(path: Path) -> None:
    """There is no build that would say so."""
    names = re.findall(r"(?:from|import\()\s*'\./([^']+)'", path.read_text())
    assert [name for name in names if not (PAGE / name).exists()] == []


@pytest.mark.parametrize("path", model(), ids=lambda path: str(path.name))
def test_the_model_knows_no_dom_and_is_tested(path: Path) -> None:
    """Only environment.js touches the browser, and nothing of it that is shown."""
    text = re.sub(r"(?s:/\*.*?\*/)|//.*", "", path.read_text())
    browser = r"\b(?:document|window|navigator|location|crypto|\w+Storage)\.|\b(?:new WebSocket|setTimeout\(|Date\.now)"
    assert path.name == "environment.js" or re.findall(browser, text) == []
    assert (ROOT / "tests/page" / path.with_suffix(".test.js").name).exists()
