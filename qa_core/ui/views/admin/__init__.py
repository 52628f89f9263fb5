"""Views of the pages under Administration."""
