"""Pulls what is due and dies by SIGKILL at the N-th write (0: never, and the number of writes is
printed).
"""

from __future__ import annotations

import sys

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.sources import pull
from tests.builders.killed_purge import count_writes

if __name__ == "__main__":
    writes = count_writes(int(sys.argv[1]))
    ingest.resume()
    list(pull.pull(Viewer.SYSTEM, wait=lambda _seconds: None))
    print(writes[0], flush=True)
