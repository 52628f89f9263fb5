"""Work of the day in a process beside the server, for which no page waits.

It has the lowest priority, and ends when the server does; the next one finishes what it
began.
"""

import os
import sys
import threading

from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.metrics.kpi import editions
from qa_core.upkeep import purge

LOWEST_PRIORITY = 19


def work() -> None:
    """Purge, and publish the editions that are due."""
    purge.purge_today()
    editions.publish_due()


def _end_with_server() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is written: it ends when the server is gone
    os._exit(1)


if __name__ == "__main__":
    os.nice(LOWEST_PRIORITY)
    threading.Thread(target=_end_with_server, daemon=True).start()
    try:
        work()
    except Refusal as refusal:
        sys.exit(i18n.format_for_operator(refusal))
