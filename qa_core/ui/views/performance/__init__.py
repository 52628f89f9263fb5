"""Views of the pages under Performance."""
