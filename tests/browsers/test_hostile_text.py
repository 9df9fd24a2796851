"""Texts that were made to harm who reads them: they are shown as what they are, and the page stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.browsers.person import DESKTOP, PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browsers.person import Person
    from tests.browsers.service import Chat

TEXTS: Final = {
    "markup": "<img src=x onerror=\"document.title='harmed'\"><script>document.title='harmed'</script>",
    "a link with a script": "javascript:document.title='harmed' data:text/html,<script>1</script>",
    "bidi": "\u202eevil\u202c \u2066isolated\u2069 \u061c\u200f",
    "zero width": "a\u200bl\u200ci\u200dc\u2060e\ufeff",
    "marks": "o" + "\u0301" * 400,
    "a word of 4,096 characters": "w" * 4_096,
    "a link of 4,000 characters": "https://example.org/" + "w" * 4_000,
    "emoji": "👩‍👩‍👧‍👦" * 500,
    "right to left": "שלום עולם " * 100,
    "lines": "\n" * 2_000 + "end",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f\x85\x9b\u2028\u2029",
    "back-ticks": "```" * 1_000 + "`" * 1_000,
    "code": "```\n" + "<b>" * 1_000 + "\n```",
    "tags": "".join(chr(0xE0000 + number) for number in range(128)) + "seen",
    "wide": "﷽" * 1_000,
}


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_of_it_leaves_its_row(visit: Callable[..., Person], chat: Chat, size: dict[str, object]) -> None:
    """Neither to the side nor over its neighbours; no script of it runs, and the page goes on."""
    bob = chat.enter("bob")
    alice = visit(chat.url, **size)
    alice.register("alice")
    alice.page.goto(f"{chat.url}#/")
    for name, text in TEXTS.items():
        bob.ask("pm", message=text)
        bob.ask("pm", message=f"after {name}")
        alice.sees(f"after {name}")
        assert (
            alice.page.evaluate(
                """() => {
                const wide = [document.documentElement, document.querySelector("#scroll")]
                    .filter(each => each.scrollWidth > each.clientWidth).map(each => each.id || "page");
                const rows = [...document.querySelectorAll("#list .message")];
                const after = rows.at(-1).getBoundingClientRect(), before = rows.at(-2).getBoundingClientRect();
                return [...wide, ...(before.bottom > after.top + 1 ? ["over its neighbour"] : [])];
            }"""
            )
            == []
        ), name
    assert "harmed" not in alice.page.title()
    assert alice.page.locator("#list script, #list img").count() == 0
    alice.say("still well")
    alice.has_sent("still well")


def test_names_and_topics_are_as_harmless(visit: Callable[..., Person], chat: Chat) -> None:
    """As far as the service lets them be."""
    bob = chat.enter("w" * 32)
    bob.ask("create", room="ops", topic="<b>\u202e" + "w" * 290)
    bob.ask("pm", message="hello")
    alice = visit()
    alice.register("alice")
    alice.join_room("ops")
    expect(alice.page.locator("#topic")).to_contain_text("<b>")
    assert alice.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert "\u202e" not in alice.page.inner_text("body")
    expect(alice.page.locator("#head b")).to_have_count(0)


def test_a_link_opens_without_a_hold_on_the_page(visit: Callable[..., Person], chat: Chat) -> None:
    """Of http and https only; what stands round it is not of it."""
    chat.enter("bob").ask("pm", message=f"see {chat.url}style.css, and ftp://example.org or mailto:carol@example.org")
    alice = visit()
    alice.register("alice")
    link = alice.row("see").get_by_role("link")
    expect(link).to_have_count(1)
    expect(link).to_have_text(f"{chat.url}style.css")
    with alice.page.expect_popup() as opened:
        link.click()
    opened.value.wait_for_url(f"{chat.url}style.css")
    assert opened.value.evaluate("window.opener === null")
    assert opened.value.evaluate("document.referrer") == ""
