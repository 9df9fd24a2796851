"""Collects the evidence that a server speaks TLS: a certificate, a login, a profile.

An attacker can make any server look as if it had no TLS; trust.py says what follows. Connects to nothing and asks
nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from client.settings import SettingsError, tls_profile
from client.text import one_line
from client.tokens import is_here
from service import programs

if TYPE_CHECKING:
    from pathlib import Path

    from client.net.trust import Pins
    from client.settings import Profile
    from client.tokens import Tokens


class Known:
    """The evidence for the server of `profile`; `profiles` is the file of all profiles."""

    def __init__(self, profile: Profile, pins: Pins, tokens: Tokens, profiles: Path) -> None:
        self._server, self._port = profile.server, profile.port
        self._place = f"{one_line(profile.server)}, port {profile.port}"
        self._pins = pins
        self._tokens = tokens
        self._profiles = profiles

    def why_not_plain(self) -> str:
        """Returns why this server needs TLS, and what to do; empty if it does not. Raises UntrustedError.

        A login of any name counts, because the server is the same. If the file of profiles is unreadable it counts as
        evidence: a slip in the file must not allow a connection without TLS.
        """
        last = f"type: {programs.CLIENT} {one_line(self._server)} {self._port} --forget-server"
        if self._pins.knows(self._server, self._port):
            evidence = "it was trusted in TLS before"
        elif self._tokens.has_tls():
            evidence = "a login in TLS is kept"
        else:
            try:
                name = tls_profile(self._profiles, self._server, self._port)
            except SettingsError as error:
                return "" if is_here(self._server) else self._doubt(error)
            if not name:
                return ""
            evidence = f"so says the profile [{one_line(name)}] in {self._profiles}"
            last = "change the profile."
        return (
            f"{self._place}, speaks TLS: {evidence}.\n"
            "Not connected: without TLS your password can be read on the way.\n"
            "Start with --tls, or --tls-ca FILE (make: TLS=1, or CA=FILE). If it has no TLS any more,\n"
            f"someone may be in between: ask who runs it. If they say that it is so,\n{last}"
        )

    def _doubt(self, error: SettingsError) -> str:
        return (
            f"{error}\n"
            f"Not connected: that file may say that {self._place}, speaks TLS, and without TLS your\n"
            "password can be read on the way. Mend the file, or move it away; or start with --tls."
        )

    def forget(self) -> str:
        """Removes the stored evidence of the server's TLS; returns what it was. Raises OSError, UntrustedError."""
        # The certificate goes last: if a step fails, the server still counts as one with TLS.
        logins = self._tokens.forget_tls()
        if not self._pins.forget(self._server, self._port) and not logins:
            return f"Nothing was kept of TLS with {self._place}."
        return f"Forgotten: the TLS of {self._place}, and {logins or 'no'} kept login{'' if logins == 1 else 's'}."
