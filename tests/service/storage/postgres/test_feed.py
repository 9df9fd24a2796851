"""service/storage/postgres/feed.py: each commit of others once, in order, and none of this service's own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from service.storage.news import NodeGone, Posted
from service.storage.postgres import address, feed, posting, transaction
from service.storage.postgres.connection import Places, connect
from service.storage.postgres.feed import Feed, Own
from service.storage.records import Post

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.storage.postgres.connection import Connection
    from tests.support.postgres import Cluster


@pytest.fixture
def there(url: str) -> Iterator[Connection]:
    """Where all is written and read."""
    with closing(connect(address.parse(url))) as connection:
        yield connection


def write(there: Connection, *what: str | int) -> Own:
    """Commits messages, given by their texts, and events, given by a number; returns where that stands."""
    place = transaction.begin(there)
    for item in what:
        if isinstance(item, str):
            transaction.place_told(there)
            posting.store_posts(there, [(1, [Post(None, item, None)])])
        else:
            there.tell(NodeGone(item))
    return Own(place, transaction.finish(there, place))


def read(heard: Feed, there: Connection) -> list[Any]:
    """What is new: texts and numbers, as for `write`."""
    news = [each.news for page in heard.read(there) for each in page]
    return [
        item.body if isinstance(item, Posted) else item.node_id for item in news if isinstance(item, Posted | NodeGone)
    ]


def test_messages_and_events_come_in_the_order_of_the_commits(there: Connection) -> None:
    """Each once."""
    heard = Feed()
    write(there, 7, "a", "b", 8)
    write(there, 9)
    write(there, "c")
    assert read(heard, there) == [7, "a", "b", 8, 9, "c"]
    assert read(heard, there) == []
    assert heard.heard == Places(3, 3)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_have_no_seams(there: Connection, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fits on one."""
    monkeypatch.setattr(feed, "PAGE", size)
    write(there, 7, "a", 8, 9, "b", "c", 10)
    assert read(Feed(), there) == [7, "a", 8, 9, "b", "c", 10]


def test_own_commits_are_left_out(there: Connection) -> None:
    """Those that nobody came before need no reading at all."""
    heard = Feed()
    assert not heard.note_own(write(there, "own", 7))
    write(there, "a", 8)
    assert heard.note_own(write(there, "own", 9))
    write(there, "b", 10)
    assert read(heard, there) == ["a", 8, "b", 10]
    assert heard.heard == Places(4, 4)


def test_several_own_commits_are_left_out(there: Connection) -> None:
    """Where the news between them could not be read in time."""
    heard = Feed()
    for text in ("a", "b"):
        write(there, text, 7)
        heard.note_own(write(there, "own", 8))
    assert read(heard, there) == ["a", 7, "b", 7]


def test_what_is_forgotten_is_read_as_anothers(there: Connection) -> None:
    """After an answer that was lost."""
    heard = Feed()
    write(there, "a")
    heard.note_own(write(there, "own", 7))
    heard.forget_own()
    assert read(heard, there) == ["a", "own", 7]


def test_what_came_before_is_told_from_what_came_since(there: Connection) -> None:
    """So that own outcomes stand between."""
    heard = Feed()
    write(there, "a", 7)
    own = write(there, "own", 8)
    write(there, "b", 9)
    heard.note_own(own)
    (page,) = heard.read(there)
    assert [each.is_before(own) for each in page] == [True, True, False, False]


def test_a_message_that_is_deleted_already_never_comes(there: Connection, cluster: Cluster, url: str) -> None:
    """Its text is gone; what follows comes."""
    write(there, "a", "b")
    name = url.rpartition("/")[2]
    cluster.execute("UPDATE chat.message SET body = '', deleted_at = '2026-11-21T09:30:00.000Z' WHERE id = 1", name)
    assert read(Feed(), there) == ["b"]


def test_a_message_has_its_names(there: Connection, cluster: Cluster, url: str) -> None:
    """Those of its sender and, if it is a direct one, of its recipient."""
    place = transaction.begin(there)
    posting.store_posts(there, [(1, [Post(1, "to me", None)])])
    transaction.finish(there, place)
    ((heard,),) = Feed().read(there)
    assert isinstance(heard.news, Posted)
    assert (heard.news.sender, heard.news.recipient, heard.news.recipient_id) == ("alice", "alice", 1)


def test_what_is_not_understood_is_passed_over(
    there: Connection, cluster: Cluster, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer service may tell more; the log says so."""
    name = url.rpartition("/")[2]
    cluster.execute("""INSERT INTO chat.event VALUES (1, 9, 0, '{"type":"unheard of"}')""", name)
    heard = Feed()
    assert read(heard, there) == []
    assert heard.heard.event == 1
    assert "of one version?" in caplog.text
