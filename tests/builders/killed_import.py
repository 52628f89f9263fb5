"""Runs an import, an undo or a watch and dies by SIGKILL at a named moment: `…
MODULE.FUNCTION before|after KIND FILE | undo BATCH | watch DIR`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.ingest.watch.folder import Watch


def arm(place: str, when: str) -> None:
    """Die just before or just after that function runs."""
    module_name, _dot, name = place.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError:
        # A method: what comes before its name is a class.
        module_name, _dot, class_name = module_name.rpartition(".")
        module = getattr(importlib.import_module(module_name), class_name)
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
    elif sys.argv[3] == "watch":
        Watch(Viewer.SYSTEM, Path(sys.argv[4]), stable_seconds=0).check()
    else:
        ingest.run(Viewer.SYSTEM, sys.argv[3], [sys.argv[4]])
