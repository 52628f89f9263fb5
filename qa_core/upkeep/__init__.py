"""What keeps the stores in order: backup, restore, purge, requests of persons, erasure."""
