"""The keys of the full screen, and the words for them: `?` on an empty line shows those. Decides nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent, merge_key_bindings

from client.render.layout import WIDE, columns_of, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from client.full.picture import Row

HELP: Final = "?"  # alone on the line
_WORDS: Final = (  # each fits a phone's 40 columns
    ("Alt-1 to Alt-9", "that conversation"),
    ("Alt-Left, Alt-Right", "before, behind"),
    ("Alt-A", "the next with something new"),
    ("Page Up, Page Down", "older, newer"),
    ("End", "the newest, at the line's end"),
    ("Ctrl-B", "hide or show the columns"),
    ("Tab", "complete a word"),
    ("Up, Down", "what you typed before"),
    ("Alt-Enter", "a new line of the message"),
    ("Ctrl-C", "clear the line; twice leaves"),
    ("Ctrl-Z", "stop; fg brings it back"),
    ("? and Enter", "all operations"),
)
FIRST: Final = (  # to who has never been here
    "What you type goes to everyone here, once you press Enter.",
    "? alone on the line shows the keys, /help all operations.",
)


def key_rows(columns: int, rows: int) -> Sequence[Row]:
    """The keys with what they do, for a part of the screen."""
    widest = max(columns_of(key) for key, _ in _WORDS)
    if columns < WIDE:
        return [[("", cut(f"{key}: {what}", columns))] for key, what in _WORDS][:rows]
    return [[("place", f" {key:<{widest}}  "), ("", cut(what, columns - widest - 3))] for key, what in _WORDS][:rows]


def bind(deeds: dict[str, Callable[[KeyPressEvent], None]], *others: KeyBindingsBase) -> KeyBindingsBase:
    """The keys that call these, by their names in prompt_toolkit, those of a row parted by blanks; and others."""
    keys = KeyBindings()
    for names, deed in deeds.items():
        keys.add(*names.split())(deed)
    return merge_key_bindings([keys, *others])
