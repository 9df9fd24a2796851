"""Which request gets which answer: a file of the page, the health, a webhook's, or a socket for the chat.

Says no word of the chat: a browser's socket is a stream of lines, like that of any other client.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from service.listeners.admission import JSON
from service.listeners.connection import LOGIN_LINE
from service.listeners.web import door, http
from service.listeners.web.answer import Answer, HookRequest, tell
from service.net.frames import Framer
from service.net.websocket import MessageLimits, UpgradeRefused, WebSocketStream

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from service.health import Health
    from service.listeners.admission import Admission
    from service.listeners.proxies import Proxies
    from service.listeners.visitors import Visit
    from service.listeners.web.answer import Fields, HookPort
    from service.listeners.web.files import Files

CHAT: Final = "/chat"
HEALTH: Final = "/healthz"
HOOK: Final = "/hook/"

_SHOWN: Final = 100  # characters of a method or path in the log
_NOTHING: Final = tell(404, "there is nothing of that name")
_ASK_FOR_UPGRADE: Final[Fields] = (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))
_ABOUT_UPGRADE: Final = ("connection", "host", "sec-websocket-", "upgrade")  # names of fields, or how they begin
_log: Final = logging.getLogger("chat.web")


class Routes:
    """Serves a visitor on the visitor's own thread."""

    def __init__(
        self,
        admission: Admission,
        proxies: Proxies,
        health: Health,
        files: Files,
        hooks: HookPort,
        names: Callable[[], Container[str]],
        on_client: Callable[[], None],
    ) -> None:
        """`names` gives those by which browsers may call this service. `on_client` is called when one got a socket."""
        self._admission = admission
        self._proxies = proxies
        self._health = health
        self._files = files
        self._hooks = hooks
        self._names = names
        self._on_client = on_client
        self._framer = Framer()
        settings = admission.services.settings
        self._hsts = settings.hsts
        self._limits = MessageLimits(min(LOGIN_LINE, settings.max_line))

    def serve(self, visit: Visit) -> None:
        """Answers one request, or makes the visitor a client. Raises OSError if the visitor is gone, or too slow."""
        caller: door.Caller | None = None
        method, path = "GET", "/"
        try:
            request = http.read_request(visit)
            if request is None:
                return
            method, path = request.method, request.path
            self._find_origin(visit, request)
            if path == HEALTH:
                answer: Answer | None = self._tell_health(request)
            else:
                caller = self._check_caller(visit, request)
                answer = self._answer(visit, request, caller)
        except http.RequestError as error:
            answer = error.answer
            _log.info("refused %s: HTTP %d", visit.origin.address, answer.status)  # equal lines are counted
        if answer is not None:
            # A hook's path holds its secret.
            shown = HOOK if HOOK in path else path[:_SHOWN]
            _log.debug("%s %s %s: HTTP %d", visit.stream.peer, method[:_SHOWN], shown, answer.status)
            http.write(visit, answer, door.security_fields(caller, self._hsts), method)

    def _find_origin(self, visit: Visit, request: http.Request) -> None:
        """Takes the word of a trusted proxy for where a visitor comes from."""
        proxy = str(visit.address[0])
        host = self._proxies.forwarded(proxy, request.values("x-forwarded-for"))
        if host != proxy:
            visit.comes_from(host)

    def _check_caller(self, visit: Visit, request: http.Request) -> door.Caller:
        host = door.check_host(self._names(), request)
        own = "https" if visit.stream.way == "TLS" else "http"
        said = self._proxies.scheme(str(visit.address[0]), request.values("x-forwarded-proto"))
        return door.Caller(said or own, host)

    def _tell_health(self, request: http.Request) -> Answer:
        """Tells whether, and not why: anybody may ask."""
        _check_method(request, "GET", "HEAD")
        return Answer(503, b"not available\n") if self._health.look_for_trouble() else Answer(200, b"ok\n")

    def _answer(self, visit: Visit, request: http.Request, caller: door.Caller) -> Answer | None:
        """Returns the answer; None where there is none: the stream is the chat's now, or the visitor has gone."""
        if not request.target.startswith("/"):
            raise http.RequestError(tell(400, "the target of a request begins with /"))
        if request.path.startswith(HOOK):
            return self._do_hook(visit, request)
        if request.path == CHAT:
            return self._open_chat(visit, request, caller)
        _check_method(request, "GET", "HEAD")
        return self._files.answer(request) or _NOTHING

    def _do_hook(self, visit: Visit, request: http.Request) -> Answer | None:
        _check_method(request, "POST")
        body = http.read_body(visit, request)
        if body is None:
            return None
        return self._hooks.answer(
            HookRequest(
                secret=request.path.removeprefix(HOOK),
                content_type=request.value("content-type") or "",
                idempotency_key=request.value("idempotency-key"),
                body=body,
                origin=visit.origin,
                deadline=visit.deadline,
            )
        )

    def _open_chat(self, visit: Visit, request: http.Request, caller: door.Caller) -> Answer | None:
        _check_method(request, "GET")
        door.check_origin(caller, request)
        services = self._admission.services
        try:
            stream = WebSocketStream.accept(
                visit.stream,
                _about_upgrade(request),
                request.rest,
                framer=self._framer,
                post=services.delivery.post,
                limits=self._limits,
            )
        except UpgradeRefused as error:
            fields = _ASK_FOR_UPGRADE if error.status == HTTPStatus.UPGRADE_REQUIRED else ()
            raise http.RequestError(tell(error.status, "here is only a WebSocket", fields)) from error
        visit.hand_on()
        reason = self._admission.admit(stream, visit.origin, JSON)
        if reason is None:
            self._on_client()
        else:  # said on the socket: of an HTTP answer a page would learn nothing
            visit.take_back()
            stream.send(b"".join(map(JSON.codec.encode, services.turn_away(reason))))
            stream.end_sending()
        return None


def _about_upgrade(request: http.Request) -> bytes:
    """Returns the head without fields that are not about a WebSocket: the library takes lines of 8 KiB at most.

    A browser's cookies can be longer: on localhost it sends those of all that runs there.
    """
    lines = [f"{request.method} {CHAT} HTTP/{request.version}"]
    lines += (f"{name}: {value}" for name, value in request.fields if name.startswith(_ABOUT_UPGRADE))
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def _check_method(request: http.Request, *allowed: str) -> None:
    if request.method not in allowed:
        raise http.RequestError(tell(405, f"only {' and '.join(allowed)} here", (("Allow", ", ".join(allowed)),)))
