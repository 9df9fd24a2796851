"""Setting the client up, as its users do it: profiles, kept logins, the first run. Real programs, a real service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import CONFIG, STATE
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, enter
from tests.support.terminal import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Process]:
    """The service as its own program, with alice."""
    with Process(tmp_path) as service:
        enter(service.port, "alice").close()
        yield service


def client(*arguments: object, password: str = "") -> subprocess.CompletedProcess[str]:
    """A client that ends by itself; not at a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "client", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"CHAT_PASSWORD": password},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def log_in_at_a_terminal(service: Process) -> None:
    with terminal(service, "alice") as alice:
        alice.wait_for("Password for alice:")
        alice.enter(PASSWORD)
        alice.wait_for("You are alice.")
        alice.enter("ex")
        assert alice.wait_for_end() == 0


def write_profiles(text: str) -> None:
    CONFIG.mkdir(parents=True)
    (CONFIG / "profiles.toml").write_text(text)


def test_a_room_is_for_scripts(service: Process) -> None:
    """At a terminal it is said what does the same there."""
    with terminal(service, "alice", "--room", "ops") as alice:
        alice.wait_for("--room is for scripts and pipes. At a terminal TALK turns to a room.")
        assert alice.wait_for_end() == 2


@pytest.mark.parametrize("name", ["a\x1b[2J\nb\u202e", "\udcff"], ids=ascii)
def test_nothing_of_a_command_line_is_told_as_it_came(tmp_path: Path, name: str) -> None:
    """Nor of a variable: files, folders, servers, profiles; in one line, apart from the usage."""
    ca, folder = tmp_path / f"ca{name}", tmp_path / f"home{name}"
    config = folder / "chat" / "profiles.toml"
    config.parent.mkdir(parents=True)
    config.write_text("server")
    cases: list[tuple[tuple[str, ...], int]] = [
        (("127.0.0.1", "1", "alice", "--tls-ca", str(ca)), 2),
        (("--profile", f"work{name}"), 2),
        ((f"host{name}", "1", "alice"), 1),
        ((f"host{name}", "1", f"al{name}ice", "--forget"), 0),
        (("127.0.0.1", f"1{name}"), 2),
        (("127.0.0.1", "1", "alice", f"--{name}"), 2),
    ]
    for arguments, status in cases:
        ended = subprocess.run(
            [sys.executable, "-m", "client", *arguments],
            cwd=ROOT,
            env=os.environ | {"CHAT_PASSWORD": "secret", "XDG_CONFIG_HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        told = (ended.stdout + ended.stderr).decode()
        assert ended.returncode in {status, 4}, told  # a name that is no UTF-8 cannot log in
        assert re.fullmatch(r"[^\x00-\x09\x0b-\x1f\u202e]*\n", told), arguments
        assert "\nb" not in told


def test_the_password_is_asked_for_once(service: Process) -> None:
    """The next start at a terminal, and one in a pipe, resume by the token; the file is for its owner only."""
    log_in_at_a_terminal(service)
    with terminal(service, "Alice") as alice:
        alice.wait_for("You are alice.")
    sent = client("127.0.0.1", service.port, "alice", "--send", "from cron")
    assert (sent.returncode, sent.stdout, sent.stderr) == (0, "", "")
    (path,) = (STATE / "tokens").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_forgetting_a_login(service: Process) -> None:
    """--forget removes it and says so; then a pipe without the password ends with 4, and a terminal asks."""
    log_in_at_a_terminal(service)
    place = ("127.0.0.1", service.port, "alice")
    assert client(*place, "--forget").stderr == "1 kept login of alice at 127.0.0.1 forgotten.\n"
    assert client(*place, "--forget").stderr == "No kept logins of alice at 127.0.0.1 forgotten.\n"
    assert client(*place, "--send", "x").returncode == 4
    with terminal(service, "alice") as alice:
        alice.wait_for("Password for alice:")


def test_a_token_that_is_not_taken_any_more(service: Process) -> None:
    """It is removed, and the password is the way: asked for at a terminal, from the variable in a pipe."""
    place = ("127.0.0.1", service.port, "alice")
    for password, status in (("", 4), (PASSWORD, 0)):
        log_in_at_a_terminal(service)
        (path,) = (STATE / "tokens").iterdir()
        with enter(service.port, "alice") as other:
            other.ask("password", old=PASSWORD, new=PASSWORD)
        sent = client(*place, "--send", "x", password=password)
        assert sent.returncode == status
        assert ("Not logged in: the token is unknown" in sent.stderr) is (not password)
        assert not path.exists()
    log_in_at_a_terminal(service)
    with enter(service.port, "alice") as other:
        other.ask("password", old=PASSWORD, new=PASSWORD)
    with terminal(service, "alice") as alice:
        alice.wait_for("Your last session has ended; the password is needed again.", "Password for alice:")


def test_profiles_name_the_server(service: Process) -> None:
    """The default one without a word; another by --profile; what is typed wins."""
    log_in_at_a_terminal(service)
    place = f'server = "127.0.0.1"\nport = {service.port}\n'
    write_profiles(
        f'[default]\n{place}name = "alice"\n[work]\nserver = "127.0.0.1"\nport = 1\n'
        f'[tls]\nserver = "localhost"\nport = {service.port}\ntls = true\n'
    )
    assert client("--send", "1").returncode == 0
    assert client("alice", "--profile", "work", "--send", "2").returncode == 4  # no token for port 1
    assert client("127.0.0.1", service.port, "alice", "--profile", "work", "--send", "3").returncode == 0
    assert client("bob", "--send", "4", password=PASSWORD).stderr == '"bob" is a new name; registering it.\n'
    refused = client("--profile", "tls", "bob", "--send", "5", password=PASSWORD)
    assert "TLS" in refused.stderr.splitlines()[0]
    refused = client("--profile", "tls", "--no-tls", "bob", "--send", "6", password=PASSWORD)
    assert (refused.returncode, "speaks TLS: so says the profile [tls]" in refused.stderr) == (1, True)
    elsewhere = ("127.0.0.1", service.port, "bob", "--profile", "tls", "--no-tls")
    assert client(*elsewhere, "--send", "7", password=PASSWORD).returncode == 0
    assert client("--history", "9").stdout.split("\n")[0].endswith(" alice: 1")


def test_a_server_to_fall_back_on(service: Process) -> None:
    """It counts only where neither the user nor the profile [default] names one."""
    log_in_at_a_terminal(service)
    here, nowhere = ("--fallback", "127.0.0.1", service.port), ("--fallback", "127.0.0.1", 1)
    assert client(*here, "alice").returncode == 0
    assert client(*nowhere, "127.0.0.1", service.port, "alice").returncode == 0
    write_profiles(f'[default]\nserver = "127.0.0.1"\nport = {service.port}\nname = "alice"\n')
    assert client(*nowhere).returncode == 0
    assert "a port is a number" in client("--fallback", "127.0.0.1", "x").stderr


def test_a_bad_profile_is_one_line() -> None:
    """It names the file, the line and the key; who types the server needs no file."""
    write_profiles('[default]\nserver = "127.0.0.1"\nport = "x"\n')
    said = client("alice", "--send", "x")
    assert said.returncode == 2
    assert said.stderr == f"{CONFIG / 'profiles.toml'}, line 3: default.port: Expected `int`, got `str`.\n"
    assert "Nothing listens" in client("127.0.0.1", "1", "alice", password=PASSWORD).stderr


def test_plain_typing_is_remembered(service: Process) -> None:
    """In the profile that was used; without one, beside the kept logins. Then nobody asks again."""
    profiles = CONFIG / "profiles.toml"
    write_profiles(f'[default]\nserver = "127.0.0.1"\nport = {service.port}\n')
    log_in_at_a_terminal(service)
    with terminal(service, "alice") as alice:  # the server is typed
        alice.wait_for("PM/DM/EX>")
        alice.enter("talk all")
        alice.wait_for("all>")
    assert "talk" not in profiles.read_text()
    with terminal(service, "alice") as alice:
        alice.wait_for("all>")
    with terminal(service, "alice", server="") as alice:
        alice.wait_for("all>")
        alice.enter("talk off")
        alice.wait_for("PM/DM/EX>")
    assert profiles.read_text().startswith('[default]\ntalk = "off"\n')


def test_a_notification_of_a_profile_that_cannot_be(service: Process) -> None:
    """It is said at a terminal; a script has no use for it."""
    write_profiles(f'[default]\nserver = "127.0.0.1"\nport = {service.port}\nnotify = "no-such-program x"\n')
    assert client("alice", "--send", "x", password=PASSWORD).returncode == 0
    with terminal(service, "alice", server="") as alice:
        alice.wait_for("notify: there is no command")
        assert alice.wait_for_end() == 2


def test_the_first_run_shows_how_to_begin(service: Process) -> None:
    """Five lines out of HELP, once."""
    (STATE / "welcomed").unlink()
    with terminal(service, "alice") as alice:
        alice.wait_for("Password for alice:")
        alice.enter(PASSWORD)
        alice.wait_for("PM [message]         write to everyone", "EX                   leave")
        assert sum(line.split()[0] in {"PM", "DM", "MISSED", "HELP", "EX"} for line in alice.lines()) == 5
    with terminal(service, "alice") as alice:
        alice.wait_for("You are alice.", "PM/DM/EX>")
        assert not any("write to everyone" in line for line in alice.lines())


@pytest.mark.parametrize(("options", "is_full"), [((), True), (("--no-full",), False)])
def test_the_full_screen_of_a_profile(service: Process, options: tuple[str, ...], is_full: bool) -> None:
    """The profile asks for it; what is typed wins."""
    write_profiles(f'[default]\nserver = "127.0.0.1"\nport = {service.port}\nname = "alice"\nfull = true\n')
    with terminal(service, *options, server="") as alice:
        alice.wait_for("Password for alice:")
        assert alice.lines()[-1].startswith("Password for alice:")
        assert (len(alice.lines()) > 1) is is_full  # with the head and the rule
