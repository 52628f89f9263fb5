"""Change of a site's hours, public holidays and closed days; past contacts follow."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.centre.rules.opening_hours import NO_HOLIDAYS, OpeningSpan, parse_calendar
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.centre_rules import ClosedDay, OpeningHours, SiteCalendar
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.records.people import Site


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
    place = parse_calendar(calendar) if calendar is not None else None
    store.require_ready()
    with store.writing() as session:
        _require_site(session, site)
        if hours is not None:
            _write_hours(session, site, hours, starts_on)
            reason = f"from {starts_on}" if starts_on else ""
            audit_log.record(session, viewer.username, "opening_hours_changed", site, reason)
        if calendar is not None:
            session.execute(sa.delete(SiteCalendar).filter_by(site_name=site))
            if place is not None:
                session.add(SiteCalendar(site_name=site, country=place[0], region=place[1]))
            reason = "-".join(filter(None, place)) if place else NO_HOLIDAYS
            audit_log.record(session, viewer.username, "holidays_changed", site, reason)
        if closed_days is not None:
            session.execute(sa.delete(ClosedDay).filter_by(site_name=site))
            session.add_all(ClosedDay(site_name=site, day=day) for day in sorted(set(closed_days)))
            audit_log.record(session, viewer.username, "closed_days_changed", site)
        due_work.request(session, CENTRE_RULES)


def _write_hours(
    session: Session, site: str, spans: Sequence[OpeningSpan], starts_on: date | None
) -> None:
    """Write the weekly hours from that day on; the first come with the country's holidays."""
    import holidays

    is_first = session.scalar(sa.select(OpeningHours.id).filter_by(site_name=site).limit(1)) is None
    old = sa.delete(OpeningHours).where(OpeningHours.site_name == site)
    session.execute(old if starts_on is None else old.where(OpeningHours.starts_on >= starts_on))
    session.add_all(
        OpeningHours(site_name=site, starts_on=starts_on, **asdict(span)) for span in spans
    )
    country = environment.current().country
    if (
        is_first
        and spans
        and session.get(SiteCalendar, site) is None
        and country in holidays.list_supported_countries()
    ):
        session.add(SiteCalendar(site_name=site, country=country, region=None))


def _require_site(session: Session, site: str) -> None:
    if session.get(Site, site) is None:
        site_names = ", ".join(session.scalars(sa.select(Site.name).order_by(Site.name))) or "–"
        raise Refusal(
            "unknown_site",
            "There is no site {site}. Known sites: {known}. To add one, import advisors with "
            "their team and site.",
            site=site,
            known=site_names,
        )
