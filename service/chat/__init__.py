"""What the chat does with commands, and what it sends to clients. No socket, no SQL."""
