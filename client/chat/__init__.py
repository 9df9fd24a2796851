"""What the client knows and how it understands its user. Pure: no socket, no thread, no printing."""
