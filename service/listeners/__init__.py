"""The ports: how a client is accepted, and the thread that serves it."""
