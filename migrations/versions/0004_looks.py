"""Compares new names with all look-alikes of existing names.

The functions for looks are copied here, because a migration must always do the same, even after changes to
service/accounts/names.py. If looks change there, a further migration has to compute them again; a test fails until it
does.
"""

from __future__ import annotations

import re
import unicodedata

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Computes each account's look, and indexes looks for users.check_free. Accounts that look alike stay."""
    connection = op.get_bind()
    op.execute("DROP INDEX user_look")
    names = connection.exec_driver_sql("SELECT id, name FROM user").all()
    if names:
        prototypes = make_prototypes()
        looks = [(look_of(name, prototypes), user_id) for user_id, name in names]
        connection.exec_driver_sql("UPDATE user SET look = ? WHERE id = ?", looks)
    op.execute("CREATE INDEX user_look ON user (replace(replace(look, '1', 'l'), 'i', 'l'), look)")


# -- looks as of this revision: Unicode TS 39 -------------------------------------------------------------------------
# -----------------------------------------------------------------------------
OVERLAY = 1  # the combining class of marks through a letter
DOT = re.compile("(?<=[ij])\u0307")  # a second dot on a letter is invisible
MARK = "-"  # replaces all punctuation


def look_of(name: str, prototypes: dict[str, str]) -> str:
    """Returns what a mapped name looks like."""
    letters = (char for char in unicodedata.normalize("NFD", name) if unicodedata.combining(char) != OVERLAY)
    look = "".join(prototypes.get(char) or prototype(char, char) for char in letters).casefold()
    look = DOT.sub("", unicodedata.normalize("NFD", look)).replace("w", "vv")
    return MARK.join(filter(None, look.split(MARK))) or MARK


def make_prototypes() -> dict[str, str]:
    """Maps each character that looks like another one, or like several in a row, to the one for all that look so."""
    from confusable_homoglyphs.confusables import confusables_data  # noqa: PLC0415  # 0.06 s; a new file needs none

    table = {char: [other["c"] for other in others] for char, others in confusables_data.items()}
    prototypes: dict[str, str] = {}
    for key, others in table.items():
        char = key.strip("\u200e")  # surrounds right-to-left characters in the tables
        # The table lists for a prototype all that look like it, and for each of those only the prototype.
        if len(char) == len(others) == 1 and (len(table[others[0]]) > 1 or others[0] < key):
            prototypes[char] = prototype(char, others[0])
    return prototypes


def prototype(char: str, like: str) -> str:
    """Returns what replaces a character in a look, where TS 39 has `like`."""
    if like in {"l", "!"} - {char} or char == "\u04cf":  # the Cyrillic palochka, which the tables map to i only
        return "1"
    if like == "\u0237":  # the tables do not map the dotless j to j
        return "j"
    category = unicodedata.category(char)
    is_mark = category[0] in "PS" or (category != "Lo" and all(unicodedata.category(part)[0] in "PS" for part in like))
    return MARK if is_mark else like
