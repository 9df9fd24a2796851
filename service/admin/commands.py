"""The operator's commands as they are typed: the one table of their words, arguments and work. Prints nothing."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from service.accounts import passwords
from service.accounts.names import map_name, map_new_name
from service.admin import arguments, files
from service.admin.asking import ask
from service.admin.dossier import export
from service.admin.hooks import add_or_remove, list_hooks
from service.admin.orders import accounts, messages, names, rooms
from service.admin.orders.announce import MAX_ANNOUNCEMENT, Announce
from service.admin.orders.moderation import Moderate, Moderation
from service.admin.orders.status import Status, Users
from service.admin.roster import import_users
from service.errors import PeerError
from service.storage.records import DELETED
from service.visible import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from service.admin.desk import Order, Work
    from service.admin.show import Layout
    from service.config import Settings
    from service.storage.records import Action


class Command(NamedTuple):
    """A row of the table: what is said about the command, what it takes, and what it does."""

    explain: str
    work: Callable[[argparse.Namespace, Settings], Work]
    add_arguments: Callable[[argparse.ArgumentParser, Settings], None]
    layout: Layout = "text"  # without --json
    needs_file: bool = False  # over PostgreSQL its own programs do it


# -- orders -----------------------------------------------------------------------------------------------------------
def _for_name(make_order: Callable[[str], Order]) -> Callable[[argparse.Namespace, Settings], Work]:
    """Returns the work of a command that has an order carried out for a name."""

    def work(given: argparse.Namespace, _: Settings) -> Work:
        yield from ask(given.db, make_order(map_name(given.name)))

    return work


def _status(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, Status())


def _users(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, Users(disabled=given.disabled))


def _add(given: argparse.Namespace, settings: Settings) -> Work:
    name = map_new_name(given.name, settings.main_room)
    yield from ask(given.db, accounts.Add(name, _ask_new_hash(name, settings)))


def _rename(given: argparse.Namespace, settings: Settings) -> Work:
    order = names.Rename(map_name(given.name), map_new_name(given.new_name, settings.main_room))
    yield from ask(given.db, order)


def _delete_user(given: argparse.Namespace, _: Settings) -> Work:
    name = map_name(given.name)
    _confirm(f"Close the account {name} for good? Nobody can undo it, and nobody gets the name again.")
    try:
        yield from ask(given.db, names.DeleteUser(name, given.with_messages))
    except KeyboardInterrupt:
        if not given.with_messages:
            raise
        advice = f"what was deleted until then stays so. For the rest give the command again, for {DELETED}-…"
        raise KeyboardInterrupt(advice) from None


def _set_password(given: argparse.Namespace, settings: Settings) -> Work:
    name = map_name(given.name)
    yield from ask(given.db, accounts.SetPassword(name, _ask_new_hash(name, settings)))


def _set_role(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, Moderate(map_name(given.name), "role", _map_room(given.room), given.role))


def _kick(given: argparse.Namespace, _: Settings) -> Work:
    name, room = map_name(given.name), _map_room(given.room)
    yield from ask(given.db, accounts.Kick(name) if room is None else Moderate(name, "kick", room))


def _moderate(action: Action) -> Callable[[argparse.Namespace, Settings], Work]:
    """Returns the work of a command that does so to somebody in a room."""

    def work(given: argparse.Namespace, _: Settings) -> Work:
        name, room = map_name(given.name), _map_room(given.room)
        yield from ask(given.db, Moderate(name, action, room, minutes=given.minutes, reason=given.reason))

    return work


def _rooms(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, rooms.Rooms(gone=given.gone))


def _delete_room(given: argparse.Namespace, _: Settings) -> Work:
    order = rooms.DeleteRoom(_known_room(given.room))
    _confirm(f"Delete the room {order.name} for good? Its members are told, and no command reads it any more.")
    yield from ask(given.db, order)


def _moderation(given: argparse.Namespace, _: Settings) -> Work:
    user = None if given.user is None else map_name(given.user)
    yield from ask(given.db, Moderation(_map_room(given.room), user, given.action, given.since))


def _map_room(text: str | None) -> str | None:
    return None if text is None else _known_room(text)


def _known_room(text: str) -> str:
    """Returns the name of the room that `text` means. Raises PeerError for one that no room can have."""
    try:
        return map_name(text)
    except PeerError:
        raise PeerError("unknown_room", f'there is no room "{text}"') from None


def _announce(given: argparse.Namespace, _: Settings) -> Work:
    text = given.text
    try:
        if text == "-":
            text = sys.stdin.read(MAX_ANNOUNCEMENT + 2).rstrip("\r\n")  # no more than shows that it is too long
        text.encode()
    except UnicodeError:
        raise PeerError("bad_request", "the text is no UTF-8; nothing was announced") from None
    yield from ask(given.db, Announce(text))


def _delete_message(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, messages.DeleteMessage(given.id, given.reason))


def _purge(given: argparse.Namespace, _: Settings) -> Work:
    kinds = (not given.direct_only, not given.public_only)
    order = messages.Purge(given.before, *kinds, _map_room(given.room), given.dry_run)
    if not given.dry_run:
        _confirm("Remove these messages for good? --dry-run says how many there are.")
    yield from ask(given.db, order)


def _erase(given: argparse.Namespace, _: Settings) -> Work:
    yield from ask(given.db, messages.Erase())


def _confirm(question: str) -> None:
    """Asks at a terminal before what cannot be undone; a script means what it says. Raises PeerError."""
    if sys.stdin.isatty():
        sys.stderr.write(f"{one_line(question)} Type yes: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != "yes":
            raise PeerError("bad_request", "nothing was changed")


def _ask_new_hash(name: str, settings: Settings) -> str:
    password = passwords.check_new(_ask_password(name), settings.min_password)
    return passwords.make_hash(password, settings.bcrypt_cost)


def _ask_password(name: str) -> str:
    """Reads it twice and unseen at a terminal, else from the first line of stdin. Other users can see arguments."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass(f"New password for {name}: ")
    if getpass.getpass("The same again: ") != password:
        raise PeerError("weak_password", "the two differ; nothing was changed")
    return password


COMMANDS: Final[Mapping[str, Command]] = {
    "init-db": Command("make the database, or upgrade an older one", files.init_db, arguments.add_for_init_db),
    "backup": Command(
        "copy the database to a file, also while the service runs",
        files.backup,
        arguments.add_for_backup,
        needs_file=True,
    ),
    "restore": Command(
        "put a backup in the database's place; the service must not run",
        files.restore,
        arguments.add_for_restore,
        needs_file=True,
    ),
    "verify": Command(
        "check a database or a backup, also while the service runs",
        files.verify,
        arguments.add_file_to_look_at,
        needs_file=True,
    ),
    "copy": Command(
        "copy the whole chat from SQLite to PostgreSQL, or back; no service may run", files.copy, arguments.add_for_copy
    ),
    "status": Command("say how the service does, and who is connected", _status, arguments.add_db),
    "users": Command("list the accounts", _users, arguments.add_for_users),
    "add": Command("make an account, also where registration is closed", _add, arguments.add_name),
    "password": Command("give an account a new password", _set_password, arguments.add_name),
    "disable": Command("shut an account out", _for_name(accounts.Disable), arguments.add_name),
    "enable": Command("let an account in again", _for_name(accounts.Enable), arguments.add_name),
    "kick": Command(
        "end the sessions of an account, or its membership of a room; it may come again",
        _kick,
        arguments.add_name_in_room,
    ),
    "role": Command(
        "make an account member, moderator or owner of the main room, or of another", _set_role, arguments.add_for_role
    ),
    "ban": Command(
        "keep somebody out of the main room, or of another", _moderate("ban"), arguments.add_for_restriction
    ),
    "unban": Command("let somebody in again who was banned", _moderate("unban"), arguments.add_name_in_room),
    "mute": Command("let somebody read there, and not write", _moderate("mute"), arguments.add_for_restriction),
    "unmute": Command("let somebody write again who was muted", _moderate("unmute"), arguments.add_name_in_room),
    "rooms": Command("list the rooms", _rooms, arguments.add_for_rooms),
    "room": Command("delete a room", _delete_room, arguments.add_for_room),
    "hook": Command(
        "make or remove a webhook, by which a program speaks in a room", add_or_remove, arguments.add_for_hook
    ),
    "hooks": Command("list the webhooks", list_hooks, arguments.add_db),
    "moderation": Command(
        "list what moderators and operators did, oldest first", _moderation, arguments.add_for_moderation
    ),
    "announce": Command("say something to everyone, as the account server", _announce, arguments.add_for_announce),
    "import-users": Command(
        "make accounts for the names in a file, with passwords made for them",
        import_users,
        arguments.add_for_import,
        "csv",
    ),
    "export": Command("give out all that is stored of a person", export, arguments.add_for_export),
    "rename": Command("give an account another name; nobody gets the old one", _rename, arguments.add_for_rename),
    "delete-user": Command(
        "close an account for good; its messages stay, without its name", _delete_user, arguments.add_for_delete_user
    ),
    "delete-message": Command("delete the text of a message", _delete_message, arguments.add_for_delete_message),
    "purge": Command("remove the messages of before a day, rows and all", _purge, arguments.add_for_purge),
    "erase": Command(
        "remove what was deleted from the files now, and say when it is done",
        _erase,
        arguments.add_db,
        needs_file=True,
    ),
    "repair": Command(
        "make counts and search index anew, after a row was changed by hand; the service must not run",
        files.repair,
        arguments.add_db,
        needs_file=True,
    ),
    "compact": Command(
        "make the file smaller after a purge; the service must not run",
        files.compact,
        arguments.add_db,
        needs_file=True,
    ),
    "certs": Command(
        "make a self-signed certificate and its key, to speak TLS with", files.certs, arguments.add_for_certs
    ),
}
