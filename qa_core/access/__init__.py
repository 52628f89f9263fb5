"""Access: roles and the rows each may see, accounts, sessions and passwords."""
