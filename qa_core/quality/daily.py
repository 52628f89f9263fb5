"""What is due each day: publish evaluations that were put off. At the start, after
imports, at the first visit of a day.
"""

from __future__ import annotations

from datetime import date

from qa_core.base import environment
from qa_core.quality.evaluations import publication

_done_through: dict[str, date] = {}


def do_what_is_due() -> None:
    """Publish all that is due by now."""
    publication.publish_due()


def do_daily() -> None:
    """Do the same, once a day in this process."""
    here, today = environment.current().database_url, environment.today()
    if _done_through.get(here) != today:
        do_what_is_due()
        _done_through[here] = today
