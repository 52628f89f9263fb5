"""Which contact a row belongs to."""
