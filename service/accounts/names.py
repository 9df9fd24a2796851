"""Which names are valid (RFC 8265), and which names look alike (Unicode TS 39). Uses no database."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

import precis_i18n

from service.errors import PeerError
from service.storage.records import DELETED
from service.wire.limits import MAX_USERNAME

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROFILE: Final = precis_i18n.get_profile("UsernameCaseMapped")
_FORBIDDEN: Final = frozenset(":,@#*")
_DIRECTION_MARK: Final = "\u200e"  # surrounds right-to-left characters in the tables of look-alikes
_OVERLAY: Final = 1  # the combining class of marks through a letter (Unicode, section 4.3)
_DOT: Final = re.compile("(?<=[ij])\u0307")  # a second dot on a letter is invisible (TS 39, section 5.4)
_UPRIGHT: Final = "\u04cf"  # Cyrillic palochka: the tables map it to i, but it looks like l as well
_BANG: Final = "!"  # looks like i, like l, and like a mark that readers overlook: one look cannot say all three
_DOTLESS_J: Final = "\u0237"  # the tables map the dotless i to i, but this not to j
_MARK: Final = "-"  # replaces all punctuation in a look

# In a new name: marks that mean something to the shell, in a web address, in IRC or around a name in a sentence.
_NOT_NEW: Final = frozenset("!?$~&%+./<>\"';()")
# Nobody shall speak as one of these, in any form that looks so.
RESERVED: Final = (
    *("you", "me", "all", "everyone", "everybody", "here", "room", "server", "service", "system"),
    *("admin", "administrator", "operator", "moderator", "owner", "nickserv", "chanserv"),
    *("help", "ex", "pm", "dm", "quit", "exit"),
)


@lru_cache(maxsize=4096)
def map_name(text: str) -> str:
    """Returns the account name that `text` means: `Alice` is `alice` (RFC 8265, UsernameCaseMapped).

    Raises PeerError.
    """
    reason = f"1 to {MAX_USERNAME} letters, digits and marks, without spaces and without : , @ # *"
    try:
        # Mapping costs time for each character, so a text that cannot fit is refused first. Case mapping may double it.
        if not 1 <= len(text) <= 2 * MAX_USERNAME:
            raise ValueError(text)
        name: str = _PROFILE.enforce(text)
        if len(name) > MAX_USERNAME or any(_is_forbidden(char) for char in name):
            raise ValueError(name)
    except ValueError:  # precis_i18n raises UnicodeEncodeError, which is a ValueError
        raise PeerError("invalid_username", f"a name has {reason}; choose another one") from None
    return name


def map_new_name(text: str, main_room: str) -> str:
    """As `map_name`, for a new account: also refuses what misleads. Raises PeerError.

    That is a reserved word or the name of the main room, also in disguise; a digit or - at the start; marks that mean
    something elsewhere. A `!` besides reads as an i or an l, or is overlooked. Then there are marks that are hard to
    see: one through a letter, one that a letter has twice, and one with no letter before it (TS 39, section 5.4).
    Accounts from before these rules keep their names, so the rules hold only here.
    """
    name = map_name(text)
    if name[0].isdecimal() or name[0] == _MARK or not _NOT_NEW.isdisjoint(name):
        reason = f"begins with no digit and no -, and has none of {' '.join(sorted(_NOT_NEW))}"
        raise PeerError("invalid_username", f"a new name {reason}; choose another one")
    base, marks = "", set[str]()
    for char in unicodedata.normalize("NFD", name):
        if not _is_combining(char):
            base, marks = char, set()
        elif char in marks or not _bears_marks(base) or unicodedata.combining(char) == _OVERLAY:
            reason = "no mark through a letter, none twice and none without a letter"
            raise PeerError("invalid_username", f"a name has {reason}; choose another one")
        else:
            marks.add(char)
    check_not_reserved(name, main_room)
    return name


def check_not_reserved(name: str, main_room: str) -> None:
    """Raises PeerError if the mapped name is a reserved word or the main room's name, or looks like one.

    Without a service nobody knows the main room's name: it is then empty.
    """
    look, beginning = look_of(name), look_of(DELETED)
    if any(_are_alike(look, reserved) for reserved in reserved_looks(main_room)) or _are_alike(
        look[: len(beginning)], beginning
    ):
        reason = "means something else in a chat, or looks as if it did"
        raise PeerError("invalid_username", f'the name "{name}" {reason}; choose another one')


@lru_cache(maxsize=8)
def reserved_looks(main_room: str) -> Sequence[str]:
    """Returns what names look like that nobody new may have, without those of deleted accounts."""
    return [look_of(name) for name in (*RESERVED, main_room) if name]


def looks_like(name: str, other: str) -> bool:
    """Whether two mapped names can be confused."""
    return _are_alike(look_of(name), look_of(other))


def _are_alike(look: str, other: str) -> bool:
    """Whether two looks can be confused: they are equal, but a `1` in one may be an i or an l in the other."""
    return len(look) == len(other) and all(
        one == two or ("1" in (one, two) and {one, two} <= set("1il")) for one, two in zip(look, other, strict=True)
    )


def _is_combining(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


def _bears_marks(base: str) -> bool:
    return base != "" and unicodedata.category(base)[0] in "LN"


def _is_forbidden(char: str) -> bool:
    return char in _FORBIDDEN or char.isspace() or unicodedata.category(char)[0] in "CZ"


def look_of(name: str) -> str:
    """Returns what a mapped name looks like. Names with equal looks can be confused; a `1` in a look is also i or l.

    Cyrillic and Latin `a` look the same, as do `0` and `o`, `rn` and `m` (TS 39, section 4: skeletons), and here `vv`
    and `w`. Letters that are no more alike than `i` and `l`, or `e` and `\u00e9`, stay different: Ian and Lan are two
    people.

    Readers overlook punctuation at an end, so it does not count. Between letters it counts: people can tell `mary-ann`
    from `maryann`. But they do not remember which mark it was, and how often it was repeated: `mary_ann` and
    `mary--ann` look the same.
    """
    letters = (char for char in unicodedata.normalize("NFD", name) if unicodedata.combining(char) != _OVERLAY)
    prototypes = _prototypes()
    look = "".join(prototypes.get(char) or _prototype(char, char) for char in letters).casefold()
    look = _DOT.sub("", unicodedata.normalize("NFD", look)).replace("w", "vv")
    return _MARK.join(filter(None, look.split(_MARK))) or _MARK


@cache
def _prototypes() -> dict[str, str]:
    """Maps each character that looks like another one, or like several in a row, to the one for all that look so."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415  # 0.06 s; few names are registered

    table = {char: [other["c"] for other in others] for char, others in confusables_data.items()}
    prototypes: dict[str, str] = {}
    for key, others in table.items():
        char = key.strip(_DIRECTION_MARK)
        # The table lists for a prototype all that look like it, and for each of those only the prototype.
        if len(char) == len(others) == 1 and (len(table[others[0]]) > 1 or others[0] < key):
            prototypes[char] = _prototype(char, others[0])
    return prototypes


def _prototype(char: str, like: str) -> str:
    """Returns what replaces a character in a look, where TS 39 has `like`."""
    if like in {"l", _BANG} - {char} or char == _UPRIGHT:
        return "1"
    if like == _DOTLESS_J:
        return "j"
    category = unicodedata.category(char)
    # A letter is never a mark, even if the tables say so: they map a Katakana letter to a stroke, and Chinese letters
    # to symbols.
    is_mark = category[0] in "PS" or (category != "Lo" and all(unicodedata.category(part)[0] in "PS" for part in like))
    return _MARK if is_mark else like
