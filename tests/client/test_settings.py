"""client/settings.py: profiles out of a file, and what is said of one that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from client.settings import Profile, SettingsError, parse_profiles, read_profile, write_talk

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
[default]
server = "127.0.0.1"
port = 12000

[work]
server = "chat.example"
port = 443
name = "alice"
tls = true
ca = "ca.pem"
full = true
mouse = true
"""


def test_profiles_are_read() -> None:
    """Each table is one; what is left out has its default."""
    assert parse_profiles(GOOD, "f") == {
        "default": Profile("127.0.0.1", 12000),
        "work": Profile("chat.example", 443, "alice", tls=True, ca="ca.pem", full=True, mouse=True),
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[work\n", "at line 1"),
        ('[work]\nserver = "a"\nport = "x"\n', "f, line 3: work.port: Expected `int`, got `str`."),
        ('[work]\nserver = "a"\n port = 0\n', "f, line 3: work.port: a port is a number from 1 to 65535."),
        ('[work]\nserver = ""\nport = 1\n', "f, line 2: work.server: it is empty."),
        ('[work]\nserver = " "\nport = 1\n', "f, line 2: work.server: it is empty."),
        (
            '[a]\nserver = "a"\nport = 1\n[b]\nserver = "a"\nport = 1\nprot = 1\n',
            "f, line 7: b.prot: there is no such key; known are server, port, name, tls, ca, notify, presence, talk,",
        ),
        (
            '[a]\nserver = "a"\nport = 1\ntheme = "pink"\n',
            'f, line 4: a.theme: it is one of "auto", "dark", "light", "none".',
        ),
        ('[a]\nserver = "a"\nport = 1\ntalk = "bob"\n', 'f, line 4: a.talk: it is one of "all", "off".'),
        ("\n[work]\nport = 1\n", "f, line 2: work: Object missing required field `server`."),
        ('server = "a"\n', "f, line 1: server: it belongs under a profile, such as [default]."),
        ('[work]\nserver = "a"\nport = 1\ntls = "\x1b"\n', "at line 4"),
    ],
)
def test_a_bad_file_is_one_line(text: str, complaint: str) -> None:
    """It names the line and the key."""
    with pytest.raises(SettingsError) as raised:
        parse_profiles(text, "f")
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_has_no_profiles(tmp_path: Path) -> None:
    """Nor has one without the profile; one that cannot be read is said."""
    path = tmp_path / "profiles.toml"
    assert read_profile(path, "work") is None
    path.write_text(GOOD)
    assert read_profile(path, "home") is None
    path.write_bytes(b"\xff")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_profile(path, "work")
    path.unlink()
    path.mkdir()
    with pytest.raises(SettingsError, match="Cannot read"):
        read_profile(path, "work")


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("default", GOOD, GOOD.replace("[default]\n", '[default]\ntalk = "all"\n')),
        ("work", GOOD, GOOD.replace("[work]\n", '[work]\ntalk = "all"\n')),
        (
            "a",
            "# mine\n[a]\nserver = 'x'\nport = 1\ntalk = 'off' # for now\n",
            "# mine\n[a]\nserver = 'x'\nport = 1\ntalk = \"all\" # for now\n",
        ),
        ("a", 'a = {server = "x", port = 1}\n', None),
        ("b", '[a]\nserver = "x"\nport = 1\n', None),
        ("a", "[a\n", None),
        ("a", "", None),
    ],
)
def test_the_client_writes_one_key(tmp_path: Path, name: str, before: str, after: str | None) -> None:
    """Its line is put in or changed, and all else stays; a file that cannot take it is left alone. A link stays one."""
    path, link = tmp_path / "real.toml", tmp_path / "profiles.toml"
    path.write_text(before)
    link.symlink_to(path)
    assert write_talk(link, name, "all") is (after is not None)
    assert path.read_text() == (after or before)
    assert link.is_symlink()


@pytest.mark.parametrize("place", ["profiles.toml", "no-folder/profiles.toml", "file/profiles.toml"])
def test_a_file_that_is_not_there_is_not_made(tmp_path: Path, place: str) -> None:
    """Under make the profile [default] is used, whether it exists or not: plain typing is then kept elsewhere."""
    (tmp_path / "file").touch()
    assert not write_talk(tmp_path / place, "default", "all")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
