"""The attacks: each with its name, its description, and the script of its connections. Measures nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from benchmarks.attacks import oracle, rooms, scripts, tls_scripts, web_scripts

if TYPE_CHECKING:
    from collections.abc import Callable

ATTACKER: Final = "127.0.0.2"
TEN: Final = tuple(f"127.0.1.{number}" for number in range(1, 11))
CONNECTIONS: Final = 200  # as many as one address may have
SHORT: Final = 2_000  # messages in the database, unless the attack needs a long history
LONG: Final = 400_000
LARGE_TEXT: Final = "\U0001f600" * 4_096  # the longest message, 16 KiB
LARGE: Final = scripts.line("pm", message=LARGE_TEXT)
STORED: Final = "SELECT count(*) FROM message WHERE sender_id = (SELECT id FROM user WHERE name = 'mallory')"
DIRECT: Final = scripts.line("dm", to=scripts.VICTIM, message=scripts.TEXT)


class Attack(NamedTuple):
    """What a hostile client may do."""

    description: str
    script: Callable[..., Any]
    unit: str  # what the attacker's success is counted in
    connections: int = CONNECTIONS
    addresses: tuple[str, ...] = (ATTACKER,)
    speaks_tls: bool = False
    is_web: bool = False  # whether it is about the web port; the victims come by WebSocket then
    history: int = SHORT  # messages
    letters: tuple[tuple[str, str], ...] = ()  # direct messages from bea before the attack: recipient and text
    counted: str = ""  # a query for its success, in place of what the connections have counted
    accounts: int = 1  # of the attacker; the connections have one after the other
    rooms: int = 0  # in which each of these is, with all others in the first; rooms.py has them
    must_do_nothing: bool = False  # whether a target says that it must not succeed


def _messages(description: str, script: Callable[..., Any], connections: int) -> Attack:
    return Attack(description, script, "messages stored", connections, counted=STORED)


def _logged_in(description: str, command: str, **fields: Any) -> Attack:
    return Attack(description, partial(scripts.repeat, command=command, **fields), "answers")


def _in_rooms(description: str, script: Callable[..., Any], unit: str, counted: str = "", rooms: int = 1) -> Attack:
    return Attack(description, script, unit, history=0, counted=counted, accounts=10, rooms=rooms)


def _flood(description: str, piece: bytes) -> Attack:
    return Attack(description, partial(scripts.flood, piece=piece), "MB")


def _converse(description: str, make_lines: Callable[[], bytes]) -> Attack:
    return Attack(description, partial(scripts.greet_and_converse, make_lines=make_lines), "answers")


def _web(description: str, script: Callable[..., Any], unit: str) -> Attack:
    return Attack(description, script, unit, is_web=True)


def _request(description: str, request: bytes, status: bytes) -> Attack:
    return _web(description, partial(web_scripts.ask, request=request, good=status), "answers")


def _frames(description: str, frames: bytes, first: bytes = b"") -> Attack:
    return _web(description, partial(web_scripts.send_frames, first=first, frames=frames), "MB")


QUIET: Final = Attack("nobody attacks", scripts.stay, "", connections=0)
_LETTERS_TO_ATTACKER: Final = (("mallory", "x" * 200),) * 200  # one page of them

ATTACKS: Final[dict[str, Attack]] = {
    "quiet": QUIET,
    "quiet-tls": QUIET._replace(description="nobody attacks; in TLS", speaks_tls=True),
    "ends": _flood("line ends, no login", b"\n"),
    "ends-space": _flood("spaces and line ends", b" \n"),
    "ends-cr": _flood("CR and LF", b"\r\n"),
    "endless-line": _flood("one line without an end", b"a"),
    "empty-commands": _converse("{} before the login", scripts.empty_commands),
    "probes": _converse("which names are there?", scripts.probes),
    "bad-tokens": _converse("tokens at random", scripts.bad_tokens),
    "reconnects": Attack("connect, {}, close, again", scripts.knock, "connections"),
    "key-updates-1": Attack("TLS key updates", tls_scripts.update_keys, "1000 records", 1, speaks_tls=True),
    "key-updates-50": Attack("TLS key updates", tls_scripts.update_keys, "1000 records", 50, speaks_tls=True),
    "empty-records-1": Attack(
        "TLS records without content", tls_scripts.send_nothing, "1000 records", 1, speaks_tls=True
    ),
    "empty-records-50": Attack(
        "TLS records without content", tls_scripts.send_nothing, "1000 records", 50, speaks_tls=True
    ),
    "silent-shakes": Attack("no TLS handshake begins", scripts.keep_silent, "connections", speaks_tls=True),
    "handshakes": Attack("TLS handshake, close, again", tls_scripts.shake_and_go, "handshakes", speaks_tls=True),
    "oracle": Attack(
        "what do others write in private?",
        oracle.learn,
        "letters",
        connections=1,
        letters=(("carl", f"it is {oracle.SECRET}"),),
        must_do_nothing=True,
    ),
    "logins-100": Attack("the right password, again and again", scripts.log_in, "logins", 100),
    "logins-200": Attack("the right password, again and again", scripts.log_in, "logins"),
    "passwords": Attack("a new password that is too short", scripts.change_password, "checks"),
    "names": Attack("new names", scripts.register, "registrations"),
    "guesses": Attack("wrong passwords of the victim", scripts.guess_password, "checks"),
    "searchers-30": Attack("searches for 16 letters", scripts.search, "answers", 30, history=LONG),
    "searchers-200": Attack("searches for 16 letters", scripts.search, "answers", history=LONG),
    "pages": _logged_in("pages of 200", "history", limit=200),
    "missed": _logged_in("missed messages, 200", "missed", limit=200)._replace(letters=_LETTERS_TO_ATTACKER),
    "users": _logged_in("users lists", "users"),
    "messages-10": _messages("large messages; reads all", partial(scripts.talk, message=LARGE), 10),
    "messages-190": _messages("large messages; reads all", partial(scripts.talk, message=LARGE), 190),
    "deaf-10": _messages("large messages; reads nothing", partial(scripts.talk_deaf, message=LARGE), 10),
    "deaf-190": _messages("large messages; reads nothing", partial(scripts.talk_deaf, message=LARGE), 190),
    "direct": _messages("direct messages to the victim", partial(scripts.talk, message=DIRECT), 200),
    "room-topics": _in_rooms(
        "topics of a room of 5,000", partial(rooms.act, make_line=rooms.set_topic), "acts", rooms.ACTS
    ),
    "room-bans": _in_rooms(
        "bans in a room that has 9,000", partial(rooms.act, make_line=rooms.ban), "acts", rooms.ACTS
    ),
    "room-makes": _in_rooms(
        "makes rooms and leaves them", partial(rooms.act, make_line=rooms.make_room), "rooms", rooms.ROOMS_GONE
    ),
    "room-deletes": _in_rooms(
        "deletes its messages in a room",
        partial(rooms.act, make_line=partial(rooms.delete, links=CONNECTIONS)),
        "deletions",
        rooms.DELETED,
    ),
    "room-lists": _in_rooms("members, bans, rooms, what was deleted", rooms.list_all, "answers"),
    "room-logins": _in_rooms("logs in, to 200 rooms, 200 times invited", rooms.resume, "logins", rooms=200),
    "room-deaf": _in_rooms(
        "large messages in 20 rooms; reads nothing",
        partial(rooms.talk_deaf, text=LARGE_TEXT),
        "messages stored",
        rooms.STORED,
        rooms=21,
    ),
    "places": Attack("connections that say nothing", scripts.stay, "places held", 2_000, TEN),
    "quiet-web": QUIET._replace(description="nobody attacks; the others come by WebSocket", is_web=True),
    "web-heads": _web("requests that are begun, and no more", web_scripts.begin, "connections")._replace(
        connections=2_000, addresses=TEN
    ),
    "web-slow-heads": _web("requests, byte by byte", web_scripts.dawdle, "bytes"),
    "web-shakes": _web("no TLS handshake begins", scripts.keep_silent, "connections")._replace(speaks_tls=True),
    "web-pages": _request("the page, again and again", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b" 200 "),
    "web-hosts": _request("the page of another host", b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", b" 421 "),
    "web-hooks": _web("secrets of webhooks at random", web_scripts.guess, "guesses"),
    "web-places": _web("WebSockets that say nothing", web_scripts.stay, "places held")._replace(
        connections=2_000, addresses=TEN
    ),
    "web-pings": _frames("pings", web_scripts.PING),
    "web-empty": _frames("messages without content", web_scripts.EMPTY),
    "web-fragments": _frames("one message in fragments", web_scripts.GO_ON, web_scripts.BEGIN),
}
