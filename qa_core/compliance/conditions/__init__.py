"""Conditions of listening: gates, accreditations, exclusions, notices."""
