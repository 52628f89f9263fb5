"""Bounds of a question: the rows of its answer, and the seconds that it may take."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_


@dataclass(frozen=True)
class Bounds:
    """`until`: the moment of the monotonic clock at which the seconds are over."""

    rows: int
    seconds: float
    until: float


_current: ContextVar[Bounds | None] = ContextVar("bounds", default=None)


@contextmanager
def bounded(rows: int, seconds: float) -> Iterator[None]:
    """Bound what this thread counts meanwhile."""
    token = _current.set(Bounds(rows, seconds, time.monotonic() + seconds))
    try:
        yield
    finally:
        _current.reset(token)


def check(rows: int = 0) -> None:
    """Raise Refusal `too_many_rows` for more rows than the answer may have, `too_slow` where
    the time is over.
    """
    bounds = _current.get()
    if bounds is None:
        return
    if rows > bounds.rows:
        message = N_("The answer has more than {most} rows. Choose fewer days or dimensions.")
        raise Refusal("too_many_rows", message, most=bounds.rows)
    if time.monotonic() >= bounds.until:
        message = N_(
            "The answer takes more than {seconds} seconds. Choose fewer days or dimensions."
        )
        raise Refusal("too_slow", message, seconds=round(bounds.seconds))


@contextmanager
def interrupting(interrupt: Callable[[], None]) -> Iterator[None]:
    """Interrupt a statement when the time is over. Raises as `check`."""
    import duckdb

    def end() -> None:
        with suppress(duckdb.Error):  # it has just ended by itself
            interrupt()

    bounds = _current.get()
    if bounds is None:
        yield
        return
    check()
    timer = threading.Timer(bounds.until - time.monotonic(), end)
    timer.start()
    try:
        yield
    except duckdb.InterruptException:
        check()
        raise
    finally:
        timer.cancel()
