"""Two services over one PostgreSQL: what is done on one of them, the clients of the other one see.

Everything is done on the first one. A mark, which somebody says there at the end, tells the others that all before it
has come.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from service.accounts.authentication import hash_token
from service.admin.orders import accounts, announce, messages, moderation, names
from service.admin.orders.rooms import DeleteRoom
from service.chat import hooks
from service.origin import origin_of
from tests.support.helpers import PASSWORD, PATIENCE, ROOT, running_server
from tests.support.hooks import SECRET, add_hook
from tests.support.two_services import ALL, MEMBERS, OPS, Cast, Told, said, to
from tests.support.under_load import put_out_under_load
from tests.support.wires import Wires, read_users

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from service.admin.desk import Order
    from tests.support.helpers import Line

Deed = Callable[[Cast], Told]


@pytest.fixture
def cast(database: str, tmp_path: Path) -> Iterator[Cast]:
    """Two services in this process, with their clients."""
    with running_server(tmp_path, db=database) as first, running_server(tmp_path, db=database) as second:
        cast = Cast(first, second, database)
        try:
            yield cast
        finally:
            cast.close()


# -- what is done at the first service, and what the clients at the other one are sent --------------------------------
def say_in_public(cast: Cast) -> Told:
    return to(ALL, said(cast.say(kind="action"), kind="action"))


def say_in_a_room(cast: Cast) -> Told:
    return to(MEMBERS, said(cast.say(**OPS), **OPS))


def say_to_one(cast: Cast) -> Told:
    event = {"type": "direct", "id": cast.say(to="bob"), "from": "alice", "to": "bob", "message": "hi"}
    return to(MEMBERS, event)


def have_a_webhook_say(cast: Cast) -> Told:
    storage = cast.first.services.storage
    add_hook(storage)
    hook = storage.find_hook(hash_token(SECRET))
    assert hook is not None
    number = hooks.say(cast.first.services, hook, origin_of("::1"), ["built"], None, time.monotonic() + PATIENCE)
    return to(ALL, said(number, "built", by="monitor", kind="notice"))


def announce_something(cast: Cast) -> Told:
    cast.order(announce.Announce("soon"))
    page = cast.alice.ask("history", limit=1)["messages"]
    return to(ALL, said(page[0]["id"], "soon", by="server", kind="notice"))


def delete_in_public(cast: Cast) -> Told:
    number = cast.say()
    cast.heard()
    cast.alice.ask("delete", id=number)
    cast.alice.ask("delete", id=number)
    return to(ALL, {"type": "deleted", "id": number})


def delete_in_a_room(cast: Cast) -> Told:
    number = cast.say(**OPS)
    cast.heard()
    cast.alice.ask("delete", id=number)
    return to(MEMBERS, {"type": "deleted", "id": number, **OPS})


def delete_to_one(cast: Cast) -> Told:
    number = cast.say(to="bob")
    cast.heard()
    cast.order(messages.DeleteMessage(number))
    return to(MEMBERS, {"type": "deleted", "id": number})


def see(cast: Cast) -> Told:
    first, second = (cast.bob.ask("dm", to="alice", message="hi")["id"] for _ in range(2))
    in_room = cast.bob.ask("pm", **OPS, message="hi")["id"]
    last = cast.bob.ask("pm", message="hi")["id"]
    cast.heard()
    asked: list[Line] = [
        {**OPS, "id": in_room},
        {"with": "bob", "id": first},
        {"room": "all", "id": first},
        {"ids": [second]},
        {"id": last},
    ]
    for fields in asked:
        cast.alice.ask("seen", **fields)
    return to("also", *({"type": "read", **fields} for fields in asked))


def make_a_room(cast: Cast) -> Told:
    made = cast.alice.ask("create", room="dev", topic="x", private=True)
    del made["created"]
    return {"also": [made]}


def join_a_room(cast: Cast) -> Told:
    carol = cast.here.enter("carol", rooms=True)
    made = carol.ask("join", **OPS)
    del made["created"]
    joined = {"type": "member", **OPS, "username": "carol", "action": "join", "role": "member"}
    line = said(cast.say(**OPS), **OPS)
    return to(MEMBERS, joined, line) | to("carol", made, line)


def leave_a_room(cast: Cast) -> Told:
    bob = cast.here.enter("bob", rooms=True)
    bob.ask("leave", **OPS)
    left = {"type": "member", **OPS, "username": "bob", "action": "leave"}
    return to("also", left, said(cast.say(**OPS), **OPS)) | to("bob", left)


def set_a_topic(cast: Cast) -> Told:
    cast.alice.ask("set_room", **OPS, topic="deploys")
    event = {"type": "room", **OPS, "topic": "deploys", "private": False, "members": 3}
    return to(MEMBERS, event)


def make_private(cast: Cast) -> Told:
    cast.act("carol", "invite")
    invited = {"type": "member", **OPS, "username": "carol", "action": "invite"}
    cast.alice.ask("set_room", **OPS, private=True)
    event = {"type": "room", **OPS, "topic": "", "private": True, "members": 3}
    gone = {"type": "room", **OPS, "gone": True}
    return to(MEMBERS, invited, event) | to("carol", invited, gone)


def delete_a_room(cast: Cast) -> Told:
    cast.order(DeleteRoom("ops"))
    return to(MEMBERS, {"type": "room", **OPS, "gone": True})


def act_on_a_member(action: str, **fields: Any) -> Deed:
    def do(cast: Cast) -> Told:
        if action.startswith("un"):
            cast.act("bob", action.removeprefix("un"))
            cast.heard()
        cast.act("bob", action, **fields)
        event = {"type": "member", **OPS, "username": "bob", "action": action} | fields
        line = said(cast.say(**OPS), **OPS)
        is_in = action not in ("kick", "ban", "unban")
        return to("also", event, line) | to("bob", event, *([line] if is_in else []))

    do.__name__ = action
    return do


def act_in_the_main_room(action: str, *last: Line, **fields: Any) -> Deed:
    def do(cast: Cast) -> Told:
        cast.order(moderation.Moderate("alice", "role", role="owner"))
        cast.heard()
        cast.act("bob", action, room="all", **fields)
        event = {"type": "member", "username": "bob", "action": action} | fields
        return {"also": [event], "bob": [event, *last], "carol": [event]}

    do.__name__ = f"{action} in the main room"
    return do


def set_the_main_topic(cast: Cast) -> Told:
    cast.order(moderation.Moderate("alice", "role", role="owner"))
    cast.heard()
    cast.alice.ask("set_room", room="all", topic="hello")
    return to("also bob carol", {"type": "room", "topic": "hello"})


def end_of_bob(reason: str, order: Order, others: Told | None = None) -> Deed:
    def do(cast: Cast) -> Told:
        cast.order(order)
        told = dict(others or {})
        return told | to("bob", *told.get("bob", []), {"type": "bye", "reason": reason})

    do.__name__ = type(order).__name__
    return do


def change_the_password(cast: Cast) -> Told:
    assert cast.alice.ask("password", old=PASSWORD, new=PASSWORD + "!")["type"] == "ack"
    assert cast.alice.ask("ping")["type"] == "pong"
    return {"also": [{"type": "bye", "reason": "password_changed"}]}


def log_out(cast: Cast) -> Told:
    token = cast.also.hello["token"]
    resumed = cast.here.connect()
    assert resumed.ask("resume", token=token)["type"] == "login_ok"
    resumed.send({"command": "logout"})
    assert resumed.read_to_end()[-1] == {"type": "bye", "reason": "logout"}
    return {"also": [{"type": "bye", "reason": "logout"}]}


RENAMED: Line = {"type": "renamed", "from": "bob", "to": "bobby"}
LEFT: Line = {"type": "member", **OPS, "username": "bob", "action": "leave"}
KICKED: Line = {"type": "bye", "reason": "kicked"}
# By the event that it comes to.
DEEDS: dict[str, list[Deed]] = {
    "broadcast": [say_in_public, say_in_a_room, have_a_webhook_say, announce_something],
    "direct": [say_to_one],
    "deleted": [delete_in_public, delete_in_a_room, delete_to_one],
    "read": [see],
    "room": [make_a_room, join_a_room, set_a_topic, make_private, delete_a_room, set_the_main_topic],
    "member": [
        *(join_a_room, leave_a_room),
        *(act_on_a_member(action) for action in ("kick", "ban", "unban", "mute", "unmute")),
        act_on_a_member("role", role="moderator"),
        *(act_in_the_main_room("mute"), act_in_the_main_room("role", role="moderator")),
        end_of_bob("kicked", names.DeleteUser("bob"), to(MEMBERS, LEFT)),
    ],
    "renamed": [end_of_bob("kicked", names.Rename("bob", "bobby"), to(ALL, RENAMED))],
    "bye": [
        *(act_in_the_main_room("kick", KICKED), act_in_the_main_room("ban", KICKED)),
        *(change_the_password, log_out),
        end_of_bob("password_changed", accounts.SetPassword("bob", "a hash")),
        end_of_bob("kicked", accounts.Disable("bob")),
    ],
}


@pytest.mark.parametrize(
    ("event", "deed"),
    [(event, deed) for event, deeds in DEEDS.items() for deed in deeds],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_the_other_service_tells_its_clients(cast: Cast, event: str, deed: Deed) -> None:
    """Exactly what they would be sent if it was done there, in that order, and nobody else."""
    expected = deed(cast)
    heard = cast.heard()
    assert heard == to(" ".join(heard)) | expected
    assert any(line["type"] == event for lines in heard.values() for line in lines)


def test_each_event_that_is_pushed_is_among_these() -> None:
    """Of those in docs/protocol.txt; lists of users have tests of their own, and a greeting is each service's own."""
    paper = (ROOT / "docs" / "protocol.txt").read_text()
    pushed = set(re.findall(r"^Event (\w+), .*pushed$", paper, re.MULTILINE))
    assert DEEDS.keys() | {"users", "presence", "hello", "error"} == pushed


# -- who is online ----------------------------------------------------------------------------------------------------
def test_who_comes_and_goes_is_listed_at_both(cast: Cast) -> None:
    """Once, as long as one session is there, and by whichever way clients are told."""
    everyone = ["alice", "bob", "carol", "erin", "zoe"]
    dave = cast.here.enter("dave", presence="changes")
    read_users(cast.erin, *sorted([*everyone, "dave"]))
    assert dave.hello["users"] == sorted([*everyone, "dave"])
    again = cast.there.enter("dave")
    dave.ask("ex")
    assert cast.erin.ask("users")["users"] == sorted([*everyone, "dave"])
    again.ask("ex")
    read_users(cast.zoe, *everyone)
    assert read_users(cast.erin, *everyone)["users"] == cast.alice.ask("users")["users"]


def test_a_message_is_delivered_where_its_reader_is_online_anywhere(cast: Cast) -> None:
    """And stored once nobody is there any more."""
    assert cast.alice.ask("dm", to="bob", message="hi")["status"] == "delivered"
    rows = {row["name"]: row["online"] for row in cast.alice.ask("members", **OPS)["members"]}
    assert rows == {"alice": True, "bob": True, "erin": True}
    cast.bob.ask("ex")
    read_users(cast.zoe, "alice", "carol", "erin", "zoe")
    assert cast.alice.ask("dm", to="bob", message="hi")["status"] == "stored"


def test_a_service_that_stops_takes_its_users_along(database: str, tmp_path: Path) -> None:
    """At once: it tells the others before it ends."""
    with running_server(tmp_path, db=database) as first:
        here = Wires(first.port)
        alice = here.enter("alice")
        with running_server(tmp_path, db=database) as second:
            there = Wires(second.port)
            there.enter("bob")
            read_users(alice, "alice", "bob")
            there.close()
        read_users(alice, "alice")
        here.close()


# -- what is kept here and was changed there --------------------------------------------------------------------------
def test_a_name_that_was_looked_up_is_looked_up_anew(cast: Cast) -> None:
    """After a rename and after a deletion at the other service."""
    cast.erin.ask("dm", to="bob", message="hi")
    cast.order(names.Rename("bob", "bobby"))
    cast.heard()
    assert cast.erin.ask("dm", to="bob", message="hi")["code"] == "unknown_user"
    assert cast.erin.ask("dm", to="bobby", message="hi")["to"] == "bobby"
    cast.order(names.DeleteUser("bobby"))
    cast.heard()
    assert cast.erin.ask("dm", to="bobby", message="hi")["code"] == "unknown_user"


@pytest.mark.parametrize(("action", "code"), [("mute", "muted"), ("kick", "not_a_member"), ("ban", "not_a_member")])
def test_what_a_moderator_did_there_holds_here_at_once(cast: Cast, action: str, code: str) -> None:
    """From the act's ack on, even before the other service has heard of it."""
    cast.act("bob", action)
    assert cast.bob.ask("pm", **OPS, message="hi")["code"] == code


def test_a_retry_at_the_other_service_gets_the_first_ack(cast: Cast) -> None:
    """A client comes back where there is a place; its messages are stored once."""
    first = cast.alice.ask("pm", message="hi", nonce="n")
    assert cast.also.ask("pm", message="hi", nonce="n") == first
    assert cast.also.ask("pm", message="ho", nonce="n")["code"] == "nonce_reused"


def test_the_seam_of_a_login_is_the_same_at_both(cast: Cast) -> None:
    """What was said at one before a login at the other is in its last_id, and does not come live."""
    number = cast.say("before")
    dave = cast.there.enter("dave", rooms=True)
    assert dave.hello["last_id"] == number
    later = cast.say("after")
    assert dave.read_type("broadcast")["id"] == later


@pytest.mark.parametrize("action", ["kick", "ban"])
def test_who_is_put_out_there_gets_what_came_before_and_nothing_after(cast: Cast, action: str) -> None:
    """Also what was said at either service while it was done at the other one."""
    cast.bob.ask("leave", **OPS)
    put_out_under_load(cast.here, cast.there, action)
