"""A changed rule of the centre, applied to everything stored."""
