"""The worst lines, on the real server while others chat: each gets its error or a good answer, and harms nobody."""

from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.engines import POSTGRES, on_postgres
from tests.support.hall import ROUNDS, Hall, open_hall
from tests.support.helpers import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engines

BREAKS: Final = ["\n", "\r\n", "\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1e"]  # str.splitlines cuts here
DIGITS: Final = "9" * 5_000
MARK: Final = "\ue000"  # began, in older search indexes, the words about who may read
OF: Final = "\u00b7"  # stands in the present one between a user's id and a word
# A field of each command that takes one, with what the command needs besides.
TEXTS: Final = [
    ("pm", "message", {}),
    ("pm", "nonce", {"message": "x"}),
    ("pm", "ref", {}),
    ("dm", "to", {"message": "x"}),
    ("dm", "message", {"to": "bob"}),
    ("dm", "nonce", {"to": "bob", "message": "x"}),
    ("history", "with", {}),
    ("search", "query", {}),
    ("search", "with", {"query": "x"}),
    ("password", "old", {"new": PASSWORD}),
    ("password", "new", {"old": PASSWORD}),
]
NUMBERS: Final = [
    ("missed", "limit"),
    ("history", "limit"),
    ("search", "limit"),
    ("seen", "id"),
    ("history", "before"),
    ("history", "after"),
    ("search", "before"),
]


@pytest.fixture(scope="module", name="hall")
def shared_hall(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One for the whole table: what a row breaks, the next one finds broken."""
    on_engine = on_postgres(request.getfixturevalue("cluster")) if POSTGRES else nullcontext()
    with on_engine, open_hall(tmp_path_factory.mktemp("hall")) as hall:
        hall.others[0].ask("dm", to="bob", message="readers secret plan")
        hall.others[0].ask("pm", message="open plan")
        yield hall


@pytest.fixture(autouse=True)
def no_incident(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing a client says is the service's own failure."""
    yield
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


def command(name: str, **fields: Any) -> bytes:
    """A line; what is bytes stands in it as it is."""
    pairs = [("command", json.dumps(name).encode())]
    pairs += [(key, value if isinstance(value, bytes) else json.dumps(value).encode()) for key, value in fields.items()]
    return b"{" + b",".join(b'"%s":%s' % (key.encode(), value) for key, value in pairs) + b"}\n"


def wrong_lines() -> Iterator[tuple[str, bytes, str]]:
    """What it is, its bytes and the code of its one error."""
    for name, data, code in (
        ("a long line", b"x" * 1_000_000 + b"\n", "line_too_long"),
        ("just too long", b"x" * 65_537 + b"\n", "line_too_long"),
        ("100,000 [", b"[" * 100_000 + b"\n", "line_too_long"),
        ("60,000 [", b"[" * 60_000 + b"\n", "bad_json"),
        ("nested objects", b'{"a":' * 50_000 + b"\n", "line_too_long"),
        ("nested objects that fit", b'{"a":' * 13_000 + b"\n", "bad_json"),
        ("nested deep, closed", b'{"command":"ping","a":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n", "bad_json"),
        ("invalid UTF-8", command("pm", message=b'"\xff"'), "bad_json"),
        ("overlong UTF-8", command("pm", message=b'"\xc0\x80"'), "bad_json"),
        ("a surrogate in UTF-8", command("pm", message=b'"\xed\xa0\x80"'), "bad_json"),
        ("NUL raw", command("pm", message=b'"a\0b"'), "bad_json"),
        ("NUL alone", b"\0\n", "bad_json"),
        ("NUL escaped", command("pm", message=b'"a\\u0000b"'), "bad_request"),
        ("NUL in a nonce", command("pm", message="x", nonce="\0"), "bad_request"),
        ("NUL in a name", command("dm", to="bob\0", message="x"), "unknown_user"),
        ("two commands", b'{"command":"ping","command":"pm"}\n', "bad_request"),
        ("an array", b"[]\n", "bad_request"),
        ("a string", b'"ping"\n', "bad_request"),
        ("a number", b"17\n", "bad_request"),
        ("null", b"null\n", "bad_request"),
        ("an empty object", b"{}\n", "bad_request"),
        ("an unknown command", command("sudo"), "unknown_command"),
        ("a long unknown command", command("x" * 60_000), "unknown_command"),
        ("a BOM", b"\xef\xbb\xbf" + command("ping"), "bad_json"),
        ("CR within", b'{"command":"ping"}\r{"command":"ping"}\n', "bad_json"),
        ("UTF-16", '{"command":"ping"}'.encode("utf-16") + b"\n", "bad_json"),
        ("HTTP", b"GET / HTTP/1.1\n", "bad_json"),
        ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", "bad_json"),
        ("a message too long", command("pm", message="é" * 4_097), "message_too_long"),
        ("no message", command("pm", message=""), "empty_message"),
        ("no one to write to", command("dm", message="x"), "bad_request"),
        ("an object for a name", command("dm", to={"a": 1}, message="x"), "bad_request"),
        ("an object for ids", command("seen", ids={}), "bad_request"),
        ("no ids", command("seen", ids=[]), "bad_request"),
        ("too many ids", command("seen", ids=[1] * 201), "bad_request"),
        ("both id and ids", command("seen", id=1, ids=[1]), "bad_request"),
        ("ids out of range", command("seen", ids=[1, 2**63]), "bad_request"),
        ("a login in a login", command("login", username="mallory"), "already_logged_in"),
        ("a long query", command("search", query="x" * 4_097), "bad_request"),
        ("a query of 64 KiB", command("search", query="a " * 32_000), "bad_request"),
        ("a long ref", command("ping", ref="r" * 65), "bad_request"),
    ):
        yield name, data, code
    for name, field, more in TEXTS:
        for half in (b'"\\ud800"', b'"\\udfff\\ud800"', b'"x\\ud83d"'):
            yield f"{name} {field} {half.decode()}", command(name, **more, **{field: half}), "bad_json"
        for kind in (b"1", b"true", b'["x"]', b"null", b"{}"):
            yield f"{name} {field} {kind.decode()}", command(name, **more, **{field: kind}), "bad_request"
    for name, field in NUMBERS:
        needed = {"query": "x"} if name == "search" else {}
        bad = [
            b"-1",
            b"1e999",
            b"true",
            b"1.5",
            b'"1"',
            b"[1]",
            b"{}",
            b"null",
            str(2**63).encode(),
            str(2**64).encode(),
        ]
        bad += [DIGITS.encode(), b"-" + DIGITS.encode(), b"1e30"]
        if field == "limit":
            bad += [b"0", b"-0", b"1000000000", b"201"]
        for value in bad:
            shown = value.decode()[:20]
            yield f"{name} {field} {shown}", command(name, **needed, **{field: value}), "bad_request"
        for value in (b"NaN", b"Infinity", b"-Infinity", b"0x1", b"01", b"+1", b"1_0"):
            yield f"{name} {field} {value.decode()}", command(name, **needed, **{field: value}), "bad_json"


@pytest.mark.parametrize(("data", "code"), [pytest.param(*row[1:], id=row[0]) for row in wrong_lines()])
def test_a_wrong_line_gets_its_error(hall: Hall, data: bytes, code: str) -> None:
    """One error with the documented code; nothing is stored, the connection goes on, the others' talk is whole."""
    messages, users = hall.stored()
    (error,) = hall.attack(data)
    assert (error["type"], error["code"]) == ("error", code)
    assert len(json.dumps(error)) < 1_000
    assert hall.stored() == (messages + 4 * ROUNDS, users)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n" * 1_000,
        b" \t \n" * 1_000,
        b"\n" * 100_000,
        b'{"type":"command","command":"ping","ref":"g"}\r\n',
        command("ping", ref="g", junk=b"[" * 500 + b"]" * 500),
        command("ping", ref="g", junk=DIGITS.encode()),
        b'{"command":"ping","ref":"f","ref":"g"}\n',
        command("ping", ref="g", **{"from": "alice", "id": 1, "time": "x"}),
        command("seen", ref="g", id=b"-0"),
        command("seen", ref="g", id=2**63 - 1),
        command("seen", ref="g", ids=[0] * 200),
        command("history", ref="g", before=b"-0", after=2**63 - 1),
    ],
    ids=lambda data: repr(data[:60]),
)
def test_an_odd_line_that_is_right_gets_its_answer(hall: Hall, data: bytes) -> None:
    """What the protocol allows is done, however it looks; empty lines are nothing."""
    messages, users = hall.stored()
    answers = hall.attack(data)
    assert [line["ref"] for line in answers] == ["g"] * data.count(b'"g"')
    assert "error" not in [line["type"] for line in answers]
    assert hall.stored() == (messages + 4 * ROUNDS, users)


QUERIES: Final = [
    '"', "''", '"plan', 'plan"', '""""', "plan*", "*", "^plan", "plan^", "-plan", "+plan", "NOT plan", "plan NOT open",
    "plan AND", "AND", "OR", "plan OR", "NEAR(plan open)", "NEAR/3", "NEAR(", "(((", ")", "{body readers}:plan",
    "readers:plan", f"readers:{MARK}", f"readers : {MARK}1", f'readers:"{MARK}1"', MARK, f"{MARK}1", f"{MARK}1x2",
    f"1{OF}plan", f"1{OF}", "1x2", f"1x2{OF}", f'1x2{OF}" OR "1x2{OF}', "words:plan",
    f'" OR readers : "{MARK}1x2', f'") OR readers : ("{MARK}1x2', f"{MARK}1 OR {MARK}1x2", "secret", "rowid:1",
    "'; DROP TABLE message; --", "\\", "%", "_", "plan\0open", "...", "\U0001f600" * 50, "\u0301" * 1_000, "a " * 2_048,
    "a\u2028b\u0085c", " ", "", "x" * 4_096, "\U0010ffff", "ﬀ", "İ", "ß", "\u200b", "a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p",
]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: ascii(query[:40]))
def test_no_query_is_an_operator_or_reaches_others(hall: Hall, query: str) -> None:
    """A search is for words: it finds none of what two others wrote to each other, and breaks nothing."""
    (found,) = hall.attack(command("search", query=query, limit=200))
    assert (found["type"], found["query"]) == ("search", query)
    assert not [message for message in found["messages"] if "to" in message or "secret" in message["message"]]


@pytest.mark.parametrize(
    "query",
    [
        " ".join(f"w{n}" for n in range(17)),
        " ".join(f"w{n:x}" for n in range(800)),
        "-".join("abcdefghijklmnopq"),
        '" OR ' * 800 + " ".join("abcdefghijklmnopq"),
    ],
    ids=["17", "800", "17 in one", "operators"],
)
def test_too_many_words_are_refused(hall: Hall, query: str) -> None:
    """More than sixteen different words are a bad request."""
    (error,) = hall.attack(command("search", query=query))
    assert (error["code"], "at most 16" in error["message"]) == ("bad_request", True)


@pytest.mark.parametrize("broken", BREAKS, ids=ascii)
def test_a_text_is_one_frame_whatever_it_holds(hall: Hall, broken: str) -> None:
    """What other programs take for a line's end comes to everyone as it was sent, in one line that ends with the LF."""
    text = f"a{broken}b"
    (ack, direct, page, found, unknown) = hall.attack(
        command("pm", message=text, nonce=f"n{broken}", ref=f"r{broken}")
        + command("dm", to="mallory", message=text)
        + command("history", **{"with": "mallory"}, limit=1)
        + command("search", query=text, ref=f"s{broken}", limit=1)
        + command("dm", to=text, message="x")
    )
    assert (ack["nonce"], ack["ref"], found["query"]) == (f"n{broken}", f"r{broken}", text)
    assert [message["message"] for reply in (page, found) for message in reply["messages"]] == [text, text]
    assert (direct["type"], unknown["code"]) == ("ack", "unknown_user")
    for wire in hall.others:
        wire.read_until_pong()
    hall.mallory.ask("pm", message=text)
    for wire in hall.others:
        assert [line["message"] for line in wire.read_until_pong()] == [text]
