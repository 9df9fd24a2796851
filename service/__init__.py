"""The chat service: a threaded TCP server that speaks JSON lines and keeps its history in one SQLite file."""

__version__ = "0.1.0"
