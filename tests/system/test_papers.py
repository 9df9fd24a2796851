"""README.txt and docs/ say what is so: their queries run, their lists are complete, the files they name exist.

test_examples.py runs their examples.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from dataclasses import fields
from shlex import split
from typing import TYPE_CHECKING, Final

import pytest

from client.__main__ import main
from client.chat.help import first_texts, help_texts, room_help_texts
from service.admin.__main__ import main as admin
from service.config import Settings, show_default
from service.storage.records import RoomLimits
from tests.support.helpers import ROOT, enter, running_server
from tests.support.papers import PAPERS, limit

if TYPE_CHECKING:
    from pathlib import Path

README: Final = PAPERS["README.txt"]
CLIENT, SCRIPTING, OPERATING = (PAPERS[f"docs/{name}.txt"] for name in ("client", "scripting", "operating"))
QUERIES: Final = re.findall(r'^    sqlite3 chat\.db "(SELECT.*)"$', README, re.MULTILINE)
MADE: Final = ("benchmarks/profile.svg", "benchmarks/history", "migrations/versions/0007_what.py")  # by a command


# -- the queries ------------------------------------------------------------------------------------------------------
def test_the_queries_run_while_the_service_writes(tmp_path: Path) -> None:
    """Each gives what its heading says, read by another connection in the midst of a chat."""
    with running_server(tmp_path) as server, enter(server.port, "alice") as alice, enter(server.port, "bob") as bob:
        alice.ask("create", room="ops")
        alice.ask("pm", room="ops", message="the deploy is done")
        alice.ask("pm", message="Hello, everyone!")
        alice.ask("dm", to="bob", message="hello there")
        bob.ask("dm", to="alice", message="at last")
        alice.send(*({"command": "dm", "to": "alice", "message": "on and on"} for _ in range(200)))
        with closing(sqlite3.connect(tmp_path / "chat.db")) as connection:
            today, most, talk, word, last, room = (connection.execute(query).fetchall() for query in QUERIES)
        alice.read_until_pong()
    assert [row[1:] for row in today] == [("alice", "Hello, everyone!")]
    assert most[0][0] == "alice"
    assert ("bob", 1) in most
    assert [row[1:] for row in talk] == [("alice", "hello there"), ("bob", "at last")]
    assert [row[1:] for row in word] == [("alice", None, "Hello, everyone!"), ("alice", "bob", "hello there")]
    assert {row[0] for row in last} == {"alice", "bob"}
    assert [row[1:] for row in room] == [("alice", "the deploy is done")]


# -- the lists --------------------------------------------------------------------------------------------------------
def test_the_options_are_all_there_with_their_defaults() -> None:
    """The table of options is that of the settings."""
    listed = dict(re.findall(r"^      (PORT|--[a-z-]+) +(\S+) ", OPERATING, re.MULTILINE))
    defaults = {f"--{field.name.replace('_', '-')}": show_default(field) for field in fields(Settings)}
    defaults["PORT"] = defaults.pop("--port")
    assert listed == defaults


def test_the_limits_an_operator_is_told_are_those_of_the_service() -> None:
    """What is for each address comes out of the default of --address-share."""
    share, text = Settings().address_share, " ".join(OPERATING.split())
    for words in (
        f"each {limit('MESSAGE_BYTES'):,} bytes of a long one count as one",
        f"{limit('READ_RATE'):g} other commands a second after the first {limit('READ_BURST'):,}",
        f"{share * limit('KNOCK_BURST'):,g} times at once and then {share * limit('KNOCK_RATE'):g} times a second",
        f"fail {limit('LOGIN_BURST')} logins at once and register {limit('REGISTER_BURST')} names at once",
        f"one address {limit('CHECK_BURST')} times at once and then once in {number(1 / limit('CHECK_RATE'))} seconds",
        f"one address {limit('SHARE_BURST') * share * limit('CHECK_BURST'):g} times at once and then twice a second",
        f"{limit('OWN_PLACES_BURST')} are replaced at once and then {number(limit('OWN_PLACES_RATE'))} a second",
        f"an account with more than {number(limit('ACCOUNT_PLACES'))} sessions",
        f"At most {share * limit('BCRYPT_PER_ADDRESS'):g} passwords of one address",
        f"({limit('NETWORK_SHARE') * share * limit('BCRYPT_PER_ADDRESS'):g} of a /48)",
        f"which has {limit('HANDSHAKE_TIMEOUT'):g} seconds",
        f"has to be there within {limit('VISIT_TIME'):g} seconds",
        f"At most {limit('VISITORS')} are at once",
        f"{limit('DESCRIPTORS_OF_VISITORS')} more with --proxy-protocol",
        f"at least every {Settings().users_interval:g} seconds (--users-interval)",
        f"and {limit('BCRYPT_PER_ACCOUNT')} of one account there",
        f"only {limit('BCRYPT_WAITING'):,} in all are counted",
        f"when {limit('OUTBOX_BYTES') >> 20} MiB wait for it",
        f"cut off after {limit('PEER_TIMEOUT')} seconds",
    ):
        assert words in text
    assert (limit("SEARCH_COST"), limit("ACT_COST")) == (10, 10)  # in words, as the next two
    assert (share * limit("SHARE_BURST"), limit("ACCOUNT_SHARE")) == (5, 5)
    assert (share * limit("CHECK_RATE"), limit("NETWORK_SHARE")) == (2, 4)
    assert (limit("WARNING"), limit("MARGIN")) == (0.1, 0.1)  # a tenth, and a tenth of that


def test_the_limits_in_rooms_are_those_of_the_service() -> None:
    """What the paper on security says that bounds an attack."""
    share, text, cost = Settings().address_share, " ".join(PAPERS["docs/security.txt"].split()), limit("ACT_COST")
    at_once, rate = limit("READ_BURST") / cost, limit("READ_RATE") / cost
    for words in (
        f"so an account makes {at_once:g} at once and then {rate:g} a second",
        f"an address {share * limit('SHARE_BURST') * at_once:g} and then {share * rate:g}",
        f"An account is in at most {Settings().rooms_per_account} rooms, and {Settings().max_rooms:,} may be at once",
        f"Members ({Settings().max_members:,}) and bans ({RoomLimits._field_defaults['bans']:,}) of a room",
        f"{limit('LOGINS_AT_ONCE')} logins are answered at once",
        f"{number(1 / limit('ROOM_COST'))} rooms count as one line",
        f"looks at {limit('DELETED_LOOKED_AT'):,} deletions at most",
        f"more than {limit('KEPT'):,} losses",
    ):
        assert words in text


def test_the_limits_of_requests_are_those_of_the_service() -> None:
    """And the silence after which the proxies of the paper end a connection is longer than any that is right."""
    web, text = PAPERS["docs/web.txt"], " ".join(PAPERS["docs/web.txt"].split())
    for words in (
        f"A head has at most {limit('HEAD_BYTES') >> 10} KiB and {limit('HEAD_FIELDS')} fields",
        f"a body {limit('BODY_BYTES') >> 10} KiB",
        f"has {limit('VISIT_TIME'):g} seconds, and a POST {limit('POST_TIME'):g}",
        f"At most {limit('VISITORS')} requests",
        f"each {Settings().users_interval:g} seconds (--users-interval)",
        f"has {Settings().login_timeout:g} seconds to log in",
    ):
        assert words in text
    assert limit("VISIT_COST") == 0.25  # in words
    silences = set(
        map(int, re.findall(r"^ +(?:proxy_read_timeout|timeout (?:client|server|tunnel)) (\d+)s", web, re.MULTILINE))
    )
    assert silences == {90}
    assert min(silences) > max(Settings().users_interval, Settings().login_timeout)


def test_the_limits_of_webhooks_are_those_of_the_service() -> None:
    """What a monitor may send."""
    text = " ".join(PAPERS["docs/web.txt"].split())
    for words in (
        f"over {limit('BODY_BYTES') >> 10} KiB, or over {limit('MOST_PIECES')} messages",
        f"over {Settings().max_message:,} characters (--max-message)",
    ):
        assert words in text
    assert limit("LOGIN_BURST") == 20  # in words


def number(amount: float) -> str:
    """A small number as a word."""
    words: dict[float, str] = {5: "five", 8: "eight", 10: "ten"}
    return words[amount]


def test_the_operations_are_those_of_the_client() -> None:
    """The list of operations is what HELP shows; what the first chat shows of them is what a first run shows."""
    general, of_rooms = (
        "".join(f"    {text}\n" for text in texts if re.match(r"[A-Z]{2,} ", text))
        for texts in (help_texts(), room_help_texts())
    )
    assert f"Operations\n----------\n{general}\n{of_rooms}\n" in README
    assert "".join(f"    {text}\n" for text in first_texts()) in README


def test_the_options_of_the_client_are_all_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Those for scripts and the others, each in its paper."""
    with pytest.raises(SystemExit):
        main(["--help"])
    others, _, scripts = capsys.readouterr().out.partition("for scripts:")
    for known, paper in ((scripts, SCRIPTING), (others, CLIENT)):
        options = set(re.findall(r"^  (--[a-z-]+)", known, re.MULTILINE))
        assert len(options) > 5
        assert options == set(re.findall(r"^    (--[a-z-]+)[ ,]", paper, re.MULTILINE))


def test_the_commands_of_the_operator_are_all_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has an example, by chat-admin or make."""
    with pytest.raises(SystemExit):
        admin(["--help"])
    known = set(re.findall(r"^    ([a-z-]+)  ", capsys.readouterr().out, re.MULTILINE))
    shown = re.findall(r"^    (?:chat-admin|make) ([a-z-]+)", OPERATING, re.MULTILINE)
    assert known
    assert known <= set(shown)


def test_make_knows_what_the_papers_ask_of_it() -> None:
    """Each target and each variable in an example is one of the Makefile's, and each of its targets is in a paper."""
    makefile = (ROOT / "Makefile").read_text()
    targets, variables = (
        set(re.findall(form, makefile, re.MULTILINE)) for form in (r"^([a-z_-]+):", r"^([A-Z_]+) \??=")
    )
    examples = re.compile(r"^    (?:\$ )?make (\w.*?)(?:   .*)?$|`make ([^`]+)`", re.MULTILINE)
    asked = [
        split(re.sub("<.*?>", "x", "".join(words))) for text in PAPERS.values() for words in examples.findall(text)
    ]
    assert {word.partition("=")[0] for words in asked for word in words if "=" in word} <= variables
    assert {word for words in asked for word in words if "=" not in word} <= targets
    assert targets - {word for words in asked for word in words} <= {"help", "install", "clean"}


def test_the_screen_is_what_people_see() -> None:
    """As the screen's own test has it."""
    screen = (ROOT / "tests" / "system" / "screens" / "talk-80x24.txt").read_text()
    assert "".join(f"    {line}\n" for line in screen.splitlines()) in README


def test_the_contents_are_the_sections_in_their_order() -> None:
    """Of the longest paper, below its title."""
    contents = re.findall(r"^    (\S+(?: \S+)*)  ", OPERATING.partition("\n\n\n")[0], re.MULTILINE)
    assert contents == re.findall(r"^(.+)\n-+$", OPERATING, re.MULTILINE)


# -- the files --------------------------------------------------------------------------------------------------------
def test_the_files_they_name_exist() -> None:
    """In the papers; and the papers that the programs name."""
    folders = r"(?<![\w-])(?:service|client|tests|benchmarks|migrations|docs|packaging)/[\w./-]*\w"
    for name, text in PAPERS.items():
        for file in re.findall(folders, text):
            assert (ROOT / file).exists() or file.startswith(MADE), (name, file)
    programs = [path for folder in ("service", "client", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    for path in programs:
        for file in re.findall(r"\bdocs/\w+\.txt", path.read_text()):
            assert (ROOT / file).exists(), (path, file)


def test_the_readme_leads_to_each_paper() -> None:
    """None is left out where it says where everything else is."""
    assert set(re.findall(r"^    (docs/\w+\.txt)  ", README, re.MULTILINE)) == {
        name for name in PAPERS if name.startswith("docs/")
    }


@pytest.mark.parametrize("folder", ["service", "client"])
def test_the_maps_name_each_module(folder: str) -> None:
    """Once, and no other."""
    the_map = PAPERS[f"{folder}/README.txt"].partition("The map\n")[2].partition("\n\n\n")[0]
    listed = re.findall(r"^ *([a-z_]+\.py) ", the_map, re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (ROOT / folder).rglob("*.py") if path.name != "__init__.py")


def test_lines_have_at_most_120_columns() -> None:
    """Except for a query, which has to be one line for the shell."""
    for name, text in PAPERS.items():
        for line in text.splitlines():
            assert len(line) <= 120 or line.startswith("    sqlite3 "), (name, line)
