"""The port for browsers and webhooks: HTTP, and WebSocket beside it."""
