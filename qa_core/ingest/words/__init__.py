"""Headers and words that files use, one table per language."""
