"""What an operator may set, with defaults, units and reasons; and limits that several modules share.

The metadata of each field of `Settings` is the one source for its option, its ``CHAT_…`` variable and its line in
``--help``. A limit of one module that no operator sets stands in that module.
"""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import Field, dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TYPE_CHECKING, Any, Final, cast

from service import programs
from service.errors import ConfigError
from service.visible import Parser

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_PASSWORD: Final = 1024  # bytes of UTF-8: a longer one costs time and gains no strength
POSTS_AT_ONCE: Final = 64  # messages of one client that the writer gets together: as many as one INSERT takes
READERS: Final = 16  # read connections at once, 2 or 3 descriptors each; a wait for one takes some milliseconds
SEARCH_COST: Final = 10  # commands that a search counts as; the worst search takes as long as a hundred pages
ACT_COST: Final = 10  # commands that a change all are told of counts as: the writer takes 0.7 ms for it at worst
ROOM_COST: Final = 0.1  # lines before a login that each room told of in it counts as: 400 take up to 0.5 MB and 10 ms
RECEIVE_COST: Final = 0.1  # commands that a receive counts as: bytes that come one by one cost as much as lines
RECEIVE_COST_BYTES: Final = 4_096  # received bytes that count as a command, whatever their content
# Commands that a TLS record counts as: even an empty one may ask for new keys, 16 us of CPU. And a WebSocket's frame.
RECORD_COST: Final = 0.1
MESSAGE_BYTES: Final = 2_048  # bytes of a line that count as one message: a long one counts as several, 40 KiB/s in all

_PORT_MAX: Final = 65_535
_UNITS: Final = {"": 1, "K": 1_000, "M": 1_000_000, "G": 1_000_000_000, "T": 1_000_000_000_000}
_SIZE_DIGITS: Final = 15
_MACHINE: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_HELP_WIDTH: Final = 32  # columns for the option names in --help


def _number(low: float, high: float, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """Returns a parser for a number from `low` to `high`; its error names the range."""

    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            word = "a whole number" if kind is int else "a number"
            raise ValueError(f"must be {word} from {low:.10g} to {high:.10g}, not {text!r}")
        return value

    return parse


def _size(low: int) -> Callable[[str], int]:
    """Returns a parser for bytes, at least `low` or 0: ``500M``, ``2G``, ``1000000``."""

    def parse(text: str) -> int:
        unit = text[-1:].upper() if text[-1:].isalpha() else ""
        number = text.removesuffix(text[-1:]) if unit else text
        is_size = number.isdecimal() and number.isascii() and len(number) <= _SIZE_DIGITS and unit in _UNITS
        size = int(number) * _UNITS[unit] if is_size else -1
        if size and not low <= size:
            least = f" of at least {low // _UNITS['M']}M" if low else ""
            raise ValueError(f"must be 0 or a size{least}, such as 500M or 2G, not {text!r}")
        return size

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    """Returns a parser for one of `words`."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {' or '.join(words)}, not {text!r}")
        return text

    return parse


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8") from None
    if not text or "\0" in text:
        raise ValueError("must not be empty")
    return text


def _several(parse: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    """Returns a parser for values with commas between them. The option can also be given several times."""

    def parse_all(text: str) -> tuple[Any, ...]:
        return tuple(parse(part.strip()) for part in text.split(","))

    return parse_all


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(f"must be an address or a network, such as 10.0.0.0/8, not {text!r}") from None


def _machine(text: str) -> str:
    name = text.lower()
    if _MACHINE.fullmatch(name) is None:
        raise ValueError(f"must be the name of a machine, such as chat.example, without a port, not {text!r}")
    return name


def _setting(default: Any, parse: Callable[[str], Any], metavar: str, explain: str) -> Any:
    return field(default=default, metadata={"parse": parse, "metavar": metavar, "help": explain})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may set. Field `users_interval` is option ``--users-interval`` and ``CHAT_USERS_INTERVAL``."""

    port: int = _setting(12_000, _number(0, _PORT_MAX), "PORT", "TCP port to listen on; 0 takes a free one")
    host: str = _setting("127.0.0.1", _text, "ADDRESS", "address to listen on; 0.0.0.0 for every network")
    db: str = _setting(
        "chat.db", _text, "FILE", "the SQLite file, or postgresql://user@host/name; made or upgraded when needed"
    )
    name: str = _setting("chat", _text, "NAME", "the server's name, as clients are greeted")
    main_room: str = _setting("all", _text, "NAME", "the name of the room that everyone is in")
    contact: str = _setting("", _text, "TEXT", "whom users may ask, such as for a forgotten password")
    motd: str = _setting("", _text, "FILE", "a text that users are shown when they log in, in UTF-8")
    users_interval: float = _setting(
        30.0, _number(0.05, 86_400, float), "SECONDS", "seconds between two pushes of the users list to everyone"
    )
    bcrypt_cost: int = _setting(
        12, _number(4, 16), "COST", "work per password, 4 to 16; each step doubles it (12: about 0.25 s)"
    )
    login_timeout: float = _setting(
        60.0, _number(0.05, 86_400, float), "SECONDS", "seconds that a connection may take to log in"
    )
    registration: str = _setting("open", _one_of("open", "closed"), "open|closed", "whether new names may register")
    min_password: int = _setting(8, _number(1, 256), "CHARACTERS", "the shortest password for a new account")
    max_line: int = _setting(
        65_536, _number(512, 1_048_576), "BYTES", "the longest line a client may send, without its line end"
    )
    max_message: int = _setting(4_096, _number(1, 100_000), "CHARACTERS", "the longest message text")
    max_connections: int = _setting(
        2_000, _number(0, 1_000_000), "COUNT", "the most clients at once, a thread each; 0 for no limit"
    )
    max_per_address: int = _setting(
        200, _number(0, 1_000_000), "COUNT", "the most clients from one address; 0 for no limit"
    )
    login_rate: float = _setting(
        10.0,
        _number(0, 1_000_000, float),
        "COUNT",
        "failed logins a minute, and registrations, from one address; 0 for no limit",
    )
    rate: float = _setting(
        20.0, _number(0, 1_000_000, float), "COUNT", "messages a second from one account; then it is slowed; 0: never"
    )
    burst: int = _setting(200, _number(1, 1_000_000), "COUNT", "messages that it may send faster than that")
    address_share: float = _setting(
        10.0,
        _number(0, 100_000, float),
        "COUNT",
        "how many accounts' worth of messages and other commands one address may send; 0 for no limit",
    )
    rooms: str = _setting(
        "open",
        _one_of("open", "moderators", "closed"),
        "open|moderators|closed",
        "who may make rooms: everyone, moderators and owners of the main room, or nobody",
    )
    max_rooms: int = _setting(1_000, _number(1, 1_000_000), "COUNT", "the most rooms at once, besides the main room")
    max_members: int = _setting(5_000, _number(1, 1_000_000), "COUNT", "the most members of a room")
    rooms_per_account: int = _setting(
        200, _number(1, 10_000), "COUNT", "the most rooms of one account, and the most that it may be invited to"
    )
    max_invitations: int = _setting(
        1_000, _number(1, 1_000_000), "COUNT", "the most invitations of a room that wait to be accepted"
    )
    max_db: int = _setting(0, _size(1_000_000), "SIZE", "bytes that the database may use, such as 2G; 0 for no limit")
    keep_free: int = _setting(
        100_000_000, _size(0), "SIZE", "bytes to leave free on its disk: with less, no more messages are stored"
    )
    retention: int = _setting(
        0, _number(0, 36_500), "DAYS", "whole days for which messages in rooms, all of them, are kept; 0 for ever"
    )
    retention_direct: int = _setting(
        0, _number(0, 36_500), "DAYS", "whole days for which direct messages are kept; 0 for ever"
    )
    tls_cert: str = _setting("", _text, "FILE", "the certificate, in PEM form: makes the port speak TLS, and only that")
    tls_key: str = _setting("", _text, "FILE", "its key, in PEM form and unencrypted")
    trusted_proxy: tuple[IPv4Network | IPv6Network, ...] = _setting(
        (),
        _several(_network),
        "NETWORK",
        "address or network of a proxy whose word on where a client comes from counts; can be given several times",
    )
    proxy_protocol: str = _setting(
        "no",
        _one_of("yes", "no"),
        "yes|no",
        "whether clients must come through such a proxy, which sends a PROXY header first (version 1 or 2)",
    )
    web_port: int = _setting(
        0, _number(0, _PORT_MAX), "PORT", "TCP port for browsers, with a page to chat in, and for webhooks; 0 for none"
    )
    web_host: str = _setting("", _text, "ADDRESS", "address for that port to listen on, if not that of --host")
    web_tls: str = _setting(
        "",
        _one_of("yes", "no"),
        "yes|no",
        "whether that port speaks TLS; without a word it does, if --tls-cert is given",
    )
    web_name: tuple[str, ...] = _setting(
        (),
        _several(_machine),
        "NAME",
        "a name by which browsers reach that port, besides those in the certificate; several: again, or commas",
    )
    hsts: int = _setting(
        0, _number(0, 63_072_000), "SECONDS", "seconds for which browsers are to come by TLS only; 0: they are not told"
    )
    drain: float = _setting(
        0.0,
        _number(0, 3_600, float),
        "SECONDS",
        "seconds between SIGTERM, from which on /healthz has status 503, and the end of the service",
    )
    metrics: int = _setting(
        0, _number(0, _PORT_MAX), "PORT", "port of 127.0.0.1 for Prometheus (/metrics) and /healthz; 0 for none"
    )
    log_level: str = _setting(
        "info", _one_of("debug", "info", "warning", "error"), "LEVEL", "debug, info, warning or error; to stderr"
    )
    log_format: str = _setting("text", _one_of("text", "json"), "text|json", "lines for people, or a JSON object each")


def show_default(setting: Field[Any]) -> str:
    """Returns a setting's default as ``--help`` shows it."""
    default: Any = setting.default
    if setting.metadata["metavar"] == "SIZE":
        unit = next(unit for unit in reversed(_UNITS) if default % _UNITS[unit] == 0)
        return f"{default // _UNITS[unit]}{unit}" if default else "none"
    return f"{default:g}" if isinstance(default, float) else "none" if default in {"", ()} else str(default)


def make_parser(prog: str = programs.SERVICE) -> Parser:
    """Returns the parser of the service's command line, for completion and the man page, too."""
    parser = Parser(
        prog=prog,
        description="The chat service. Each option can also be set by the variable in brackets.",
        formatter_class=lambda prog: argparse.HelpFormatter(prog, max_help_position=_HELP_WIDTH),
        allow_abbrev=False,
    )
    for setting in fields(Settings):
        names, more = [f"--{setting.name.replace('_', '-')}"], {"dest": setting.name}
        if setting.name == "port":
            names, more = ["port"], {"nargs": "?"}
        parser.add_argument(
            *names,
            metavar=setting.metadata["metavar"],
            action="append" if isinstance(setting.default, tuple) else "store",
            help=f"{setting.metadata['help']} (default {show_default(setting)}) [CHAT_{setting.name.upper()}]",
            **cast("Any", more),
        )
    programs.add_common_options(parser, programs.COMMANDS.service)
    return parser


def parse_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Returns the settings from a command line (without the program's name) and ``CHAT_…`` variables; the line wins.

    Raises ConfigError for an invalid value. A misspelt option ends the program with status 2, as argparse does.
    """
    given = vars(make_parser().parse_args(arguments))
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        variable = f"CHAT_{setting.name.upper()}"
        text, source = given[setting.name], f"--{setting.name.replace('_', '-')}"
        if isinstance(text, list):
            text = ",".join(text)
        if text is None:
            text, source = environment.get(variable), variable
        if text is None:
            continue
        try:
            values[setting.name] = setting.metadata["parse"](text)
        except ValueError as error:
            raise ConfigError(f"{source.removeprefix('--') if source == '--port' else source} {error}") from error
    return Settings(**values)


def search_places() -> int:
    """Returns how many searches may run at once: half of the processors, so that the chat has the others."""
    return max(1, cores() // 2)


def cores() -> int:
    """Returns how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
