"""Stands in for what does operations: notes what it is asked to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.chat.operations import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable


class Deeds:
    """Notes what it is asked to do."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(*arguments: object, **more: object) -> None:
            told = ["all" if argument is OPERATIONS else repr(argument) for argument in arguments]
            told += [f"{key}={value!r}" for key, value in more.items()]
            self.done.append(f"{name}({', '.join(told)})")

        return note
