"""What can go wrong, as types: a peer's fault or ours. Imports nothing of the service.

ChatError
├── Refused             what is stored does not allow it; of storage/contract.py, with a subclass for each reason
├── PeerError           the peer's fault; becomes an `error` reply with its code
│   └── CommandError    the line was no command; carries its `ref` and `command` where they could be read
└── ServiceError        ours, or the machine's
    ├── ConfigError         an option or the environment asks for what cannot be
    ├── SchemaError         the database is newer than this program, foreign, or broken
    ├── FileError           a database or backup file is in use, damaged, in the way, or cannot be made
    └── StorageUnavailable  SQLite would not store or read; nothing was changed
        ├── StorageDamaged      and that because the file is damaged
        └── StorageFull         and that because no space is left for messages
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
    "nonce_reused",
    "rate_limited",
    "storage_unavailable",
    "too_many_connections",
    "login_timeout",
    "internal",
]


class ChatError(Exception):
    """The root of the service's own exceptions."""


class PeerError(ChatError):
    """The peer asked for what it may not have; `str()` is the text for the person there.

    `fatal`: the service closes after saying so. `retry_after`: seconds to wait before trying again.
    """

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
    """A setting that cannot be."""


class SchemaError(ServiceError):
    """A database file that this program must not touch."""


class FileError(ServiceError):
    """A file that cannot be what it is asked to be: the database, or a backup of it."""


class StorageUnavailable(ServiceError):  # noqa: N818 (named as its code on the wire)
    """SQLite did not do it: locked, full, read-only, gone. Nothing was stored; trying again is safe."""


class StorageFull(StorageUnavailable):
    """The database has its largest size, or the disk is nearly full; all but messages goes on."""


class StorageDamaged(StorageUnavailable):
    """SQLite found the file itself to be damaged; trying again does not help."""
