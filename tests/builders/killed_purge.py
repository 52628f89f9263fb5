"""Runs a purge and dies by SIGKILL at a named moment: `MODULE.FUNCTION before|after N`, the
N-th time that the function is called; `write N`: at its N-th write to the records or to a
file (0: never, and the number of writes is printed); `-` for a purge that nothing stops.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.upkeep import purge


def arm(place: str, when: str, number: int) -> None:
    """Die just before or just after that call."""
    *path, name = place.split(".")
    try:
        owner = importlib.import_module(".".join(path))
    except ModuleNotFoundError:
        owner = getattr(importlib.import_module(".".join(path[:-1])), path[-1])
    function, calls = getattr(owner, name), 0

    def deadly(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        made = function(*args, **kwargs)
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    setattr(owner, name, deadly)


FILE_EVENTS = frozenset({"os.remove", "os.rename", "os.link", "os.truncate", "shutil.rmtree"})


def count_writes(number: int, watch_more: Callable[..., None] | None = None) -> list[int]:
    """Die at that write. Returns the counter. `watch_more` is given what counts a point."""
    counter = [0]

    def count() -> None:
        counter[0] += 1
        if counter[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    @sa.event.listens_for(sa.Engine, "after_cursor_execute")
    def _after_statement(_connection, _cursor, text, *_rest) -> None:
        if not text.startswith(("SELECT", "PRAGMA", "BEGIN")):
            count()

    @sa.event.listens_for(sa.Engine, "commit")
    def _before_commit(_connection) -> None:
        count()

    def watch(event: str, arguments: tuple) -> None:
        is_written = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
        if event in FILE_EVENTS or is_written:
            count()

    sys.addaudithook(watch)
    if watch_more is not None:
        watch_more(count)
    return counter


if __name__ == "__main__":
    counter = count_writes(int(sys.argv[2])) if sys.argv[1] == "write" else [0]
    if sys.argv[1] not in ("-", "write"):
        arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    purge.purge(Viewer.SYSTEM)
    print(counter[0])
