"""The wire's limits: what just keeps one is read, what is just past it is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.errors import CommandError
from service.storage import records
from service.wire import json_lines, limits, protocol


@pytest.mark.parametrize(
    ("command", "field", "kept", "past"),
    [
        ("ping", "ref", "r" * 64, "r" * 65),
        ("pm", "nonce", "n" * 64, "n" * 65),
        ("history", "limit", 200, 201),
        ("seen", "ids", [1] * 200, [1] * 201),
        ("seen", "id", 2**63 - 1, 2**63),
        ("search", "query", "q" * 4_096, "q" * 4_097),
    ],
)
def test_a_limit_is_kept_to_the_character(command: str, field: str, kept: Any, past: Any) -> None:
    """The numbers stand here again: clients of protocol 1 count on them."""
    fields = {"command": command} | {"pm": {"message": "hi"}}.get(command, {})
    read = json_lines.decode(json.dumps(fields | {field: kept}).encode())
    assert getattr(read, field) == kept
    with pytest.raises(CommandError) as refused:
        json_lines.decode(json.dumps(fields | {field: past}).encode())
    assert refused.value.code == "bad_request"


def test_a_page_has_a_size_of_its_own() -> None:
    """Where the client asks for none; a client may ask for more."""
    assert protocol.Missed().limit == protocol.History().limit == limits.DEFAULT_PAGE < limits.MAX_PAGE
    assert protocol.Search(query="q").limit == limits.DEFAULT_SEARCH_PAGE < limits.MAX_PAGE


def test_the_wire_and_the_storage_have_the_same_ids() -> None:
    """An id that can be said can be looked up."""
    assert limits.MAX_ID == records.MAX_ID
