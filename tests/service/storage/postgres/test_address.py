"""Tests of what a postgresql:// URL asks for."""

from __future__ import annotations

import pytest

from service.errors import ConfigError
from service.storage.postgres import address

SECRET = "tiger-9"


def test_schema_is_ours_and_the_rest_libpqs() -> None:
    """The schema is taken out of the URL, wherever it stands."""
    place = address.parse("postgresql:///talk?host=/run&schema=two&application_name=x")
    assert place.schema == "two"
    assert (place.options["host"], place.options["application_name"]) == ("/run", "x")
    assert "schema" not in place.options


def test_lock_and_channel_follow_from_the_schema() -> None:
    """Two chats in one database neither wait for nor wake each other; a key is a signed number of 8 bytes."""
    one, two = (address.parse(f"postgresql:///talk?schema={name}") for name in ("one", "two"))
    assert one.key != two.key
    assert one.channel != two.channel
    assert -(1 << 63) <= one.key < 1 << 63
    assert address.parse("postgresql:///other?schema=one").key == one.key


@pytest.mark.parametrize("schema", ["", "Chat", "pg_chat", 'a"b', "a" * 42, "a&schema=b"])
def test_other_schemas_are_refused(schema: str) -> None:
    """A schema's name needs no quotes anywhere."""
    with pytest.raises(ConfigError, match="schema"):
        address.parse(f"postgresql:///talk?schema={schema}")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@host/talk",
        f"postgresql://me@host/talk?password={SECRET}",
        f"postgresql://me:{SECRET}@host/talk?schema=x&nonsense=1",
    ],
)
def test_password_is_refused_and_not_repeated(url: str) -> None:
    """A password in an argument shows in the list of processes."""
    with pytest.raises(ConfigError) as caught:
        address.parse(url)
    assert SECRET not in str(caught.value)


def test_password_leads_to_the_file_for_it() -> None:
    """The refusal says where a password belongs."""
    with pytest.raises(ConfigError, match=r"PGPASSFILE.*service file"):
        address.parse(f"postgresql://me:{SECRET}@host/talk")


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://host/talk", "verify-full"),
        ("postgresql://10.0.0.1/talk", "verify-full"),
        ("postgresql://localhost,host/talk", "verify-full"),
        ("postgresql:///talk?hostaddr=192.0.2.1&host=localhost", "verify-full"),
        ("postgresql://host/talk?sslmode=require", "require"),
        ("postgresql://127.0.0.2/talk", None),
        ("postgresql://[::1]/talk", None),
        ("postgresql:///talk", None),
        ("postgresql:///talk?host=/run/postgresql", None),
    ],
)
def test_tls_is_verified_beyond_this_machine(url: str, mode: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the way leaves the machine, the server has to prove its name, unless the operator asks otherwise."""
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.delenv("PGHOST", raising=False)
    assert address.parse(url).options.get("sslmode") == mode


def test_host_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGHOST is where libpq goes without a host in the URL."""
    monkeypatch.setenv("PGHOST", "db.example")
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert address.parse("postgresql:///talk").options["sslmode"] == "verify-full"


def test_service_file_is_looked_at_after_it_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only libpq reads a service file, so what it names is checked once it is connected."""
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert address.parse("postgresql://?service=talk").is_bare
    assert not address.parse("postgresql://?service=talk&sslmode=require").is_bare


def test_operators_own_word_comes_first() -> None:
    """What is set for a host that is gone can be set otherwise."""
    assert address.parse("postgresql:///talk?tcp_user_timeout=9").options["tcp_user_timeout"] == "9"
    assert address.parse("postgresql:///talk").options["tcp_user_timeout"] == 6_000


@pytest.mark.parametrize("url", ["postgresql://h/t?nonsense=1", "postgresql://h/t\0", "postgresql://[h/t"])
def test_what_is_no_url_is_refused(url: str) -> None:
    """A slip in the URL is told without its content."""
    with pytest.raises(ConfigError):
        address.parse(url)
