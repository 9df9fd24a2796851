"""How the chat is stored."""
