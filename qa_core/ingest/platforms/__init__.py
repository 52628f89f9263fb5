"""Platforms: tools whose export is no plain table of contacts, one file each."""
