"""Folders and logs imported as they grow."""
