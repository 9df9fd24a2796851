"""A script in place of a person: options, or operations from stdin."""
