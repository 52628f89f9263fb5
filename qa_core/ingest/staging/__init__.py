"""Rows of a file on the way into the stores: typed, counted, set aside."""
