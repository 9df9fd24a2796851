"""The keys of the full screen, and the words for them: `?` on an empty line shows those. Decides nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prompt_toolkit.key_binding import KeyBindings, KeyBindingsBase, KeyPressEvent, merge_key_bindings

from client.render.layout import columns_of, cut

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from client.full.picture import Row

HELP: Final = "?"  # alone on the line
_WORDS: Final = (  # each fits a phone's 40 columns, and what is not known from elsewhere its rows
    ("Alt-1 to Alt-9", "that conversation"),
    ("Alt-A", "the next with something new"),
    ("Page Up, Page Down", "older, newer"),
    ("End", "the newest, at the line's end"),
    ("Ctrl-B", "hide or show the columns"),
    ("? and Enter", "all operations"),
    ("Tab", "complete a word"),
    ("Up, Down", "what you typed before"),
    ("Alt-Enter", "a new line of the message"),
    ("Alt-Left, Alt-Right", "previous, next"),
    ("Ctrl-C", "clear the line; twice leaves"),
    ("Ctrl-Z", "stop; fg brings it back"),
)
FIRST: Final = (  # to who has never been here
    "What you type goes to everyone here, once you press Enter.",
    "? alone on the line shows the keys, /help all operations.",
)


def key_rows(columns: int, rows: int) -> Sequence[Row]:
    """The keys with what they do, for a part of the screen."""
    widest = max(columns_of(key) for key, _ in _WORDS)
    if columns < widest + 3 + max(columns_of(what) for _, what in _WORDS):
        return [[("place", key), ("", cut(f": {what}", columns - columns_of(key)))] for key, what in _WORDS][:rows]
    return [[("place", f" {key:<{widest}}  "), ("", what)] for key, what in _WORDS][:rows]


def bind(deeds: dict[str, Callable[[KeyPressEvent], None]], *others: KeyBindingsBase) -> KeyBindingsBase:
    """The keys that call these, by their names in prompt_toolkit, those of a row parted by blanks; and others."""
    keys = KeyBindings()
    for names, deed in deeds.items():
        keys.add(*names.split())(deed)
    return merge_key_bindings([keys, *others])
