"""Loading of staged files into the stores, and rollback."""
