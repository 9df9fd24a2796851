"""client/scripting/options.py: what the options for scripts ask for."""

from __future__ import annotations

import io
import sys
from argparse import Namespace
from typing import TYPE_CHECKING, Any

import pytest

from client.net.connection import CannotConnectError
from client.net.trust import UntrustedError
from client.scripting.options import read_wanted, run
from client.scripting.script import Wanted
from client.tokens import Tokens

if TYPE_CHECKING:
    from pathlib import Path

NOTHING: dict[str, Any] = {"send": None, "to": "", "search": None, "history": None, "since": None, "tail": False}


def options(*, json: bool = False, form: str | None = None, rooms: tuple[str, ...] = (), **given: Any) -> Namespace:
    return Namespace(**NOTHING | given, json=json, format=form, room=list(rooms))


def test_without_an_option_nothing_is_wanted() -> None:
    """Then the client does operations; the lines of a pipe may be for one room."""
    assert read_wanted(options()) is None
    assert read_wanted(options(rooms=("ops",))) is None


@pytest.mark.parametrize(
    "given",
    [
        {"send": "hi"},
        {"send": "hi", "to": "bob"},
        {"send": ""},
        {"search": "words", "to": "bob"},
        {"history": 0},
        {"since": 0, "tail": True},
        {"tail": True},
        {"send": "hi", "history": 5, "tail": True, "rooms": ("ops",)},
        {"since": 3, "tail": True, "rooms": ("ops", "all")},
    ],
)
def test_what_is_wanted(given: dict[str, Any]) -> None:
    """Each option alone, or with those that go with it."""
    assert read_wanted(options(**given, json=True)) == Wanted(**NOTHING | given, as_json=True)


def test_the_form_of_a_row() -> None:
    """As it was given; else it has the id, the time with its zone, and who wrote."""
    given, usual = read_wanted(options(tail=True, form="{text}")), read_wanted(options(tail=True))
    assert given is not None
    assert usual is not None
    assert (given.form, usual.form) == ("{text}", "{id} {time} {said}")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"to": "bob"}, "--to, --json and --format go with"),
        ({"json": True}, "--to, --json and --format go with"),
        ({"form": "{id}", "rooms": ("ops",)}, "--to, --json and --format go with"),
        ({"rooms": ("ops", "lab")}, "a pipe takes one --room"),
        ({"form": "{id}", "json": True, "tail": True}, "take one of them"),
        ({"form": "{subject}", "tail": True}, "there is no field {subject}"),
        ({"form": "", "history": 1}, "needs a field"),
        ({"search": "x", "history": 1}, "take one of them"),
        ({"history": 1, "since": 0}, "take one of them"),
        ({"since": 1, "to": "bob"}, "--to goes with"),
        ({"send": "a", "to": "bob", "rooms": ("ops",)}, "--to and --room: take one of them"),
        ({"send": "a", "tail": True, "rooms": ("ops", "lab")}, "take one --room"),
        ({"search": "a", "rooms": ("ops", "lab")}, "take one --room"),
        ({"history": 1, "rooms": ("ops", "lab")}, "take one --room"),
        ({"tail": True, "rooms": ("\udcff",)}, "not valid UTF-8"),
        ({"send": "a\udcff"}, "not valid UTF-8"),
        ({"send": "a", "to": "\udcff"}, "not valid UTF-8"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], problem: str) -> None:
    """It is said before anything is connected."""
    with pytest.raises(ValueError, match=problem):
        read_wanted(options(**given))


@pytest.mark.parametrize(("typed", "text"), [(b"", ""), (b"a\nb\n\n", "a\nb\n"), ("\u00e9".encode(), "\u00e9")])
def test_a_text_from_stdin(monkeypatch: pytest.MonkeyPatch, typed: bytes, text: str) -> None:
    """All of it, without the last line end."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed)))
    wanted = read_wanted(options(send="-"))
    assert wanted is not None
    assert wanted.send == text


def test_a_server_that_is_not_to_be_trusted_is_not_tried_again(tmp_path: Path) -> None:
    """No further try would help."""
    tries = []

    def refuse() -> Any:
        tries.append(1)
        raise CannotConnectError("no") from UntrustedError("no")

    wanted = read_wanted(options(tail=True))
    assert wanted is not None
    with pytest.raises(CannotConnectError):
        run(refuse, wanted, "alice", "secret", Tokens(tmp_path, "localhost", 1, tls=False))
    assert len(tries) == 1
