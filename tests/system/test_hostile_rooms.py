"""Commands about rooms with hostile values, on the real server: each gets an answer, none is the service's failure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.helpers import Wire, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.engines


# Each command with its fields: those that it needs, and those that it may have.
COMMANDS: Final = {
    "create": ("room", "topic private"),
    "join": ("room", ""),
    "leave": ("room", ""),
    "set_room": ("room", "topic private"),
    "moderate": ("room username action", "role reason minutes"),
    "rooms": ("", "after limit"),
    "members": ("room", "after limit"),
    "bans": ("room", "after limit"),
    "pm": ("message", "room nonce kind created"),
    "history": ("", "room with before limit"),
    "search": ("query", "room with before limit"),
    "since": ("id", "limit deleted_after"),
    "seen": ("", "room with id ids"),
    "delete": ("id", "reason"),
}
# Names of rooms and people that are there, and that look like them, or like nothing.
NAMES: Final = (
    *("ops", "OPS", "0ps", "op\u0455", "#ops", "@ops", "ops ", " ", "", "ops\0", "\0", "all", "ALL", "a11", "al\u0406"),
    *("secret", "s\u0435cret", "mallory", "alice", "deleted-1", "server", "*", "a:b", "x" * 32, "x" * 33, "x" * 2_000),
    *(
        "\U0001f600",
        "\u202eops",
        "o\u200bps",
        "o\u0301\u0301ps",
        "\u0130",
        "\ufb03",
        "\u1e9e",
        "\ud7ff",
        "\ue000",
        "..",
        "%",
    ),
    *(
        "'; DROP TABLE room; --",
        "ops\n",
        "\u2028",
        "\U0010ffff",
        "1",
        "null",
        "\u0561" * 32,
        "\U0001f468\u200d\U0001f469",
    ),
)
TEXTS: Final = (
    *(
        "",
        "x",
        "x" * 300,
        "x" * 301,
        "\U0001f600" * 300,
        "\u0301" * 300,
        "\0",
        "a\0b",
        "\x1b[2J\x07",
        "\u202e",
        "\ufeff",
    ),
    *(
        "\n" * 300,
        "\x01" * 300,
        '"' * 300,
        "\\" * 300,
        "\u2028\u2029\u0085",
        "\x7f\x9b",
        "\U000e0041" * 300,
        "y" * 2_000,
    ),
)
NUMBERS: Final = (0, 1, -1, 200, 201, 525_600, 525_601, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, -0.0, 1e300)
TIMES: Final = (
    *("", "now", "2026-11-21T09:30:00.123Z", "0000-00-00T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "z" * 24),
    *("2026-11-21", "2026-13-41T25:61:61.999Z", "\uff12026-11-21T09:30:00.123Z", "\0" * 24),
)
ODD: Final[tuple[Any, ...]] = (None, True, False, [], {}, ["ops"], {"ops": 1}, [[[]]])
USUAL: Final = ("ops", "den", "secret", "all", "alice", "mallory")  # rooms and people that are there
NAMED: Final = st.sampled_from(USUAL * 8 + NAMES) | st.text(max_size=40)
NUMBER: Final = st.sampled_from((1, 2, 3, 50) * 8 + NUMBERS)
FIELDS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "room": NAMED,
    "username": NAMED,
    "after": NAMED,
    "with": NAMED,
    "topic": st.sampled_from(TEXTS),
    "reason": st.sampled_from(TEXTS),
    "message": st.sampled_from(TEXTS),
    "query": st.sampled_from(TEXTS) | NAMED,
    "nonce": st.sampled_from(("n1", "n2", "\0", "x" * 64, "x" * 65)),
    "created": st.sampled_from(TIMES),
    "deleted_after": st.sampled_from(TIMES),
    "kind": st.sampled_from(("text", "action", "notice", "", "x")),
    "action": st.sampled_from(("invite", "kick", "ban", "unban", "mute", "unmute", "role", "")),
    "role": st.sampled_from(("member", "moderator", "owner", "", "operator")),
    "private": st.booleans(),
    "id": NUMBER,
    "ids": st.lists(NUMBER, max_size=3),
    "before": NUMBER,
    "limit": NUMBER,
    "minutes": NUMBER,
}


def shaped(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """A command with values of the right types, so that they get beyond the codec."""
    needed, more = ({field: FIELDS[field] for field in fields.split()} for fields in COMMANDS[name])
    return st.fixed_dictionaries({"command": st.just(name), **needed}, optional=more)


WHOLE: Final = st.sampled_from(sorted(COMMANDS)).flatmap(shaped)
ODDLY: Final = st.fixed_dictionaries(
    {"command": st.sampled_from(sorted(COMMANDS))},
    optional={name: st.sampled_from(ODD) | values for name, values in FIELDS.items()},
)


@pytest.fixture(scope="module", name="wires")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, Wire]]:
    """Who attacks, and a member of all rooms; one service for all examples: what one breaks, the next finds broken."""
    with (
        running_server(tmp_path_factory.mktemp("rooms")) as server,
        enter(server.port, "alice", rooms=True) as alice,
        enter(server.port, "mallory", rooms=True) as mallory,
    ):
        alice.ask("create", room="ops", topic="what we do")
        alice.ask("create", room="secret", private=True)
        alice.ask("pm", room="secret", message="the plan")
        yield mallory, alice


@pytest.fixture(autouse=True)
def no_incident(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing a client says is the service's own failure."""
    yield
    assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(commands=st.lists(WHOLE | WHOLE | ODDLY, min_size=1, max_size=8))
def test_a_command_about_rooms_gets_one_answer(wires: tuple[Wire, Wire], commands: list[dict[str, Any]]) -> None:
    """In the order of the commands, whatever they hold; nothing of a private room is in it, and nobody is cut off."""
    mallory, alice = wires
    mallory.ask("create", room="den")  # there is one of hers, with a member, whatever she did before
    alice.ask("join", room="den")
    lines = [json.dumps(command | {"ref": f"{n}"}) for n, command in enumerate(commands)]
    mallory.send_bytes("".join(f"{line}\n" for line in lines).encode())
    answers = mallory.read_until_pong()
    assert [line["ref"] for line in answers if "ref" in line] == [f"{n}" for n in range(len(commands))]
    assert "internal" not in [line.get("code") for line in answers]
    assert "the plan" not in json.dumps(answers)
    assert "bye" not in [line["type"] for line in alice.read_until_pong()]
    alice.ask("leave", room="den")
