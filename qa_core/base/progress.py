"""Long work: its progress, and the flag that stops it."""

import time
from collections.abc import Callable

Progress = Callable[[str, float], None]
"""Callback for the current step (a gettext message) and the share done, 0–1."""
POLL_SECONDS = 0.2
"""Seconds between two looks at the flag."""


def ignore_progress(step: str, share: float) -> None:
    """Ignore the progress."""


class Stop:
    """Flag that is set once, from a signal handler too.

    Not a `threading.Event`: a signal that arrives while the main thread enters its
    `wait` finds the lock taken by that same thread, and blocks for ever.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> None:
        """Wait that many seconds, or until soon after the flag is set."""
        ends = time.monotonic() + seconds
        while not self._is_set and (remaining_seconds := ends - time.monotonic()) > 0:
            time.sleep(min(remaining_seconds, POLL_SECONDS))
