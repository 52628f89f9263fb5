"""Interpretation of figures: trends, comparisons, targets, alerts, charts, files."""
