"""Views of the pages under Compliance."""
