"""What a web request asks of its handler, and what it is answered. Knows no socket, and nothing of the doors."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from service.origin import Origin

TEXT: Final = "text/plain; charset=utf-8"

Fields = tuple[tuple[str, str], ...]  # names and values of header fields


class Answer(NamedTuple):
    """An answer without what every answer has: its length, and the fields of security."""

    status: int
    body: bytes
    content_type: str = TEXT
    fields: Fields = ()  # further ones, such as Retry-After


class HookRequest(NamedTuple):
    """What came by POST to /hook/SECRET. The body is whole, and within its limit."""

    secret: str  # the rest of the path, as it came; never logged
    content_type: str  # as it came, with its parameters; empty without one
    idempotency_key: str | None  # as it came
    body: bytes
    origin: Origin
    deadline: float  # monotonic; by then the answer is to be on its way

    def __repr__(self) -> str:  # for logs and exceptions: neither the secret nor a text
        return f"HookRequest(origin={self.origin!r})"


class HookPort(Protocol):
    """Who answers what comes to /hook/. On the visitor's own thread, which may wait until the deadline."""

    def answer(self, request: HookRequest) -> Answer: ...


def tell(status: int, words: str, fields: Fields = ()) -> Answer:
    """Returns an answer of one line for a person: what is wrong, and what to do."""
    return Answer(status, f"{HTTPStatus(status).phrase}: {words}\n".encode(), TEXT, fields)
