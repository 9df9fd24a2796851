"""What each conversation shows."""

from __future__ import annotations

from client.chat.addressing import EVERYONE
from client.chat.paging import Page
from client.full.transcripts import BEGINNING, MOST_KEPT, MOST_LINES, MOST_READ, Transcript, Transcripts
from client.render.layout import Size
from client.text import Line, hint
from service.wire.protocol import History

SIZE = Size(20, 3)


def said(number: int, target: str = EVERYONE, *, opens: bool = False) -> Line:
    line = Line(("", str(number)))
    line.number, line.conversation, line.opens = number, target, opens
    return line


def texts(transcripts: Transcripts, size: Size = SIZE) -> list[str]:
    transcripts.resize(size)
    return ["".join(text for _, text in row) for row in transcripts.rows()]


def begun(*numbers: int) -> Transcript:
    """A transcript with these messages at its end."""
    made = Transcript("#ops", SIZE)
    for number in numbers:
        made.scroll.add_below([said(number, "#ops")])
    return made


def test_a_conversation_begins_with_its_page() -> None:
    """What was there before is gone, but for what the client has said meanwhile, which stands below."""
    made = Transcripts()
    made.put([said(1), said(2)])
    made.hold("#ops")
    made.put([hint("note")])
    assert texts(made) == ["note"]
    made.put([said(3, "#ops", opens=True), said(4, "#ops", opens=True), said(5, "#ops")])
    assert texts(made, Size(20, 9)) == ["3", "4", "note", "5"]
    made.hold(EVERYONE)
    assert texts(made) == ["1", "2"]
    made.put([said(2, opens=True), hint("after")])
    assert texts(made) == ["2", "after"]


def test_notes_stand_before_what_follows_the_page() -> None:
    """What is said after the page came stands below them; they are said again if the page comes again."""
    made = Transcripts()
    made.put([hint("one")])
    made.put([said(1, opens=True), hint("two")])
    assert texts(made) == ["1", "one", "two"]
    made.put([said(1, opens=True)])
    assert texts(made, Size(20, 4)) == ["1", "one", "two"]
    made.forget_notes()
    made.put([said(1, opens=True)])
    assert texts(made) == ["1"]


def test_a_line_aside_is_not_shown() -> None:
    """It is for the bell."""
    made, line = Transcripts(), said(1, "bob")
    line.is_aside = True
    made.put([line])
    assert texts(made) == []


def test_few_are_kept() -> None:
    """Of many conversations those that were held longest ago are forgotten."""
    made = Transcripts()
    for number in range(MOST_KEPT + 2):
        made.hold(f"#{number}")
        made.put([said(number, f"#{number}")])
    made.hold("#1")
    assert texts(made) == []
    made.hold("#3")
    assert texts(made) == ["3"]


def test_what_is_missing_above_is_asked_for() -> None:
    """One page at a time, from the oldest message on; it is gone up to once it is there."""
    made = begun(10, 11, 12, 13)
    assert made.ask() is None
    made.move(-4)
    asked = made.ask()
    assert asked == History(room="ops", before=10, limit=23)
    assert made.ask() is None
    made.take(Page([said(number, "#ops") for number in range(4, 10)], History(before=4)))
    assert ["".join(text for _, text in row) for row in made.scroll.rows()] == ["7", "8", "9"]
    made.move(-9)
    assert (made.ask() or History()).before == 4


def test_the_beginning() -> None:
    """Above it nothing is asked for."""
    made = begun(10, 11, 12)
    made.move(-9)
    assert made.ask()
    made.take(Page([said(9, "#ops")], None))
    made.move(-9)
    assert ["".join(text for _, text in row) for row in made.scroll.rows()] == [BEGINNING, "9", "10"]
    assert made.ask() is None


def test_no_page_comes() -> None:
    """The reason is told, and it is asked for again when one goes up again."""
    made = begun(10, 11, 12)
    made.move(-1)
    assert made.ask()
    made.take("Not connected.")
    assert (made.problem, made.ask()) == ("Not connected.", None)
    made.move(-1)
    assert made.ask()
    assert made.problem == ""


def test_what_was_dropped_is_asked_for_again() -> None:
    """A page begins at the oldest message that is left, also where the beginning was there before."""
    made = begun(*range(1, 9))
    made.move(-9)
    assert made.ask()
    made.take(Page([], None))
    made.move(-9)
    assert made.ask() is None
    made.scroll.to_end()
    for number in range(9, MOST_LINES + 8):
        made.scroll.add_below([said(number, "#ops")])
    made.move(-MOST_LINES)
    assert (made.ask() or History()).before == 8


def test_reading_is_bounded() -> None:
    """Beyond so many characters nothing is asked for, and it is said how to go on."""
    made = begun(1)
    made.scroll.add_below([hint("x" * (MOST_READ + 1))])
    made.move(-MOST_READ)
    assert (made.ask(), made.problem) == (None, "SEARCH finds what is older")


def test_other_conversations_do_not_count_as_the_oldest() -> None:
    """A line of another one, shown because it was asked for, leads nowhere."""
    made = Transcript("#ops", SIZE)
    made.scroll.add_below([said(3, "bob")])
    made.move(-1)
    assert made.ask() is None
    made.scroll.add_below([said(9, "#ops")])
    made.move(-1)
    assert (made.ask() or History()).before == 9


def test_one_begins_to_read_at_what_is_unread() -> None:
    """Where more is unread than the screen has space for; else at the end."""
    made, divider = Transcripts(), Line(("unread", "-- unread --"))
    divider.opens, divider.conversation = True, EVERYONE
    made.resize(SIZE)
    made.put([said(1, opens=True), divider, *(said(number, opens=True) for number in (2, 3, 4))])
    assert texts(made) == ["-- unread --", "2", "3"]
    made.put([said(1, opens=True), divider, said(2, opens=True)])
    assert texts(made) == ["1", "-- unread --", "2"]


def test_a_deleted_message() -> None:
    """Its text is taken away, whoever wrote it; that it was deleted stands below."""
    made = Transcripts()
    line = Line(("time", "09:30 "), ("name1", "bob"), ("", ": "), ("", "a secret of many words"), head=3)
    line.number, line.conversation = 7, EVERYONE
    told = hint("-- bob deleted a message")
    told.deletes = 7
    made.put([said(6), line, told])
    assert texts(made, Size(40, 9)) == ["6", "09:30 bob: (deleted)", "-- bob deleted a message"]
    silent = hint("")
    silent.deletes, silent.is_aside = 6, True
    made.put([silent])
    assert texts(made, Size(40, 9)) == ["(deleted)", "09:30 bob: (deleted)", "-- bob deleted a message"]


def test_a_message_is_deleted_that_stands_elsewhere() -> None:
    """Who turns to that conversation does not see the text, also before its page is there."""
    made = Transcripts()
    made.put([said(6), said(7)])
    made.hold("#ops")
    told = hint("-- bob deleted a message")
    told.deletes = 6
    made.put([told])
    made.hold(EVERYONE)
    assert texts(made) == ["(deleted)", "7"]
