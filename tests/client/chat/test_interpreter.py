"""What is typed becomes something to do: operations, answers, and the lines of a talk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from client.chat.actions import Action, AtTerminal, InChat, Mistake, Notice
from client.chat.interpreter import MOST_DRAFT, Interpreter
from client.chat.operations import OPERATIONS
from service.wire.protocol import Dm, Ex, HelloEvent, Missed, Pm, Search, Users
from tests.support.deeds import Deeds

if TYPE_CHECKING:
    from client.chat.actions import ChatActions, TerminalActions

NAMES = ["bob", "Bea", "carol"]
HELLO = HelloEvent(protocol=1, server="", version="", registration="open", max_line=1000, max_message=5)


@pytest.mark.parametrize(
    ("lines", "action"),
    [
        (["pm hi there"], Pm(message="hi there")),
        (["PM  a   b "], Pm(message="a   b")),
        (["pm", "hi"], Pm(message="hi")),
        (["pm", "  set in"], Pm(message="  set in")),
        (["pm", "EX"], Pm(message="EX")),
        (["Dm bob hello there"], Dm(to="bob", message="hello there")),
        (["dm bob", "hello"], Dm(to="bob", message="hello")),
        (["dm @bob hello"], Dm(to="bob", message="hello")),
        (["dm bob one\ntwo"], Dm(to="bob", message="one\ntwo")),
        (["eX"], Ex()),
        (["users"], Users()),
        (["MISSED"], Missed()),
        (["search deploy friday"], Search(query="deploy friday")),
        (["search", "deploy"], Search(query="deploy")),
        (["pm a\udcff"], Pm(message="a?")),
    ],
)
def test_lines_become_a_command(lines: list[str], action: Action) -> None:
    """An operation in any case, in one line or asked for step by step, gives its command with the last line."""
    interpreter = Interpreter()
    assert [interpreter.take(line) for line in lines] == [None] * (len(lines) - 1) + [action]
    assert interpreter.question is None


@pytest.mark.parametrize(
    ("lines", "done"),
    [
        (["older"], "read_older()"),
        (["history bob"], "show_history('bob', None)"),
        (["history"], "show_history(None, None)"),
        (["history 10"], "show_history(None, 10)"),
        (["history bob 200"], "show_history('bob', 200)"),
        (["history 10 20"], "show_history('10', 20)"),
        ([" Help "], "show_help(all, about_rooms=False)"),
        (["help Rooms"], "show_help(all, about_rooms=True)"),
        (["new"], "show_news()"),
        (["around", "#17"], "show_around(17)"),
        (["delete #17"], "delete(17)"),
        (["delete"], "offer_deletion()"),
        (["mute Bob"], "mute('Bob')"),
        (["mute"], "mute(None)"),
        (["password"], "change_password()"),
        (["edit"], "edit(None)"),
        (["edit Bob"], "edit('Bob')"),
        (["talk bob", "/edit"], "edit(None)"),
        (["talk bob", "/edit ALL"], "edit('*')"),
        (["talk bob", "/help"], "show_help(all, about_rooms=False)"),
    ],
)
def test_lines_become_a_deed(lines: list[str], done: str) -> None:
    """What is no command calls a method of the session, or of the terminal, with the arguments typed."""
    interpreter, deeds = Interpreter(), Deeds()
    *_, action = [interpreter.take(line) for line in lines]
    if isinstance(action, InChat):
        action.do(cast("ChatActions", deeds))
    else:
        assert isinstance(action, AtTerminal)
        action.do(cast("TerminalActions", deeds))
    assert deeds.done == [done]


@pytest.mark.parametrize(
    "line",
    [
        "hello everyone",
        "ex now",
        "users x",
        "history bob x",
        "history 0",
        "history bob 201",
        "history \u00b2",
        "history 1 2 3",
        "around x",
        "\x1b[2J",
        "x" * 500,
    ],
)
def test_a_mistake_explains_itself_in_one_line(line: str) -> None:
    """What is no operation does nothing, and says what to type in one printable line."""
    action = Interpreter().take(line)
    assert isinstance(action, Mistake)
    assert action.text.isprintable()
    assert len(action.text) <= 80


def test_an_empty_line_does_nothing() -> None:
    """Enter alone asks for nothing."""
    interpreter = Interpreter()
    assert interpreter.take("") is None
    assert interpreter.take("  \t") is None
    assert interpreter.question is None


@pytest.mark.parametrize("lines", [["dm", ""], ["dm", "bob", " "], ["pm", ""], ["search", ""], ["dm", "bob smith"]])
def test_an_empty_answer_cancels(lines: list[str]) -> None:
    """An empty answer, or two words for a name, ends the questions and sends nothing; the next line is an operation."""
    interpreter = Interpreter()
    *_, last = [interpreter.take(line) for line in lines]
    assert isinstance(last, Mistake)
    assert interpreter.take("pm hi") == Pm(message="hi")


def test_questions_come_in_order() -> None:
    """DM asks for the name, then for the message, and says to whom it goes."""
    interpreter = Interpreter()
    asked = []
    for line in ("dm", "b{ob"):
        interpreter.take(line)
        asked.append(interpreter.prompt)
    assert asked == ["To: ", "Message to b{ob: "]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("h", ["history", "help"]),
        ("HI", ["HISTORY"]),
        ("dm b", ["bob", "Bea"]),
        ("dm ", NAMES),
        ("DM bob h", []),
        ("pm b", []),
        ("history c", ["carol"]),
        ("nonsense b", []),
        ("zz", []),
        ("m", ["missed", "members", "mute"]),
        ("/m", ["/me", "/missed", "/members", "/mute"]),
    ],
)
def test_completion_of_an_operation(typed: str, expected: list[str]) -> None:
    """Tab completes operations in the case that is typed, and names only where a name is due."""
    assert Interpreter().completions(typed, NAMES) == expected


def test_completion_of_an_answer() -> None:
    """While a name is asked for, names are completed; while a message is, nothing."""
    interpreter = Interpreter()
    interpreter.take("dm")
    assert interpreter.completions("c", NAMES) == ["carol"]
    interpreter.take("bob")
    assert interpreter.completions("c", NAMES) == []
    assert Interpreter().completions("", NAMES) == [row.name for row in OPERATIONS if row.name != "ME"]


def talking(to: str, **more: Any) -> Interpreter:
    """An interpreter in a talk."""
    interpreter = Interpreter(**more)
    assert isinstance(interpreter.take(f"talk {to}"), Notice)
    return interpreter


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("hi there", Dm(to="bob", message="hi there")),
        ("  set in ", Dm(to="bob", message="  set in")),
        ("help me", Dm(to="bob", message="help me")),
        ("users complain", Dm(to="bob", message="users complain")),
        ("who is there?", Dm(to="bob", message="who is there?")),
        ("hsitory", Dm(to="bob", message="hsitory")),
        ("one\ntwo", Dm(to="bob", message="one\ntwo")),
        ("1/2 of /ex", Dm(to="bob", message="1/2 of /ex")),
        ("//", Dm(to="bob", message="/")),
        ("//ex", Dm(to="bob", message="/ex")),
        ("  //usr // x", Dm(to="bob", message="  /usr // x")),
        ("/ex", Ex()),
        (" /eX ", Ex()),
        ("/ Ex", Ex()),
        ("/PM hi", Pm(message="hi")),
        ("/dm carol  a  secret", Dm(to="carol", message="a  secret")),
        ("", None),
        (" \t", None),
    ],
)
def test_a_line_of_a_talk(line: str, action: Action | None) -> None:
    """A line goes to whom the talk is with; an operation takes a slash, and two slashes are one."""
    interpreter = talking("bob")
    assert interpreter.take(line) == action
    assert interpreter.prompt == "bob> "


@pytest.mark.parametrize(
    "line", ["ex", "EX", " Help", "exit", "password", "dm carol a secret", "dm", "search me", "talk", "/usr/bin", "/"]
)
def test_what_may_be_meant_otherwise_is_not_sent(line: str) -> None:
    """In a talk, what would be an operation elsewhere, or has an unknown one, comes back with a word on it.

    It comes as the operation, so that neither Enter nor a slash typed in haste says it to everyone.
    """
    interpreter = talking("bob")
    said = interpreter.take(line)
    assert isinstance(said, Mistake)
    assert len(said.text) <= 80
    assert (interpreter.draft, interpreter.prompt) == (f"/{line.strip().removeprefix('/')}", "bob> ")


def test_a_person_called_all() -> None:
    """@all is the person of that name; the prompt and the notice tell the two apart."""
    interpreter = talking("@all")
    assert interpreter.take("hi") == Dm(to="all", message="hi")
    assert interpreter.prompt == "@all> "


def test_entered_again_it_is_a_message() -> None:
    """The same line once more is sent, and asks anew the next time; another line in between forgets it."""
    interpreter = talking("bob")
    said = [interpreter.take(line) for line in ("ex", "ex", "ex", "hi", "ex")]
    assert [isinstance(action, Mistake) for action in said] == [True, False, True, False, True]
    assert said[1] == Dm(to="bob", message="ex")


def test_a_talk_ends_and_turns() -> None:
    """TALK with another name turns there; off ends the talk, and then an operation needs no slash, but may."""
    interpreter = talking("bob")
    said = interpreter.take("/talk carol")  # the slash was explained when the first talk began
    assert said == Notice(("What you type goes to carol now, until /talk off.",), held="carol")
    assert interpreter.take("hi") == Dm(to="carol", message="hi")
    assert isinstance(interpreter.take("/Talk OFF"), Notice)
    assert interpreter.prompt == "PM/DM/EX> "
    assert [interpreter.take(line) for line in ("ex", "/ex")] == [Ex(), Ex()]
    assert isinstance(interpreter.take("talk off"), Mistake)


def test_questions_in_a_talk() -> None:
    """An operation of a talk asks for what it needs; the answer is taken as it is typed."""
    interpreter = talking("carol")
    assert [interpreter.take(line) for line in ("/dm bob", "/ex")] == [None, Dm(to="bob", message="/ex")]
    assert interpreter.take("hi") == Dm(to="carol", message="hi")


def test_a_reply_keeps_its_target() -> None:
    """REPLY answers the last sender of the moment when it was typed, not of the moment when its text is there."""
    senders = ["bob", "carol", "x y"]
    interpreter = Interpreter(lambda: senders.pop(0))
    assert interpreter.take("reply") is None
    assert interpreter.prompt == "Message to bob: "
    assert interpreter.take("at once") == Dm(to="bob", message="at once")
    assert interpreter.take("Reply you  too") == Dm(to="carol", message="you  too")
    assert interpreter.take("reply hi") == Dm(to="x y", message="hi")
    assert isinstance(Interpreter().take("reply hi"), Mistake)


@pytest.mark.parametrize(
    ("lines", "left", "unsent"),
    [
        (["pm 123456"], "PM/DM/EX> ", Pm(message="123456")),
        (["dm", "bob", "123456"], "Message to bob: ", Dm(to="bob", message="123456")),
        (["talk all", "123456"], "all> ", Pm(message="123456")),
    ],
)
def test_a_text_that_is_too_long_comes_back(lines: list[str], left: str, unsent: Pm | Dm) -> None:
    """It is not sent; the typed line is the next one's draft, at the same question, and EDIT has the text."""
    interpreter = Interpreter(hello=HELLO)
    *_, said = [interpreter.take(line) for line in lines]
    assert said == Mistake("Not sent: 1 character too long, of 5. Shorten it, or EDIT it.", unsent=unsent)
    assert (interpreter.take_draft(), interpreter.draft, interpreter.prompt) == (lines[-1], "", left)
    assert isinstance(interpreter.take(lines[-1][:-1]), (Pm, Dm))


def test_what_would_cover_the_screen_does_not_come_back() -> None:
    """A long line is left to EDIT, which knows whom it was for; the question is over."""
    for length, draft in ((MOST_DRAFT, "x" * MOST_DRAFT), (MOST_DRAFT + 1, "")):
        interpreter = Interpreter(hello=HELLO)
        *_, said = [interpreter.take(line) for line in ("dm", "bob", "x" * length)]
        assert isinstance(said, Mistake)
        assert said.unsent == Dm(to="bob", message="x" * length)
        assert (interpreter.draft, interpreter.question is None) == (draft, not draft)


@pytest.mark.parametrize(
    ("before", "line", "message"),
    [
        ([], "pm a\nb", Pm(message="a\nb")),
        ([], "/dm bob a\n b", Dm(to="bob", message="a\n b")),
        ([], "reply a", Dm(to="zoe", message="a")),
        ([], "pm", None),
        ([], "reply", None),
        ([], "a\nb", None),
        ([], "search a", None),
        (["pm"], "ex\nb", Pm(message="ex\nb")),
        (["dm"], "bob hi", None),
        (["dm bob"], "ex", Dm(to="bob", message="ex")),
        (["search"], "a", None),
        (["talk bob"], "ex\nb", Dm(to="bob", message="ex\nb")),
        (["talk bob"], "/pm b", Pm(message="b")),
        (["talk all"], "ex\nb", Pm(message="ex\nb")),
        (["talk all"], "dm bob a\nb", Dm(to="bob", message="a\nb")),
        (["good morning"], "y", None),
    ],
)
def test_the_message_of_a_paste(before: list[str], line: str, message: Pm | Dm | None) -> None:
    """What a pasted text would send is known beforehand, and asking changes nothing."""
    interpreter = Interpreter(lambda: "zoe")
    interpreter.begin("")
    for typed in before:
        interpreter.take(typed)
    prompt = interpreter.prompt
    assert interpreter.message(line) == message
    assert interpreter.prompt == prompt


@pytest.mark.parametrize("line", ["edit", "edit bob", "PASSWORD"])
def test_what_needs_a_terminal(line: str) -> None:
    """What asks the user is a mistake without a terminal."""
    assert isinstance(Interpreter(has_terminal=False).take(line), Mistake)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("h", []),
        ("/h", ["/history", "/help"]),
        ("/HE", ["/HELP"]),
        ("/dm b", ["bob", "Bea"]),
        ("/talk a", ["all"]),
        ("hello @c", ["@carol"]),
        ("/dm bob @c", ["@carol"]),
        ("/talk bob c", []),
    ],
)
def test_completion_in_a_talk(typed: str, expected: list[str]) -> None:
    """In a talk Tab completes operations behind a slash, and names behind an @."""
    assert talking("bob").completions(typed, NAMES) == expected


class Plain:
    """An interpreter that offers plain typing, or has it on, and what it wants to be kept."""

    def __init__(self, talk: str = "all") -> None:
        self.kept: list[str] = []
        self.it = Interpreter(lambda: "zoe", keep_talk=self.kept.append)
        self.it.begin(talk)


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("hello everybody", Pm(message="hello everybody")),
        ("  set in ", Pm(message="  set in")),
        ("users of this room: hello", Pm(message="users of this room: hello")),
        ("new day", Pm(message="new day")),
        ("help me please", Pm(message="help me please")),
        ("ex and why", Pm(message="ex and why")),
        ("quit smoking, folks", Pm(message="quit smoking, folks")),
        ("? what now", Pm(message="? what now")),
        ("history repeats itself", Pm(message="history repeats itself")),
        ("around 9 we go home", Pm(message="around 9 we go home")),
        ("Search me", Pm(message="Search me")),
        ("who is there?", Pm(message="who is there?")),
        ("order pizza", Pm(message="order pizza")),
        ("//ex", Pm(message="/ex")),
        ("pm ex", Pm(message="ex")),
        ("dm bob psst", Dm(to="bob", message="psst")),
        ("reply yes", Dm(to="zoe", message="yes")),
        ("users", Users()),
        ("Users", Users()),
        ("delete 17 rows", Pm(message="delete 17 rows")),
        ("Delete it", Pm(message="Delete it")),
        ("SEARCH a b", Search(query="a b")),
        ("ex", Ex()),
        ("quit", Ex()),
        ("/Exit", Ex()),
        ("/ex", Ex()),
        ("/search me", Search(query="me")),
        ("", None),
    ],
)
def test_plain_typing(line: str, action: Action | None) -> None:
    """What is an operation as a whole is one; all else goes to everyone."""
    interpreter = Plain().it
    assert interpreter.take(line) == action
    assert (interpreter.draft, interpreter.prompt) == ("", "all> ")


@pytest.mark.parametrize(
    ("line", "draft"),
    [("hsitory", "hsitory"), ("serach deploy", "serach deploy"), ("user", "user"), ("password hunter2", "")],
)
def test_a_slip_is_not_said_to_everyone(line: str, draft: str) -> None:
    """A mistyped operation, and what may be a password, is sent only when it is entered twice."""
    interpreter = Plain().it
    assert isinstance(interpreter.take(line), Mistake)
    assert interpreter.take_draft() == draft
    assert interpreter.take(line) == Pm(message=line)
    assert isinstance(interpreter.take(line), Mistake)


@pytest.mark.parametrize("line", ["/hello", "/", "/users x"])
def test_a_slash_is_never_said_to_everyone(line: str) -> None:
    """In plain typing, too, a line with a slash comes back unless it is an operation."""
    interpreter = Plain().it
    assert isinstance(interpreter.take(line), Mistake)
    assert interpreter.draft == line


def test_plain_typing_is_offered() -> None:
    """The first line that is no operation asks; with yes it is sent, and from then on plain lines go to everyone."""
    plain = Plain("")
    assert plain.it.take("good morning {0}") is None
    assert plain.it.prompt == 'Send "good morning {0}" to everyone, and such lines from now on? y/n '
    assert plain.it.takes_word
    assert isinstance(plain.it.take("what?"), Mistake)
    assert plain.it.take("Y") == Pm(message="good morning {0}")
    assert plain.it.take_draft() == "what?"  # typed at the question, it is not lost
    assert plain.it.take("and you?") == Pm(message="and you?")
    assert (plain.kept, plain.it.prompt) == (["all"], "all> ")


@pytest.mark.parametrize("answer", ["n", "NO", ""])
def test_plain_typing_is_declined(answer: str) -> None:
    """With no, or nothing, nothing is sent, and nobody asks again before the next start."""
    plain = Plain("")
    plain.it.take("good morning")
    plain.it.take("are you there?")
    for line in (answer, "good morning"):
        said = plain.it.take(line)
        assert said == Mistake('No operation "good". PM writes to everyone; HELP shows all.')
    assert (plain.kept, plain.it.question, plain.it.take_draft()) == ([], None, "are you there?")


@pytest.mark.parametrize(("talk", "line"), [("off", "hello"), ("", "hsitory"), ("", "/hello"), ("", "new day")])
def test_nothing_is_offered(talk: str, line: str) -> None:
    """Not to who has said TALK off, for a slip, with a slash, nor where an operation was begun."""
    interpreter = Plain(talk).it
    assert isinstance(interpreter.take(line), Mistake)
    assert interpreter.question is None


def test_an_offered_line_that_is_too_long_comes_back() -> None:
    """The line, not the yes."""
    interpreter = Interpreter(hello=HELLO)
    interpreter.begin("")
    interpreter.take("good morning")
    assert isinstance(interpreter.take("y"), Mistake)
    assert (interpreter.draft, interpreter.prompt) == ("good morning", "all> ")


def test_talk_alone_says_where_lines_go() -> None:
    """It changes nothing; off ends the talk with a person first, then plain typing, and is kept."""
    plain = Plain()
    deeds = Deeds()
    for line in ("talk", "talk bob", "/talk"):
        if isinstance(action := plain.it.take(line), InChat):
            action.do(cast("ChatActions", deeds))
    assert [said[:52] for said in deeds.done] == [
        "list_conversations('What is no operation goes to eve",
        "list_conversations('What you type goes to bob. /talk",
    ]
    prompts = []
    for _ in range(2):
        prompts.append(plain.it.prompt)
        plain.it.take("/talk off")
    assert (prompts, plain.it.prompt, plain.kept) == (["bob> ", "all> "], "PM/DM/EX> ", ["off"])


def test_without_a_terminal_all_is_as_it_was() -> None:
    """In a pipe TALK alone ends a talk, one with everyone takes slashes, and no word of another chat is known."""
    interpreter = Interpreter(has_terminal=False)
    interpreter.take("talk all")
    assert [isinstance(interpreter.take(line), Mistake) for line in ("ex", "/quit")] == [True, True]
    assert interpreter.take("/ex") == Ex()
    assert isinstance(interpreter.take("/talk"), Notice)
    assert interpreter.take("hello") == Mistake('No operation "hello". PM writes to everyone; HELP shows all.')
    assert interpreter.take("dm") is None


@pytest.mark.parametrize("line", ["talk zed", "mute zed", "dm zed"])
def test_an_unknown_name_is_asked_about(line: str) -> None:
    """TALK, MUTE, and DM before its text, go on only once the server has said that there is such a user."""
    interpreter, deeds = Interpreter(knows=lambda name: name == "bob"), Deeds()
    action = interpreter.take(line)
    assert isinstance(action, AtTerminal)
    action.do(cast("TerminalActions", deeds))
    assert deeds.done[0].startswith("if_user('zed', ")
    assert interpreter.talk == ""
    assert not isinstance(interpreter.take(line.replace("zed", "bob")), AtTerminal)


def test_dm_alone_shows_who_is_online() -> None:
    """Before the name is asked for."""
    interpreter, deeds = Interpreter(), Deeds()
    action = interpreter.take("dm")
    assert isinstance(action, InChat)
    action.do(cast("ChatActions", deeds))
    assert (deeds.done, interpreter.prompt) == (["show_online()"], "To: ")


@pytest.mark.parametrize("line", ["/part", "/nick bobby"])
def test_words_of_other_chats_without_an_operation(line: str) -> None:
    """They are answered with what to do here."""
    said = Interpreter().take(line)
    assert isinstance(said, Mistake)
    assert any(operation.name in said.text for operation in OPERATIONS)
    assert len(said.text) <= 80


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("exit", Ex()),
        ("/QUIT", Ex()),
        ("/msg bob hi there", Dm(to="bob", message="hi there")),
        ("/who", Users()),
    ],
)
def test_words_of_other_chats(line: str, action: Action) -> None:
    """They do what they do elsewhere."""
    assert Interpreter().take(line) == action


def test_query_turns_to_a_person() -> None:
    """As TALK does."""
    interpreter = Interpreter()
    interpreter.take("/query bob")
    assert interpreter.prompt == "bob> "


@pytest.mark.parametrize(
    ("before", "line", "action"),
    [
        ([], "/me waves  twice", Pm(message="waves  twice", kind="action")),
        (["talk bob"], "/ME waves", Dm(to="bob", message="waves", kind="action")),
        (["talk all"], "/me waves", Pm(message="waves", kind="action")),
        (["/me"], "waves", Pm(message="waves", kind="action")),
        (["talk all"], "me too", Pm(message="me too")),
        (["talk bob"], "me too", Dm(to="bob", message="me too")),
    ],
)
def test_an_action(before: list[str], line: str, action: Action) -> None:
    """It goes where a line of talk would go; without its slash the line is talk."""
    interpreter = Interpreter()
    for typed in before:
        interpreter.take(typed)
    if line[0] == "/":
        assert interpreter.message(line) == action
    assert interpreter.take(line) == action


def test_an_action_takes_a_slash() -> None:
    """Also where operations are typed: who writes "me too" means it so."""
    assert isinstance(Interpreter().take("me too"), Mistake)
    assert Interpreter().message("me too") is None
