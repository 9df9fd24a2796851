"""A script in place of a user: options, or operations from stdin."""
