"""Span of the data: first and last day, and the last month that is over."""

from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpis import periods
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.editions import Edition


def data_through(viewer: Viewer) -> datetime | None:
    """Return when the last contact or interval of the whole lake started, by the
    centre's clock (with its zone); None while the lake is empty. For an executive, the
    last moment that is published.
    """
    _require_role(viewer)
    if viewer.needs_suppression:
        if (published := find_published()) is None:
            return None
        return datetime.combine(published[1], time(23, 59, 59), environment.current().zone)
    span = _find_moments()
    return span[1] if span else None


def data_span(viewer: Viewer) -> tuple[date, date] | None:
    """Find the first and the last day that the viewer may look at, by the centre's
    clock; None while the lake is empty.

    For an executive, those that are published, from the first day with data on; while none
    is, the last is before the first.
    """
    _require_role(viewer)
    span = find_span()
    if viewer.needs_suppression and (published := find_published()):
        first, last = published
        begins_there = span is not None and span[0].replace(day=1) == first
        return span[0] if begins_there else first, last
    if span is None or not viewer.needs_suppression:
        return span
    return span[0], span[0].replace(day=1) - timedelta(days=1)


def find_published() -> tuple[date, date] | None:
    """Find the first and the last day that is published; None before the first edition."""
    with store.reading() as session:
        ends = sa.select(sa.func.min(Edition.month), sa.func.max(Edition.month))
        months = [periods.period_of("month", month) for month in session.execute(ends).one()]
    return (months[0].first_day, months[1].last_day) if all(months) else None


def find_span(whole: bool = False) -> tuple[date, date] | None:
    """Find the first and the last day of the whole lake, unscoped: for this room only.
    `whole`: with what is dated in the future.
    """
    span = _find_moments(whole)
    return (span[0].date(), span[1].date()) if span else None


def find_last_contact_day() -> date | None:
    """Find the last day with contacts, whatever intervals there are; None without any."""
    span = lake.span()
    return _by_the_clock(span[1]).date() if span else None


def find_last_closed_day() -> date | None:
    """Find the end of the last calendar month that is over and that the data reaches
    the end of; it may lie before the first day. None while the lake is empty.
    """
    span = find_span()
    return periods.last_closed_day(span[1], environment.today()) if span else None


def _require_role(viewer: Viewer) -> None:
    if not viewer.is_system and viewer.role not in set(Role):
        raise AccessDenied()


def _find_moments(whole: bool = False) -> tuple[datetime, datetime] | None:
    spans = [span for name in ("contacts", "intervals") if (span := lake.span(name, whole))]
    if not spans:
        return None
    first, last = min(first for first, _ in spans), max(last for _, last in spans)
    return _by_the_clock(first), _by_the_clock(last)


def _by_the_clock(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC).astimezone(environment.current().zone)
