"""Staged files into the stores, and back out."""
