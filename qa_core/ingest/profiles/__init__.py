"""Profiles: tables with headers, as a kind of file or a tool writes them."""
