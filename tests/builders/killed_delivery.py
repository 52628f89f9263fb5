"""Sends what is due and dies by SIGKILL: at the N-th write (`write N`; 0: never, and the number
of writes is printed), or just before or after the N-th mail is sent (`before N`, `after N`).
"""

from __future__ import annotations

import sys

from qa_core.delivery import worker
from tests.builders.killed_purge import arm, count_writes

if __name__ == "__main__":
    when, number = sys.argv[1], int(sys.argv[2])
    writes = count_writes(number if when == "write" else 0)
    if when != "write":
        arm("qa_core.delivery.mail.send", when, number)
    worker.work()
    print(writes[0], flush=True)
