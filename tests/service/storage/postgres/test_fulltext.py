"""service/storage/postgres/fulltext.py: it finds what the search over SQLite finds, by the same words."""

from __future__ import annotations

import random
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import pytest

from service.storage.postgres import fulltext
from service.storage.postgres.fulltext import INDEX_CHARACTERS, INDEX_MESSAGES, MAX_ENDINGS
from service.storage.postgres.words import MAX_WORD
from service.storage.records import MAX_SEARCH_WORDS, SearchTooSlow, TooManyWords
from tests.support.search import (
    ASKER,
    DEV,
    OPS,
    SECRET,
    USERS,
    PostgresIndex,
    answer,
    open_postgres,
    open_sqlite,
)
from tests.support.storage import ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Cluster
    from tests.support.search import Question, Row

_TEXT: Final = (
    "deploy deployed Deployment DEPLOY re-deploy e-mail e-mailing mail 10.0.0.1 10.0.1.0 v2 x86_64 a an and don't "
    "\u00fcber \u00dcBER uber stra\u00dfe strasse caf\u00e9 cafe\u0301 cafe pla\u00eet \u0130stanbul istanbul l'eau "
    "\u65e5\u672c\u8a9e \u65e5\u672c \u30c6\u30b9\u30c8 \ud55c\uad6d\uc5b4 \ud55c\uad6d \u05e9\u05dc\u05d5\u05dd "
    "\u041f\u0440\u0438\u0432\u0435\u0442 \u043f\u0440\u0438 \u0395\u03bb\u03bb\u03ac\u03b4\u03b1 \u0e44\u0e17\u0e22 "
    "\u0645\u0631\u062d\u0628\u0627 \u0939\u093f\u0928\u094d\u0926\u0940 \U0001f600 \u2764\ufe0f ok\U0001f44dok "
    "\U0001f1e9\U0001f1ea \u00bd \u2167 \ue000 1\u00b72 r1 1x2 #tag @bob na\u00efve"
)
WORDS: Final = _TEXT.split()
PARTS: Final = [*WORDS, *(word[:2] for word in WORDS), "!!!", "nothing", "deploy*", '"', "body:deploy", "NOT", "\0"]


@pytest.fixture(scope="module")
def index(cluster: Cluster) -> Iterator[PostgresIndex]:
    """The search over users and rooms."""
    with open_postgres(cluster) as index:
        yield index


def make_rows(chance: random.Random, count: int) -> list[Row]:
    """Messages of some words, to everyone, in rooms and in talks."""
    rows: list[Row] = []
    for number in range(1, count + 1):
        to = chance.choice([(None, None), (None, OPS), (None, DEV), (None, SECRET), (chance.randint(1, USERS), None)])
        text = " ".join(chance.choices(WORDS, k=chance.randint(1, 8)))
        rows.append((number, chance.choice([ASKER, chance.randint(1, USERS)]), *to, text))
    return rows


def make_questions(chance: random.Random, count: int) -> list[Question]:
    return [
        (
            " ".join(chance.choices(PARTS, k=chance.choice([1, 1, 2, 3]))),
            chance.choice([None, None, ASKER, 2, 3]),
            chance.choice([None, None, None, "", "ops", "dev", "secret", "none"]),
            chance.random() < 0.5,
            chance.choice([None, None, 50, 150]),
            chance.choice([1, 5, 20, 200]),
        )
        for _ in range(count)
    ]


def test_both_engines_find_the_same(index: PostgresIndex, tmp_path: Path) -> None:
    """In any language, with accents, emoji, beginnings, in talks and rooms, page by page: nothing differs."""
    chance = random.Random(86)
    rows, questions = make_rows(chance, 300), make_questions(chance, 400)
    questions += [(part, None, None, True, None, 200) for part in PARTS]
    with open_sqlite(tmp_path) as sqlite:
        sqlite.fill(rows)
        index.fill(rows)
        answers = [answer(sqlite, question) for question in questions]
        assert [answer(index, question) for question in questions] == answers
    assert sum(isinstance(told, tuple) and bool(told[0]) for told in answers) > len(questions) / 4


def say(index: PostgresIndex, *texts: str, step: int = 1_000) -> None:
    """Has the main room hold these texts."""
    index.fill([(number, ASKER, None, None, text) for number, text in enumerate(texts, 1)], step)


def find(index: PostgresIndex, query: str, **more: int) -> list[int]:
    return ids_of(index.search(query, ASKER, None, None, 200, **more))


def test_a_beginning_of_too_many_words_stands_for_itself(index: PostgresIndex) -> None:
    """Up to MAX_ENDINGS words count as begun by it; one more, and only the word itself is found."""
    flood = " ".join(f"an{n}" for n in range(MAX_ENDINGS))
    say(index, flood)
    assert find(index, "an") == [1]
    say(index, flood, "annex", "an apple")
    assert (find(index, "an"), find(index, "ann")) == ([3], [2])


def test_a_search_has_a_bounded_number_of_words(index: PostgresIndex) -> None:
    """Repeats do not count; one word too many is refused."""
    words = [f"w{n}" for n in range(MAX_SEARCH_WORDS)]
    assert find(index, " ".join(words * 2)) == []
    with pytest.raises(TooManyWords):
        find(index, " ".join([*words, "more"]))


def test_what_looks_at_too_much_is_refused(index: PostgresIndex) -> None:
    """Words that are common, but rare together, cost a bounded number of looks; the connection goes on as before."""
    say(index, *["one", "other"] * 250)
    assert find(index, "one other", most=1_000) == []
    with pytest.raises(SearchTooSlow):
        find(index, "one other", most=100)
    assert len(find(index, "one", most=100)) == 200


def test_looking_up_beginnings_is_bounded_too(index: PostgresIndex) -> None:
    """Not only within each owner, but for all owners together."""
    with pytest.raises(SearchTooSlow):
        fulltext._expand(index.connection, ["\u00b7"] * 100, [("o",)], MAX_ENDINGS, -1)


def test_a_long_word_is_found_by_its_beginning(index: PostgresIndex) -> None:
    """An entry of the index has a bounded length; what follows does not count."""
    say(index, "a" + "\U00020000" * 20_000, "a\U00020000a")
    assert find(index, "a\U00020000") == [2, 1]
    assert find(index, "a" + "\U00020000" * 2 * MAX_WORD) == [1]


def test_the_index_is_filled_in_steps(index: PostgresIndex) -> None:
    """So many messages at a time, or so many characters; one at least, and each once."""
    rows: list[Row] = [(number, ASKER, None, None, "word") for number in range(1, INDEX_MESSAGES + 2)]
    rows += [(number, ASKER, None, None, "x" * INDEX_CHARACTERS) for number in (501, 502)]
    index.fill([])
    index.store(rows)
    assert [index.index_some() for _ in range(4)] == [True, True, True, False]
    ((entries, newest),) = index.connection.run(
        "SELECT count(*), (SELECT id FROM search_cursor) FROM search_word"
    ).fetchall()
    assert (entries, newest) == (len(rows), 502)


def test_the_index_tells_what_it_lacks(index: PostgresIndex) -> None:
    """Filling up to a message ends there; where nothing is missing there is nothing to do."""
    index.fill([])
    assert fulltext.newest_missing(index.connection) == 0
    index.store([(number, ASKER, None, None, "word") for number in (3, 7)])
    assert fulltext.newest_missing(index.connection) == 7
    assert not fulltext.index_some_up_to(index.connection, 7)
    assert fulltext.newest_missing(index.connection) == 0


@pytest.mark.parametrize(
    "row", [(None, None), (None, OPS), (2, None), (ASKER, None)], ids=["main", "room", "dm", "self"]
)
@pytest.mark.parametrize("step", [0, 1], ids=["before", "after"])
def test_a_removed_message_leaves_no_word(index: PostgresIndex, row: tuple[int | None, int | None], step: int) -> None:
    """Whether it was indexed already or not; others keep theirs."""
    gone: Row = (1, ASKER, *row, "E-mail \u00fcber alles")
    index.fill([])
    index.store([gone])
    if step:
        index.index_some()
    fulltext.remove(index.connection, [gone])
    index.connection.run("UPDATE message SET body = ''")
    index.store([(2, ASKER, *row, "other mail")])
    index.index_some()
    words = index.connection.run("SELECT DISTINCT id FROM search_word").fetchall()
    assert words == [(2,)]


def test_strangers_change_no_plan(index: PostgresIndex) -> None:
    """However much others write, each statement runs as before."""

    def explain() -> list[str]:
        values = {"owners": ["1\u00b7"], "words": ["word"], "term0": ["words"], "least": 0, "before": 9, "piece": 9}
        with fulltext._one_state(index.connection):
            statement = "EXPLAIN (COSTS OFF) " + fulltext._FIND.format(fulltext._HAS.format(0))
            return [line for (line,) in index.connection.run_several(statement, values).fetchall()]

    index.fill([(1, ASKER, ASKER, None, "word words")])
    before = explain()
    index.fill([(number, 2, 3, None, "word words wordy" * 9) for number in range(1, 2_000)])
    index.connection.run("ANALYZE search_word")
    assert explain() == before
    assert not [line for line in before if "Seq Scan" in line]


def test_strangers_cost_no_look(index: PostgresIndex) -> None:
    """What a search may look at is used up by what its user may read alone."""
    own: list[Row] = [(number, ASKER, ASKER, None, "one" if number % 2 else "other") for number in range(1, 500)]

    def suffices(most: int) -> bool:
        try:
            return find(index, "one other", most=most) == []
        except SearchTooSlow:
            return False

    needed = []
    for strangers in ([], [(number, 2, 3, None, "one other others") for number in range(500, 2_000)]):
        index.fill([*own, *strangers])
        needed.append(bisect_left(range(2_000), True, key=suffices))
    assert 100 < needed[0] == needed[1] < 1_000
