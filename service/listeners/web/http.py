"""Reads a request within bounds, and writes its answer. Knows no path, no door and no WebSocket.

There is one request on a connection: what follows it is not read as another one.
"""

from __future__ import annotations

import re
import time
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

import h11

from service.errors import ChatError
from service.listeners.web.answer import tell

if TYPE_CHECKING:
    from service.listeners.visitors import Visit
    from service.listeners.web.answer import Answer, Fields

HEAD_BYTES: Final = 16_384  # of a request's head with its empty line; a browser sends some 1,000
HEAD_FIELDS: Final = 100  # in it; a browser sends some 20
BODY_BYTES: Final = 65_536  # of what is posted; a monitor's message has a few thousand
POST_TIME: Final = 5.0  # seconds for a POST, from its first byte to its answer

_END: Final = re.compile(rb"\n\r?\n")
# h11 takes both, a proxy in front might read them otherwise: an LF without a CR, and a line that goes on in the next.
_LOOSE: Final = re.compile(rb"(?<!\r)\n|\n[ \t]")
_VERSIONS: Final = {b"1.0", b"1.1"}


class RequestError(ChatError):
    """The peer's fault: the request is not done, and this is its answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


class Request(NamedTuple):
    """A request's head, and what came with it."""

    method: str
    target: str  # as it came: printable ASCII without spaces
    version: str  # ``1.0`` or ``1.1``
    fields: tuple[tuple[str, str], ...]  # names in lower case
    head: bytes  # as it came
    rest: bytes  # what came after the head, so far

    def values(self, name: str) -> list[str]:
        """Returns the values of a field, which may have come several times; `name` in lower case."""
        return [value for field, value in self.fields if field == name]

    def value(self, name: str) -> str | None:
        """Returns the value of a field; None if it did not come, or came several times."""
        values = self.values(name)
        return values[0] if len(values) == 1 else None

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]


def read_request(visit: Visit) -> Request | None:
    """Returns the request of a visitor; None if it has gone before the end of the head.

    Raises RequestError, OSError, and TimeoutError at the visit's deadline. A POST has less time: the deadline moves.
    """
    data, searched, began = b"", 0, 0.0
    while (end := _END.search(data, max(0, searched - 2))) is None:
        if len(data) >= HEAD_BYTES:
            raise RequestError(tell(431, f"a head has at most {HEAD_BYTES} bytes"))
        searched = len(data)
        more = visit.receive()
        if not more:
            return None
        if not data:
            began = time.monotonic()
        data += more
    request = parse(data[: end.end()], data[end.end() :])
    if request.method == "POST":
        visit.deadline = min(visit.deadline, began + POST_TIME)
    return request


def parse(head: bytes, rest: bytes = b"") -> Request:
    """Returns the request of a head, which ends with its empty line. Raises RequestError."""
    if len(head) > HEAD_BYTES:
        raise RequestError(tell(431, f"a head has at most {HEAD_BYTES} bytes"))
    if _LOOSE.search(head):
        raise RequestError(tell(400, "each field is one line, and ends with CR LF"))
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    connection.receive_data(head)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        raise RequestError(_explain(error.error_status_hint)) from error
    if not isinstance(event, h11.Request):
        raise RequestError(_explain(400))
    if event.http_version not in _VERSIONS:
        raise RequestError(tell(505, "this version is not spoken here"))
    if len(event.headers) > HEAD_FIELDS:
        raise RequestError(tell(431, f"a head has at most {HEAD_FIELDS} fields"))
    fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers)
    request = Request(
        event.method.decode(), event.target.decode(), event.http_version.decode(), fields, head, bytes(rest)
    )
    _check_body(request)
    return request


def _explain(status: int) -> Answer:
    return tell(status, "no transfer codings here" if status == 501 else "this is no request that can be read")  # noqa: PLR2004


def _check_body(request: Request) -> None:
    """Raises RequestError where the length of the body is not told, is too large, or is not to be there."""
    if request.values("transfer-encoding"):
        raise RequestError(_explain(501))
    length = request.value("content-length")
    if request.method in {"GET", "HEAD"}:
        if length not in {None, "0"}:
            raise RequestError(tell(400, "only a POST has a body"))
    elif request.method != "POST":
        return  # no other method is done
    elif length is None:
        raise RequestError(tell(411, "send a Content-Length"))
    elif int(length) > BODY_BYTES:
        raise RequestError(tell(413, f"a body has at most {BODY_BYTES} bytes"))


def read_body(visit: Visit, request: Request) -> bytes | None:
    """Returns the body of a POST; None if the visitor has gone before its end. Raises RequestError, OSError."""
    length, body = int(request.value("content-length") or 0), bytearray(request.rest)
    expected = [value.lower() for value in request.values("expect")]
    if expected not in ([], ["100-continue"]):
        raise RequestError(tell(417, "only 100-continue can be expected"))
    if expected and request.version != "1.0" and len(body) < length:
        visit.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    while len(body) < length:
        more = visit.receive()
        if not more:
            return None
        body += more
    return bytes(body[:length])


def write(visit: Visit, answer: Answer, fields: Fields, method: str = "GET") -> None:
    """Sends an answer with further `fields`; its body only where `method` asks for one. Raises OSError."""
    visit.send(serialize(answer, fields, method))


def serialize(answer: Answer, fields: Fields, method: str = "GET") -> bytes:
    """Returns the bytes of an answer; without a body for HEAD, or where nothing has changed.

    No browser and no proxy keeps it, unless its own fields say how: of a 404 they might for hours (RFC 9111, 4.2.2).
    """
    has_body = answer.status != HTTPStatus.NOT_MODIFIED
    caching = () if any(name == "Cache-Control" for name, _ in answer.fields) else (("Cache-Control", "no-store"),)
    about_body = (("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body))))
    lines = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Date: {formatdate(usegmt=True)}",
        *(f"{name}: {value}" for name, value in (about_body if has_body else ())),
        *(f"{name}: {value}" for name, value in (*answer.fields, *caching, *fields)),
        "Connection: close",
    )
    head = "".join(f"{line}\r\n" for line in lines) + "\r\n"
    return head.encode("latin-1") + (answer.body if has_body and method != "HEAD" else b"")
