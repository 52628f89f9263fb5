"""Views of the pages under Conversations."""
