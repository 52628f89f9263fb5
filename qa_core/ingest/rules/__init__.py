"""Application of a changed rule of the centre to everything stored."""
