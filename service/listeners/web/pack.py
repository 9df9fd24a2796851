"""Makes one script of the page's modules and one sheet of its styles, as they are sent: without comments. Pure.

It takes the form that the page's files have: an import or an export is at the start of a line, what is imported is
named, nothing is exported by default, and no text goes over a line's end. At other imports and exports it raises
ValueError.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_IMPORT: Final = re.compile(r"^import \{([^}]*)\} from '\./([\w-]+\.js)';\n", re.MULTILINE)
_PASSED_ON: Final = re.compile(r"^export \{([^}]*)\} from '\./([\w-]+\.js)';\n", re.MULTILINE)
_LIST: Final = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
_DECLARED: Final = re.compile(r"^export ((?:const|function|async function|class) ([\w$]+))", re.MULTILINE)
_LEFT_OVER: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)
_COMMENTS: Final = (
    re.compile(r"^[ \t]*/\*\*(?:[^*]|\*(?!/))*\*/[ \t]*\n", re.MULTILINE),  # of its own lines
    re.compile(r"/\*\* @[^*\n]*\*/ ?"),  # a type within a line
    re.compile(r"^[ \t]*//.*\n", re.MULTILINE),
)
_BEHIND: Final = re.compile(r"^(.*[;,{(\[]) +// .*$", re.MULTILINE)  # a comment behind code
_QUOTES: Final = "'\"`"
_INDENT: Final = re.compile(r"^[ \t]+|\n(?=\n)", re.MULTILINE)
# Lines that go on behind their end; one in which a comment is left ends where it does.
_GOES_ON: Final = re.compile(r"^((?:(?!//).)*[;,{(])\n", re.MULTILINE)
_STYLE: Final = re.compile(r'^[ \t]*<link rel="stylesheet" href="/([\w-]+\.css)">\n', re.MULTILINE)
_STYLE_COMMENT: Final = re.compile(r"[ \t]*/\*.*?\*/", re.DOTALL)


def pack(modules: Mapping[str, str], main: str) -> dict[str, str]:
    """Returns scripts by name: `main` with all that it imports, and those loaded later, which take it from there.

    `modules` are texts by name; one that `main` does not lead to, at once or later, is left out.
    """
    order = _closure(modules, main)
    later = [name for name in modules if name not in order and _is_loaded(modules, name, order)]
    parts = [_wrapped(name, modules[name]) for name in order]
    wanted = {found for name in later for _, found in _imports(modules[name]) if found in order}
    if wanted:
        parts.append(f"export {{ {', '.join(_space(name) for name in order if name in wanted)} }};\n")
    return {main: "".join(parts)} | {name: _outside(modules[name], main, order) for name in later}


def _closure(modules: Mapping[str, str], main: str) -> list[str]:
    """The names of what `main` imports, at once and through others, each behind what it imports itself."""
    order: list[str] = []
    under_way: list[str] = []

    def visit(name: str) -> None:
        if name in order:
            return
        if name in under_way:
            raise ValueError(f"{name} imports itself, through {' and '.join(under_way[under_way.index(name) + 1 :])}.")
        under_way.append(name)
        for _, found in _imports(modules[name]):
            visit(found)
        under_way.pop()
        order.append(name)

    visit(main)
    return order


def _is_loaded(modules: Mapping[str, str], name: str, order: Iterable[str]) -> bool:
    """Whether a module is loaded later, by one of these or by another such one."""
    return any(f"import('./{name}')" in modules[other] for other in order) or any(
        name == found for other in modules if other not in order for _, found in _imports(modules[other])
    )


def _imports(text: str) -> list[tuple[str, str]]:
    """What a module imports: the names, and from which module."""
    return _IMPORT.findall(text) + _PASSED_ON.findall(text)


def _wrapped(name: str, text: str) -> str:
    """A module as a constant: what it exports."""
    exported = [_renamed(names, f"{_space(source)}.") for names, source in _PASSED_ON.findall(text)]
    exported += [_renamed(names) for names in _LIST.findall(text)]
    exported += [declared for _, declared in _DECLARED.findall(text)]
    text = _IMPORT.sub(lambda found: f"const {{ {_taken(found[1])} }} = {_space(found[2])};\n", text)
    text = _bare(name, _DECLARED.sub(r"\1", _LIST.sub("", _PASSED_ON.sub("", text))))
    return f"const {_space(name)} = (() => {{\n{text}return {{ {', '.join(exported)} }};\n}})();\n"


def _outside(text: str, main: str, order: Iterable[str]) -> str:
    """A module that is loaded later: what it imports of those in `order` is in `main`."""
    inside = set(order)
    spaces = sorted({_space(source) for _, source in _imports(text) if source in inside})

    def taken(found: re.Match[str]) -> str:
        return f"const {{ {_taken(found[1])} }} = {_space(found[2])};\n" if found[2] in inside else found[0]

    text = _without_comments(_IMPORT.sub(taken, text))
    return f"import {{ {', '.join(spaces)} }} from './{main}';\n{text}" if spaces else text


def _space(name: str) -> str:
    """The constant that a module becomes. No other name of the page begins so."""
    return f"module_{name.removesuffix('.js').replace('-', '_')}"


def _names(listed: str) -> list[list[str]]:
    return [name.split(" as ") for part in listed.split(",") if (name := part.strip())]


def _taken(listed: str) -> str:
    """`a, b as c` of an import, as what takes an object apart."""
    return ", ".join(": ".join(name) for name in _names(listed))


def _renamed(listed: str, of: str = "") -> str:
    """`a, b as c` of an export, as what puts an object together."""
    return ", ".join(f"{name[-1]}: {of}{name[0]}" for name in _names(listed))


def _bare(name: str, text: str) -> str:
    if left := _LEFT_OVER.search(text):
        raise ValueError(f"{name}: this form of import or export is not packed: {left[0]}")
    return _without_comments(text)


def _without_comments(text: str) -> str:
    for comment in _COMMENTS:
        text = comment.sub("", text)
    text = _BEHIND.sub(lambda found: found[1] if _is_outside_texts(found[1]) else found[0], text)
    return _GOES_ON.sub(r"\1", _INDENT.sub("", text))


def _is_outside_texts(code: str) -> bool:
    """Whether the end of this line of code is surely not within a text."""
    return all(code.count(quote) % 2 == 0 for quote in _QUOTES)


def pack_styles(page: str, styles: Mapping[str, str], main: str) -> tuple[str, dict[str, str]]:
    """Returns the page with one style sheet, `main`, in place of those that it names, and the sheets by name.

    Those that the page does not name are loaded later; all are without comments and indentation.
    """
    names = _STYLE.findall(page)
    one = f'<link rel="stylesheet" href="/{main}">\n'
    begin, link, rest = _STYLE.sub(one, page, count=1).partition(one)
    page = begin + link + _STYLE.sub("", rest)
    if page.count("stylesheet") > len(names[:1]):
        raise ValueError("The page names a style sheet in another form than a link on a line of its own.")
    later = {name: text for name, text in styles.items() if name not in names}
    sheets = {main: "".join(styles[name] for name in names)} | later
    return _INDENT.sub("", page), {name: _bare_style(text) for name, text in sheets.items()}


def _bare_style(text: str) -> str:
    return _INDENT.sub("", _STYLE_COMMENT.sub("", text)).lstrip()
