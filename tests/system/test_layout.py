"""The tests mirror the packages: the name of a module tells where its tests are."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.support.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import PurePath

MODULES = [
    path.relative_to(ROOT)
    for package in ("service", "client")
    for path in sorted((ROOT / package).rglob("*.py"))
    if path.name != "__init__.py"
]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_has_its_test_module(module: PurePath) -> None:
    """In the same place below tests/; that of a __main__ is test_main."""
    name = "main" if module.stem == "__main__" else module.stem
    path = ROOT / "tests" / module.with_name(f"test_{name}.py")
    assert path.exists()
    assert "\ndef test_" in path.read_text()


def test_test_modules_share_nothing_but_support() -> None:
    """Helpers and fixtures of several test modules are in tests/support or a conftest.py, so that each exists once."""
    shared = [
        (str(path.relative_to(ROOT)), node.module)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and "test_" in (node.module or "")
    ]
    assert shared == []
