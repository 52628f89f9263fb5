"""Upkeep of the stores: backup, restore, purge, requests of persons, erasure."""
