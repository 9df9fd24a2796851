"""Sockets, plain and in TLS. The client uses them, too."""
