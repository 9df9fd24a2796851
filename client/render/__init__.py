"""How things look on a screen or in a script's output. Pure."""
