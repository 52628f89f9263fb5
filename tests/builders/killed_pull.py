"""Pulls what is due and dies by SIGKILL at the N-th point (0: never, and the number of points is
printed): a write to the records or to a file, a request, a page that came.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from builders.killed_purge import count_writes
from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base.errors import Refusal
from qa_core.sources import pull
from qa_core.sources.protocol.declaration import Page

BUSY = 3
"""Exit code where another process reads the source."""


def count_pages(count: Callable[[], None]) -> None:
    """Have requests and pages be points too."""
    make = Page.__init__

    def make_and_count(page: Page, *values: Any, **named: Any) -> None:
        count()
        make(page, *values, **named)

    Page.__init__ = make_and_count
    sys.addaudithook(lambda event, _given: event == "http.client.send" and count())


if __name__ == "__main__":
    points = count_writes(int(sys.argv[1]), count_pages)
    ingest.resume()
    try:
        list(pull.pull(Viewer.SYSTEM, wait=lambda _seconds: None))
    except Refusal as refusal:
        sys.exit(BUSY if refusal.code == "source_busy" else refusal.code)
    print(points[0], flush=True)
