"""service/visible.py: what is printed or logged cannot steer a terminal."""

from __future__ import annotations

import unicodedata

import pytest

from service.visible import Parser, one_line, safe


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred", "\u241b[31mred"),
        ("\x00\x07\x08\r", "\u2400\u2407\u2408\u240d"),
        ("\x7f", "\u2421"),
        ("\x9b2J", "<U+009B>2J"),
        ("\u202eevil\u202c", "<U+202E>evil<U+202C>"),
        ("\u2066a\u2069", "<U+2066>a<U+2069>"),
        ("a\u2028b\u2029c", "a<U+2028>b<U+2029>c"),
        ("x\U000e0041\U000e007fy", "xy"),
        ("\ud800", "<U+D800>"),
        ("a\nb\tc", "a\nb\tc"),
        ("héllo \U0001f469\u200d\U0001f52c שלום", "héllo \U0001f469\u200d\U0001f52c שלום"),
    ],
)
def test_text_is_made_visible(raw: str, shown: str) -> None:
    """Control, reordering and line-ending characters become visible, tags vanish, all else stays."""
    assert safe(raw) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\nb.db", "a\u240ab.db"),
        ("a\tb", "a\u2409b"),
        ("\udcff.db", "<U+DCFF>.db"),  # a byte that is no text, as Python has it in a file's name
        ("al\u200bice", "al<U+200B>ice"),
        ("\ufeffa\u00ad", "<U+FEFF>a<U+00AD>"),
        ("x" * 5_000, "x" * 5_000),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_one_line_is_one(raw: str, shown: str) -> None:
    """Line ends, tabs and what is invisible are visible too, and nothing is cut: a file's name may be long."""
    assert one_line(raw) == shown


def test_nothing_that_steers_is_left() -> None:
    """Of all characters, no control character but newline and tab survives, and no surrogate; in one line neither."""
    every = "".join(map(chr, range(0x110000)))
    steering = {"Cc", "Cs", "Zl", "Zp"}
    assert {char for char in safe(every) if unicodedata.category(char) in steering} == {"\n", "\t"}
    assert not [char for char in one_line(every) if unicodedata.category(char) in steering]


def test_a_parser_repeats_nothing_raw(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a wrong argument of a command's, nor a default out of a variable."""
    parser = Parser(prog="tool")
    command = parser.add_subparsers().add_parser("do", help="does it")
    command.add_argument("--db", default="\x1b]0;evil\x07\udcff", help="where (default %(default)s)")
    for arguments in (["do", "\x1b[2J\nmore"], ["\x1b[2J"], ["do", "--help"]):
        with pytest.raises(SystemExit):
            parser.parse_args(arguments)
    told = "".join(capsys.readouterr())
    assert not {char for char in told if unicodedata.category(char) in {"Cc", "Cs"}} - {"\n"}
    assert "\u241b[2J\u240amore" in told
    assert "\u241b]0;evil\u2407<U+DCFF>" in told
