"""Interpretation of figures: trends, comparisons, targets, alerts, irritants; charts
and files.
"""
