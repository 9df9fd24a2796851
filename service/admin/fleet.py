"""The services over one database of PostgreSQL, as far as orders concern them; desk.py describes the methods.

An order is carried out in the operator's own process. The services hear of it from the database, as of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import fields

from service.admin.desk import Load, NoService

if TYPE_CHECKING:
    from service.storage.contract import AccountStorage
    from service.storage.records import NodeView

T = TypeVar("T")


class Fleet(NoService):
    """What `tell_…` and `end_sessions` do, the storage's news do: here they do nothing."""

    def __init__(self, storage: AccountStorage) -> None:
        self._storage = storage
        self._nodes = storage.nodes()
        self.is_running = bool(self._nodes)
        self.main_room = self._ask("main_room")
        self.web_address = self._ask("web_address")

    def _ask(self, what: str) -> str:
        """Returns what any of them knows; empty where none does."""
        return next((str(node.figures[what]) for node in self._nodes if node.figures.get(what)), "")

    def nodes(self) -> list[NodeView]:
        return self._nodes

    def load(self) -> Load | None:
        """Since the first of them started; what waits is added up."""
        if not self._nodes:
            return None
        names = [field.name for field in fields(Load) if field.name != "started"]
        sums = {name: int(sum(node.figures.get(name, 0) for node in self._nodes)) for name in names}
        return Load(started=min(node.started for node in self._nodes), **sums)

    def count_sessions(self, user_id: int) -> int | None:  # noqa: ARG002 (as in Service)
        return None if self._nodes else 0

    def is_online(self, user_id: int) -> bool:
        return self._storage.count_present(user_id) > 0
