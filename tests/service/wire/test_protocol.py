"""The types of the protocol."""

from __future__ import annotations

from service.wire import protocol


def test_commands_and_events_are_those_of_protocol_1() -> None:
    """No command and no event is missing, renamed or added without a word in the protocol."""
    commands = (
        "login register resume pm dm users missed seen history search since delete rooms create join leave members "
        "set_room moderate bans password logout ping ex"
    )
    events = (
        "hello password_required login_ok ready ack broadcast direct deleted renamed room member read users presence "
        "missed history search since rooms members bans pong error bye"
    )
    assert sorted(protocol.COMMANDS) == sorted(commands.split())
    assert sorted(protocol.EVENTS) == sorted(events.split())
