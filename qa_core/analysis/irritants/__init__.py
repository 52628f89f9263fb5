"""Irritants: recurring causes of dissatisfaction, and the action list."""
