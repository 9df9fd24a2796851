"""Who came and who went."""

from __future__ import annotations

import pytest

from client.chat.presence import FOLD, RETURN, Mode, Presence

CLASS = {f"user{number:02}" for number in range(30)}


def folded(*changes: set[str], before: set[str]) -> Presence:
    presence = Presence("folded")
    for now in changes:
        assert presence.change(before, now) == []
        before = now
    return presence


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"bob"}, []),
        (set(), ["bob is gone"]),
        ({"bob", "zoe", "carol"}, ["carol and zoe are online"]),
        ({"carol"}, ["carol is online", "bob is gone"]),
    ],
)
def test_all(now: set[str], said: list[str]) -> None:
    """With "all" each change is said at once, in a sentence each."""
    presence = Presence("all")
    assert presence.change({"bob"}, now) == said
    assert presence.take_wait() is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([{"bob", "dave", "carol"}, {"bob", "carol"}], "bob and carol are online, dave is gone"),
        ([{"bob", "dave"}, {"dave"}], None),
        ([{"dave"} | CLASS], f"30 people are online: {', '.join(sorted(CLASS)[:3])} and 27 others"),
        ([CLASS], f"30 people are online: {', '.join(sorted(CLASS)[:3])} and 27 others; dave is gone"),
    ],
)
def test_folded(changes: list[set[str]], said: str | None) -> None:
    """What changes within some seconds of the first change is one line; who came and went meanwhile is left out."""
    presence = folded(*changes, before={"dave"})
    wait = presence.take_wait()
    assert wait is not None
    assert (wait.seconds, presence.take_wait()) == (FOLD, None)
    assert presence.tell(wait.number) == ([said] if said else [])
    assert presence.tell(wait.number) == []


def test_nothing_waits_without_a_change() -> None:
    """The list that comes every 30 seconds begins nothing."""
    assert folded({"bob"}, before={"bob"}).take_wait() is None


def test_who_speaks_is_not_announced_afterwards() -> None:
    """A message says that its sender has come; it does not hide that they go."""
    presence = folded({"bob", "carol"}, before=set())
    presence.speak("bob")
    presence.speak("zoe")
    assert presence.tell() == ["carol is online"]
    presence = folded({"bob"}, before=set())
    presence.speak("bob")
    presence.change({"bob"}, set())
    assert presence.tell() == ["bob is gone"]


@pytest.mark.parametrize("mode", ["none", "all", "folded"])
def test_nothing_of_the_muted(mode: Mode) -> None:
    """Who is muted comes and goes unseen; with "none" so does everyone."""
    presence = Presence(mode, lambda name: name == "bob")
    said = presence.change(set(), {"bob"}) + presence.change({"bob"}, {"carol"}) + presence.tell()
    assert said == ([] if mode == "none" else ["carol is online"])


@pytest.mark.parametrize(
    ("at_return", "later", "said"),
    [
        (CLASS, [], []),
        (set(), [set(list(CLASS)[:5]), CLASS], ["30 people are back"]),
        (CLASS - {"user03"}, [CLASS | {"zoe"}], ["user03 is back, zoe is online"]),
        (CLASS - {"user03", "user04"}, [CLASS - {"user04"}], ["user03 is back, user04 is gone"]),
        (CLASS | {"zoe"}, [], ["zoe is online"]),
    ],
)
def test_after_a_loss(at_return: set[str], later: list[set[str]], said: list[str]) -> None:
    """Who was there before and is there again is no news; who returns within half a minute is back, in one line."""
    presence = Presence("folded")
    shown = presence.come_back(CLASS, at_return)
    wait = presence.take_wait()
    assert (wait and wait.seconds) == (RETURN if CLASS - at_return else FOLD if said else None)
    before = at_return
    for now in later:
        shown += presence.change(before, now)
        before = now
    assert shown + (presence.tell(wait.number) if wait else []) == said


def test_a_change_before_a_loss_is_told_once() -> None:
    """What waited when the connection was lost is told with what is told of the return, and not when it was due."""
    presence = folded({"bob", "carol"}, before={"bob"})
    before_loss = presence.take_wait()
    assert before_loss
    assert presence.come_back({"bob", "carol"}, {"carol"}) == []
    assert presence.tell(before_loss.number) == []
    assert presence.change({"carol"}, {"bob", "carol"}) == ["bob is back, carol is online"]


@pytest.mark.parametrize(("mode", "said"), [("all", ["bob joined #ops"]), ("none", []), ("folded", [])])
def test_who_comes_into_a_room(mode: Mode, said: list[str]) -> None:
    """It is told as presence is."""
    assert Presence(mode).move("#ops", "bob", "joined", {"bob"}) == said


def test_moves_fold_into_one_line_with_presence() -> None:
    """By room and direction; there and back is no news, and of a muted one nothing is."""
    presence = Presence("folded", {"mallory"}.__contains__)
    for name, did in (("bob", "joined"), ("carol", "joined"), ("dave", "left"), ("zoe", "joined"), ("zoe", "left")):
        assert presence.move("#ops", name, did, {"bob", "carol"}) == []
    presence.move("#ops", "mallory", "joined", {"bob", "carol"})
    presence.change({"bob", "carol"}, {"bob"})
    wait = presence.take_wait()
    assert wait
    assert presence.tell(wait.number) == ["carol is gone, bob and carol joined #ops, dave left #ops"]


def test_many_moves_are_counted() -> None:
    """They must not push the talk off the screen."""
    presence = Presence("folded")
    for name in sorted(CLASS):
        presence.move("#ops", name, "joined", CLASS)
    assert presence.tell() == ["user00, user01, user02 and 27 others joined #ops"]


def test_moves_of_a_room_that_is_held_no_longer_are_not_told() -> None:
    """They would stand between the lines of another one."""
    presence = Presence("folded")
    presence.move("#ops", "bob", "joined", {"bob"})
    presence.change({"bob"}, {"bob", "zoe"})
    presence.turn_away()
    assert presence.tell() == ["zoe is online"]
