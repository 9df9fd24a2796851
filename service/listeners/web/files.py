"""The page's files: read and packed once at the start, and handed out as they were then. Makes no path of a request."""

from __future__ import annotations

import gzip
import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Final, NamedTuple

from service.errors import ConfigError
from service.listeners.web.answer import Answer
from service.listeners.web.pack import pack, pack_styles

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from service.listeners.web.http import Request

# Files of other kinds are not handed out.
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_INDEX: Final = "index.html"
_STYLE: Final = "style.css"  # the style sheets that the page names, in one
_MAIN: Final = "main.js"  # the page's script: what it does not lead to is not handed out
_NO_GZIP: Final = re.compile(r"q=0(\.0{0,3})?")


class _File(NamedTuple):
    content: bytes
    packed: bytes  # by gzip; empty where that is no shorter
    content_type: str
    tag: str  # the same for both: a weak one (RFC 9110, section 8.8.1)


class Files:
    """What is at / and /NAME."""

    def __init__(self, folder: Traversable | None = None) -> None:
        """Reads the files in `folder`, by default the page's own. Raises ConfigError if one is missing."""
        folder = folder if folder is not None else files(__package__).joinpath("page")
        try:
            contents = {item.name: item.read_bytes() for item in folder.iterdir() if _type_of(item.name)}
            sent = _packed(contents)
        except (OSError, KeyError) as error:
            raise ConfigError(f"the page's files are not all there ({error}); install the program again") from error
        self._files = {
            "/" if name == _INDEX else f"/{name}": _load(content, _type_of(name)) for name, content in sent.items()
        }

    def answer(self, request: Request) -> Answer | None:
        """Returns the file that a request asks for, or that it is unchanged; None if there is no such file."""
        file = self._files.get(request.path)
        if file is None:
            return None
        about = (("ETag", file.tag), ("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding"))
        known = {tag.strip() for value in request.values("if-none-match") for tag in value.split(",")}
        if {"*", file.tag, file.tag.removeprefix("W/")} & known:
            return Answer(304, b"", file.content_type, about)
        if file.packed and _takes_gzip(request):
            return Answer(200, file.packed, file.content_type, (*about, ("Content-Encoding", "gzip")))
        return Answer(200, file.content, file.content_type, about)


def _type_of(name: str) -> str:
    """Returns what a file is; empty for one that is not handed out."""
    return _TYPES.get(name.rpartition(".")[2], "")


def _packed(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the files as they are sent: few and small, as each costs a connection."""
    texts = {name: content.decode() for name, content in contents.items() if name.endswith((".js", ".css", ".html"))}
    sent = {name: content for name, content in contents.items() if name not in texts}
    page, styles = pack_styles(texts[_INDEX], _some(texts, ".css"), _STYLE)
    packed = {_INDEX: page} | styles | pack(_some(texts, ".js"), _MAIN)
    return sent | {name: text.encode() for name, text in packed.items()}


def _some(texts: Mapping[str, str], end: str) -> dict[str, str]:
    return {name: text for name, text in texts.items() if name.endswith(end)}


def _load(content: bytes, content_type: str) -> _File:
    packed = gzip.compress(content, mtime=0)
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:16]}"'
    return _File(content, packed if len(packed) < len(content) else b"", content_type, tag)


def _takes_gzip(request: Request) -> bool:
    """Whether gzip is among the encodings that the peer takes."""
    for value in request.values("accept-encoding"):
        for coding in value.lower().split(","):
            name, _, weight = coding.replace(" ", "").partition(";")
            if name == "gzip":
                return _NO_GZIP.fullmatch(weight) is None
    return False
