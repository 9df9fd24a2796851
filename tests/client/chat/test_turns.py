"""Where lines go, and how that changes."""

from __future__ import annotations

import pytest

from client.chat.actions import InChat, Mistake, Notice
from client.chat.addressing import EVERYONE
from client.chat.interpreter import Interpreter
from service.wire.protocol import Dm, Pm
from tests.support.deeds import Deeds


def interpreter() -> Interpreter:
    return Interpreter(has_room={"ops", "dev", "bob"}.__contains__, knows={"bob", "carol"}.__contains__)


@pytest.mark.parametrize(
    ("typed", "prompt", "held"),
    [
        ("talk ops", "#ops> ", "#ops"),
        ("talk #OPS", "#ops> ", "#ops"),
        ("talk #bob", "#bob> ", "#bob"),
        ("talk @bob", "bob> ", "bob"),
        ("talk carol", "carol> ", "carol"),
        ("talk all", "all> ", EVERYONE),
    ],
)
def test_talk_holds_a_conversation(typed: str, prompt: str, held: str) -> None:
    """The prompt says which, and so does the answer."""
    turned = interpreter()
    said = turned.take(typed)
    assert isinstance(said, Notice)
    assert (turned.prompt, said.held) == (prompt, held)


@pytest.mark.parametrize("typed", ["talk bob", "talk #new", "history bob"])
def test_what_may_mean_two_is_asked(typed: str) -> None:
    """Nothing changes before it is clear."""
    turned = interpreter()
    assert isinstance(turned.take(typed), Mistake)
    assert turned.prompt == "PM/DM/EX> "


def test_off_holds_the_main_room() -> None:
    """Operations need no slash then."""
    turned = interpreter()
    turned.take("talk ops")
    said = turned.take("/talk off")
    assert isinstance(said, Notice)
    assert (turned.prompt, said.held) == ("PM/DM/EX> ", EVERYONE)


def test_a_key_turns_and_drafts_stay_where_they_were_typed() -> None:
    """What was typed for one conversation is never sent to another."""
    turned = interpreter()
    assert isinstance(turned.turn("#ops", "for all"), Notice)
    assert (turned.prompt, turned.take_draft()) == ("#ops> ", "")
    turned.turn("carol", "for ops")
    assert turned.take_draft() == ""
    assert turned.take("hi") == Dm(to="carol", message="hi")
    turned.turn("#ops", "for carol")
    assert turned.take_draft() == "for ops"
    assert turned.turn(EVERYONE, "") == Notice((), held=EVERYONE)
    assert turned.take_draft() == "for all"
    turned.turn("carol", "")
    assert turned.take_draft() == "for carol"


def test_a_key_turns_to_the_main_room_as_to_any() -> None:
    """Lines go there without a question; with plain typing they do so anyway, and operations need no slash."""
    turned = interpreter()
    turned.begin("")
    turned.turn("#ops", "")
    turned.turn(EVERYONE, "")
    assert (turned.prompt, turned.take("good morning")) == ("all> ", Pm(message="good morning"))
    turned.begin("all")
    turned.turn("#ops", "")
    turned.turn(EVERYONE, "")
    assert isinstance(turned.take("help"), InChat)


def test_a_key_cancels_what_is_asked() -> None:
    """The answer would go elsewhere."""
    turned = interpreter()
    turned.take("dm carol")
    turned.turn("#ops", "psst")
    assert (turned.prompt, turned.take("hi")) == ("#ops> ", Pm(room="ops", message="hi"))


@pytest.mark.parametrize(
    ("typed", "draft"),
    [("dm carol", "/dm carol psst"), ("pm", "/pm psst"), ("dm", "/dm psst"), ("kick carol", "psst")],
)
def test_what_was_asked_for_comes_back_with_its_operation(typed: str, draft: str) -> None:
    """By itself the text would go to who is talked with then, or to everyone."""
    turned = interpreter()
    turned.begin("all")
    turned.take(f"/{typed}")
    turned.turn("#ops", "psst")
    turned.turn(EVERYONE, "")
    assert turned.take_draft() == draft


def test_a_line_that_is_offered_to_be_sent_is_not_lost() -> None:
    """It stands there again."""
    turned = interpreter()
    turned.begin("")
    turned.take("good morning")
    turned.turn("#ops", "y")
    turned.turn(EVERYONE, "")
    assert turned.take_draft() == "good morning"


def test_the_slash_is_explained_once() -> None:
    """The first time that lines go to one conversation, by a key as well."""
    turned = interpreter()
    said = [turned.turn(target, "") for target in ("#ops", "carol")]
    assert [len(notice.lines) for notice in said if isinstance(notice, Notice)] == [2, 0]


@pytest.mark.parametrize(("typed", "done"), [("history #ops", "('#ops', None)"), ("history ops 5", "('#ops', 5)")])
def test_history_of_a_room(typed: str, done: str) -> None:
    """By its name."""
    deeds, action = Deeds(), interpreter().take(typed)
    assert isinstance(action, InChat)
    action.do(deeds)  # type: ignore[arg-type]
    assert deeds.done == [f"show_history{done}"]
