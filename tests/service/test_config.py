"""Settings: each as an option and as a variable, its range to the edge, and the help that comes from the same table."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network
from typing import Any, Final

import pytest

from service import programs
from service.config import Settings, cores, parse_settings, show_default
from service.errors import ConfigError

# name: a text that differs from the default, its value
OTHERS: Final[dict[str, tuple[str, Any]]] = {
    "port": ("4000", 4_000),
    "host": ("0.0.0.0", "0.0.0.0"),  # noqa: S104 (nothing listens here)
    "db": ("/srv/chat.db", "/srv/chat.db"),
    "name": ("our chat", "our chat"),
    "main_room": ("lab", "lab"),
    "contact": ("the office", "the office"),
    "motd": ("/srv/motd.txt", "/srv/motd.txt"),
    "users_interval": ("2.5", 2.5),
    "bcrypt_cost": ("13", 13),
    "login_timeout": ("15", 15.0),
    "registration": ("closed", "closed"),
    "min_password": ("12", 12),
    "max_line": ("8192", 8_192),
    "max_message": ("500", 500),
    "max_connections": ("7", 7),
    "max_per_address": ("3", 3),
    "login_rate": ("0.5", 0.5),
    "rate": ("2.5", 2.5),
    "burst": ("4", 4),
    "address_share": ("2.5", 2.5),
    "rooms": ("moderators", "moderators"),
    "max_rooms": ("50", 50),
    "max_members": ("100", 100),
    "rooms_per_account": ("20", 20),
    "max_invitations": ("30", 30),
    "max_db": ("2G", 2_000_000_000),
    "keep_free": ("1500", 1_500),
    "retention": ("30", 30),
    "retention_direct": ("365", 365),
    "tls_cert": ("cert.pem", "cert.pem"),
    "tls_key": ("key.pem", "key.pem"),
    "trusted_proxy": ("10.0.0.0/8, 2001:db8::1", (ip_network("10.0.0.0/8"), ip_network("2001:db8::1"))),
    "proxy_protocol": ("yes", "yes"),
    "web_port": ("8080", 8_080),
    "web_host": ("::1", "::1"),
    "web_tls": ("no", "no"),
    "web_name": ("Chat.example, chat", ("chat.example", "chat")),
    "hsts": ("31536000", 31_536_000),
    "drain": ("2.5", 2.5),
    "metrics": ("9100", 9_100),
    "log_level": ("warning", "warning"),
    "log_format": ("json", "json"),
}
# name: lowest, highest, just below, just above
RANGES: Final = {
    "port": ("0", "65535", "-1", "65536"),
    "users_interval": ("0.05", "86400", "0.049", "86400.1"),
    "bcrypt_cost": ("4", "16", "3", "17"),
    "login_timeout": ("0.05", "86400", "0.049", "86400.1"),
    "min_password": ("1", "256", "0", "257"),
    "max_line": ("512", "1048576", "511", "1048577"),
    "max_message": ("1", "100000", "0", "100001"),
    "max_connections": ("0", "1000000", "-1", "1000001"),
    "max_per_address": ("0", "1000000", "-1", "1000001"),
    "login_rate": ("0", "1000000", "-0.1", "1000000.1"),
    "rate": ("0", "1000000", "-0.1", "1000000.1"),
    "burst": ("1", "1000000", "0", "1000001"),
    "address_share": ("0", "100000", "-0.1", "100000.1"),
    "max_rooms": ("1", "1000000", "0", "1000001"),
    "max_members": ("1", "1000000", "0", "1000001"),
    "rooms_per_account": ("1", "10000", "0", "10001"),
    "max_invitations": ("1", "1000000", "0", "1000001"),
    "retention": ("0", "36500", "-1", "36501"),
    "retention_direct": ("0", "36500", "-1", "36501"),
    "web_port": ("0", "65535", "-1", "65536"),
    "hsts": ("0", "63072000", "-1", "63072001"),
    "drain": ("0", "3600", "-0.1", "3600.1"),
    "metrics": ("0", "65535", "-1", "65536"),
}
SIZES: Final = {"max_db", "keep_free"}
NO_SIZES: Final = ("", "M", "-1", "1.5G", "2 G", "2GB", "1P", "nan", "9" * 16, "\u0661M\u00b2")
FRACTIONS: Final = {"users_interval", "login_timeout", "login_rate", "rate", "address_share", "drain"}


def option(name: str, text: str) -> list[str]:
    """The setting on a command line; the port stands there without a name."""
    return [text] if name == "port" else [f"--{name.replace('_', '-')}", text]


def variable(name: str, text: str) -> dict[str, str]:
    """The setting in the environment."""
    return {f"CHAT_{name.upper()}": text}


def test_tables_here_name_every_setting() -> None:
    """A new setting gets its cases."""
    assert list(OTHERS) == [setting.name for setting in fields(Settings)]
    numbers = {setting.name for setting in fields(Settings) if isinstance(setting.default, int | float)}
    assert set(RANGES) | SIZES == numbers


def test_defaults_hold_when_nothing_is_said() -> None:
    """Without options and variables all is as documented; other programs' variables do nothing."""
    settings = parse_settings([], {"PORT": "1", "HOST": "example.org", "CHAT": "x", "chat_port": "1"})
    assert settings == Settings()
    assert (settings.port, settings.host, settings.db) == (12_000, "127.0.0.1", "chat.db")
    assert (settings.users_interval, settings.min_password, settings.registration) == (30.0, 8, "open")
    assert (settings.max_line, settings.max_message, settings.bcrypt_cost) == (65_536, 4_096, 12)


@pytest.mark.parametrize(("name", "text", "value"), [(name, *other) for name, other in OTHERS.items()])
def test_option_and_variable_set_the_same(name: str, text: str, value: Any) -> None:
    """Each setting, and it alone, can be set by its option and by its variable, with a value of its type."""
    expected = Settings(**{name: value})
    by_option, by_variable = parse_settings(option(name, text), {}), parse_settings([], variable(name, text))
    assert by_option == by_variable == expected != Settings()
    assert type(getattr(by_option, name)) is type(getattr(Settings(), name))


@pytest.mark.parametrize(("name", "text", "value"), [(name, *other) for name, other in OTHERS.items()])
def test_the_line_wins_over_the_environment(name: str, text: str, value: object) -> None:
    """An option counts more than its variable, so much that a bad variable does not matter then."""
    for lesser in (str(getattr(Settings(), name)), ""):
        assert getattr(parse_settings(option(name, text), variable(name, lesser)), name) == value


@pytest.mark.parametrize("name", RANGES)
def test_limits_belong_to_the_range(name: str) -> None:
    """The lowest and the highest value are allowed, by option and by variable."""
    for text in RANGES[name][:2]:
        assert getattr(parse_settings(option(name, text), {}), name) == float(text)
        assert getattr(parse_settings([], variable(name, text)), name) == float(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, edges in RANGES.items() for text in (*edges[2:], "many", "", "nan", "inf", "0x10", "5 m")],
)
def test_beyond_the_range_the_error_names_it(name: str, text: str) -> None:
    """What is out of range, or no number, is refused in one line: the source, both ends of the range, and the text."""
    lowest, highest = RANGES[name][:2]
    shown = option(name, text)[0] if name != "port" else "port"
    for arguments, environment, source in (
        (option(name, text), {}, shown),
        ([], variable(name, text), f"CHAT_{name.upper()}"),
    ):
        with pytest.raises(ConfigError) as refusal:
            parse_settings(arguments, environment)
        message = str(refusal.value)
        assert message.startswith(f"{source} must be a")
        assert f"from {lowest} to {highest}, not {text!r}" in message


@pytest.mark.parametrize("name", [name for name in RANGES if name not in FRACTIONS])
def test_counts_are_whole_numbers(name: str) -> None:
    """Half a client or half a byte is refused."""
    text = f"{RANGES[name][1]}.0"
    with pytest.raises(ConfigError, match="a whole number"):
        parse_settings(option(name, text), {})


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("registration", "maybe", "must be open or closed, not 'maybe'"),
        ("registration", "OPEN", "must be open or closed, not 'OPEN'"),
        ("log_level", "verbose", "must be debug or info or warning or error, not 'verbose'"),
        ("host", "", "must not be empty"),
        ("web_name", "", "must be the name of a machine, such as chat.example, without a port, not ''"),
        (
            "web_name",
            "chat, chat.example:80",
            "must be the name of a machine, such as chat.example, without a port, not 'chat.example:80'",
        ),
        (
            "web_name",
            "https://chat.example",
            "must be the name of a machine, such as chat.example, without a port, not 'https://chat.example'",
        ),
        ("web_tls", "maybe", "must be yes or no, not 'maybe'"),
        ("trusted_proxy", "", "must be an address or a network, such as 10.0.0.0/8, not ''"),
        ("trusted_proxy", "10.0.0.1, proxy", "must be an address or a network, such as 10.0.0.0/8, not 'proxy'"),
        ("trusted_proxy", "10.0.0.1/8", "must be an address or a network, such as 10.0.0.0/8, not '10.0.0.1/8'"),
        ("db", "", "must not be empty"),
        ("name", "", "must not be empty"),
        ("name", "caf\udce9", "must be UTF-8"),
        *(
            ("max_db", text, f"must be 0 or a size of at least 1M, such as 500M or 2G, not {text!r}")
            for text in NO_SIZES
        ),
        ("keep_free", "-1", "must be 0 or a size, such as 500M or 2G, not '-1'"),
        ("max_db", "999999", "must be 0 or a size of at least 1M, such as 500M or 2G, not '999999'"),
    ],
)
def test_bad_words_are_refused(name: str, text: str, reason: str) -> None:
    """A word that is none of the known ones, or an empty text, is refused in one line that says which there are."""
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')} {re.escape(reason)}$"):
        parse_settings(option(name, text), {})
    with pytest.raises(ConfigError, match=f"^CHAT_{name.upper()} {re.escape(reason)}$"):
        parse_settings([], variable(name, text))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000000", 1_000_000),
        ("1000k", 1_000_000),
        ("1M", 1_000_000),
        ("3g", 3_000_000_000),
        ("2T", 2 * 10**12),
    ],
)
def test_sizes_have_units(text: str, size: int) -> None:
    """Decimal ones, as disks have them, upper or lower case."""
    assert parse_settings(option("max_db", text), {}).max_db == size


def test_an_option_can_be_given_several_times() -> None:
    """Each time adds to it; together they win over the variable."""
    line = [*option("trusted_proxy", "10.0.0.0/8"), *option("trusted_proxy", "192.0.2.1,192.0.2.2")]
    settings = parse_settings(line, variable("trusted_proxy", "127.0.0.1"))
    assert list(map(str, settings.trusted_proxy)) == ["10.0.0.0/8", "192.0.2.1/32", "192.0.2.2/32"]


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda setting: setting.name)
def test_help_names_every_setting(setting: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The help shows each option with its unit, its default and its variable, and exits with status 0."""
    with pytest.raises(SystemExit) as end:
        parse_settings(["--help"], {})
    assert end.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    name = "PORT" if setting.name == "port" else f"--{setting.name.replace('_', '-')} {setting.metadata['metavar']}"
    default = re.escape(show_default(setting))
    pattern = rf"{re.escape(name)} {re.escape(setting.metadata['help'])} \(default {default}\) \[CHAT_(\w+)\]"
    assert [found.lower() for found in re.findall(pattern, shown)] == [setting.name]


@pytest.mark.parametrize(
    "arguments",
    [["--bogus"], ["--port", "1"], ["--max-l", "1000"], ["--host"], ["1", "2"], ["-p", "1"]],
    ids=" ".join,
)
def test_a_bad_option_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """An option that there is not, even a shortened one, ends the program with the usage and status 2."""
    with pytest.raises(SystemExit) as end:
        parse_settings(arguments, {})
    assert end.value.code == 2
    assert f"usage: {programs.SERVICE}" in capsys.readouterr().err


def test_settings_do_not_change() -> None:
    """What was set at the start holds to the end."""
    with pytest.raises(FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_there_is_at_least_one_core() -> None:
    """The count of processors is what one can wait in line for."""
    assert cores() >= 1
