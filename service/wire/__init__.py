"""The wire: what may be said, and how it becomes bytes and back. Pure; the client uses it, too."""
