"""Views of the pages under Call tracking."""
