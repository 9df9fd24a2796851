"""The papers, and the limits that they quote, for tests that compare them with the programs."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import Any, Final

import service
from tests.support.helpers import ROOT

PAPERS: Final = {  # by name: README.txt, docs/client.txt, service/README.txt …
    str(path.relative_to(ROOT)): path.read_text()
    for path in (*ROOT.glob("*.txt"), *ROOT.glob("docs/*.txt"), *ROOT.glob("*/README.txt"))
    if not path.name.startswith("requirements")
}


def block(paper: str, heading: str) -> str:
    """The indented lines after a text that ends with this heading, in one line or two."""
    words = r"\s+".join(map(re.escape, heading.split()))
    (lines,) = re.findall(rf"(?:^|\s){words}\n\n((?:    .*\n|\n(?=    ))+)", paper)
    return str(lines)


def limit(name: str) -> Any:
    """Returns the value of a constant of the service, in any module, private or not."""
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(service.__path__, "service.")]
    (value,) = {vars(module)[each] for module in modules for each in (name, f"_{name}") if each in vars(module)}
    return value
