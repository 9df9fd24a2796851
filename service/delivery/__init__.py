"""How lines reach the clients: one thread, and an outbox for each client."""
