"""Runs a purge and dies by SIGKILL at a named moment: `MODULE.FUNCTION before|after N`, the
N-th time that the function is called; `-` for a purge that nothing stops.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys

from qa_core.access.roles import Viewer
from qa_core.ingest import purge


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


if __name__ == "__main__":
    if sys.argv[1] != "-":
        arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    purge.purge(Viewer.SYSTEM)
