"""The names of the programs, as texts tell people to type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.programs import Names, find_names

if TYPE_CHECKING:
    from pathlib import Path


def test_a_clone_names_modules_of_its_python(tmp_path: Path) -> None:
    """That of `make install`, if it runs; a system's one, or that of an active environment, is python3."""
    own = find_names(tmp_path, str(tmp_path / ".venv"))
    assert own == Names(*(f".venv/bin/python -m {module}" for module in ("client", "service", "service.admin")))
    assert find_names(tmp_path, "/usr").admin == "python3 -m service.admin"


def test_an_installed_package_names_its_commands(tmp_path: Path) -> None:
    """Whatever Python runs them."""
    (tmp_path / "__init__.py").touch()
    assert find_names(tmp_path, "/usr") == Names("chat", "chat-service", "chat-admin")
