"""What can go wrong, as types: a peer's fault or ours. Imports nothing of the service.

ChatError
├── Refused             the stored data does not allow it; in storage/records.py, with a subclass for each reason
├── PeerError           the peer's fault; becomes an `error` reply with its code
│   └── CommandError    the line was no command; carries its `ref` and `command` where they could be read
└── ServiceError        our fault, or the machine's
    ├── ConfigError         a setting is invalid, or cannot be met
    ├── SchemaError         the database is of another version, or another program's
    ├── FileError           a database or backup file is in use, damaged, in the way, or cannot be created
    └── StorageUnavailable  the database cannot be read or written just now; nothing was changed, but for `maybe`
        ├── StorageDamaged      because the file is damaged
        └── StorageFull         because no space is left for messages
"""

from __future__ import annotations

from typing import Literal

ErrorCode = Literal[
    "bad_json",
    "bad_request",
    "unknown_command",
    "line_too_long",
    "message_too_long",
    "empty_message",
    "not_logged_in",
    "already_logged_in",
    "bad_credentials",
    "bad_token",
    "username_taken",
    "invalid_username",
    "weak_password",
    "registration_closed",
    "unknown_user",
    "unknown_message",
    "not_allowed",
    "unknown_room",
    "room_exists",
    "invalid_room",
    "not_a_member",
    "muted",
    "banned",
    "limit_reached",
    "nonce_reused",
    "rate_limited",
    "storage_unavailable",
    "too_many_connections",
    "login_timeout",
    "internal",
]


class ChatError(Exception):
    """The base class of the service's own exceptions."""


class PeerError(ChatError):
    """The peer's fault; `str()` is the text for the user.

    `fatal`: the service closes the connection after it. `retry_after`: seconds to wait before another attempt.
    `account`: for the log, whose password was refused.
    """

    account = ""

    def __init__(self, code: ErrorCode, message: str, *, fatal: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.fatal = fatal
        self.retry_after = retry_after


class CommandError(PeerError):
    """A line that is no valid command."""

    def __init__(self, code: ErrorCode, message: str, *, ref: str | None = None, command: str | None = None) -> None:
        super().__init__(code, message)
        self.ref = ref
        self.command = command


class ServiceError(ChatError):
    """The service's own failure; `str()` is one line for its operator."""


class ConfigError(ServiceError):
    """A setting that is invalid, or cannot be met."""


class SchemaError(ServiceError):
    """A database file that this program must not touch."""


class FileError(ServiceError):
    """A database or backup file that cannot be used as requested."""


class StorageUnavailable(ServiceError):  # noqa: N818 (named as its code on the wire)
    """The database is locked, full, read-only or gone. Nothing was stored; another attempt is safe.

    Where it is `maybe`, a server was lost while it stored this, and nobody knows yet whether it has.
    """

    def __init__(self, message: str = "", *, maybe: bool = False) -> None:
        super().__init__(message)
        self.maybe = maybe


class StorageFull(StorageUnavailable):
    """The database has its maximum size, or the disk is nearly full: no messages, and no acts in users' rooms."""


class StorageDamaged(StorageUnavailable):
    """The database file is damaged; another attempt does not help."""
