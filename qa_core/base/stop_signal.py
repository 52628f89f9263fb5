"""Being told to stop: by another thread, or by a signal."""

from __future__ import annotations

import time

POLL_SECONDS = 0.2
"""Seconds between two looks at whether the waiting is over."""


class Stop:
    """A flag that is set once, from wherever: a signal's handler too.

    Not a `threading.Event`: a signal that comes while the main thread is about to wait
    for one finds its lock taken by that very thread, and waits for ever.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> None:
        """Return after so many seconds, or soon after the flag is set."""
        ends = time.monotonic() + seconds
        while not self._is_set and (left := ends - time.monotonic()) > 0:
            time.sleep(min(left, POLL_SECONDS))
