"""Accounts, names, passwords, and the limits for one account or address."""
