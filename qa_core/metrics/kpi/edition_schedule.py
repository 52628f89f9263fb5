"""When a month is published: some days after its end, and after the last import of it."""

from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.centre import settings
from qa_core.metrics.kpi.data_span import find_last_closed_day, find_span
from qa_core.metrics.kpis import formatting, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch

WITHOUT_FIGURES = ("advisors", "recordings")
"""Kinds of files that touch no figure of a month."""


@dataclass(frozen=True)
class Scheduled:
    """A month that is over in the data. `is_old`: the days after its end have passed;
    `settles_on`: so have those after the last import that touched it.
    """

    month: str
    is_old: bool
    settles_on: date

    @property
    def is_settled(self) -> bool:
        return self.settles_on <= environment.today()


def list_months() -> list[Scheduled]:
    """List the months that the data holds to their end, the first one first."""
    span, last_day = find_span(), find_last_closed_day()
    if span is None or last_day is None or last_day < span[0]:
        return []
    return _schedule(Period(span[0].replace(day=1), last_day))


def _schedule(period: Period) -> list[Scheduled]:
    with store.reading() as session:
        current = settings.current(session)
        batches = session.execute(
            sa.select(ImportBatch.first_day, ImportBatch.last_day, ImportBatch.finished_at).where(
                ImportBatch.state.in_(("done", "undone")),
                ImportBatch.kind.not_in(WITHOUT_FIGURES),
                ImportBatch.finished_at.is_not(None),
            )
        ).all()
    # As long as a figure may still become final by itself, it is not published.
    open_days = current.first_contact_days, current.provisional_spend_days
    days = timedelta(days=max(current.edition_days, *(count + 1 for count in open_days)))
    months = []
    for first in periods.starts_of("month", period):
        last = periods.end_of("month", first)
        touched = [
            environment.to_local(finished_at).date()
            for first_day, last_day, finished_at in batches
            if (first_day is None or first_day <= last) and (last_day is None or last_day >= first)
        ]
        is_old = last + days <= environment.today()
        months.append(Scheduled(f"{first:%Y-%m}", is_old, max([last, *touched]) + days))
    return months


def describe_next() -> str:
    """Say when the first month comes, while none is published."""
    if months := list_months():
        day, month = formatting.day(months[0].settles_on, year=True), months[0].month
        return _("{month} comes on {day}.", month=formatting.month(month), day=day)
    span = find_span()
    if span is None:
        return _("No data yet") + "."
    return _("{month} comes some days after its end.", month=formatting.month(span[0]))
