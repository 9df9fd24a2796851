"""How people come in at the page, and go; and each reason why they cannot."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.support.helpers import PASSWORD, ROOT, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat


def test_a_new_name_registers_and_comes_back(visit: Callable[..., Person]) -> None:
    """With the same name and password, from elsewhere."""
    visit().register("alice")
    again = visit()
    again.log_in("alice")
    expect(again.button("Your account")).to_contain_text("alice")


def test_the_two_passwords_must_be_the_same(visit: Callable[..., Person]) -> None:
    """A new one that was mistyped is not taken."""
    alice = visit()
    alice.offer_name("alice")
    alice.field("Choose a password").fill(PASSWORD)
    alice.field("The same again").fill("correct horses")
    alice.button("Register and log in").click()
    alice.is_refused("differ")
    alice.choose_password()
    alice.is_in()


@pytest.mark.parametrize(("name", "words"), [("al,ice", "name"), ("x" * 33, "32")])
def test_a_name_that_cannot_be_is_told(visit: Callable[..., Person], name: str, words: str) -> None:
    """With what names may be; another one is then taken."""
    alice = visit()
    alice.offer_name(name)
    alice.is_refused(words)
    alice.field("Your name").fill("alice")
    alice.button("Continue").click()
    alice.choose_password()
    alice.is_in()


def test_a_reserved_name_is_told(visit: Callable[..., Person]) -> None:
    """As soon as it is to be registered; another one is then taken."""
    alice = visit()
    alice.offer_name("admin")
    alice.choose_password()
    alice.is_refused("name")
    alice.button("Another name").click()
    alice.register("alice")


def test_a_weak_password_is_told(visit: Callable[..., Person]) -> None:
    """It is said how long it has to be; a longer one is then taken."""
    alice = visit()
    alice.offer_name("alice")
    alice.choose_password("short")
    alice.is_refused("8 characters")
    alice.choose_password()
    alice.is_in()


def test_a_wrong_password_is_told(visit: Callable[..., Person], chat: Chat) -> None:
    """The right one is then taken."""
    chat.enter("alice")
    alice = visit()
    alice.offer_name("alice")
    alice.offer_password("wrong horse")
    alice.is_refused("password")
    alice.offer_password()
    alice.is_in()


@pytest.mark.parametrize("chat", [("--registration", "closed", "--contact", "Carol, room 7")], indirect=True)
def test_closed_registration_is_told(visit: Callable[..., Person]) -> None:
    """Before a name is typed, and whom to ask."""
    alice = visit()
    alice.is_told("not registered here")
    alice.is_told("Carol, room 7")
    alice.offer_name("alice")
    alice.offer_password()
    alice.is_refused("password")


def test_a_disabled_account_does_not_come_in(visit: Callable[..., Person], chat: Chat) -> None:
    """Who is in is put out; who has the right password is told why."""
    alice = visit()
    alice.register("alice")
    command = [sys.executable, "-m", "service.admin", "disable", "alice", "--db", str(chat.database)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    alice.is_out()
    alice.offer_name("alice")
    alice.offer_password()
    alice.is_refused("disabled")


@pytest.mark.parametrize("chat", [("--login-rate", "1")], indirect=True)
def test_too_many_tries_are_told(visit: Callable[..., Person], chat: Chat) -> None:
    """With the time to wait."""
    chat.enter("alice").close()
    alice = visit()
    alice.offer_name("alice")
    refused = (
        alice.page.get_by_role("alert")
        .filter(has_text="second")
        .or_(alice.page.get_by_role("alert").filter(has_text="minute"))
    )
    for number in range(30):
        alice.offer_password(f"wrong horse {number}")
        expect(alice.button("Log in")).to_be_enabled()
        if refused.is_visible():
            break
    expect(refused).to_be_visible()


@pytest.mark.parametrize("stays", [True, False])
def test_a_reload_stays_logged_in(visit: Callable[..., Person], stays: bool) -> None:
    """A new tab, too, if that was asked for; else it is somebody new."""
    alice = visit()
    alice.register("alice", stays=stays)
    alice.reload()
    beside = alice.beside()
    beside.is_in() if stays else beside.is_out()
    assert ("alice" in str(alice.context.storage_state())) == stays  # what a closed browser keeps


def test_who_logs_out_is_out_everywhere(visit: Callable[..., Person]) -> None:
    """The other tab, too; and what was kept in the browser is worth nothing to who copied it."""
    alice = visit()
    alice.register("alice")
    beside, copied = alice.beside(), alice.context.storage_state()
    beside.is_in()
    alice.log_out()
    beside.is_out()
    thief = visit(storage_state=copied)
    thief.is_out()
    until(lambda: alice.context.storage_state()["origins"] == [])
    alice.page.reload()
    alice.is_out()


def test_a_new_password_ends_the_other_logins(visit: Callable[..., Person]) -> None:
    """The page it was changed in goes on; the old one is not taken any more."""
    alice, elsewhere = visit(), visit()
    alice.register("alice")
    elsewhere.log_in("alice")
    alice.open_account()
    alice.dialog.get_by_role("button", name="Change the password").click()
    for label, password in {"so far": PASSWORD, "Choose": "better horse", "again": "better horse"}.items():
        alice.dialog.get_by_label(label).fill(password)
    alice.dialog.get_by_role("button", name="Change the password").click()
    alice.is_told("The password is changed")
    elsewhere.is_out()
    alice.say("still here")
    alice.reads("still here")
    elsewhere.offer_name("alice")
    elsewhere.offer_password()
    elsewhere.is_refused("password")
    elsewhere.offer_password("better horse")
    elsewhere.reads("still here")
