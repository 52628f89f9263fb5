"""Platforms that are pulled, a file each."""

import pkgutil

NAMES = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))
"""Name of each platform: its file."""
