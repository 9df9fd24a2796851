"""A person at a terminal: the screen, the keys, longer texts."""
