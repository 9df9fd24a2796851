"""The connection to the service: made, lost, made again, and trusted."""
