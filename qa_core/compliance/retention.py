"""Retention of each kind of personal data (docs/compliance.md, section 3), and what is due."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from qa_core.access.roles import Viewer
from qa_core.base import declared, environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre import settings
from qa_core.compliance.conditions import gates, recording_classes
from qa_core.compliance.conditions.listened import start_of
from qa_core.compliance.recordings import deletion
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.storage import audit_log, keyed_ids
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.lake.maintenance import IMAGE_DAYS
from qa_core.storage.records import data_map, store
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.store import Session
from qa_core.storage.retention import DueData


@dataclass(frozen=True)
class RetentionClass:
    """One kind of personal data. `period` is the longest that is allowed, in `unit`
    (`months` or `days`); `setting` names the gate or the setting that shortens it.
    """

    kind: str
    title: str
    period: int
    unit: str
    setting: str | None
    rule: str
    source: str
    end: str

    def describe_period(self, period: int) -> str:
        """Format a period of this class in the reader's language."""
        if self.unit == "days":
            return ngettext("{n} day", "{n} days", period)
        return ngettext("{n} month", "{n} months", period)


CLASSES = tuple(
    RetentionClass(**{"setting": None, "period": IMAGE_DAYS, **row})
    for row in declared.read(__file__)["kind"]
)
"""Every kind; the period of before-images is the time for which they are kept."""
SEALED = "sealed_recordings"
BY_KIND = {entry.kind: entry for entry in CLASSES}
TITLES = {entry.kind: entry.title for entry in CLASSES}
TITLES |= {keyed_ids.KIND: N_("Telephone numbers inside ids of contacts")}
"""Title of each kind that a certificate may name."""


def find_period(session: Session, kind: str) -> int:
    """Return the period of a kind: the legal maximum, or what was entered if shorter; of
    sealed recordings the longest of their classes, 0 without a class.
    """
    entry = BY_KIND[kind]
    if kind == SEALED:
        classes = recording_classes.find_all(session).values()
        return max((item.months for item in classes), default=0)
    return min(entry.period, _find_entered(session, entry))


def find_raised(session: Session, rule: str) -> list[RetentionClass]:
    """List the kinds of a rule for which more is entered than it allows; it has no effect."""
    of_rule = (entry for entry in CLASSES if entry.rule.startswith(rule))
    return [entry for entry in of_rule if _find_entered(session, entry) > entry.period]


def _find_entered(session: Session, entry: RetentionClass) -> int:
    if entry.setting is None:
        return entry.period
    if entry.setting in gates.BY_NAME:
        value = gates.value_of(session, entry.setting)
    else:
        value = getattr(settings.current(session), entry.setting)
    return int(value or entry.period)


def find_oldest_day(session: Session, kind: str, as_of: date) -> date:
    """Return the oldest day whose data may still be kept on that day."""
    period = find_period(session, kind)
    if BY_KIND[kind].unit == "days":
        return as_of - timedelta(days=period)
    return deletion.find_oldest_day(as_of, period)


def make_due(
    session: Session, kind: str, count: int, oldest: date | None, newest: date | None
) -> DueData | None:
    """Describe due data by the days of its oldest and newest; None where there is none."""
    if not count:
        return None
    period = find_period(session, kind)
    last_day = (
        oldest + timedelta(days=period)
        if BY_KIND[kind].unit == "days"
        else add_months(oldest, period)
    )
    return DueData(kind, count, oldest, newest, last_day + timedelta(days=1))


def read_whole(session: Session, statement: Any) -> sa.Result:
    """Read across all scopes what must be gone: numbers, keys and days."""
    return session.execute(
        Unscoped(
            statement,
            "Overdue data is searched in the whole centre. Only numbers, keys and days are read.",
        )
    )


@dataclass(frozen=True)
class RowKeeper:
    """Rows of one or more tables that go by the day of one moment of theirs."""

    kind: str
    moments: tuple[InstrumentedAttribute[Any], ...]

    def is_due(
        self, session: Session, moment: InstrumentedAttribute[Any], as_of: date
    ) -> sa.ColumnElement[bool]:
        """Build the predicate of the rows that must be gone once that day begins."""
        oldest_day = find_oldest_day(session, self.kind, as_of)
        return moment < (oldest_day if isinstance(moment.type, sa.Date) else start_of(oldest_day))

    def find_due(self, as_of: date) -> DueData | None:
        with store.reading() as session:
            total, days = 0, []
            for moment in self.moments:
                number = sa.func.count(), sa.func.min(moment), sa.func.max(moment)
                due = sa.select(*number).where(self.is_due(session, moment, as_of))
                count, *ends = read_whole(session, due).one()
                total, days = total + count, days + [to_day(end) for end in ends if count]
            return make_due(session, self.kind, total, min(days), max(days)) if days else None

    def delete_due(self, as_of: date) -> None:
        with store.writing() as session:
            for moment in self.moments:
                is_due = self.is_due(session, moment, as_of)
                self.delete_related(session, is_due)
                session.execute(sa.delete(moment.class_).where(is_due))

    def delete_related(self, session: Session, is_due: sa.ColumnElement[bool]) -> None:
        """Delete what goes with the rows that are due."""


def find_moments(kind: str) -> tuple[InstrumentedAttribute[Any], ...]:
    """List the columns by which the tables of a retention class count their age."""
    return tuple(
        getattr(entry.model, entry.stored.since)
        for entry in data_map.find_records().values()
        if entry.stored.kind == kind and entry.stored.since
    )


def to_day(moment: datetime | date | None) -> date | None:
    """Return the day of a moment in the centre's time."""
    return environment.to_local(moment).date() if isinstance(moment, datetime) else moment


@dataclass(frozen=True)
class RecordingKeeper:
    """The audio of contacts, file and waveform: kept for quality, or sealed."""

    kind: str = "recordings"

    @property
    def is_sealed(self) -> bool:
        return self.kind == SEALED

    def find_due(self, as_of: date) -> DueData | None:
        with store.reading() as session:
            days = sa.func.min(Recording.local_day), sa.func.max(Recording.local_day)
            last = sa.func.coalesce(Recording.deleted_at, Recording.delete_after)
            count, oldest, newest, end = read_whole(
                session,
                sa.select(sa.func.count(), *days, sa.func.min(last)).where(
                    deletion.is_expired(session, as_of, self.is_sealed)
                ),
            ).one()
            due = make_due(session, self.kind, count, oldest, newest)
        # The date entered at the import may be earlier than what holds today.
        return due and replace(due, since=min(due.since, to_day(end) + timedelta(days=1)))

    def delete_due(self, as_of: date) -> None:
        deletion.delete_expired(Viewer.SYSTEM, as_of, self.is_sealed)


@dataclass(frozen=True)
class JournalKeeper:
    kind: str = "journal"

    def find_due(self, as_of: date) -> DueData | None:
        with store.reading() as session:
            before = start_of(find_oldest_day(session, self.kind, as_of))
            count, oldest, newest = audit_log.count_before(session, before)
            return make_due(session, self.kind, count, to_day(oldest), to_day(newest))

    def delete_due(self, as_of: date) -> None:
        with store.writing() as session:
            self._delete(session, as_of)

    def rehearse(self, as_of: date) -> None:
        """Raise Refusal where the role of the database may not delete what is due."""
        with store.rehearsing() as session:
            self._delete(session, as_of)

    def _delete(self, session: Session, as_of: date) -> None:
        audit_log.purge(session, start_of(find_oldest_day(session, self.kind, as_of)))


KEEPERS = (RecordingKeeper(), RecordingKeeper(SEALED), JournalKeeper())
"""Data that this room deletes in its own way."""


@dataclass(frozen=True)
class Overdue:
    """Data of one kind that should be gone; `since`: the first day of that."""

    kind: str
    count: int
    since: date

    @property
    def is_late(self) -> bool:
        """Return whether a purge had a whole day for it."""
        return self.since < environment.today()


def describe(item: Overdue) -> str:
    """Say what is overdue, how much, and since when, in the reader's language."""
    count, day = formatting.number(item.count), formatting.day(item.since, year=True)
    return _(
        "{what}: {count}, overdue since {day}",
        what=_(BY_KIND[item.kind].title),
        count=count,
        day=day,
    )
