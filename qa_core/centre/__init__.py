"""How this centre works: its settings, its advisors, and its rules on names, opening
hours and numbers.
"""
