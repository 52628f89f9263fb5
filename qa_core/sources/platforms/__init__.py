"""Platforms that are pulled, a file each."""
