"""Runs one import or undo and dies by SIGKILL at a named moment: `python -m tests.killed_import MODULE.FUNCTION before|after KIND FILE|undo BATCH`."""

from __future__ import annotations

import importlib
import os
import signal
import sys

from qa_core import ingest
from qa_core.access import Viewer


def arm(place: str, when: str) -> None:
    """Die just before or just after that function runs."""
    module_name, _dot, name = place.rpartition(".")
    module = importlib.import_module(module_name)
    function = getattr(module, name)

    def deadly(*args, **kwargs):
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, deadly)


if __name__ == "__main__":
    if sys.argv[1] != "-":
        arm(sys.argv[1], sys.argv[2])
    if sys.argv[3] == "undo":
        ingest.undo(Viewer.SYSTEM, sys.argv[4])
    else:
        ingest.run(Viewer.SYSTEM, sys.argv[3], [sys.argv[4]])
