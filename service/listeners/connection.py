"""The thread of one client: receives bytes, cuts and decodes lines, has their commands done. Knows no command."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from service.chat.dispatch import Dispatcher
from service.clock import format_time, utcnow
from service.errors import PeerError
from service.net.tls import HANDSHAKE, NotTlsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.chat.session import Account, Services, Session
    from service.delivery.outbox import Outbox
    from service.net.transport import Stream
    from service.wire.framing import LineDecoder

LOGIN_LINE: Final = 8_192  # bytes of a line before the login: a password of 1,024 escapes such as \u00e9, a name, a ref

_log: Final = logging.getLogger("chat.connection")
_LONGEST_PAUSE: Final = 1.0  # seconds between two looks at the wall clock, which may be set


class Connection:
    """Owns the thread `chat-conn-<n>`; what it sends goes through the outbox, which closes the stream at the end."""

    def __init__(
        self,
        number: int,
        services: Services,
        stream: Stream,
        framing: Callable[[int], LineDecoder],
        outbox: Outbox,
        session: Session,
        *,
        on_login: Callable[[Connection], None],
        on_end: Callable[[Connection], None],
    ) -> None:
        """`framing` makes the decoder. `on_login` is called once the client has logged in, `on_end` at the end."""
        self._services = services
        self._stream = stream
        self._framing = framing
        self._outbox = outbox
        self.session = session
        self.logged_in_at = ""  # as text; empty until then
        self.login_by = time.monotonic() + services.settings.login_timeout  # the listener sees to it
        self._dispatcher = Dispatcher(session)
        self._on_login = on_login
        self._on_end = on_end
        self._stopping = False
        self.thread = threading.Thread(target=self._run, name=f"chat-conn-{number}")

    @property
    def way(self) -> str:
        """How the bytes travel: ``plain``, ``TLS``, ``WebSocket`` or ``WebSocket in TLS``."""
        return self._stream.way

    def stop(self) -> None:
        """Does no further line. From any thread. The own thread ends once the session was ended and the client is gone.

        What comes meanwhile is read and dropped: closing with unread input would reset the connection, and take the
        last lines with it.
        """
        self._stopping = True
        self._outbox.stop_waiting()

    def _run(self) -> None:
        _log.debug("connected %s", self._stream.peer)
        # Each step is done whatever becomes of those before: a bug ends this client's connection, not the service.
        for step in (
            self._serve,
            self._dispatcher.end,
            self._services.storage.release,
            partial(self._services.delivery.post, lambda _: self._outbox.release()),
            partial(self._on_end, self),
        ):
            try:
                step()
            except Exception as error:  # noqa: BLE001 (logged by `fail`)
                self.session.fail(error)
        _log.debug("gone %s", self._stream.peer)

    def _charge(self, size: int, records: int) -> None:
        """Takes what was received out of the client's shares; returns when it may be looked at."""
        if self._outbox.closing:
            return  # what comes is dropped, and soon ends: a client that need not wait must not run up debts for others
        self.session.charge_bytes(size, records)
        if self.session.delay():
            self._slow_down()

    def _open(self) -> bool:
        """Makes the stream ready and greets. False: there is no client to serve."""
        self.session.charge(1)  # a connection costs as much as a command
        if self.session.delay():
            self._slow_down()
        try:
            self._stream.handshake()
        except NotTlsError:
            self._refuse("no TLS", "this port speaks only TLS; use it (this chat's client: --tls)")
        except OSError as error:  # an SSLError, too
            _log.info("refused %s: the TLS handshake failed: %s", self._stream.peer, error)
            return False
        else:
            self.session.greet()
        return True

    def _refuse(self, fault: str, advice: str) -> None:
        """Ends the session of a client that is at the wrong port."""
        _log.info("refused %s: %s", self._stream.peer, fault)
        self.session.refuse(PeerError("bad_request", advice, fatal=True))

    def _serve(self) -> None:
        if self._open():
            self._work()

    def _work(self) -> None:
        settings = self._services.settings
        decoder = self._framing(min(LOGIN_LINE, settings.max_line))
        charge = self._charge if self._services.shares is not None else None
        talks = False  # has sent something after its login
        while True:
            try:
                data = self._stream.receive(charge)
            except PeerError as error:
                self.session.refuse(error)
                continue
            if not data:
                return
            if not talks:
                talks = self._begins_to_talk(data)
            self._do_lines(decoder, data)
            if not talks:
                self.session.unended = decoder.unended
            self._services.storage.release()
            self._dispatcher.submit_posts()
            self._outbox.wait_for_space()

    def _do_lines(self, decoder: LineDecoder, data: bytes) -> None:
        """Does the commands in the lines that `data` completes. A line that is no command is answered, too."""
        session, outbox, dispatcher = self.session, self._outbox, self._dispatcher
        for line in decoder.feed(data):
            is_late = session.is_late and session.account is None
            if self._stopping or session.ended or is_late or outbox.closing:
                break
            if isinstance(line, bytes):
                try:
                    command = outbox.codec.decode(line)
                except Exception as error:  # noqa: BLE001 (answered, and logged if it is ours)
                    dispatcher.refuse(error)
                else:
                    dispatcher.handle(command, len(line))
            else:
                dispatcher.refuse(_too_long(decoder.limit, session.account))
            if not self.logged_in_at and session.account is not None:
                self.logged_in_at = format_time(utcnow())
                decoder.limit = self._services.settings.max_line
                self._stream.expect(decoder.limit)
                self._on_login(self)
            if session.delay():
                self._slow_down()

    def _begins_to_talk(self, data: bytes) -> bool:
        """Whether this comes after the login. What comes before may be TLS, which this port does not speak."""
        if self.session.account is not None:
            self._stream.send_at_once()
            return True
        if data[0] == HANDSHAKE and not self.session.ended:  # in a line of JSON there is no such byte
            self._refuse("TLS", "this port speaks no TLS; check the port, or ask who runs the server")
        return False

    def _slow_down(self) -> None:
        """Returns when the client is back within its shares. Meanwhile TCP pushes back, and nothing is refused."""
        self._services.storage.release()
        self._dispatcher.submit_posts()
        while (seconds := self.session.delay()) and not self._stopping and not self._outbox.closing:
            self._outbox.pause(min(seconds, _LONGEST_PAUSE))


def _too_long(limit: int, account: Account | None) -> PeerError:
    when = "" if account is not None else " before the login"
    return PeerError("line_too_long", f"a line has at most {limit} bytes{when}; the rest of this one is skipped")
