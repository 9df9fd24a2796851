"""service/listeners/web/answer.py: the answers for people."""

from __future__ import annotations

from service.listeners.web.answer import TEXT, Answer, HookRequest, tell
from service.origin import Origin


def test_a_fault_is_told_in_one_line() -> None:
    """With the name of its status, as plain text."""
    assert tell(429, "come again", (("Retry-After", "5"),)) == Answer(
        429, b"Too Many Requests: come again\n", TEXT, (("Retry-After", "5"),)
    )


def test_what_comes_to_a_webhook_is_not_shown() -> None:
    """By what may come to a log."""
    request = HookRequest("the-secret", "text/plain", "a key", b"a text", Origin("192.0.2.1", "192.0.2.1"), 0)
    assert repr(request) == "HookRequest(origin=Origin(address='192.0.2.1', network='192.0.2.1'))"
