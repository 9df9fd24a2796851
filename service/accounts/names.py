"""What a name may be, as RFC 8265 has it, and which names look alike, as Unicode's TS 39 has it. Asks no database."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final

import precis_i18n

from service.errors import PeerError
from service.wire.limits import MAX_USERNAME

_PROFILE: Final = precis_i18n.get_profile("UsernameCaseMapped")
_FORBIDDEN: Final = frozenset(":,@#*")
_DIRECTION_MARK: Final = "\u200e"  # stands round right-to-left characters in the tables of look-alikes
_OVERLAY: Final = 1  # the combining class of marks that go through a letter (Unicode, section 4.3)
_DOT: Final = re.compile("(?<=[ij])\u0307")  # a dot on a letter that has one shows nothing (TS 39, section 5.4)
_UPRIGHT: Final = "\u04cf"  # Cyrillic palochka: the tables have it as i, and it looks as much like l
_BANG: Final = "!"  # looks like an i, an l, and a mark that is soon overlooked: one look cannot say all three
_DOTLESS_J: Final = "\u0237"  # the tables have it apart from j, though not the dotless i from i
_MARK: Final = "-"  # stands for all punctuation in a look


@lru_cache(maxsize=4096)
def map_name(text: str) -> str:
    """The account name that `text` means: `Alice` is `alice` (RFC 8265, UsernameCaseMapped). Raises PeerError."""
    reason = f"1 to {MAX_USERNAME} letters, digits and marks, without spaces and without : , @ # *"
    try:
        # Mapping costs time for each character, so what cannot fit is refused first; case mapping may double it.
        if not 1 <= len(text) <= 2 * MAX_USERNAME:
            raise ValueError(text)
        name: str = _PROFILE.enforce(text)
        if len(name) > MAX_USERNAME or any(_is_forbidden(char) for char in name):
            raise ValueError(name)
    except ValueError:  # UnicodeEncodeError is what precis_i18n raises, too
        raise PeerError("invalid_username", f"a name has {reason}; choose another one") from None
    return name


def map_new_name(text: str) -> str:
    """As `map_name`, for a name that is to be made. Raises PeerError for more: `!`, and marks that belong to no letter.

    A mark through a letter hardly shows, nor does one that stands there twice, with another one between or without; one
    with no letter before it stands on nothing (TS 39, section 5.4). A `!` is taken for an i or an l, or for nothing.
    Names that were made before these rules go on, so only here they hold.
    """
    name = map_name(text)
    if _BANG in name:
        raise PeerError("invalid_username", "a new name has no ! as that looks like i and l; choose another one")
    base, marks = "", set[str]()
    for char in unicodedata.normalize("NFD", name):
        if not _is_combining(char):
            base, marks = char, set()
        elif char in marks or not _bears_marks(base) or unicodedata.combining(char) == _OVERLAY:
            reason = "no mark through a letter, none twice and none without a letter"
            raise PeerError("invalid_username", f"a name has {reason}; choose another one")
        else:
            marks.add(char)
    return name


def _is_combining(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _bears_marks(base: str) -> bool:
    return base != "" and unicodedata.category(base)[0] in "LN"


def _is_forbidden(char: str) -> bool:
    return char in _FORBIDDEN or char.isspace() or unicodedata.category(char)[0] in "CZ"


def look_of(name: str) -> str:
    """What a mapped name looks like. Names of one look can be mistaken for each other, and a `1` in it is also i or l.

    Cyrillic and Latin `a` look the same, as do `0` and `o`, `rn` and `m` (TS 39, section 4: skeletons), and here `vv`
    and `w`. What is no more alike than `i` and `l`, or `e` and `\u00e9`, is left apart: Ian and Lan are two people.

    Punctuation at an end is soon overlooked, so it does not count. Between letters it does, as a person can tell
    `mary-ann` from `maryann`; but which it was, and how often it stood there, nobody remembers: `mary_ann` and
    `mary--ann` are one.
    """
    letters = (char for char in unicodedata.normalize("NFD", name) if unicodedata.combining(char) != _OVERLAY)
    prototypes = _prototypes()
    look = "".join(prototypes.get(char) or _prototype(char, char) for char in letters).casefold()
    look = _DOT.sub("", unicodedata.normalize("NFD", look)).replace("w", "vv")
    return _MARK.join(filter(None, look.split(_MARK))) or _MARK


@cache
def _prototypes() -> dict[str, str]:
    """Of each character that looks like another one, or like several in a row, what all of its kind are mapped to."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415  # 0.06 s; few names are registered

    table = {char: [other["c"] for other in others] for char, others in confusables_data.items()}
    prototypes: dict[str, str] = {}
    for key, others in table.items():
        char = key.strip(_DIRECTION_MARK)
        # The table gives a prototype all that look like it, and each of these the prototype alone.
        if len(char) == len(others) == 1 and (len(table[others[0]]) > 1 or others[0] < key):
            prototypes[char] = _prototype(char, others[0])
    return prototypes


def _prototype(char: str, like: str) -> str:
    """What stands for a character in a look, where TS 39 has `like`."""
    if like in {"l", _BANG} - {char} or char == _UPRIGHT:
        return "1"
    if like == _DOTLESS_J:
        return "j"
    category = unicodedata.category(char)
    # A letter of a language is none, whatever it is like: the tables have one of Katakana as a stroke, and Chinese ones
    # as symbols.
    is_mark = category[0] in "PS" or (category != "Lo" and all(unicodedata.category(part)[0] in "PS" for part in like))
    return _MARK if is_mark else like
