"""service/listeners/web/answer.py: the answers for people."""

from __future__ import annotations

from service.listeners.web.answer import TEXT, Answer, tell


def test_a_fault_is_told_in_one_line() -> None:
    """With the name of its status, as plain text."""
    assert tell(429, "come again", (("Retry-After", "5"),)) == Answer(
        429, b"Too Many Requests: come again\n", TEXT, (("Retry-After", "5"),)
    )
