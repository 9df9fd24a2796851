"""Writing on a real terminal beside the real service: talks, replies, pasted text, an editor, a new password."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import PASSWORD, Process, Wire, enter
from tests.support.terminal import ENVIRONMENT, Terminal, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engines


@pytest.fixture(name="service")
def small_service(tmp_path: Path) -> Iterator[Process]:
    """The service as its own program; it takes texts of 40 characters."""
    with Process(tmp_path, "--max-message", "40", "--contact", "carol, room 12") as service:
        yield service


@pytest.fixture(name="alice")
def alice_at_her_terminal(service: Process) -> Iterator[Terminal]:
    with terminal(service) as alice:
        alice.register("alice")
        yield alice


@pytest.fixture(name="bob")
def bob_on_the_wire(service: Process, alice: Terminal) -> Iterator[Wire]:
    with enter(service.port, "bob") as bob:
        alice.wait_for("2 online")  # the line about who came waits for others
        yield bob


def paste(to: Terminal, text: str) -> None:
    """What a terminal sends for pasted text."""
    to.type(f"\x1b[200~{text}\x1b[201~")


def wait_for_line(at: Terminal, text: str) -> None:
    """Reads until that is the line being typed, above the bar."""
    at.wait_until(lambda lines: lines[-2:-1] == [text], text)


def texts(wire: Wire, count: int) -> list[str]:
    """The next messages."""
    return [wire.read_type("broadcast")["message"] for _ in range(count)]


def test_a_talk(alice: Terminal, bob: Wire) -> None:
    """Lines go to the one whom the prompt names, where a mere "ex" is asked about; or to all, where it leaves."""
    alice.enter("talk zed")
    alice.wait_for('There is no "zed".')
    alice.enter("talk bob")
    alice.wait_for("What you type goes to bob now", "/ex leaves", "bob>")
    alice.enter("hello")
    assert bob.read_type("direct")["message"] == "hello"
    alice.enter("dm bob a secret")
    alice.wait_for("/dm does the operation")
    wait_for_line(alice, "bob> /dm bob a secret")
    alice.enter("")
    assert bob.read_type("direct")["message"] == "a secret"
    alice.enter("ex")
    wait_for_line(alice, "bob> /ex")
    alice.type("\x15")
    alice.enter("ex")
    assert bob.read_type("direct")["message"] == "ex"
    alice.enter("/talk ALL")
    wait_for_line(alice, "all>")
    alice.enter("//one")
    alice.enter("ex and why")
    assert texts(bob, 2) == ["/one", "ex and why"]
    alice.enter("/me waves")
    assert bob.read_type("broadcast")["kind"] == "action"
    alice.enter("EX")
    assert alice.wait_for_end() == 0


def test_a_reply(service: Process, alice: Terminal, bob: Wire) -> None:
    """REPLY answers the last direct message, also when another one arrives before the text is typed."""
    alice.enter("reply")
    alice.wait_for("Nobody has written")
    bob.ask("dm", to="alice", message="are you there?")
    alice.wait_for("bob -> you: are you there?")
    alice.enter("reply")
    alice.type("y")
    wait_for_line(alice, "Message to bob: y")
    with enter(service.port, "carol") as carol:
        carol.ask("dm", to="alice", message="me too")
    alice.wait_for("carol -> you: me too")
    alice.enter("es")
    assert bob.read_type("direct")["message"] == "yes"


def test_tab_and_arrows_in_a_talk(alice: Terminal, bob: Wire) -> None:
    """Tab completes names behind @ and operations behind a slash; the arrow keys bring back messages alone."""
    alice.enter("talk all")
    alice.enter("first")
    alice.enter("hi @b\t")
    assert texts(bob, 2) == ["first", "hi @bob"]
    alice.type("\x1b[A\x1b[A")
    wait_for_line(alice, "all> first")
    alice.type("\x15/mis\t")
    wait_for_line(alice, "all> /missed")
    alice.enter("")
    alice.wait_for("No direct messages missed")


def test_pasted_lines(alice: Terminal, bob: Wire) -> None:
    """Nothing of a paste is sent before the answer; then it is one message, or several, or none."""
    alice.enter("pm")
    alice.wait_for("Message to all:")
    alice.type("so: ")
    paste(alice, "one\rex\rthree\r")
    alice.wait_for("3 lines pasted", "(o)ne message to all, (l)ine by line")
    alice.enter("o")
    assert texts(bob, 1) == ["so: one\nex\nthree"]
    alice.enter("talk all")
    wait_for_line(alice, "all>")
    paste(alice, "a\nb")
    alice.wait_for("2 lines pasted")
    alice.enter("l")
    assert texts(bob, 2) == ["a", "b"]
    alice.type("half ")
    paste(alice, "c\nd")
    alice.wait_until(lambda lines: sum("2 lines pasted" in line for line in lines) == 2)
    alice.enter("")
    wait_for_line(alice, "all> half")
    paste(alice, "a line\n")
    wait_for_line(alice, "all> half a line")
    paste(alice, f"{'x' * 40}\ny")
    alice.wait_for("Not sent: 13 characters too long, of 40.", "Not sent: 11 characters too long, of 40.")
    wait_for_line(alice, "all> half a line")
    alice.enter("")
    assert texts(bob, 1) == ["half a line"]


def test_a_text_over_the_limit(alice: Terminal, bob: Wire) -> None:
    """It says by how much before it is sent, and the text stays on the line."""
    alice.enter("pm")
    alice.wait_for("Message to all:")
    alice.enter("x" * 42)
    alice.wait_for("Not sent: 2 characters too long, of 40.")
    wait_for_line(alice, f"Message to all: {'x' * 42}")
    alice.enter("\x7f\x7f")
    assert texts(bob, 1) == ["x" * 40]


def test_an_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Process) -> None:
    """EDIT gives the terminal to the editor, Ctrl-C too; what arrives meanwhile is shown; a refused text stays."""
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\ntrap "" INT\necho "editing $(cat $1)"\nread answer\necho "$answer" >> "$1"\n')
    script.chmod(0o700)
    monkeypatch.setitem(ENVIRONMENT, "VISUAL", str(script))
    with terminal(service) as alice, enter(service.port, "bob") as bob:
        alice.register("alice")
        alice.enter("edit nobody")
        alice.wait_for("editing")
        bob.ask("dm", to="alice", message="meanwhile")
        alice.enter("\x03a text")
        alice.wait_for("bob -> you: meanwhile", "Your text was: a text")
        alice.enter("edit bob")
        alice.wait_for("editing a text")
        alice.enter("and more")
        assert bob.read_type("direct")["message"] == "a text\nand more"
        wait_for_line(alice, "PM/DM/EX>")


def test_a_new_password(service: Process, tmp_path: Path, alice: Terminal) -> None:
    """PASSWORD asks unseen; the session goes on, also over a lost connection, and the new password is the one."""
    alice.enter("password")
    for question, answer in (
        ("Old password:", PASSWORD),
        ("New password:", "new password"),
        ("same again:", "new password"),
    ):
        alice.wait_for(question)
        alice.enter(answer)
    alice.wait_for("The password is changed.")
    service.stop()
    alice.wait_for("Trying again")
    with Process(tmp_path, "--contact", "carol, room 12", port=service.port) as back:
        alice.wait_for("connected again")
        alice.enter("pm still here")
        alice.wait_for("you: still here")
        with terminal(back, "alice") as again:  # the token that is kept is a new one
            again.wait_for("You are alice.")
        with terminal(back, "alice", "--forget") as forgetting:
            assert forgetting.wait_for_end() == 0
        with terminal(back, "alice") as again:
            for _ in range(2):
                again.wait_for("Password for alice:")
                again.enter(PASSWORD)
            again.wait_for("Forgotten? Ask carol, room 12.")
            again.enter("new password")
            again.wait_for("You are alice.")
    assert not any(word in line for line in alice.lines() for word in ("new password", PASSWORD))
