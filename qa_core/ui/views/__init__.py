"""Views of the pages: one module per page, and the cards that several share."""
