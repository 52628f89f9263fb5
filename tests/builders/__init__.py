"""Builders of small centres, files and recordings for tests."""
