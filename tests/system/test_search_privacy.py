"""What a search tells of messages that its asker may not read: nothing, whatever stands in them."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.storage.records import Post, UnknownRoom
from service.storage.sqlite import fulltext
from service.storage.sqlite.fulltext import MAX_ENDINGS
from tests.support.helpers import open_storage
from tests.support.search import ASKER, DEV, OPS, SECRET, USERS, answer, open_postgres, open_sqlite
from tests.support.storage import add, make_room, say, store_posts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from service.storage.contract import Storage
    from tests.support.search import Answer, Index, Question, Row, Said


def flood(beginning: str, count: int = MAX_ENDINGS) -> str:
    """So many words that begin so."""
    return " ".join(f"{beginning}{n}" for n in range(count))


# -- the attack -------------------------------------------------------------------------------------------------------
def ask(storage: Storage, query: str, user: int) -> int:
    """How many messages are found."""
    storage.index_search()
    return len(storage.search_page(query, user, None, None, 20).messages)


@pytest.mark.engines
@pytest.mark.parametrize("guess", ["s", "secret", "secretary", "e-mail", "sécret"])
def test_words_of_others_do_not_fill_up_a_beginning(tmp_path: Path, guess: str) -> None:
    """Who has written as many words as a beginning may stand for is told the same, whether or not others have more."""
    with open_storage(tmp_path / "chat.db") as storage:
        alice, _, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
        say(storage, carol, flood(guess), to="carol")
        before = ask(storage, guess, carol)
        for text in (guess, f"{guess}aries", flood(f"{guess}x")):
            say(storage, alice, text, to="bob")
        assert before == ask(storage, guess, carol) == 1


MARKS: Final = ["1x2", "1x2\u00b7", "1\u00b7plan", "\ue0001x2", "\ue0001", "words:plan", "1", "plan"]


@pytest.mark.engines
@pytest.mark.parametrize("query", MARKS)
def test_no_word_tells_who_talks_with_whom(tmp_path: Path, query: str) -> None:
    """How the index marks the words of direct messages opens nothing to who types it, in a text or in a query."""
    with open_storage(tmp_path / "chat.db") as storage:
        alice, _, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
        say(storage, alice, "plan", to="bob")
        assert ask(storage, query, carol) == 0
        for to in (None, "carol"):
            say(storage, carol, f"{query} ", to=to)
        assert ask(storage, query, carol) == 2
        assert ask(storage, "plan", alice) == 1 + ("plan" in query)


# -- the model --------------------------------------------------------------------------------------------------------
FEW: Final = 3  # endings, in place of MAX_ENDINGS

# Few words, so that they meet, and begin as each other do; and what the indexes, these and older ones, have as marks.
pieces = st.sampled_from(
    ["a", "ab", "aba", "b", "\u00e0b", "a-b", "1", "1x2", "1\u00b7a", "2\u00b7ab", "\u00b72", "\ue000", "\0", "!"]
)
lines = st.lists(pieces.filter("\0".__ne__), min_size=1, max_size=4).map(" ".join)
floods = st.builds(flood, st.sampled_from(["a", "b", "ab", "1", "\ue000"]), st.integers(FEW - 1, FEW + 1))
texts = lines | floods
others = st.integers(2, USERS)
anyone = st.integers(1, USERS)
hidden = st.none() | st.one_of(
    st.tuples(others, others, st.none(), texts),
    st.tuples(anyone, st.none(), st.just(SECRET), texts),
)
shown = st.one_of(
    st.tuples(anyone, st.none(), st.none() | st.sampled_from([OPS, DEV]), texts),
    st.tuples(st.just(ASKER), anyone, st.none(), texts),
    st.tuples(anyone, st.just(ASKER), st.none(), texts),
)
histories = st.lists(shown.map(lambda row: (row, row)) | st.tuples(hidden, hidden), min_size=4, max_size=16)
questions: st.SearchStrategy[Question] = st.tuples(
    st.lists(pieces | st.just("r1"), min_size=1, max_size=2).map(" ".join),
    st.none() | st.sampled_from([ASKER, 2]),
    st.sampled_from([None, None, None, "", "ops", "secret"]),
    st.booleans(),
    st.none() | st.integers(0, 17),
    st.integers(1, 4),
)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """The search of an engine, over users and rooms."""
    if request.param == "sqlite":
        with open_sqlite(tmp_path_factory.mktemp("index")) as sqlite:
            yield sqlite
    else:
        with open_postgres(request.getfixturevalue("cluster")) as postgres:
            yield postgres


def expect(rows: Sequence[Row], question: Question) -> Answer:
    """The same, from the rows that the asker may read, and without an index."""
    query, partner, room, is_in_rooms, before, limit = question
    if room == "secret":
        return repr(UnknownRoom("secret"))
    words = fulltext._cut_query(query)
    own = [row for row in rows if row[2] is not None]
    public, ops, dev = ([row for row in rows if row[2] is None and row[3] == each] for each in (None, OPS, DEV))
    others = [ops, dev] if is_in_rooms else []
    scopes = {None: [public, own, *others], "": [public, *others], "ops": [ops]}[room]
    found = {row[0]: row[4] for part in scopes for row in select(part, words)}
    if partner is not None and not room:
        talk = {ASKER, partner}
        found = {row[0]: row[4] for row in select(own, words) if {row[1], row[2]} == talk}
    ids = sorted((number for number in found if before is None or number < before), reverse=True)
    return [(number, found[number]) for number in ids[:limit]], len(ids) > limit


def select(rows: Sequence[Row], words: Sequence[tuple[str, ...]]) -> list[Row]:
    """Those that have all the words, the last part of each as a beginning, unless that stands for too many."""
    if not words:
        return []
    cut = {row: fulltext._cut([row[4]])[0] for row in rows}
    known = {word for there in cut.values() for word in there}
    for *head, beginning in words:
        endings = [word for word in known if word.startswith(beginning)]
        endings = endings if len(endings) <= FEW else [beginning]
        phrases = [[*head, ending] for ending in endings]
        size = len(head) + 1
        cut = {
            row: there
            for row, there in cut.items()
            if any(there[n : n + size] in phrases for n in range(len(there) - size + 1))
        }
    return list(cut)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(histories, st.lists(questions, min_size=1, max_size=8), st.integers(1, 9))
def test_others_messages_change_no_answer(
    index: Index,
    history: list[tuple[Said | None, Said | None]],
    asked: list[Question],
    step: int,
) -> None:
    """Where only what others wrote to each other differs, or is not there, the answers are those to what one may read.

    Floods of one's own words, and public ones, included.
    """
    worlds = [[(number, *row) for number, row in enumerate(world, 1) if row] for world in zip(*history, strict=True)]
    readable = [row for row in worlds[0] if row[3] != SECRET and (row[2] is None or ASKER in row[1:3])]
    expected = [expect(readable, question) for question in asked]
    for world in worlds:
        index.fill(world, step)
        assert [answer(index, question, endings=FEW) for question in asked] == expected


# -- the work ---------------------------------------------------------------------------------------------------------
def test_others_words_cost_a_search_no_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So they cannot make it take too long, either: it has as many steps as where they are no words that are asked for.

    (How many pieces the index is in, and so how much others have written, is another thing.)
    """
    steps = 0

    def count() -> float:
        nonlocal steps
        steps += 1
        return 0.0

    monkeypatch.setattr(fulltext, "time", SimpleNamespace(thread_time=count))
    taken = []
    for number, words in enumerate(("word works wordy", "zeta zebra zebus")):
        with open_storage(tmp_path / f"{number}.db") as storage:
            alice, bob, carol = (add(storage, name) for name in ("alice", "bob", "carol"))
            say(storage, alice, "word in public")
            say(storage, carol, "word for me", to="carol")
            make_room(storage, "ops", carol)
            make_room(storage, "secret", alice)
            store_posts(storage, carol, Post(None, "word of ours", None, room="ops"))
            store_posts(storage, alice, *[Post(bob, words, None), Post(None, words, None, room="secret")] * 1_500)
            storage.index_search()
            steps = 0
            search = partial(fulltext.search_page, rooms=True, check_every=1)
            assert len(storage.read(search, "word wo w", carol, None, None, 20).messages) == 3
            taken.append(steps)
    assert taken[0] == taken[1]
