"""Links: a URL on the screen that the terminal opens when it is clicked (OSC 8).

The link is the very text that is shown, so it cannot lead elsewhere. A terminal that may not know links gets none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from client.render.layout import URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from client.text import Part

RAW: Final = "[ZeroWidthEscape]"  # a style of prompt_toolkit's: the text is written as it is
_LONGEST: Final = 2_000  # characters; terminals ignore a link that is longer than some 2,080
_TERMS: Final = ("xterm-kitty", "xterm-ghostty", "foot", "alacritty", "contour", "wezterm")  # and what begins so
_PROGRAMS: Final = {"iTerm.app", "WezTerm", "vscode", "ghostty", "mintty"}
_VTE: Final = 5_000  # the version that knows links
_TMUX: Final = (3, 4)  # the version that hands them on, if its terminal knows them
_BEHIND: Final = ".,;:!?'\"*)]}>"  # ends a sentence more often than a URL


def takes_links(variables: Mapping[str, str]) -> bool:
    """Whether the terminal surely knows links. FORCE_HYPERLINK says so, or 0 that it must get none."""
    if forced := variables.get("FORCE_HYPERLINK", ""):
        return forced != "0"
    term, program = variables.get("TERM", ""), variables.get("TERM_PROGRAM", "")
    if term.startswith(("screen", "tmux")):  # the other variables are those of the terminal that it runs in
        version = re.match(r"(\d+)\.(\d+)", variables.get("TERM_PROGRAM_VERSION", ""))
        return program == "tmux" and version is not None and (int(version[1]), int(version[2])) >= _TMUX
    vte = variables.get("VTE_VERSION", "")
    is_vte = vte.isascii() and vte.isdigit() and int(vte[:9]) >= _VTE
    return term.startswith(_TERMS) or program in _PROGRAMS or is_vte or "WT_SESSION" in variables


def linked(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """Styles and texts of `parts`, with the sequences round each URL; one may stand in several parts."""
    text = "".join(text for _, text in parts)
    marks: list[tuple[int, str]] = []
    for url, start, end in _urls(text):
        marks += [(start, f"\x1b]8;;{url}\x1b\\"), (end, "\x1b]8;;\x1b\\")]
    marks.reverse()
    at = 0
    for style, piece in parts:
        while marks and marks[-1][0] <= at + len(piece):
            end, sequence = marks.pop()
            yield style, text[at:end]
            yield RAW, sequence
            piece, at = piece[end - at :], end  # noqa: PLW2901  # what is left of it
        yield style, piece
        at += len(piece)


def _urls(text: str) -> Iterator[tuple[str, int, int]]:
    """Each URL, with where it stands; none that goes on in letters beyond ASCII, as the link would lead elsewhere."""
    for found in URL.finditer(text):
        url = found.group()
        is_whole = not text[found.end() : found.end() + 1].isalnum()
        while url[-1] in _BEHIND and not (url[-1] == ")" and url.count("(") >= url.count(")")):
            url = url[:-1]
        if is_whole and len(url) <= _LONGEST and not url.endswith("://"):
            yield url, found.start(), found.start() + len(url)
