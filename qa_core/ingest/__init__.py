"""Files of other tools become facts: read, understood, checked, joined, and undone again when that was a mistake."""
