"""Irritants: what annoys customers again and again, counted from what they do, rate and
write, and the list of what is done about it.
"""
