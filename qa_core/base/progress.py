"""Progress of long work, as the command line shows it."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Called with the step under way (a gettext message) and the share of it done, 0–1."""


def ignore_progress(step: str, share: float) -> None:
    """Report progress to nobody."""
