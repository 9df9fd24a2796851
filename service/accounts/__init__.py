"""Who may come in and how much they may take: accounts, names, passwords, limits of one account or address."""
