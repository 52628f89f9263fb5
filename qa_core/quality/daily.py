"""Daily jobs: publish postponed evaluations, delete expired recordings."""

from __future__ import annotations

from datetime import date

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance import recordings
from qa_core.quality.evaluations import publication

_done_through: dict[str, date] = {}


def do_what_is_due() -> None:
    """Publish and delete everything due by now."""
    publication.publish_due()
    if recordings.find_expired(Viewer.SYSTEM):
        recordings.delete_expired(Viewer.SYSTEM)


def do_daily() -> None:
    """Run `do_what_is_due` once a day in this process and per database."""
    here, today = environment.current().database_url, environment.today()
    if _done_through.get(here) != today:
        do_what_is_due()
        _done_through[here] = today
