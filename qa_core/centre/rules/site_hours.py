"""Change of a site's hours, public holidays and closed days; past contacts follow."""

from collections.abc import Iterable, Sequence
from datetime import date

from qa_core.access.roles import Permission, Viewer
from qa_core.centre.rules import opening_hours
from qa_core.centre.rules.opening_hours import OpeningSpan
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES


def set_opening(
    viewer: Viewer,
    site: str,
    hours: Sequence[OpeningSpan] | None = None,
    starts_on: date | None = None,
    calendar: str | None = None,
    closed_days: Iterable[date] | None = None,
) -> None:
    """Set the given parts and leave the rest. Requests that past contacts follow. Needs
    MANAGE_SETTINGS.

    `hours` hold from `starts_on` (None: always; without any hours, no contact of the
    site counts as closed). `calendar` is read by `opening_hours.parse_calendar`. Raises
    Refusal for an unknown site, Misuse for an unknown calendar.
    """
    viewer.require(Permission.MANAGE_SETTINGS)
    parsed_calendar = opening_hours.parse_calendar(calendar) if calendar is not None else None
    store.require_ready()
    with store.writing() as session:
        if hours is not None:
            opening_hours.write_hours(session, viewer, site, hours, starts_on)
        if calendar is not None:
            opening_hours.write_calendar(session, viewer, site, parsed_calendar)
        if closed_days is not None:
            opening_hours.write_closed_days(session, viewer, site, closed_days)
        due_work.request(session, CENTRE_RULES)
