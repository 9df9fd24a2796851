"""client/scripting/script.py: what scripts ask for, as programs against the real service."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_server import HELLO, FakeServer, Peer, login_ok
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, Process, enter, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENVIRONMENT = os.environ | {"CHAT_PASSWORD": PASSWORD, "TZ": "UTC"}


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A service, with alice and bob."""
    with running_server(tmp_path) as server:
        for name in ("alice", "bob"):
            enter(server.port, name).close()
        yield server.port


def client(port: int, *arguments: object, typed: bytes = b"") -> tuple[int, str, str]:
    """The status, stdout and stderr of a client that ends by itself."""
    ended = subprocess.run(
        [sys.executable, "-m", "client", "127.0.0.1", str(port), *map(str, arguments)],
        cwd=ROOT,
        env=ENVIRONMENT,
        input=typed,
        capture_output=True,
        timeout=PATIENCE * 3,
        check=False,
    )
    return ended.returncode, ended.stdout.decode(), ended.stderr.decode()


@contextmanager
def tailing(port: int, name: str, *options: str, quiet: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A client with --tail --json, killed at the end if it still runs."""
    program = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "client",
            "127.0.0.1",
            str(port),
            name,
            "--tail",
            "--json",
            *options,
            *([] if quiet else ["--listed"]),
        ],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield program
    finally:
        program.kill()
        program.communicate()


def row(program: subprocess.Popen[str]) -> dict[str, Any]:
    """The next object on stdout."""
    assert program.stdout is not None
    decoded: dict[str, Any] = json.loads(program.stdout.readline())
    return decoded


def wait_until_online(port: int, watcher: str, name: str) -> None:
    """Returns once `name` is logged in."""
    with enter(port, watcher) as wire:
        users = wire.hello["users"]
        while name not in users:
            users = wire.read_type("users")["users"]


def test_rows_have_id_and_time_with_zone(port: int) -> None:
    """From history, search and since alike; --format chooses other fields."""
    with enter(port, "bob") as bob:
        time = bob.ask("pm", message="hi\nthere")["time"]
        row = f"1 {time[:19]}+00:00 bob: hi\n    there\n"
        for option in (("--history", 1), ("--search", "hi"), ("--since", 0)):
            assert client(port, "alice", *option) == (0, row, "")
            assert client(port, "alice", *option, "--format", "{from}={id}") == (0, "bob=1\n", "")


# -- sending ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "typed", "stored"),
    [
        (["--send", "hi"], b"", ("hi", None)),
        (["--send", "-"], b"two\nlines\n\n", ("two\nlines\n", None)),
        (["--to", "bob", "--send", "-"], "psst é".encode(), ("psst é", "bob")),
        (["--send=--tail"], b"", ("--tail", None)),
    ],
)
def test_a_message_is_stored(
    port: int, tmp_path: Path, options: list[str], typed: bytes, stored: tuple[str, str | None]
) -> None:
    """Status 0, without a word, means that it is in the database; stdin loses its last line end only."""
    assert client(port, "alice", *options, typed=typed) == (0, "", "")
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        assert connection.execute("SELECT message, recipient FROM history").fetchall() == [stored]


def test_the_ack_as_json(port: int) -> None:
    """With --json it is the one line on stdout, without what is only between client and service."""
    status, out, _ = client(port, "alice", "--to", "bob", "--send", "hi", "--json")
    ack = json.loads(out)
    assert (status, ack["type"], ack["id"], ack["to"], ack["status"]) == (0, "ack", 1, "bob", "stored")
    assert "ref" not in ack


@pytest.mark.parametrize(
    ("options", "typed", "expected", "complaint"),
    [
        (["--send", ""], b"", 3, "the message is empty"),
        (["--send", "x" * 5_000], b"", 3, "4096"),
        (["--send", "-"], b"x" * 100_000, 3, "Send it in parts"),
        (["--send", "x", "--to", "nobody"], b"", 3, 'there is no user "nobody"'),
        (["--search", "x" * 5_000], b"", 3, "The server refused it: "),
        (["--history", "1", "--to", "nobody"], b"", 3, 'there is no user "nobody"'),
        (["--send", "-"], b"\xff", 2, "the text on stdin is not valid UTF-8"),
    ],
)
def test_what_is_refused(port: int, options: list[str], typed: bytes, expected: int, complaint: str) -> None:
    """Status 3 for the server's no, 2 for a mistake; why stands on stderr, nothing on stdout."""
    status, out, err = client(port, "alice", *options, typed=typed)
    assert (status, out) == (expected, "")
    assert complaint in err


def test_not_logged_in(port: int) -> None:
    """A wrong password ends with 4."""
    with enter(port, "alice") as alice:
        alice.ask("password", old=PASSWORD, new="another one")
    assert client(port, "alice", "--send", "x") == (4, "", "Not logged in: wrong name or password; try again\n")


def test_tls_asked_of_a_port_without_is_not_tried_again(port: int) -> None:
    """It is said at once, and is all that is said."""
    status, out, err = client(port, "alice", "--tls", "--send", "x")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"A chat answers at 127.0.0.1, port {port}, but not in TLS: not connected. ")


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """A message that is sent while it restarts is stored when it is back."""
    with Process(tmp_path) as service:
        port = service.port
        enter(port, "alice").close()
    program = subprocess.Popen(
        [sys.executable, "-m", "client", "127.0.0.1", str(port), "alice", "--send", "hi"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert program.stderr is not None
    assert program.stderr.readline().endswith("Is the server running? Trying for 30 seconds.\n")
    with Process(tmp_path, port=port):
        assert program.wait(PATIENCE) == 0
    program.stderr.close()


def test_a_server_that_goes_before_the_login_is_waited_for(tmp_path: Path) -> None:
    """A loss between the greeting and the login is no more than a server that is away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        program = subprocess.Popen(
            [sys.executable, "-m", "client", "127.0.0.1", str(port), "alice", "--send", "hi"],
            cwd=ROOT,
            env=ENVIRONMENT,
            stderr=subprocess.PIPE,
            text=True,
        )
        peer, _ = listener.accept()
        peer.sendall(json.dumps(HELLO).encode() + b"\n")
        peer.recv(1)
        peer.close()
    assert program.stderr is not None
    assert program.stderr.readline().endswith(" Trying for 30 seconds.\n")
    with Process(tmp_path, port=port):
        assert program.communicate(timeout=PATIENCE)[1] == '"alice" is a new name; registering it.\n'
    assert program.returncode == 0


@pytest.mark.parametrize("kind", [b"SSH-2.0\r\n", b"{}\n"])
def test_what_is_no_chat_server_is_not_waited_for(kind: bytes) -> None:
    """What another try would not mend is said at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            peer.sendall(kind)
            peer.close()

        thread = threading.Thread(target=answer)
        thread.start()
        status, _, err = client(listener.getsockname()[1], "alice", "--send", "hi")
        thread.join()
    assert status == 1
    assert err.endswith("is no chat server. Check the port.\n")


# -- reading ----------------------------------------------------------------------------------------------------------
def test_rows_for_people_and_programs(port: int) -> None:
    """A text row is harmless for a terminal; a JSON one is ASCII, and the message as it is."""
    text = "é\x1b[31m\x7f"
    with enter(port, "alice") as alice:
        time = alice.ask("dm", to="bob", message=text)["time"]
    assert client(port, "bob", "--to", "alice", "--history", "1")[1].endswith(" alice -> bob: é␛[31m␡\n")
    _, out, _ = client(port, "bob", "--to", "alice", "--history", "1", "--json")
    assert out.isascii()
    assert out.count("\n") == 1
    assert out.rstrip("\n").isprintable()
    expected = {"type": "direct", "id": 1, "time": time, "from": "alice", "to": "bob", "message": text}
    assert json.loads(out) == expected


def test_history_and_search_go_over_pages(port: int) -> None:
    """The oldest stands first, however many pages it takes."""
    with enter(port, "alice") as alice:
        for n in range(450):
            alice.send({"command": "pm", "message": f"word {n}"})
        for _ in range(450):
            alice.read_type("ack")
    for options, first in ((["--history", "420"], 30), (["--history", "900"], 0), (["--search", "word"], 0)):
        status, out, err = client(port, "bob", *options)
        assert (status, err) == (0, "")
        assert [line.rpartition(" ")[2] for line in out.splitlines()] == [str(n) for n in range(first, 450)]


def test_since_prints_what_is_later_and_unseen_direct_messages(port: int) -> None:
    """In the order of ids; a direct message is then seen, and not printed again."""
    with enter(port, "alice") as alice:
        for n in range(1, 4):
            alice.ask("dm", to="bob", message=f"{n}")
            alice.ask("pm", message=f"{n}")
    for expected in ([1, 3, 4, 5, 6], [4, 6]):
        status, out, _ = client(port, "bob", "--since", "3", "--json")
        assert (status, [json.loads(line)["id"] for line in out.splitlines()]) == (0, expected)
    assert client(port, "bob", "--since", "99") == (0, "", "")


@pytest.mark.parametrize(
    ("options", "missed", "unread"),
    [
        (["--send", "x"], 1, 2),
        (["--history", "1"], 1, 2),
        (["--history", "2"], 1, 2),
        (["--history", "1", "--to", "alice"], 0, 2),
        (["--since", "1"], 0, 2),
        (["--since", "0"], 0, 0),
    ],
)
def test_what_was_printed_is_seen_and_nothing_else(port: int, options: list[str], missed: int, unread: int) -> None:
    """Direct messages one by one; those of the main room once none of the unread ones is left out."""
    with enter(port, "alice") as alice:
        alice.ask("pm", message="one")
        alice.ask("pm", message="two")
        alice.ask("dm", to="bob", message="three")
    assert client(port, "bob", *options)[0] == 0
    with enter(port, "bob", confirm=True) as bob:
        assert (bob.hello["missed"], bob.hello["unread"]) == (missed, unread)


# -- following --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_tail_follows_until_it_is_stopped(port: int, number: signal.Signals) -> None:
    """Unseen direct messages, then what comes, each line at once; a signal ends it with status 0, all seen."""
    with enter(port, "alice") as alice:
        alice.ask("dm", to="bob", message="missed")
        alice.ask("pm", message="before")
        with tailing(port, "bob") as tail:
            assert row(tail)["id"] == 1
            alice.ask("pm", message="live")
            assert row(tail)["id"] == 3
            alice.ask("dm", to="bob", message="live")
            assert row(tail) == {"type": "direct", "id": 4, "from": "alice", "to": "bob", "message": "live"} | {
                "time": alice.ask("history", limit=1, **{"with": "bob"})["messages"][0]["time"]
            }
            tail.send_signal(number)
            assert tail.communicate(timeout=PATIENCE) == ("", "")
            assert tail.returncode == 0
        with enter(port, "bob", confirm=True) as bob:
            assert bob.hello["missed"] == 0


def test_history_send_and_tail_in_this_order(port: int) -> None:
    """What stands in the page is not printed twice, and one's own message is the ack."""
    with enter(port, "alice") as alice:
        alice.ask("dm", to="bob", message="1")
        alice.ask("dm", to="bob", message="2")
        with tailing(port, "bob", "--history", "5", "--to", "alice", "--send", "3") as tail:
            rows = [row(tail) for _ in range(3)]
            alice.ask("pm", message="4")
            rows.append(row(tail))
    assert [(row["type"], row["id"]) for row in rows] == [("direct", 1), ("direct", 2), ("ack", 3), ("broadcast", 4)]


@pytest.mark.parametrize("comes_more", [True, False])
def test_tail_ends_when_nobody_reads_it(port: int, comes_more: bool) -> None:
    """With status 0 and no word, also while nothing comes; what was not read is not seen."""
    with enter(port, "alice") as alice, tailing(port, "bob") as tail:
        wait_until_online(port, "alice", "bob")
        assert tail.stdout is not None
        if comes_more:
            alice.ask("pm", message="read")
            row(tail)
        tail.stdout.close()
        if comes_more:
            alice.ask("dm", to="bob", message="not read")
        assert tail.wait(PATIENCE) == 0
        assert tail.stderr is not None
        assert tail.stderr.read() == ""
    with enter(port, "bob", confirm=True) as bob:
        assert bob.hello["missed"] == comes_more


def test_tail_ends_with_1_when_it_is_shut_out(port: int) -> None:
    """What the server ends for good is said, and not tried again."""
    with enter(port, "bob") as bob, tailing(port, "bob") as tail:
        bob.ask("pm", message="x")
        bob.ask("dm", to="bob", message="x")
        row(tail)
        bob.ask("password", old=PASSWORD, new="another one")
        assert tail.wait(PATIENCE) == 1
        assert tail.stderr is not None
        said = tail.stderr.read()
        assert "password was changed" in said or "session has ended" in said  # if it was still catching up


# -- rooms ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def ops(port: int) -> int:
    """The port of a service where alice and bob are in the rooms lab and ops."""
    with enter(port, "alice") as alice, enter(port, "bob") as bob:
        for room in ("lab", "ops"):
            alice.ask("create", room=room)
            bob.ask("join", room=room)
    return port


def test_a_room_instead_of_the_main_one(ops: int, tmp_path: Path) -> None:
    """What is sent goes there, and what is printed is from there; its rows and objects tell the room."""
    with enter(ops, "alice") as alice:
        alice.ask("pm", message="word in main")
    assert client(ops, "bob", "--room", "OPS", "--send", "word") == (0, "", "")
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        assert connection.execute("SELECT recipient FROM history ORDER BY id").fetchall() == [(None,), ("#ops",)]
    for option in (("--history", 9), ("--search", "word"), ("--since", 0)):
        status, out, err = client(ops, "alice", "--room", "#ops", *option)
        assert (status, err, out.split(" ")[0], out.split(" ", 2)[2]) == (0, "", "2", "#ops bob: word\n")
        assert client(ops, "alice", "--room", "ops", *option, "--format", "{room}|{from}|{to}")[1] == "ops|bob|\n"
        row = json.loads(client(ops, "alice", "--room", "ops", *option, "--json")[1])
        assert (row["type"], row["id"], row["room"]) == ("broadcast", 2, "ops")


def test_without_a_room_all_is_as_it_was(ops: int) -> None:
    """A script that names none hears of none."""
    with enter(ops, "alice") as alice:
        alice.ask("pm", room="ops", message="word in ops")
        alice.ask("pm", message="word in main")
        alice.ask("dm", to="bob", message="word to bob")
        for option in (("--history", 9), ("--since", 0), ("--search", "word")):
            out = client(ops, "bob", *option, "--format", "{id}{room}")[1]
            assert out == ("2\n" if option[0] == "--history" else "2\n3\n"), option
        with tailing(ops, "bob") as tail:
            wait_until_online(ops, "alice", "bob")
            alice.ask("pm", room="ops", message="x")
            alice.ask("pm", message="the last")
            assert row(tail)["message"] == "the last"


def test_the_main_room_has_a_name(ops: int) -> None:
    """It names that room alone, without the direct messages; its rows are as ever."""
    with enter(ops, "alice") as alice:
        alice.ask("pm", room="ops", message="word")
        alice.ask("pm", message="word")
        alice.ask("dm", to="bob", message="word")
    for option in (("--history", 9), ("--search", "word"), ("--since", 0)):
        assert client(ops, "bob", "--room", "all", *option, "--format", "{id}{room}") == (0, "2\n", "")


def test_tail_of_several_rooms(ops: int) -> None:
    """Of each from the id on, in the order of ids, and then live; nothing of others, and nothing direct."""
    with enter(ops, "alice") as alice:
        say = [{"room": "lab"}, {"room": "ops"}, {}, {"room": "ops"}]
        for where in say:
            alice.ask("pm", message="before", **where)
        alice.ask("dm", to="bob", message="before")
        with tailing(ops, "bob", "--since", "1", "--room", "ops", "--room", "all", "--room", "lab") as tail:
            assert [row(tail)["id"] for _ in range(3)] == [2, 3, 4]
        with tailing(ops, "bob", "--room", "ops", "--room", "lab", "--history", "0", quiet=True) as tail:
            assert tail.wait(PATIENCE) == 2
        with tailing(ops, "bob", "--room", "ops", "--room", "lab", "--since", "1") as tail:
            assert [row(tail)["id"] for _ in range(2)] == [2, 4]
            wait_until_online(ops, "alice", "bob")
            alice.ask("dm", to="bob", message="live")
            for where in say:
                alice.ask("pm", message="live", **where)
            assert [row(tail)["room"] for _ in range(3)] == ["lab", "ops", "ops"]


@pytest.mark.parametrize(
    "options",
    [("--send", "x"), ("--history", "1"), ("--search", "x"), ("--since", "0"), ("--tail",)],
)
def test_a_room_that_is_not_there(ops: int, options: tuple[str, ...]) -> None:
    """Status 3, and why; the same of a private one. Nothing goes to the main room."""
    with enter(ops, "alice") as alice:
        alice.ask("create", room="secret", private=True)
        refusals = [client(ops, "bob", "--room", room, *options) for room in ("nowhere", "secret")]
        assert [(status, out) for status, out, _ in refusals] == [(3, ""), (3, "")]
        assert refusals[0][2].startswith("The server refused it: ")
        assert refusals[0][2].count("\n") == 1
        assert refusals[0][2].replace("nowhere", "secret") == refusals[1][2]
        assert alice.ask("history")["messages"] == []


@pytest.mark.parametrize(
    ("options", "unread"),
    [
        (["--send", "x"], (2, 2, 1)),
        (["--history", "1"], (2, 2, 1)),
        (["--history", "2"], (2, 0, 1)),
        (["--search", "one"], (2, 2, 1)),
        (["--since", "0"], (2, 0, 1)),
        (["--since", "0", "--room", "all"], (0, 0, 1)),
        (["--since", "0", "--room", "lab"], (2, 0, 0)),
        (["--since", "3", "--room", "lab"], (2, 2, 0)),
    ],
)
def test_what_was_printed_of_rooms_is_seen(ops: int, options: list[str], unread: tuple[int, int, int]) -> None:
    """In each room once none of the unread ones is left out; direct messages stay missed."""
    with enter(ops, "alice") as alice:
        for where in ({}, {}, {"room": "ops"}, {"room": "ops"}, {"room": "lab"}):
            alice.ask("pm", message="one", **where)
        alice.ask("dm", to="bob", message="one")
    assert client(ops, "bob", "--room", "ops", *options)[0] == 0
    with enter(ops, "bob", rooms=True) as bob:
        rooms = {info["room"]: info["unread"] for info in bob.hello["rooms"]}
        assert (bob.hello["unread"], rooms["ops"], rooms["lab"]) == unread
        assert bob.hello["missed"] == 1


def test_tail_confirms_what_it_prints_of_rooms(ops: int) -> None:
    """And what came while its connection was lost; nothing of what it left out."""
    with enter(ops, "alice") as alice, tailing(ops, "bob", "--room", "ops", "--room", "lab") as tail:
        wait_until_online(ops, "alice", "bob")
        for where in ({}, {"room": "ops"}, {"room": "ops"}):
            alice.ask("pm", message="live", **where)
        alice.ask("dm", to="bob", message="live")
        assert [row(tail)["room"] for _ in range(2)] == ["ops", "ops"]
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(PATIENCE) == 0
    with enter(ops, "bob", rooms=True) as bob:
        assert (bob.hello["unread"], bob.hello["missed"]) == (1, 1)
        assert {info["room"]: info["unread"] for info in bob.hello["rooms"]} == {"lab": 0, "ops": 0}


def test_tail_ends_with_3_when_the_last_room_is_lost(ops: int) -> None:
    """It goes on with those that are left, and says which are lost."""
    with enter(ops, "alice") as alice, tailing(ops, "bob", "--room", "ops", "--room", "lab") as tail:
        wait_until_online(ops, "alice", "bob")
        alice.ask("moderate", room="ops", username="bob", action="kick")
        alice.ask("pm", room="ops", message="not for bob")
        alice.ask("pm", room="lab", message="for bob")
        assert row(tail)["room"] == "lab"
        alice.ask("moderate", room="lab", username="bob", action="ban")
        assert tail.communicate(timeout=PATIENCE) == ("", "You are no longer in #ops.\nYou are no longer in #lab.\n")
        assert tail.returncode == 3


def test_tail_of_rooms_neither_repeats_nor_skips(tmp_path: Path) -> None:
    """Over kills of the service each id of these rooms is printed once and in order, own ones from elsewhere too."""
    service = Process(tmp_path)
    port = service.port
    with enter(port, "alice") as alice, enter(port, "bob") as bob:
        for room in ("lab", "ops"):
            alice.ask("create", room=room)
            bob.ask("join", room=room)
    with tailing(port, "bob", "--since", "0", "--room", "ops", "--room", "lab") as tail:
        for _ in range(4):
            with enter(port, "alice") as alice, enter(port, "bob") as bob:
                for n in range(9):
                    where = ({}, {"room": "lab"}, {"room": "ops"})[n % 3]
                    (alice, bob)[n % 2].send({"command": "pm", "message": "x", **where})
                alice.read_type("ack")
                service.stop(signal.SIGKILL)
            service = Process(tmp_path, port=port)
        with enter(port, "alice") as alice:
            last = alice.ask("pm", room="ops", message="the last")["id"]
        ids: list[int] = []
        while not ids or ids[-1] < last:
            ids.append(row(tail)["id"])
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        stored = connection.execute("SELECT id FROM history WHERE recipient LIKE '#%' ORDER BY id").fetchall()
    service.stop()
    assert ids == [id_ for (id_,) in stored]


@pytest.mark.parametrize(("options", "asks"), [((), False), (("--room", "all"), True)])
def test_a_session_asks_for_rooms_only_if_one_is_named(options: tuple[str, ...], asks: bool) -> None:
    """So that existing scripts get what they got; and for changes of presence never, as it shows none."""

    def script(peer: Peer) -> None:
        peer.greet(features=["quiet", "rooms", "since", "presence"], main_room="all")
        command = peer.expect("login")
        assert (command.get("rooms", False), command["quiet"], "presence" in command) == (asks, True, False)
        peer.answer(command, **login_ok())
        peer.ack(peer.expect("pm"), 11)
        peer.see_off()

    with FakeServer(script) as server:
        assert client(server.port, "alice", "--send", "x", *options) == (0, "", "")


def test_the_lines_of_a_pipe_go_to_a_room(ops: int, tmp_path: Path) -> None:
    """As after TALK; operations take a slash, and each message that came or went tells its room."""
    status, out, err = client(ops, "bob", "--room", "Ops", typed=b"one\n/pm two\nthree\n")
    assert (status, err) == (0, "")
    assert out.count("#ops > you: ") == 2
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        stored = connection.execute("SELECT recipient, message FROM history ORDER BY id").fetchall()
    assert stored == [("#ops", "one"), (None, "two"), ("#ops", "three")]


def test_the_lines_of_a_pipe_go_nowhere_else(ops: int) -> None:
    """Status 3 for a room that the user is not in: not even an operation is done."""
    expected = (3, "You are not in #nowhere. JOIN nowhere joins it; ROOMS lists all.\n")
    status, _, err = client(ops, "bob", "--room", "nowhere", typed=b"pm secret\nex\n")
    assert (status, err) == expected
    with enter(ops, "alice") as alice:
        assert alice.ask("history")["messages"] == []


def test_an_older_server_is_told_nothing_for_a_room() -> None:
    """It would say it in the main room: status 3, and nothing is sent."""

    def script(peer: Peer) -> None:
        peer.log_in()
        peer.see_off()

    with FakeServer(script) as server:
        expected = (3, "", "The server refused it: this server has no rooms.\n")
        assert client(server.port, "alice", "--room", "ops", "--send", "x") == expected


KILLS = 8


def test_tail_neither_repeats_nor_skips(tmp_path: Path) -> None:
    """Over kills of the service, while another client writes, it prints each id of the database once and in order."""
    service = Process(tmp_path)
    port = service.port
    enter(port, "bob").close()
    rng = random.Random(5)
    with enter(port, "alice") as alice:
        for n in range(5):
            alice.ask("pm", message=f"before {n}")
    with tailing(port, "bob", "--since", "2") as tail:
        for _ in range(KILLS):
            with enter(port, "alice") as alice:
                for n in range(rng.randrange(1, 12)):
                    whom = {"command": "dm", "to": "bob"} if n % 3 == 0 else {"command": "pm"}
                    alice.send({**whom, "message": "x"})
                for _ in range(rng.randrange(3)):
                    alice.read_type("ack")
                service.stop(signal.SIGKILL)
            service = Process(tmp_path, port=port)
        with enter(port, "alice") as alice:
            last = alice.ask("pm", message="the last")["id"]
        ids: list[int] = []
        while not ids or ids[-1] < last:
            ids.append(row(tail)["id"])
        tail.send_signal(signal.SIGTERM)
        assert tail.wait(PATIENCE) == 0
    with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
        stored = [id_ for (id_,) in connection.execute("SELECT id FROM history WHERE id > 2 ORDER BY id")]
    service.stop()
    assert ids == stored


def test_a_script_announces_nobody(port: int) -> None:
    """Its message comes all the same, and what is for it is stored until somebody sees it."""
    enter(port, "bob").close()
    with enter(port, "alice") as alice, tailing(port, "bob", quiet=True) as bob:
        alice.ask("dm", to="bob", message="first")
        assert row(bob)["message"] == "first"  # it is logged in
        assert client(port, "bob", "--send", "hi")[0] == 0
        assert row(bob)["message"] == "hi"
        assert alice.ask("users")["users"] == ["alice"]
        assert alice.ask("dm", to="bob", message="there?")["status"] == "stored"
        assert row(bob)["message"] == "there?"
