"""Limits of the protocol. Both sides rely on them, so no setting changes them."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSION: Final = 1
MAX_REF: Final = 64  # characters
MAX_NONCE: Final = 64  # characters
MAX_PAGE: Final = 200  # messages in one page, and ids in one `seen`
MAX_ID: Final = 2**63 - 1  # the largest id that a database can store
MAX_REASON: Final = 300  # characters; why somebody deletes or moderates
MAX_TOPIC: Final = 300  # characters; what a room is about, on one line of a wide screen
MAX_MINUTES: Final = 525_600  # of a ban or mute that ends: a year
MAX_LIFETIME: Final = 2_592_000  # seconds that a token may live after its last use: 30 days
MAX_QUERY: Final = 4_096  # characters; cutting this many into words takes 30 ms, 64 KiB would take half a second
MAX_USERNAME: Final = 32  # characters of the mapped name
DEFAULT_PAGE: Final = 50  # messages: a few screens
DEFAULT_SEARCH_PAGE: Final = 20  # messages: one screen
