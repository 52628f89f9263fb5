"""Meaning of each column of a file, decided from all of its cells."""
