"""The people of a chat."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from client.chat.people import MOST_MUTED, People, inquiry, is_inquiry
from service.wire.protocol import History

EVIL = "e\x1b[2J\nv\u202e"


@pytest.fixture(name="people")
def people_online() -> People:
    """The user is alice; bob is online, too."""
    people = People()
    people.meet("alice", ["bob", "alice"])
    return people


@pytest.mark.parametrize(
    ("users", "said"),
    [
        (["alice"], "You are alice. Nobody else is online."),
        (["alice", "zoe", "bob"], "You are alice. Online: bob and zoe."),
        (["alice", *[f"user{n}" for n in range(9)]], "user7 and 1 other."),
    ],
)
def test_the_welcome(users: list[str], said: str) -> None:
    """It names the others who are online, and of many only the first."""
    assert People().meet("alice", users).text.endswith(said)


@pytest.mark.parametrize("users", [["alice", "bob"], ["bob"], ["alice", "bob", "zoe"]])
def test_others_online(people: People, users: list[str]) -> None:
    """All that are online are counted; the others are those but the user."""
    people.update(users)
    assert people.others() == set(users) - {"alice"}
    assert people.online == len(users)


def test_everybody_online_is_listed(people: People) -> None:
    """Thousands by name, and how many more."""
    assert people.list_online().text == "Online (2): alice (you), bob"
    people.update([f"user{n:06}" for n in range(10_002)])
    listed = people.list_online()
    assert (len(listed.names), listed.names[-1]) == (10_001, "and 2 others")


def test_names_for_completion(people: People) -> None:
    """Others online come first, then others met in messages; never a name that could harm, nor one's own."""
    for name in ("zoe", "carol", EVIL, "alice", "n" * 33):
        people.know(name)
    assert people.names() == ["bob", "carol", "zoe"]


def test_old_names_are_let_go(people: People) -> None:
    """A long evening does not fill the memory."""
    for number in range(1_500):
        people.know(f"user{number:04}")
    assert people.names() == ["bob", *[f"user{number:04}" for number in range(500, 1_500)]]


def test_the_last_sender_is_the_newest(people: People) -> None:
    """By the id of a direct message to the user, in whatever order they come."""
    assert people.last_sender == ""
    for message_id, sender, to in (
        (11, "carol", UNSET),
        (12, "alice", "alice"),
        (13, "alice", "bob"),
    ):
        people.note_direct(message_id, sender, to)
    assert people.last_sender == ""
    people.note_direct(9, "dave", "alice")
    people.note_direct(7, "zoe", "alice")
    assert people.last_sender == "dave"


def test_muting(people: People) -> None:
    """MUTE with a name hides that person, once more shows them again; alone it says who is muted."""
    assert people.mute(None)[0].text == "Nobody is muted. MUTE with a name hides somebody."
    assert people.mute("Bob")[0].text == "bob is muted. MUTE with the name again ends that."
    assert people.mute("zoe")[0].text == "bob and zoe are muted. MUTE with the name again ends that."
    assert (people.is_muted("bob"), people.is_muted("carol")) == (True, False)
    assert people.mute("bob")[0].text == "bob is shown again; HISTORY has what was hidden."
    assert people.mute(None)[0].text == "zoe is muted. MUTE with the name again ends that."


def test_who_is_known_without_asking(people: People) -> None:
    """Whoever is online, was met in a message or is muted, in any case, and the user; of others the server is asked."""
    people.know("zoe")
    people.mute("Eve")
    assert [people.knows(name) for name in ("BOB", "alice", "Zoe", "eve", "zed")] == [True, True, True, True, False]
    assert is_inquiry(inquiry("zed"))
    assert not is_inquiry(History(with_="zed", limit=1))


def test_muting_ends_somewhere(people: People) -> None:
    """So many are muted and one more is not, from an earlier start too; one less makes space."""
    people.recall_muted([f"user{number}" for number in range(MOST_MUTED + 5)])
    assert len(people.muted) == MOST_MUTED
    assert people.mute("bob")[0].is_trouble
    people.mute("user7")
    assert not people.mute("bob")[0].is_trouble
    assert len(people.muted) == MOST_MUTED


def test_a_new_name_takes_all_along(people: People) -> None:
    """Who is online, met, muted, or wrote last; and what is said to the old name goes to the new one, twice over."""
    people.know("bob")
    people.mute("bob")
    people.note_direct(5, "bob", "alice")
    people.rename("bob", "bobby")
    assert (people.names(), people.muted, people.last_sender) == (["bobby"], frozenset(["bobby"]), "bobby")
    assert (people.knows("bob"), people.online) == (False, 2)
    people.rename("bobby", "rob")
    assert [people.present_name(name) for name in ("bob", "Bobby", "rob", "zoe")] == ["rob", "rob", "rob", "zoe"]


def test_new_names_from_a_bad_server_do_no_harm(people: People) -> None:
    """A circle ends, long names are left out, and many do not fill the memory."""
    people.rename("bob", "b" * 33)
    people.rename("bob", "zoe")
    people.rename("zoe", "bob")
    assert people.present_name("bob") in ("bob", "zoe")
    for number in range(1_500):
        people.rename(f"user{number}", f"user{number + 1}")
    assert len(people._renamed) == 1_000


def test_ones_own_new_name(people: People) -> None:
    """It is not among those that one may write to."""
    people.rename("alice", "alicia")
    assert (people.name, people.names(), people.others()) == ("alicia", ["bob"], {"bob"})


def test_changes_of_who_is_online(people: People) -> None:
    """Naming somebody twice changes nothing: both are sets."""
    before = people.online
    people.change(["zed", "zed"], ["nobody"])
    people.change(["zed"], [])
    assert (people.online, "zed" in people.others()) == (before + 1, True)
    people.change([], ["zed"])
    assert people.online == before
