"""A user at a terminal: the screen, the keys, longer texts."""
