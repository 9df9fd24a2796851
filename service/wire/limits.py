"""The wire's own limits: both sides count on them, so that no setting changes one."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1
MAX_REF: Final = 64  # characters
MAX_NONCE: Final = 64  # characters
MAX_PAGE: Final = 200  # messages in one page, and ids in one `seen`
MAX_ID: Final = 2**63 - 1  # the largest integer that a database takes as an id
MAX_QUERY: Final = (
    4_096  # characters of a search: cutting words takes 30 ms for this many, and half a second for 64 KiB
)
MAX_USERNAME: Final = 32  # characters, counted after the name is mapped
DEFAULT_PAGE: Final = 50  # messages: a few screens
DEFAULT_SEARCH_PAGE: Final = 20  # messages: one screen
