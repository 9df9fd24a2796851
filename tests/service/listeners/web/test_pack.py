"""service/listeners/web/pack.py: the page's modules as one script, which does what they do."""

from __future__ import annotations

import gzip
from importlib.resources import files

import pytest

from service.listeners.web.pack import pack, pack_styles

PAGE = {
    "main.js": """/** The first. */
import { add as sum, LIMIT } from './sums.js';
import { names } from './words.js';

/** @type {number} */
let total = 0; // it's empty
for (const number of /** @type {number[]} */ ([1, 2])) {
  total = sum(total, number);
}
export const later = () => import('./later.js');
console.log(total, LIMIT, names, 'no // comment');
""",
    "sums.js": """import { names } from './words.js';
export function add(a, b) {
  return a + b;
}
export { names as LIMIT };
""",
    "words.js": "export const names = ['https://chat.example/'];\nexport { names as other };\n",
    "later.js": """import { add } from './sums.js';
import { more } from './more.js';
export const three = add(1, more);
""",
    "more.js": "export const more = 2;\n",
    "unused.js": "export const unused = 1;\n",
}
# The modules need what names them once, and in the order of their needs.
LOOP = "for (const number of ([1, 2])) {total = sum(total, number);}"
MAIN = f"""const module_words = (() => {{
const names = ['https://chat.example/'];
return {{ other: names, names }};
}})();
const module_sums = (() => {{
const {{ names }} = module_words;function add(a, b) {{return a + b;}}
return {{ LIMIT: names, add }};
}})();
const module_main = (() => {{
const {{ add: sum, LIMIT }} = module_sums;const {{ names }} = module_words;let total = 0;{LOOP}
const later = () => import('./later.js');console.log(total, LIMIT, names, 'no // comment');
return {{ later }};
}})();
export {{ module_sums }};
"""


def test_what_main_imports_is_in_it() -> None:
    """One script has all that is needed at once, each module behind those that it imports, without comments."""
    assert pack(PAGE, "main.js")["main.js"] == MAIN


def test_what_is_loaded_later_takes_what_it_shares_from_main() -> None:
    """A module is made once, however many import it; one that nobody imports is left out."""
    packed = pack(PAGE, "main.js")
    assert set(packed) == {"main.js", "later.js", "more.js"}
    assert packed["later.js"] == (
        "import { module_sums } from './main.js';\n"
        "const { add } = module_sums;import { more } from './more.js';export const three = add(1, more);"
    )


@pytest.mark.parametrize(
    "line",
    ["import * as all from './words.js';", "export default 1;", "export * from './words.js';", "import './words.js';"],
)
def test_another_form_is_refused(line: str) -> None:
    """What is not understood is not sent."""
    with pytest.raises(ValueError, match=r"words\.js: this form"):
        pack({"main.js": "import { a } from './words.js';\n", "words.js": f"{line}\n"}, "main.js")


def test_a_circle_is_refused() -> None:
    """Of two modules that import each other none can be first."""
    modules = {
        "main.js": "import { a } from './a.js';\n",
        "a.js": "import { b } from './main.js';\nexport const a = 1;\n",
    }
    with pytest.raises(ValueError, match="imports itself"):
        pack(modules, "main.js")


def test_style_sheets_become_one() -> None:
    """In the order of the page, without comments and indentation; those that it does not name are beside it."""
    link = '<link rel="stylesheet" href="/{}.css">\n'
    page = f"<head>\n  {link.format('b')}  {link.format('a')}<title>x</title>\n"
    sheets = {
        "a.css": "/* Why. */\na {\n  color: red; /* as blood */\n}\n",
        "b.css": "b {\n  top: 0;\n}\n",
        "c.css": "c {}\n",
    }
    packed, styles = pack_styles(page, sheets, "all.css")
    assert packed == f"<head>\n{link.format('all')}<title>x</title>\n"
    assert styles == {"all.css": "b {\ntop: 0;\n}\na {\ncolor: red;\n}\n", "c.css": "c {}\n"}


def test_a_style_sheet_in_another_form_is_refused() -> None:
    """It would be missing, as it is not sent by its name."""
    with pytest.raises(ValueError, match="another form"):
        pack_styles('<link href="/a.css" rel="stylesheet">\n', {"a.css": ""}, "all.css")


def test_the_page_is_small() -> None:
    """What is loaded before the talk is there has at most 40 KiB: under a second on a slow phone's line."""
    page = files("service.listeners.web").joinpath("page")
    texts = {item.name: item.read_text() for item in page.iterdir() if item.name.endswith((".js", ".css", ".html"))}
    modules = {name: text for name, text in texts.items() if name.endswith(".js")}
    sheets = {name: text for name, text in texts.items() if name.endswith(".css")}
    index, styles = pack_styles(texts["index.html"], sheets, "style.css")
    assert set(styles) == {"style.css", "dialogs.css"}
    sent = [index, styles["style.css"], pack(modules, "main.js")["main.js"]]
    sent += [page.joinpath(name).read_text() for name in ("icon.svg", "manifest.webmanifest")]
    assert sum(len(gzip.compress(text.encode())) for text in sent) <= 40 * 1024
