"""Views of the pages under Quality."""
