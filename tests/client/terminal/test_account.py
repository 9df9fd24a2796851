"""What is remembered of an account, for a face."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from client.memory import Memory
from client.terminal.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from client.deeds import Deeds
    from client.text import Line


class Muting:
    """Takes who is muted, and gives changes on."""

    def recall_muted(self, names: Iterable[str], keep: Callable[[str, bool], None]) -> None:
        self.names, self.keep = list(names), keep


def recalled(
    folder: Path, show: Callable[[Sequence[Line]], None] = lambda _: None
) -> tuple[Account, Muting, str | None]:
    account, muting = Account(partial(Memory, folder, "127.0.0.1", 1), show), Muting()
    return account, muting, account.recall("alice", cast("Deeds", muting))


def test_the_next_start_goes_on(tmp_path: Path) -> None:
    """With who is muted, whether plain lines talk, and what was typed, lines and messages apart."""
    account, muting, talk = recalled(tmp_path)
    assert (talk, muting.names) == ("", [])
    account.keep_talk("off")
    muting.keep("bob", True)
    account.operations.append_string("users")
    account, muting, talk = recalled(tmp_path)
    assert (talk, muting.names) == ("off", ["bob"])
    assert (list(account.operations.load_history_strings()), list(account.messages.load_history_strings())) == (
        ["users"],
        [],
    )


def test_without_a_memory() -> None:
    """Nothing is kept, and nothing is said of that."""
    account = Account(None, lambda _: None)
    account.keep_talk("all")
    assert account.recall("alice", cast("Deeds", Muting())) is None


def test_a_memory_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said, with the reason."""
    shown: list[str] = []
    account, _, _ = recalled(tmp_path / "file", lambda lines: shown.extend(line.text for line in lines))
    (tmp_path / "file").touch()
    account.keep_talk("all")
    assert shown == ["Not remembered for the next start: Not a directory."]
