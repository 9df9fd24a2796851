"""The wire protocol: commands, events, and their encoding. Pure. The client uses this package too."""
