"""Writes: what an engine's writer thread runs for one, or for several together. Opens and commits nothing."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, TypeVar

from service.storage.contract import Write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from service.storage.contract import Done, Failed

T = TypeVar("T")
_WORK: Final = attrgetter("work")


class SqlWrite(Write[T]):
    """A write that calls ``work(connection, *arguments)``."""

    __slots__ = ("arguments", "size", "work")
    goes_together: ClassVar[bool] = False  # several of one work that follow each other are one piece for `run`

    def __init__(
        self,
        work: Callable[..., Any],
        arguments: tuple[Any, ...],
        done: Done[T] = None,
        refused: Failed = None,
        *,
        size: int = 1,
    ) -> None:
        """`size`: how many messages, or similar things, it stores."""
        # This repeats the base class's __init__: calling it takes a third of the time, and each batch of messages is a
        # write.
        self.done = done
        self.refused = refused
        self.error = None
        self.ended = False
        self._finished = None
        self.work = work
        self.arguments = arguments
        self.size = size

    @classmethod
    def run(cls, connection: Any, writes: Sequence[Self]) -> None:
        """Runs one group, and sets the result of each write. An exception is the error of all of them."""
        for write in writes:
            write.result = write.work(connection, *write.arguments)


class GroupWrite(SqlWrite[T]):
    """A write that runs together with adjacent writes of the same work.

    The work is called as ``work(connection, list of their arguments)`` and returns their results in order.
    """

    __slots__ = ()
    goes_together = True

    @classmethod
    def run(cls, connection: Any, writes: Sequence[Self]) -> None:
        results = writes[0].work(connection, [write.arguments for write in writes])
        for write, result in zip(writes, results, strict=True):
            write.result = result


def cut_into_pieces(batch: Iterable[SqlWrite[Any]]) -> Iterator[list[SqlWrite[Any]]]:
    """Cuts a batch into what is run at once: those of one work that follow each other if they go together, else each.

    A work is always of one kind of write.
    """
    for _, group in groupby(batch, key=_WORK):
        writes = list(group)
        if writes[0].goes_together:
            yield writes
        else:
            yield from ([write] for write in writes)
