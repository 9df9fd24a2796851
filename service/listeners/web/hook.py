"""POST to /hook/SECRET: what comes to a webhook is checked, said, and answered after the commit.

It decides between the answers; the port has read the request, within its bounds. It never logs a secret or a text.
"""

from __future__ import annotations

import logging
import secrets
from contextlib import suppress
from math import ceil
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from service.accounts.authentication import hash_token
from service.chat import hooks
from service.errors import PeerError, StorageFull, StorageUnavailable
from service.listeners.web.answer import Answer, tell
from service.listeners.web.slack import read_payload
from service.storage.records import NonceReused, UnknownHook, UnknownRoom

if TYPE_CHECKING:
    from service.chat.session import Services
    from service.listeners.web.answer import HookRequest
    from service.storage.records import Hook

RETRY_AFTER: Final = 5  # seconds, where nobody knows how long: until a locked database is free, or the service is back
_NOT_KNOWN: Final = "not stored in time; it may still be. Send it again, with the same Idempotency-Key if it had one"
_JSON: Final = "application/json"
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_MOST_FIELDS: Final = 20  # of a form; programs that mean one send a few
_log: Final = logging.getLogger("chat.hooks")


class _RefusedError(Exception):
    """The answer says why."""

    def __init__(self, status: int, words: str, retry_after: float | None = None) -> None:
        super().__init__(words)
        fields = () if retry_after is None else (("Retry-After", str(max(1, ceil(retry_after)))),)
        self.answer = tell(status, words, fields)


class Hooks:
    """Answers what comes to webhooks; a HookPort. Each request on its own thread."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def answer(self, request: HookRequest) -> Answer:
        try:
            hook = self._find(request)
            owed = hooks.charge(self._services, hook, request.origin, len(request.body))
            if owed:
                raise _RefusedError(429, "too much at once from here; send it again later", owed)
            message_id = self._say(hook, self._cut(_read_text(request)), request)
        except _RefusedError as refused:
            return refused.answer
        except StorageFull:
            return _unavailable("there is no space left on the server; nothing was stored. Tell who runs it")
        except StorageUnavailable as error:
            if error.maybe:
                return _unavailable(_NOT_KNOWN)
            return _unavailable("the database cannot be used just now; nothing was stored, send it again")
        except Exception as error:  # noqa: BLE001 (logged)
            incident = secrets.token_hex(4)
            _log.error("incident %s: a webhook %s", incident, request.origin.address, exc_info=error)
            return tell(500, f"something went wrong here; tell who runs the server: incident {incident}")
        finally:
            self._services.storage.release()
        return Answer(200, msgspec.json.encode({"ok": True, "id": message_id}), _JSON)

    def _find(self, request: HookRequest) -> Hook:
        """Returns the webhook. A right secret is found however many wrong ones came from that address."""
        secret = request.secret if request.secret.isascii() else ""  # else it is none that was made here
        hook = self._services.storage.find_hook(hash_token(secret))
        if hook is not None:
            return hook
        try:
            self._services.limiter.wrong_hook(request.origin)
        except PeerError as limited:
            raise _RefusedError(429, str(limited), limited.retry_after) from None
        _log.info("refused a webhook %s: there is none of that address", request.origin.address)
        raise _unknown_hook()

    def _cut(self, text: str) -> list[str]:
        if not text.strip():
            raise _RefusedError(400, "there is no text in it")
        if "\0" in text:
            raise _RefusedError(400, "a text may not contain NUL")
        pieces = hooks.cut_text(text, self._services.settings.max_message)
        if len(pieces) > hooks.MOST_PIECES:
            raise _RefusedError(413, f"the text makes {len(pieces)} messages; at most {hooks.MOST_PIECES} may be said")
        return pieces

    def _say(self, hook: Hook, pieces: list[str], request: HookRequest) -> int:
        """Returns the id of the last piece."""
        key = request.idempotency_key or None
        try:
            return hooks.say(self._services, hook, request.origin, pieces, key, request.deadline)
        except NonceReused:
            raise _RefusedError(409, "this Idempotency-Key was used for another text; give each its own") from None
        except UnknownRoom:
            _log.warning("the room of the webhook %s is gone: %s", hook.name, hook.room)
            words = f'the room "{hook.room}" is gone; whoever runs the server can give this webhook another one'
            raise _RefusedError(410, words) from None
        except UnknownHook:  # removed just now
            raise _unknown_hook() from None
        except TimeoutError:
            raise _RefusedError(503, _NOT_KNOWN, RETRY_AFTER) from None


def _unknown_hook() -> _RefusedError:
    return _RefusedError(401, "there is no webhook of this address, or none any more; ask who runs the server")


def _unavailable(words: str) -> Answer:
    return _RefusedError(503, words, RETRY_AFTER).answer


def _read_text(request: HookRequest) -> str:
    """Returns the text of a body of one of the three types, with LF between lines. Raises _RefusedError."""
    kind, _, parameters = request.content_type.partition(";")
    kind = kind.strip().lower()
    _check_charset(parameters)
    try:
        if kind == "text/plain":
            text = request.body.decode()
        elif kind == _JSON:
            text = read_payload(request.body)
        elif kind == "application/x-www-form-urlencoded":
            text = read_payload(_find_payload(request.body))
        else:
            raise _RefusedError(415, f"send text/plain or {_JSON}, and say so in Content-Type")
    except ValueError as error:
        raise _RefusedError(400, f"not in the form that its Content-Type says: {error}") from None
    return text.replace("\r\n", "\n")


def _check_charset(parameters: str) -> None:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in _UTF_8:
            raise _RefusedError(415, "send it in UTF-8")


def _find_payload(body: bytes) -> bytes:
    """Returns the field `payload` of a form, as some programs send it. Others mean a text, such as curl's -d."""
    found = None
    with suppress(ValueError):
        found = parse_qs(body.decode("ascii"), errors="strict", max_num_fields=_MOST_FIELDS).get("payload")
    if found is None:
        raise _RefusedError(415, "a form has to have the field payload; for a text say Content-Type: text/plain")
    return found[0].encode()
