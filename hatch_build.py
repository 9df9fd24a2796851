"""Makes the manual pages for a wheel, from the parsers of the programs.

`make dist` builds in an environment that has what this takes. Other builds, such as `pip install .`, have not: their
wheel is without the pages.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualPages(BuildHookInterface[Any]):
    """Puts them where `man` looks for those of an environment."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before the build; a page is a file until it has ended."""
        self._folder = TemporaryDirectory()
        for command, page in _make_pages(self.root, self.metadata.version).items():
            path = Path(self._folder.name, f"{command}.1")
            path.write_text(page, encoding="utf-8")
            build_data["shared_data"][str(path)] = f"share/man/man1/{path.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        self._folder.cleanup()


def _make_pages(root: str, version: str) -> dict[str, str]:
    """Returns the page of each command; none if a package is missing."""
    sys.path.insert(0, root)
    try:
        from argparse_manpage.manpage import Manpage

        import client.__main__ as client
        import service.admin.__main__ as admin
        from service import config
        from service.programs import COMMANDS
    except ModuleNotFoundError:
        return {}
    os.environ["COLUMNS"] = "80"  # the parsers wrap for it
    pages = {}
    for command, module in zip(COMMANDS, (client, config, admin), strict=True):
        parser = module.make_parser(prog=command)
        page = Manpage(parser)
        page.description = parser.description.partition(".")[0]
        page.source, page.manual = f"{command} {version}", "Chat"
        pages[command] = str(page)
    return pages
