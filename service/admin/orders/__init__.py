"""The operator's orders, and what carries each of them out. Nothing here reads an argument or prints."""
