"""Accounts, names and passwords, and what one account or address may do."""
