"""Which function carries out which order: the one table, for a running service and without one."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Union

from service.accounts.refusals import as_peer_errors
from service.admin.orders import accounts, announce, export, hooks, messages, moderation, names, rooms, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.admin.desk import Desk, Order, Work

HANDLERS: Final[dict[type[Order], Callable[[Any, Desk], Work]]] = {
    accounts.Add: accounts.add,
    accounts.SetPassword: accounts.set_password,
    accounts.Disable: accounts.disable,
    accounts.Enable: accounts.enable,
    accounts.Kick: accounts.kick,
    accounts.CheckName: accounts.check_name,
    announce.Announce: announce.announce,
    export.Export: export.export,
    status.Status: status.status,
    status.Users: status.users,
    messages.DeleteMessage: messages.delete_message,
    messages.Purge: messages.purge,
    messages.Erase: messages.erase,
    names.Rename: names.rename,
    names.DeleteUser: names.delete_user,
    rooms.Rooms: rooms.rooms,
    rooms.DeleteRoom: rooms.delete_room,
    hooks.AddHook: hooks.add_hook,
    hooks.RemoveHook: hooks.remove_hook,
    hooks.Hooks: hooks.hooks,
    moderation.Moderate: moderation.moderate,
    moderation.Moderation: moderation.moderation,
}
ORDERS: Final[Any] = Union[tuple(HANDLERS)]  # noqa: UP007 (made of a table; for the decoder)


def carry_out(order: Order, desk: Desk) -> Work:
    """Carries the order out, and yields what it tells. Raises PeerError, StorageUnavailable.

    This thread holds no place for reading while it yields.
    """
    with as_peer_errors(), closing(HANDLERS[type(order)](order, desk)) as work:
        for told in work:
            desk.storage.release()
            yield told
