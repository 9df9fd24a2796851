"""The tests: one module for each source module, and end to end."""
