"""Irritants: recurring causes of repeats, low ratings and complaints, and the action
list on them.
"""
