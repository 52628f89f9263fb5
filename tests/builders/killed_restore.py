"""Restores a backup and dies by SIGKILL at a named moment: `FILE MODULE.FUNCTION
before|after N`, the N-th time that the function is called.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qa_core.access.roles import Viewer
from qa_core.upkeep import restore
from tests.builders.killed_purge import arm

if __name__ == "__main__":
    arm(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    restore.restore(Viewer.SYSTEM, Path(sys.argv[1]))
