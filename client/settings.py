"""The profiles that the user writes, each for one server, and where the client's own files are.

Of the file of profiles the client changes only the key `talk`. Nothing here connects or asks.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final, Literal, get_args, get_type_hints

import msgspec
from platformdirs import user_config_dir, user_state_dir

from client.files import write_private
from client.hosts import canonical
from client.text import one_line

DEFAULT: Final = "default"  # the profile if the user names none
PORT_MAX: Final = 65_535


class SettingsError(Exception):
    """The file of profiles cannot be used; `str()` names the line, and what to do."""


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server, the user's name there, and how the client is there.

    `ca` is a file of certificates, relative to the user's home; it implies `tls`. `notify` is as the option has it.
    `talk`: whether plain typing talks; empty if nothing is said. `full`: the client draws the whole screen, and with
    `mouse` its wheel scrolls there.
    """

    server: str
    port: int
    name: str = ""
    tls: bool = False
    ca: str = ""
    notify: str = ""
    presence: Literal["all", "folded", "none"] = "folded"
    talk: Literal["", "all", "off"] = ""
    theme: Literal["auto", "dark", "light", "none"] = "auto"
    full: bool = False
    mouse: bool = False

    @property
    def is_tls(self) -> bool:
        """Whether the connection must use TLS."""
        return self.tls or bool(self.ca)


def is_first_run(folder: Path) -> bool:
    """Returns whether the client's state folder is new; creates it, so that the next run is not the first."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "welcomed").touch(exist_ok=False)
    except OSError:  # it exists; or it cannot be created, and help at each start would only annoy
        return False
    return True


def profiles_path() -> Path:
    return Path(user_config_dir("chat")) / "profiles.toml"


def pins_path() -> Path:
    """Returns the file of trusted certificates."""
    return Path(user_config_dir("chat")) / "servers"


def state_folder() -> Path:
    """Returns the folder for the client's own files."""
    return Path(user_state_dir("chat"))


def read_profile(path: Path, name: str) -> Profile | None:
    """Returns the profile with that name; None if it or the file is missing. Raises SettingsError."""
    return _read(path).get(name)


def tls_profile(path: Path, server: str, port: int) -> str:
    """Returns the name of a profile with TLS for this server; empty if there is none. Raises SettingsError."""
    place = canonical(server), port
    for name, profile in _read(path).items():
        if profile.is_tls and (canonical(profile.server), profile.port) == place:
            return name
    return ""


def write_talk(path: Path, name: str, talk: str) -> bool:
    """Sets the key `talk` of a profile; whether the file could take it. Raises OSError.

    All else in the file, and its comments, stay as they are. A profile that is written so that no line can be put into
    it is left alone, and no file is made: under make the profile [default] need not exist.
    """
    path = path.resolve()  # a link stays a link
    try:
        text = path.read_text(encoding="utf-8")
        profiles = parse_profiles(text, str(path))
        lines = text.splitlines(keepends=True)
        at, head = _line_of(text, name, "talk"), _line_of(text, name, "")
        if at == head:
            lines[head - 1 : head] = [lines[head - 1].rstrip("\n") + "\n", f'talk = "{talk}"\n']
        else:
            lines[at - 1] = re.sub(r"=\s*([\"']).*?\1", f'= "{talk}"', lines[at - 1], count=1)
        changed = "".join(lines)
        wanted = profiles | {name: msgspec.structs.replace(profiles[name], talk=talk)}
        if parse_profiles(changed, str(path)) != wanted:
            return False
    except (SettingsError, UnicodeDecodeError, KeyError, IndexError, FileNotFoundError, NotADirectoryError):
        return False
    write_private(path, changed)
    return True


def _read(path: Path) -> dict[str, Profile]:
    try:
        return parse_profiles(path.read_text(encoding="utf-8"), str(path))
    except (FileNotFoundError, NotADirectoryError):  # the latter if the home is /dev/null, as for a daemon
        return {}
    except OSError as error:
        raise SettingsError(f"Cannot read {one_line(str(path))}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{one_line(str(path))} is not UTF-8. Write it anew.") from error


def parse_profiles(text: str, path: str) -> dict[str, Profile]:
    """Returns the profiles in a text; errors name `path`. Raises SettingsError."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{one_line(path)}: {one_line(str(error))}.") from error
    return {name: _check(text, path, name, table) for name, table in tables.items()}


def _check(text: str, path: str, name: str, table: object) -> Profile:
    try:
        profile = msgspec.convert(table, Profile)
    except msgspec.ValidationError as error:
        complaint, _, where = str(error).partition(" - at `$.")
        key = where.rstrip("`")
        missing = re.fullmatch(r"Object contains unknown field `(.*)`", complaint, re.DOTALL)
        if missing:
            complaint, key = "there is no such key; known are " + ", ".join(Profile.__struct_fields__), missing[1]
        elif "enum" in complaint:
            complaint = "it is one of " + ", ".join(f'"{word}"' for word in _choices(key) if word)
        if not isinstance(table, dict):
            complaint = f"it belongs under a profile, such as [{DEFAULT}]"
            where = f"{one_line(path)}, line {_line_of(text, '', name)}"
            raise SettingsError(f"{where}: {one_line(name)}: {complaint}.") from error
        raise SettingsError(_say(text, path, name, key, complaint)) from error
    if not 1 <= profile.port <= PORT_MAX:
        raise SettingsError(_say(text, path, name, "port", f"a port is a number from 1 to {PORT_MAX}"))
    if not canonical(profile.server.strip()):
        raise SettingsError(_say(text, path, name, "server", "it is empty"))
    return profile


def _choices(key: str) -> tuple[str, ...]:
    return get_args(get_type_hints(Profile)[key])


def _say(text: str, path: str, name: str, key: str, complaint: str) -> str:
    what = f"{one_line(name)}.{one_line(key)}" if key else one_line(name)
    return f"{one_line(path)}, line {_line_of(text, name, key)}: {what}: {complaint}."


def _line_of(text: str, name: str, key: str) -> int:
    """Returns the line number of a profile's key; of the profile's head if the key is not found."""
    table, found = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        head = re.match(r"\s*\[\s*[\"']?(.*?)[\"']?\s*\]", line)
        if head:
            table = head[1]
            found = number if table == name else found
        elif table == name and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return found
