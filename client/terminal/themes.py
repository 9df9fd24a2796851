"""The colours of what is shown, by theme. Decides no text."""

from __future__ import annotations

from typing import Final

from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

# The 16 colours of the terminal, as it knows its background; without bright black, which some palettes hide.
_ALL: Final = {
    "time": "dim",
    "own": "ansigreen bold",
    "direct": "ansimagenta",
    "presence": "dim",
    "hint": "ansicyan",
    "trouble": "ansired bold",
    "match": "reverse",
    "day": "dim",
    "unread": "ansimagenta bold",
    "status-bar": "reverse",
    # of the full screen
    "place": "bold",
    "rule": "dim",
    "held": "reverse",
}
_NAMES: Final = {
    # of a medium brightness, for dark and light backgrounds alike
    "auto": ("d75f00", "0087d7", "5f8700", "d7005f", "008787", "875fff", "af8700", "d75f87"),
    "dark": ("ff8700", "5fafff", "87d700", "ff5f87", "00d7d7", "af87ff", "ffd700", "ff87d7"),
    "light": ("af5f00", "005faf", "5f8700", "af005f", "005f5f", "5f00d7", "875f00", "870087"),
}
# What the medium colours leave to the terminal's palette, for a background that is known.
_KNOWN: Final = {
    "dark": {
        "own": "#87ff87 bold",
        "direct": "#ff87ff",
        "hint": "#5fd7d7",
        "trouble": "#ff5f5f bold",
        "unread": "#ff87ff bold",
    },
    "light": {
        "own": "#005f00 bold",
        "direct": "#87005f",
        "hint": "#005f87",
        "trouble": "#af0000 bold",
        "unread": "#87005f bold",
    },
}
# Of a terminal that has 16 colours alone. The nearest to those above would be its greys for some.
_FEW: Final = ("ansired", "ansicyan", "ansigreen", "ansimagenta", "ansiyellow", "ansiblue", "ansicyan", "ansimagenta")
_PLAIN: Final = frozenset({"bold", "dim", "reverse"})


def styles(theme: str = "auto", depth: ColorDepth = ColorDepth.DEFAULT) -> Style:
    """Returns the styles of a theme: auto, dark, light, or none, which is bold, dim and reverse without a colour.

    `depth` says how many colours the terminal has; with 16 those of its own palette serve every background.
    """
    if theme == "none":
        plain = {name: " ".join(word for word in style.split() if word in _PLAIN) for name, style in _ALL.items()}
        return Style.from_dict(plain | {f"name{number}": "bold" for number in range(len(_NAMES["auto"]))})
    if depth == ColorDepth.DEPTH_4_BIT:
        return Style.from_dict(_ALL | {f"name{number}": f"{colour} bold" for number, colour in enumerate(_FEW)})
    names = {f"name{number}": f"#{colour} bold" for number, colour in enumerate(_NAMES[theme])}
    return Style.from_dict(_ALL | _KNOWN.get(theme, {}) | names)
