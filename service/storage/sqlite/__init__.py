"""The engine over SQLite: one file, and one thread that writes."""
