"""Vocabulary of platforms, and requests to their APIs."""
