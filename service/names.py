"""What a name may be, as RFC 8265 has it, and which names look alike, as Unicode's TS 39 has it. Asks no database."""

from __future__ import annotations

import unicodedata
from functools import cache, lru_cache
from typing import Final

import precis_i18n

from service.config import MAX_USERNAME
from service.errors import PeerError

_PROFILE: Final = precis_i18n.get_profile("UsernameCaseMapped")
_FORBIDDEN: Final = frozenset(":,@#*")
_DIRECTION_MARK: Final = "\u200e"  # stands round right-to-left characters in the tables of look-alikes


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


def _is_forbidden(char: str) -> bool:
    return char in _FORBIDDEN or char.isspace() or unicodedata.category(char)[0] in "CZ"


def looks_of(name: str) -> list[str]:
    """What a mapped name looks like: names that share one of these can be mistaken for each other. Its own comes first.

    Cyrillic and Latin `a` look the same, as do `1` and `l`, `0` and `o`, `rn` and `m` (TS 39, section 4: skeletons).
    Here `1` may also stand for `i`, as in `adm1n`.
    """
    return list(dict.fromkeys(_skeleton(variant) for variant in (name, name.replace("1", "i"))))


def _skeleton(name: str) -> str:
    prototypes = _prototypes()
    chars = (prototypes.get(char, char) for char in unicodedata.normalize("NFD", name))
    return unicodedata.normalize("NFD", "".join(chars).casefold())


@cache
def _prototypes() -> dict[str, str]:
    """Of each character that looks like another one, or like several in a row, what all of its kind are mapped to."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415  # 0.06 s; few names are registered

    table = {char: [other["c"] for other in others] for char, others in confusables_data.items()}
    prototypes: dict[str, str] = {}
    for char, others in table.items():
        # The table gives a prototype all that look like it, and each of these the prototype alone.
        if len(others) == 1 and (len(table[others[0]]) > 1 or others[0] < char):
            prototypes[char.strip(_DIRECTION_MARK)] = others[0]
    return prototypes
