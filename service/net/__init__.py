"""Sockets, plain or with TLS. The client uses this package too."""
