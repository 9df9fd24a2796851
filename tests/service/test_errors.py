"""The tree of exceptions, and what those for the wire carry."""

from __future__ import annotations

import inspect
import re

import pytest

from service import errors
from service.errors import ChatError, CommandError, ErrorCode, PeerError, ServiceError
from service.storage.records import Refused

TYPES = [kind for kind in vars(errors).values() if inspect.isclass(kind)]


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """The module's docstring has each type once, as deep as it is derived."""
    drawn = {
        name: len(branch) // 4
        for branch, name in re.findall(r"^([ │├└─]*)([A-Z]\w+)(?:  |$)", errors.__doc__ or "", re.MULTILINE)
    }
    assert drawn == {kind.__name__: kind.__mro__.index(ChatError) for kind in (*TYPES, Refused)}


def test_no_error_is_the_peers_and_ours() -> None:
    """The type of an error tells whose fault it is."""
    assert not [kind for kind in TYPES if issubclass(kind, PeerError) and issubclass(kind, ServiceError)]


def test_a_peers_error_has_what_its_reply_needs() -> None:
    """By default it ends no connection and names no time to wait."""
    plain = PeerError("rate_limited", "Slow down.")
    assert (str(plain), plain.code, plain.fatal, plain.retry_after) == ("Slow down.", "rate_limited", False, None)
    last = PeerError("login_timeout", "Too late.", fatal=True, retry_after=5.0)
    assert (last.fatal, last.retry_after) == (True, 5.0)


@pytest.mark.parametrize(("ref", "command"), [(None, None), ("r", "pm")])
def test_a_line_that_is_no_command_is_the_peers(ref: str | None, command: str | None) -> None:
    """With what could be read of it; the connection goes on."""
    code: ErrorCode = "bad_request"
    error: PeerError = CommandError(code, "What?", ref=ref, command=command)
    assert isinstance(error, CommandError)
    assert (error.ref, error.command, error.code, error.fatal) == (ref, command, code, False)
