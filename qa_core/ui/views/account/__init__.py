"""Views of the pages of one's own."""
