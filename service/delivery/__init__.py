"""Sends lines to the clients: one thread, and an outbox for each client."""
