"""What the chat does with a command and says to its clients. No socket, no SQL."""
