"""The wire: what may be said, and how bytes become lines and commands. Pure; the client uses it, too."""
