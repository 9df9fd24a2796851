"""The colours of what is shown."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest
from prompt_toolkit.output import ColorDepth

from client.settings import Profile
from client.terminal.themes import styles
from client.text import Style

THEMES = get_args(get_type_hints(Profile)["theme"])


@pytest.mark.parametrize("theme", THEMES)
def test_every_style_has_a_look(theme: str) -> None:
    """Each style that a line may have is known, in each theme that a profile may name."""
    known = {name for names, _ in styles(theme).style_rules for name in names.split()}
    expected = {word for option in get_args(Style) for word in (get_args(option) or [option])}
    assert known == expected - {""} | {"status-bar", "place", "rule", "held"}


@pytest.mark.parametrize("theme", THEMES)
def test_sixteen_colours(theme: str) -> None:
    """They are those of the palette, by name, and no grey, which some palettes hide."""
    looks = [look for _, look in styles(theme, ColorDepth.DEPTH_4_BIT).style_rules]
    colours = {word for look in looks for word in look.split()} - {"bold", "dim", "reverse"}
    assert all(colour.startswith("ansi") for colour in colours)
    assert not any("black" in colour or "gray" in colour for colour in colours)


def test_no_colour() -> None:
    """The theme none is bold, dim and reverse alone; the others differ."""
    rules = {theme: dict(styles(theme).style_rules) for theme in THEMES}
    assert {word for look in rules["none"].values() for word in look.split()} == {"bold", "dim", "reverse"}
    assert len({look["name0"] for look in rules.values()}) == len(THEMES)
