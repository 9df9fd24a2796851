"""service/storage/write.py: how a thread learns of a write's end."""

from __future__ import annotations

from service.storage.write import Write


def test_a_waiting_thread_is_woken_at_the_end() -> None:
    """All that wait share one event, which is set when the write has ended."""
    write: Write[int] = Write(None, None)
    event = write.waiting_event()
    assert (write.waiting_event() is event, event.is_set(), write.ended) == (True, False, False)
    write.finish()
    assert (event.is_set(), write.ended) == (True, True)


def test_a_write_for_which_nobody_waits_has_no_event() -> None:
    """Most have none, as making one takes longer than all else about them."""
    write: Write[int] = Write(print, print)
    write.finish()
    assert (write.ended, write.error, write._finished) == (True, None, None)
