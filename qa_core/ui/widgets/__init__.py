"""Parts of pages: cards, tables, notes, player."""
