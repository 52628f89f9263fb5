"""Rules of the centre on its contacts: merged names, opening hours, shared numbers.

The facts keep what their source said: every rule can be changed or undone, and all
contacts follow, past and future.
"""
