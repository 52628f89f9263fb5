"""Progress of long work, shown by the command line."""

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Callback for the current step (a gettext message) and the share done, 0–1."""


def ignore_progress(step: str, share: float) -> None:
    """Ignore the progress."""
