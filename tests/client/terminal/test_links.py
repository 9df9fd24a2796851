"""URLs as links."""

from __future__ import annotations

import re

import pytest

from client.render.layout import arrange
from client.terminal.links import RAW, linked, takes_links
from client.text import hint, marked

URL = "https://chat.example/a"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        (f"see {URL}.", [URL]),
        (f"({URL}), {URL}(b)! <{URL}>", [URL, f"{URL}(b)", URL]),
        (f"\u770b{URL}\uff0c\u597d", [URL]),
        (f"{URL}\u00fcrich", []),
        (URL + "b" * 2_000, []),
        ("https://", []),
        ("https://)))", []),
        ("ftp://chat.example", []),
        (f"{URL}\x1b]8;;http://evil.example\x07", [URL, "http://evil.example"]),
    ],
)
def test_what_is_a_link(text: str, urls: list[str]) -> None:
    """A URL leads where it says; what closes a sentence or a bracket behind it is no part of it."""
    parts = list(linked(arrange(hint(text), 400)))
    assert [text for style, text in parts if style == RAW][::2] == [f"\x1b]8;;{url}\x1b\\" for url in urls]
    assert "".join(text for style, text in parts if style != RAW) == f"{hint(text).text}\n"


def test_a_link_of_several_parts() -> None:
    """A match of SEARCH within a URL keeps its style, and the link is one."""
    parts = list(linked(marked(f"x {URL}", re.compile("chat"))))
    assert [part for part in parts if part[1]] == [
        ("", "x "),
        (RAW, f"\x1b]8;;{URL}\x1b\\"),
        ("", "https://"),
        ("match", "chat"),
        ("", ".example/a"),
        (RAW, "\x1b]8;;\x1b\\"),
    ]


@pytest.mark.parametrize(
    ("variables", "takes"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "linux"}, False),
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "foot-extra"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7200"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "4205"}, False),
        ({"TERM": "xterm-256color", "VTE_VERSION": "new"}, False),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False),
        ({"TERM": "xterm-256color", "WT_SESSION": "x"}, True),
        ({"TERM": "tmux-256color", "TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.4"}, True),
        ({"TERM": "screen", "TERM_PROGRAM": "tmux", "TERM_PROGRAM_VERSION": "3.3a", "VTE_VERSION": "7200"}, False),
        ({"TERM": "screen", "VTE_VERSION": "7200"}, False),
        ({"TERM": "xterm", "FORCE_HYPERLINK": "1"}, True),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
    ],
)
def test_which_terminals_take_links(variables: dict[str, str], takes: bool) -> None:
    """Those that are known to; FORCE_HYPERLINK says otherwise."""
    assert takes_links(variables) is takes
