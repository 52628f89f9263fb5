"""Matching of rows to contacts."""
