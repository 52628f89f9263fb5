"""Views of the pages under Me."""
