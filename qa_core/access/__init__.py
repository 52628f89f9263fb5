"""Who may see and do what: roles and scope, accounts, sessions, passwords."""
