"""Daily jobs: publish postponed evaluations."""

from datetime import date

from qa_core.base import environment
from qa_core.quality.evaluations import publication

_done_through: dict[str, date] = {}


def do_what_is_due() -> None:
    """Publish everything due by now."""
    publication.publish_due()


def do_daily() -> None:
    """Run `do_what_is_due` once a day in this process and per database."""
    here, today = environment.current().database_url, environment.today()
    if _done_through.get(here) != today:
        do_what_is_due()
        _done_through[here] = today
