"""service/admin/asking.py: an order goes to the running service, or is carried out here."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from service.admin import asking
from service.admin.asking import ask
from service.admin.desk import Progress, Row
from service.admin.orders.accounts import Enable
from service.errors import ChatError, ServiceError
from tests.support.helpers import PATIENCE, running_server
from tests.support.storage import make_chat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ENABLED = Row({"name": "alice", "done": "the account is enabled"}, ["alice: the account is enabled"])


@contextmanager
def answering(folder: Path, *pieces: bytes) -> Iterator[list[bytes]]:
    """A service that answers one order with these bytes and closes; gives what it received, at the end."""
    received: list[bytes] = []

    def answer() -> None:
        connected, _ = listener.accept()
        with connected:
            received.append(connected.recv(1_000))
            for piece in pieces:
                connected.sendall(piece)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "chat.db-control"))
        listener.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield received
        thread.join(PATIENCE)


def test_without_a_service_it_is_carried_out_here(tmp_path: Path) -> None:
    """Also where a killed service has left its socket; and the lock is free afterwards."""
    make_chat(tmp_path / "chat.db")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "chat.db-control"))
    for _ in range(2):
        assert list(ask(str(tmp_path / "chat.db"), Enable("alice"))) == [ENABLED]


def test_a_path_too_long_for_a_socket_keeps_no_order_back(tmp_path: Path) -> None:
    """It is carried out here; a service that has the database is named."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    make_chat(folder / "chat.db")
    assert list(ask(str(folder / "chat.db"), Enable("alice"))) == [ENABLED]
    with running_server(folder), pytest.raises(ChatError, match=r"in use .*process.* Stop that service first"):
        list(ask(str(folder / "chat.db"), Enable("alice")))


def test_an_order_is_one_line_and_the_answer_may_come_in_pieces(tmp_path: Path) -> None:
    """Cut anywhere."""
    with answering(
        tmp_path, b'{"type":"pro', b'gress","doing":"x"}\n{"type":"row","values":{"a":1}}\n{"ty', b'pe":"done"}\n'
    ) as received:
        assert list(ask(str(tmp_path / "chat.db"), Enable("alice"))) == [Progress("x"), Row({"a": 1})]
    assert received == [b'{"order":"enable","name":"alice"}\n']


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "gave no answer; look into its log"),
        (b'{"type":"row","values":{}}\n', "gave no answer; look into its log"),
        (b'{"type":"dance"}\n', "gave no answer; look into its log"),
        (b'{"type":"error","message":"there is no user"}\n', "there is no user"),
    ],
)
def test_an_answer_without_a_good_end_is_an_error(tmp_path: Path, answer: bytes, words: str) -> None:
    """What came before is told all the same."""
    with answering(tmp_path, answer), pytest.raises(ServiceError, match=words):
        list(ask(str(tmp_path / "chat.db"), Enable("alice")))


def test_a_service_that_is_silent_for_long_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile each tick tells that the same is still being done."""
    monkeypatch.setattr(asking, "_TICK", 0.01)
    monkeypatch.setattr(asking, "SILENCE", 0.03)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "chat.db-control"))
        listener.listen()
        work = ask(str(tmp_path / "chat.db"), Enable("alice"))
        assert next(work) == Progress("")
        with pytest.raises(ServiceError, match="silent for"):
            list(work)


def test_ctrl_c_says_what_stays(tmp_path: Path) -> None:
    """The order ends; what it did by then is done."""
    make_chat(tmp_path / "chat.db")
    with closing(ask(str(tmp_path / "chat.db"), Enable("alice"))) as work:
        next(work)
        with pytest.raises(KeyboardInterrupt, match="done until then stays done"):
            work.throw(KeyboardInterrupt())


def test_no_database_is_made_by_an_order(tmp_path: Path) -> None:
    """A typing error in --db says so."""
    with pytest.raises(ChatError, match="there is no database"):
        list(ask(str(tmp_path / "chat.db"), Enable("alice")))
    assert list(tmp_path.iterdir()) == []
