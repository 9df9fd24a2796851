"""Every shell example in README.txt and docs/ runs as it is printed, by a user with an empty home, and by cron.

`ROWS` says of each how: which service runs, in which folder, and what must come of it. An example without a row fails.
"""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

import pexpect
import pyte
import pytest

from client.settings import parse_profiles
from service import __version__
from tests.support.helpers import PASSWORD, PATIENCE, enter, free_port
from tests.support.papers import PAPERS, block
from tests.support.stage import PROGRAMS, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.helpers import Wire
    from tests.support.tls import Authority

    How = Callable[[Stage, str], object]

NAMES: Final = ("README.txt", *sorted(name for name in PAPERS if name.startswith("docs/")))
SCRIPTING: Final = PAPERS["docs/scripting.txt"]
WEB: Final = PAPERS["docs/web.txt"]
INSTALLING, OPERATING = PAPERS["docs/installing.txt"], PAPERS["docs/operating.txt"]
WHEEL: Final = f"chat_service-{__version__}-py3-none-any.whl"
PROFILES: Final = block(PAPERS["docs/client.txt"], "~/.config/chat/profiles.toml on Linux.")
# What an example begins with: a program of ours or another's, a variable of the shell, or the times of a crontab.
BEGINNINGS: Final = (
    *PROGRAMS,
    *("make", "python3", ".venv/bin/python", "sqlite3", "pip", "pipx", "uv", "podman", "docker", "sudo", "systemctl"),
    *("systemd-analyze", "kill", "cp", "cd", "curl", "nc", "printf", "df", "export", "source", "eval", "logrotate"),
    *("date", "mkdir", "rm", "mv", "man", "runuser", "useradd", "install"),
)
EXAMPLE: Final = re.compile(
    rf"(?:\$ )?(?:(?:{'|'.join(map(re.escape, BEGINNINGS))})(?: |$)|[~.]/\S|(?:[a-z_]+|PATH)=\S|(?:[\d*/,-]+ ){{5}})"
)


def examples(name: str) -> list[str]:
    """Those of a paper: in docs/scripting.txt a block is one, elsewhere each line, without the words behind it."""
    shown = []
    for lines in re.findall(r"^    .*\n(?:    .*\n|\n(?=    ))*", PAPERS[name], re.MULTILINE):
        whole = [line[4:] for line in lines.splitlines()]
        if name == "docs/scripting.txt" and EXAMPLE.match(whole[0]):
            shown.append("\n".join(whole))
        elif name != "docs/scripting.txt":
            shown += [re.sub(r"   .*", "", line).removeprefix("$ ") for line in whole if EXAMPLE.match(line)]
    return shown


def script(heading: str) -> str:
    """The example in docs/scripting.txt below these words."""
    return "\n".join(line[4:] for line in block(SCRIPTING, heading).splitlines())


# -- how they run -----------------------------------------------------------------------------------------------------
def chats(*said: str, name: str = "alice", tls: bool = False, there: str = "elsewhere") -> How:
    """A new user does it at a terminal, in that folder, and is in."""

    def run(stage: Stage, line: str) -> None:
        with stage.serving(**stage.certificate if tls else {}):
            if line == "chat" or "--profile" in line:
                write_profiles(stage)
            if "certs/" in line:
                (stage.clone / "certs").mkdir()
                shutil.copy(stage.authority, stage.clone / "certs" / "cert.pem")
            port = " PORT=12000" if line.startswith("make ") and "PORT=" not in line else ""
            shown = stage.at_terminal(line + port, getattr(stage, there))
        for words in (f"You are {name}.", *said):
            assert words in shown

    return run


def draws() -> How:
    """A new user does it at a terminal whose screen is drawn as a whole, is in, and leaves."""

    def run(stage: Stage, line: str) -> None:
        with stage.serving():
            shell = pexpect.spawn("sh", ["-c", stage.fit(line)], env=stage.user, encoding="utf-8", timeout=PATIENCE)
            screen = pyte.Screen(80, 24)
            stream = pyte.Stream(screen)
            for asked, answer in (("New password:", PASSWORD), ("The same again:", PASSWORD), ("all>", "/ex")):
                while not any(row.startswith(asked) for row in screen.display):
                    stream.feed(shell.read_nonblocking(4096))
                shell.send(f"{answer}\r")
            shell.expect(pexpect.EOF)
            shell.close()
            assert shell.exitstatus == 0

    return run


def write_profiles(stage: Stage) -> None:
    """As the paper has them."""
    (stage.home / ".config" / "chat").mkdir(parents=True)
    (stage.home / ".config" / "chat" / "profiles.toml").write_text(stage.fit(PROFILES))


def serves(line: str = "", *, there: str = "elsewhere") -> How:
    """The service comes up, with the certificate that the papers have made before, and stops when it is told to."""

    def run(stage: Stage, printed: str) -> None:
        if "certs/" in printed:
            stage.run("make certs", stage.clone)
        with stage.started(line or printed, getattr(stage, there)) as program:
            assert program.stderr is not None
            assert any("listening on" in line for line in program.stderr)

    return run


def serves_page(scheme: str = "http", *, there: str = "elsewhere") -> How:
    """As `serves`, with the page on a free port in place of the one in the paper."""

    def run(stage: Stage, printed: str) -> None:
        line = re.sub("8080|8443", str(free_port()), printed)
        if "certs/" in printed:
            stage.run("make certs", stage.clone)
        line = f"{line} PORT=0" if line.startswith("make") else line.replace("chat-service", "chat-service 0")
        with stage.started(line, getattr(stage, there)) as program:
            assert program.stderr is not None
            assert any(f"page at {scheme}://" in line for line in program.stderr)

    return run


def prints(*said: str, there: str = "elsewhere", line: str = "", typed: str = "", by_cron: bool = False) -> How:
    """It ends well and says so, beside a service that alice is registered at."""

    def run(stage: Stage, printed: str) -> None:
        with stage.serving() as server:
            enter(server.port, "alice").close()
            out = stage.run(line or printed, getattr(stage, there), typed, by_cron=by_cron)
        for words in said:
            assert words in out

    return run


def administers(*said: str, typed: str = "", is_running: bool = True) -> How:
    """A command of the operator, in the folder of chat.db, with all that may be left out, for alice and copy.db."""

    def run(stage: Stage, printed: str) -> None:
        line = printed.translate(str.maketrans("", "", "[]"))
        line = line.replace("NAME", "carl" if " add " in line else "alice").replace("FILE", "copy.db")
        line = line.replace("OLD NEW", "alice alicia")
        with stage.serving() as server:
            enter(server.port, "alice").close()
            if " verify " in line or not is_running:
                stage.run("chat-admin backup copy.db", stage.clone)
            if is_running:
                check(stage.run(line, stage.clone, typed))
        if not is_running:
            check(stage.run(line, stage.clone, typed))

    def check(out: str) -> None:
        for words in said:
            assert words in out

    return run


def in_ops(*said: str) -> How:
    """As `administers`, in the room ops, where alice is and bob, who owns it."""

    def run(stage: Stage, printed: str) -> None:
        line = printed.replace("NAME", "alice").replace("ROOM", "ops")
        with stage.serving() as server, enter(server.port, "bob") as bob, enter(server.port, "alice") as alice:
            bob.ask("create", room="ops")
            alice.ask("join", room="ops")
            bob.ask("moderate", room="ops", username="alice", action="ban" if "moderation" in line else "mute")
            out = stage.run(line, stage.clone)
        for words in said:
            assert words in out

    return run


def deletes(stage: Stage, line: str) -> None:
    """The message is the one that alice has sent."""
    with stage.serving() as server, enter(server.port, "alice") as alice:
        sent = alice.ask("pm", message="hello")["id"]
        assert f"message {sent}: deleted" in stage.run(line.replace("17", str(sent)), stage.clone)


def removes_a_hook(stage: Stage, line: str) -> None:
    """That is made before."""
    with stage.serving():
        stage.run("chat-admin hook add monitor", stage.clone)
        assert "monitor: the webhook is removed" in stage.run(line, stage.clone)


def sends_to_a_hook(stage: Stage, line: str) -> None:
    """With the address in the file that the paper describes: what is sent stands in the main room."""
    if shutil.which("curl", path=stage.user["PATH"]) is None:
        pytest.skip("no curl here")
    with stage.serving(web_port=free_port()) as server:
        url = stage.run("chat-admin hook add monitor", stage.clone).splitlines()[1]
        (stage.elsewhere / "hook.conf").write_text(f'url = "{url}"\n')
        assert '{"ok":true,"id":1}' in stage.run(line)
        with enter(server.port, "alice") as alice:
            (said,) = alice.ask("history")["messages"]
    assert (said["from"], said["message"] in line or "Filesystem" in said["message"]) == ("monitor", True)


def imports(stage: Stage, line: str) -> None:
    """The passwords are in the file."""
    (stage.clone / "class.csv").write_text("name\nbob\ncarol\n")
    with stage.serving():
        stage.run(line, stage.clone)
    assert re.fullmatch(r"bob,\w{16}\ncarol,\w{16}\n", (stage.clone / "passwords.csv").read_text())


def is_known(stage: Stage, line: str) -> None:
    """It takes long, or the network: make says what it would do."""
    assert stage.run(line.replace("make ", "make -n ", 1), stage.clone)


def is_elsewhere(reason: str) -> How:
    """It is not run here."""
    return lambda _stage, _line: pytest.skip(reason)


def completes(stage: Stage, line: str) -> None:
    """A file for the shell is made, in the folder that the line before makes."""
    file = line.rpartition("> ")[2]
    stage.run(f"mkdir -p {file.rpartition('/')[0]}\n{line}\ntest -s {file}")


def queries(stage: Stage, line: str) -> None:
    """It prints rows, in the folder of chat.db, while the service runs."""
    if shutil.which("sqlite3", path=stage.user["PATH"]) is None:
        pytest.skip("no sqlite3 here; test_papers.py runs the queries")
    with stage.serving() as server, enter(server.port, "alice") as alice, enter(server.port, "bob"):
        alice.ask("pm", message="hello")
        alice.ask("dm", to="bob", message="hello")
        alice.ask("create", room="ops")
        alice.ask("pm", room="ops", message="hello")
        assert "alice" in stage.run(line, stage.clone)


def in_a_script(check: Callable[[Callable[[], str], Wire], object]) -> How:
    """A user does it elsewhere, then cron, with the PATH that the paper names; zoë is in the room meanwhile."""

    def run(stage: Stage, lines: str) -> None:
        path = block(SCRIPTING, "A script for cron had better begin with a line such as")
        with stage.serving() as server, enter(server.port, "zoë") as zoe:
            check(lambda: stage.run(lines), zoe)
            check(lambda: stage.run(path + lines, by_cron=True), zoe)

    return run


def posts(do: Callable[[], str], zoe: Wire) -> None:
    """What is said reaches the room."""
    assert "you: hi" in do()
    assert zoe.read_type("broadcast")["message"] == "hi"


def posts_in_a_room(do: Callable[[], str], zoe: Wire) -> None:
    """What is said reaches the room, and no other one."""
    zoe.ask("create", room="ops")
    with enter(zoe.socket.getpeername()[1], "monitor") as monitor:
        monitor.ask("join", room="ops")
    do()
    assert re.search(r"Filesystem|:\d\d", zoe.ask("history", room="ops")["messages"][-1]["message"])
    assert not zoe.ask("history")["messages"]


def counts(do: Callable[[], str], zoe: Wire) -> None:
    """It counts how often each has said the word."""
    if not zoe.ask("history")["messages"]:
        for text in ("Hello, everyone!", "well: hello again", "bye"):
            zoe.ask("pm", message=text)
    assert "2 zoë\n" in do()


def goes_on(do: Callable[[], str], zoe: Wire) -> None:
    """Each run prints what came since the one before."""
    do()
    zoe.ask("pm", message="news")
    assert re.findall(r'"message":"(.*?)"', do()) == ["news"]
    assert do() == ""


def answers(stage: Stage, lines: str) -> None:
    """The bot answers those who write to it, in their own words, whoever has started it."""
    path = block(SCRIPTING, "A script for cron had better begin with a line such as")
    for by_cron in (False, True):
        with (
            stage.serving() as server,
            enter(server.port, f"zoe{by_cron}".lower()) as zoe,
            stage.started(path * by_cron + lines, by_cron=by_cron),
        ):
            while "echo" not in zoe.read_type("users")["users"]:
                pass
            for text in ('hi \\ there, "to":"echo"', "wie geht's?\n"):
                zoe.ask("dm", to="echo", message=text)
                assert zoe.read_type("direct")["message"] == f"You wrote: {text}"


def crontab(said: str) -> How:
    """The line of a crontab: cron does what stands behind the times, in the home. It prints that, or posts it."""

    def run(stage: Stage, line: str) -> None:
        with stage.serving() as server, enter(server.port, "zoë") as zoe:
            out = stage.run(line.split(maxsplit=5)[5], by_cron=True)
            texts = [message["message"] for message in zoe.ask("history")["messages"]]
        assert said in "".join((out, *texts))

    return run


ROWS: Final[dict[str, How]] = {
    # README.txt
    "make run_server": serves("make run_server PORT=0", there="clone"),
    "make run_client": chats("is a new name", there="clone"),
    "make certs": prints("fingerprint", there="clone"),
    "make run_server HOST=0.0.0.0 CERT=certs/cert.pem KEY=certs/key.pem": serves(
        "make run_server HOST=0.0.0.0 CERT=certs/cert.pem KEY=certs/key.pem PORT=0", there="clone"
    ),
    "make run_client SERVER=<its address> TLS=1": chats("Type yes to trust it", tls=True, there="clone"),
    **dict.fromkeys(re.findall(r"^    (sqlite3 .*)", PAPERS["README.txt"], re.MULTILINE), queries),
    **dict.fromkeys(re.findall(r"^    (make .*DB=postgresql://.*)", PAPERS["README.txt"], re.MULTILINE), is_known),
    **dict.fromkeys(
        re.findall(r"^    (\.venv/.* copy .*)", PAPERS["README.txt"], re.MULTILINE),
        is_elsewhere("test_scaling.py copies a file"),
    ),
    # docs/client.txt
    "chat 127.0.0.1 12000 alice": chats(),
    "chat 127.0.0.1 12000 alice --notify osc": chats(),
    "chat 127.0.0.1 12000 alice --full": draws(),
    "chat": chats(),
    "chat --profile work": chats("Type yes to trust it", tls=True),
    "chat --profile work bob": chats("Type yes to trust it", name="bob", tls=True),
    "chat 127.0.0.1 12000 alice --forget": prints("No kept logins of alice at 127.0.0.1 forgotten."),
    "make run_client SERVER=chat.example TLS=1": chats("Type yes to trust it", tls=True, there="clone"),
    "chat chat.example 12000 alice --tls": chats("Type yes to trust it", tls=True),
    "chat chat.example 12000 --forget-server": prints("Nothing was kept of TLS with localhost"),
    # docs/operating.txt
    "make run_server PORT=12000 HOST=127.0.0.1 DB=chat.db CERT=certs/cert.pem KEY=certs/key.pem": serves(
        "make run_server PORT=0 HOST=127.0.0.1 DB=chat.db CERT=certs/cert.pem KEY=certs/key.pem", there="clone"
    ),
    "make run_server NAME='The lab' CONTACT=carol REGISTRATION=closed": serves(
        "make run_server NAME='The lab' CONTACT=carol REGISTRATION=closed PORT=0", there="clone"
    ),
    "make run_client SERVER=127.0.0.1 PORT=12000 USERNAME=alice TLS=1 CA=certs/cert.pem": chats(
        tls=True, there="clone"
    ),
    "make init-db DB=chat.db": prints("chat.db: current", there="clone"),
    "make backup DB=chat.db TO=copy.db": prints("copy.db: ", "1 user,", there="clone"),
    "make certs CERTS=certs NAMES=chat.example": prints("Names: localhost", there="clone"),
    "chat-admin certs": prints("fingerprint"),
    "chat-service --host 0.0.0.0 --tls-cert certs/cert.pem --tls-key certs/key.pem": serves(
        "chat-service 0 --host 0.0.0.0 --tls-cert certs/cert.pem --tls-key certs/key.pem", there="clone"
    ),
    "chat-service [PORT]": serves("chat-service 0"),
    "chat-service --host 10.0.0.5 --trusted-proxy 10.0.0.2 --proxy-protocol yes": serves(
        "chat-service 0 --trusted-proxy 10.0.0.2 --proxy-protocol yes"
    ),
    "chat-admin disable NAME": administers("alice: "),
    "chat-admin enable NAME": administers("alice: "),
    "chat-admin password NAME": administers("alice: ", typed=f"another {PASSWORD}\n"),
    "chat-admin add NAME": administers("carl: ", typed=f"another {PASSWORD}\n"),
    "chat-admin kick NAME": administers("alice: "),
    "chat-admin role NAME owner": administers("alice: is owner"),
    "chat-admin rename OLD NEW": administers("alice: is called alicia now"),
    "chat-admin delete-user NAME": administers("alice: the account is deleted"),
    "chat-admin delete-user NAME --with-messages": administers("deleted-1: 0 messages deleted"),
    "chat-admin import-users class.csv > passwords.csv": imports,
    "chat-admin export NAME": administers('"what": "account", "name": "alice"'),
    "chat-admin export NAME --to FOLDER": administers("0 messages"),
    "chat-admin rooms": in_ops("ops"),
    "chat-admin rooms --gone": in_ops("ops"),
    "chat-admin room delete ROOM": in_ops("ops: the room is deleted, for 2 members"),
    "chat-admin role NAME owner --room ROOM": in_ops("alice: is owner of ops now"),
    "chat-admin kick NAME --room ROOM": in_ops("alice: is no member of ops any more"),
    "chat-admin mute NAME --room ROOM --minutes 30": in_ops("alice: is muted in ops until 20"),
    "chat-admin unmute NAME --room ROOM": in_ops("alice: is not muted in ops"),
    "chat-admin ban NAME --room ROOM --reason 'spam'": in_ops("alice: is banned from ops"),
    "chat-admin unban NAME --room ROOM": in_ops("alice: is not banned from ops"),
    "chat-admin hook add monitor --room ROOM": in_ops("monitor: speaks in ops; ", "/hook/"),
    "chat-admin hooks": in_ops(),
    "chat-admin hook remove monitor": removes_a_hook,
    "chat-admin moderation": in_ops("bob ", "alice ", "ops "),
    "chat-admin moderation --room ROOM --since 2026-01-01": in_ops("bob ", "alice ", "ops "),
    "chat-admin moderation --user NAME --action ban --json": in_ops('"by": "bob", "action": "ban", "user": "alice"'),
    "chat-admin purge --before 2026-01-01 --room ROOM": in_ops("0 messages removed"),
    "chat-admin delete-message 17": deletes,
    "chat-admin delete-message 17 --reason 'a phone number'": deletes,
    "chat-admin purge --before 2026-01-01 --dry-run": administers("0 messages older"),
    "chat-admin purge --before 2026-01-01": administers("0 messages removed"),
    "chat-admin erase": administers("gone from the files"),
    "chat-admin compact": administers("bytes, before", is_running=False),
    "chat-admin repair": administers("repaired, 0 messages", is_running=False),
    "chat-admin status": administers("newest id 0"),
    "chat-admin status --db chat.db": administers("newest id 0"),
    "chat-admin users --json": administers('{"name": "alice"'),
    "chat-admin backup --help": administers("--keep"),
    "chat-admin users": administers("alice "),
    "chat-admin users --disabled": administers(),
    "chat-admin announce 'Maintenance at six'": administers("sent to all who are there"),
    "df -h / | chat-admin announce -": administers("sent to all who are there"),
    **dict.fromkeys(
        (
            "chat-service 2>>/var/log/chat/chat.log",
            "chat-service 2>&1 | rotatelogs -n 8 /var/log/chat/chat.log 604800",
            "cd /srv/chat",
            *re.findall(r"^    ((?:useradd|install|runuser|cp|systemctl) .*)", OPERATING, re.MULTILINE),
        ),
        is_elsewhere("needs root, and folders of the system; test_packaging.py looks at the unit"),
    ),
    **dict.fromkeys(
        re.findall(r"^    (podman .*)", OPERATING, re.MULTILINE),
        is_elsewhere("needs podman and the network"),
    ),
    **dict.fromkeys(
        (
            ".venv/bin/python -m pip install prometheus_client",
            "chat-service --metrics 9100",
            "curl http://127.0.0.1:9100/metrics",
            "curl http://127.0.0.1:9100/healthz",
        ),
        is_elsewhere("needs the network and that port; test_metrics.py asks for both pages"),
    ),
    "chat-admin init-db chat.db": prints("chat.db: created"),
    "make backup": prints("backups/chat-", "1 user,", there="clone"),
    "make backup KEEP=14": prints("backups/chat-", "1 user,", there="clone"),
    "0 3 * * * cd /srv/chat && make backup KEEP=14": crontab("backups/chat-"),
    "0 3 * * * cd /var/lib/chat && PYTHONPATH=/srv/chat /srv/chat/.venv/bin/python -m service.admin backup --keep 14": (
        lambda stage, line: crontab("backups/chat-")(stage, line.replace("/var/lib/chat", "/srv/chat"))
    ),
    "chat-admin backup [--db chat.db] --keep 14": administers("backups/chat-", "1 user,"),
    "chat-admin backup [FILE] [--db chat.db] [--overwrite]": administers("copy.db: ", "1 user,"),
    "chat-admin restore FILE [--db chat.db]": administers("chat.db: restored, ", "1 user,", is_running=False),
    "chat-admin verify [FILE]": administers("copy.db: sound, ", "1 user,"),
    # docs/web.txt
    "make run_server WEB_PORT=8080": serves_page(there="clone"),
    "chat-service --host 0.0.0.0 --tls-cert certs/cert.pem --tls-key certs/key.pem --web-port 8443": serves_page(
        "https", there="clone"
    ),
    "chat-service --web-port 8080 --web-name chat.example --web-name chat": serves_page(),
    (
        "chat-service --web-port 8080 --web-host 127.0.0.1 --web-tls no --web-name chat.example "
        "--trusted-proxy 127.0.0.1"
    ): serves_page(),
    "chat-admin hook add monitor --room ops --url https://chat.example:8443": in_ops(
        "monitor: speaks in ops; ", "https://localhost:8443/hook/"
    ),
    **dict.fromkeys(re.findall(r"^    ((?:df .*)?curl --config hook.conf .*)", WEB, re.MULTILINE), sends_to_a_hook),
    # docs/scaling.txt
    **dict.fromkeys(
        examples("docs/scaling.txt"), is_elsewhere("test_scaling.py and test_rolling_restart.py run these")
    ),
    **dict.fromkeys(
        (
            "chat-service --db postgresql://chat@db.example/chat",
            "chat-admin init-db postgresql://chat_owner@db.example/chat --service chat --reader chat_reader",
        ),
        is_elsewhere("needs another machine; test_postgres_paper.py runs what can be run on one"),
    ),
    # docs/contributing.txt, docs/security.txt
    **dict.fromkeys(
        (
            *("make lint test", "make format", "make soak MINUTES=10", "make fuzz SECONDS=600", "make screens"),
            *("make soak-postgres", "make scale-model", "make test-postgres"),
            *("make lock", "make bench", "make profile", "make attacks"),
            *("make test-browsers", "make soak-web", "make pictures"),
        ),
        is_known,
    ),
    # docs/installing.txt
    "chat-service": serves("chat-service 0"),
    "chat-admin": prints("COMMAND", line="chat-admin --help"),
    "make dist": is_known,
    **dict.fromkeys(
        (
            f"pipx install ./{WHEEL}",
            f"uv tool install ./{WHEEL}",
            "python3 -m venv ~/chat-venv",
            f"~/chat-venv/bin/pip install ./{WHEEL}",
            f"pipx install --force ./{WHEEL}",
            f"uv tool install --force ./{WHEEL}",
            f"~/chat-venv/bin/pip install --upgrade ./{WHEEL}",
            "pipx uninstall chat-service",
            "uv tool uninstall chat-service",
            "man -M ~/chat-venv/share/man chat",
            'man -M "$(uv tool dir)/chat-service/share/man" chat',
        ),
        is_elsewhere("needs the network; test_wheel.py installs the wheel"),
    ),
    "chat chat.example 12000 --tls": chats("is a new name", tls=True),
    "chat --help": prints("--tail"),
    "chat-admin init-db --backup": prints("chat.db: current", there="clone"),
    "rm -r ~/chat-venv": prints(line="mkdir ~/chat-venv\nrm -r ~/chat-venv"),
    "rm -rf ~/.config/chat ~/.local/state/chat": prints(),
    **dict.fromkeys(re.findall(r"^    (mkdir -p .*)", INSTALLING, re.MULTILINE), prints()),
    **dict.fromkeys(re.findall(r"^    (chat.* --completion .*)", INSTALLING, re.MULTILINE), completes),
    # docs/scripting.txt, by the words before each
    "30 7 * * * df -h / | ~/.local/bin/chat 127.0.0.1 12000 monitor --send -": crontab("Filesystem"),
    "PATH=~/.local/bin:$PATH": prints(
        "/.local/bin/chat", line="PATH=~/.local/bin:$PATH\ncommand -v chat", by_cron=True
    ),
    script("To a room that monitor is in:"): in_a_script(posts_in_a_room),
    script("How often each said hello, out of the last 500 messages:"): in_a_script(counts),
    script("A bot that answers direct messages:"): answers,
    script("What was said since the last run, as a script keeps it:"): in_a_script(goes_on),
    script("room, no line is read, and it ends with 3:"): in_a_script(posts_in_a_room),
    script("and waits for each reply before it reads the next:"): in_a_script(posts),
}


@pytest.fixture
def stage(tmp_path: Path, authority: Authority) -> Stage:
    """In TLS with a certificate that nobody trusts yet."""
    return Stage(tmp_path, authority)


EXAMPLES: Final = {example: name for name in NAMES for example in examples(name)}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{EXAMPLES[example]}: {example.splitlines()[0]}")
def test_each_example_works_as_it_is_printed(stage: Stage, example: str) -> None:
    """In the folder that its paper names; without a terminal unless a user types it."""
    assert example in ROWS, f"no row says how this example runs, of {EXAMPLES[example]}"
    ROWS[example](stage, example)


def test_each_row_is_of_an_example() -> None:
    """None is left of one that is printed no more."""
    assert ROWS.keys() <= EXAMPLES.keys()


def test_the_profiles_are_right_and_make_takes_the_default(stage: Stage) -> None:
    """The file is taken as it stands; make run_client finds its server there, without SERVER and PORT."""
    assert set(parse_profiles(PROFILES, "")) == {"default", "work"}
    with stage.serving() as server, enter(server.port, "bob"):
        write_profiles(stage)
        assert "You are alice. Online: bob." in stage.run("make run_client", stage.clone, "ex\n")
