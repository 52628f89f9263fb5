"""Work of the day in a process beside the server, for which no page waits.

It has the lowest priority, and ends when the server does; the next one finishes what it
began.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable

from qa_core.base import error_log
from qa_core.metrics.kpi import editions
from qa_core.storage import system_errors
from qa_core.upkeep import integrity, purge

LOG = logging.getLogger("qa_core")
LOWEST_PRIORITY = 19


def work() -> None:
    """Purge, publish the editions that are due, and check the stores."""
    purge.purge_today()
    editions.publish_due()
    integrity.check_daily()


def _end_with_server() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is written: it ends when the server is gone
    os._exit(1)


def run(act: Callable[[], object], title: str) -> None:
    """Do that work in this process, with the lowest priority; exits with 1 where it fails."""
    error_log.leave_out_values()
    os.nice(LOWEST_PRIORITY)
    threading.Thread(target=_end_with_server, daemon=True).start()
    try:
        act()
    except Exception as error:
        system_errors.log_failure(LOG, title, error)
        sys.exit(1)


if __name__ == "__main__":
    run(work, "the work of the day")
