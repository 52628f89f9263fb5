"""Centre: settings, advisors, and rules on names, opening hours and numbers."""
