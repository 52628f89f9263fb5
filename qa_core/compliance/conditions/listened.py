"""Listenings, and the centre's maximum per advisor and month (docs/compliance.md, R2).

A contact counts once in each month in which it was played or evaluated. Imported evaluations
count too. The maximum of a plan counts by the month of the contact.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.centre import settings
from qa_core.metrics.kpis import periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage import name_merges
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.base import UtcDateTime
from qa_core.storage.records.evaluations import CALIBRATION, EVALUATOR_KINDS, Evaluation
from qa_core.storage.records.listening import (
    Calibration,
    CalibrationContact,
    Draw,
    DrawnContact,
    ListeningPlan,
    Playback,
    Recording,
)
from qa_core.storage.records.store import Session

Key = tuple[str, str]


@dataclass(frozen=True)
class DrawCutoff:
    """Earlier state: without that draw's contacts, and without what came later."""

    draw_id: int
    moment: datetime


@dataclass(frozen=True)
class ListenedContact:
    """Contact listened to: its advisor, its day, and the plan it was drawn for."""

    advisor_id: str | None
    day: date
    plan_id: int | None = None


@dataclass(frozen=True)
class ListenedContacts:
    """Contacts of months listened to, or to be; `replaced_keys` were tried and do not count."""

    contacts: Mapping[Key, ListenedContact] = field(default_factory=dict)
    drawn_contacts: Mapping[Key, ListenedContact] = field(default_factory=dict)
    evaluated_keys: frozenset[Key] = frozenset()
    calibrated_keys: frozenset[Key] = frozenset()
    replaced_keys: frozenset[Key] = frozenset()
    kept_ids: Mapping[str, str] = field(default_factory=dict)

    def count(self) -> Counter[str]:
        return Counter(self._advisor_of(item) for item in self.contacts.values())

    def count_drawn(self, plan_id: int) -> Counter[str]:
        theirs = (item for item in self.drawn_contacts.values() if item.plan_id == plan_id)
        return Counter(map(self._advisor_of, theirs))

    def _advisor_of(self, item: ListenedContact) -> str:
        return self.kept_ids.get(item.advisor_id, item.advisor_id or "")


def find_listened(
    session: Session, period: Period, before: DrawCutoff | None = None
) -> ListenedContacts:
    """Find the contacts listened to in the months of a period, now or as of `before`."""
    months = whole_months(period)
    evaluations = _find_evaluated(session, months, before)
    draws = _find_drawn(session, months, before)
    replacements = _find_drawn(session, months, before, is_replaced=True)
    calibrations = _find_calibrated(session, months, before)
    playbacks = {
        key: item
        for key, item in _find_played(session, months, before).items()
        if key not in replacements
    }
    return ListenedContacts(
        {**draws, **calibrations, **playbacks, **evaluations},
        draws,
        frozenset(evaluations),
        frozenset(calibrations),
        frozenset(replacements),
        name_merges.find_kept_names(session)["advisor"],
    )


@dataclass(frozen=True)
class CountedListening:
    """Listening to a contact of an advisor, on a day of the centre's calendar."""

    advisor_id: str
    key: Key
    day: date

    @property
    def month(self) -> str:
        return f"{self.day:%Y-%m}"


def find_listenings(
    session: Session, first_day: date, last_day: date, until: datetime | None = None
) -> set[CountedListening]:
    """Find what others than the advisor played or evaluated from one day through another, as
    far as it was by `until`; each contact once a day. An evaluation counts where it began.
    """
    start, end = map(start_of, (first_day, last_day + timedelta(days=1)))
    end = min(end, until + timedelta(microseconds=1)) if until else end
    begun = sa.func.coalesce(Evaluation.started_at, Evaluation.evaluated_at)
    sources = (
        (Playback, Playback.played_at, Playback.purpose != "own"),
        (Evaluation, begun, Evaluation.kind.in_((*EVALUATOR_KINDS, CALIBRATION))),
    )
    kept_ids = name_merges.find_kept_names(session)["advisor"]
    listenings, zone = set(), environment.current().zone
    for table, moment, condition in sources:
        columns = (table.id, table.source_system, table.contact_id, table.advisor_id)
        statement = sa.select(*columns, sa.type_coerce(moment, UtcDateTime())).where(
            condition, table.advisor_id.is_not(None), moment >= start, moment < end
        )
        for row_id, system, contact_id, advisor_id, at in _read(session, statement):
            key = (system or f"{table.__tablename__} {row_id}", contact_id or "")
            day = at.astimezone(zone).date()
            listenings.add(CountedListening(kept_ids.get(advisor_id, advisor_id), key, day))
    return listenings


@dataclass(frozen=True)
class MonthOfListening:
    """Contacts listened to in a month, and those reserved for it: drawn, or in an open
    calibration session, and not begun; each an advisor and a key.
    """

    listened: frozenset[tuple[str, Key]]
    reserved: frozenset[tuple[str, Key]]

    def count(self) -> Counter[str]:
        return Counter(advisor_id for advisor_id, _key in self.listened | self.reserved)


def find_month(session: Session, before: DrawCutoff | None = None) -> MonthOfListening:
    """Find the listenings of this month, or of the month of `before` as they were then."""
    moment = before.moment if before else environment.now()
    month = whole_months(Period(*[environment.to_local(moment).date()] * 2))
    found = find_listenings(session, month.first_day, month.last_day, moment)
    begun = sa.select(Evaluation.id).where(Evaluation.started_at <= moment)
    drawn = (
        sa.select(DrawnContact)
        .join(DrawnContact.draw)
        .join(Draw.plan)
        .where(
            DrawnContact.state != "replaced",
            DrawnContact.id.not_in(
                begun.with_only_columns(Evaluation.drawn_id).where(Evaluation.drawn_id.is_not(None))
            ),
            sa.or_(ListeningPlan.closed_at.is_(None), ListeningPlan.closed_at > moment),
            _is_due(DrawnContact.due_on, month.first_day),
        )
    )
    if before:
        drawn = drawn.where(DrawnContact.draw_id < before.draw_id)
    in_session = (
        sa.select(CalibrationContact)
        .join(Calibration)
        .where(
            Calibration.opened_at <= moment,
            sa.or_(Calibration.closed_at.is_(None), Calibration.closed_at > moment),
            _is_due(Calibration.due_on, month.first_day),
        )
    )
    kept_ids = name_merges.find_kept_names(session)["advisor"]
    reserved = {
        (kept_ids.get(row.advisor_id, row.advisor_id), (row.source_system, row.contact_id))
        for statement in (drawn, in_session)
        for row in _read(session, statement).scalars()
        if row.advisor_id
    }
    listened = frozenset((item.advisor_id, item.key) for item in found)
    return MonthOfListening(listened, frozenset(reserved))


def _is_due(due_on: sa.ColumnElement[date], first_day: date) -> sa.ColumnElement[bool]:
    """Select what is reserved: due in an earlier month, it waits for room instead."""
    return sa.or_(due_on.is_(None), due_on >= first_day)


def find_ceiling(session: Session) -> int:
    """Return how many contacts of an advisor may be listened to in a month."""
    return settings.current(session).listening_ceiling


def require_room(session: Session, key: Key, advisor_id: str | None) -> None:
    """Refuse to listen to one contact more of an advisor whose month is full, or whose room
    is reserved for others; one that was listened to this month is no more.
    """
    if advisor_id is None:
        return
    advisor_id = name_merges.find_kept_names(session)["advisor"].get(advisor_id, advisor_id)
    month, one = find_month(session), (advisor_id, key)
    if one in month.listened:
        return
    ceiling = find_ceiling(session)
    counts = Counter(advisor for advisor, _key in month.listened)
    is_full = counts[advisor_id] >= ceiling
    if is_full or (one not in month.reserved and month.count()[advisor_id] >= ceiling):
        raise Refusal(
            "advisor_at_maximum",
            "{count} contacts of this advisor are listened to this month: the centre's maximum. "
            "Choose another advisor, or wait for the next month.",
            count=ceiling,
        )


def whole_months(period: Period) -> Period:
    """Extend a period to whole months: maxima are counted over them, so that short
    plans limit each other within a month (docs/compliance.md, R2).
    """
    last_month = period.last_day.replace(day=1)
    return Period(period.first_day.replace(day=1), periods.end_of("month", last_month))


def start_of(day: date) -> datetime:
    """Return the first moment of a day in the centre's time, in UTC."""
    return datetime.combine(day, time(), environment.current().zone).astimezone(UTC)


def _read(session: Session, statement: sa.Select) -> sa.Result:
    return session.execute(
        Unscoped(
            statement,
            "The ceiling of an advisor counts every playback and draw, by anybody. Only keys and "
            "days are read, and counted.",
        )
    )


def _find_contacts(
    session: Session,
    source: type[Any],
    period: Period,
    *conditions: sa.ColumnElement[bool],
    day: sa.ColumnElement[Any] | None = None,
    plan_id: sa.ColumnElement[int] | None = None,
) -> dict[Key, ListenedContact]:
    """Read the contacts of a table in a period, by its local day or start. One of no known
    contact still was a listening to its advisor: it has the id of its row as its key.
    """
    day = source.local_start if day is None else day
    columns = (source.id, source.source_system, source.contact_id, source.advisor_id, day)
    plan = () if plan_id is None else (plan_id,)
    statement = sa.select(*columns, *plan).where(_within(day, period), *conditions)
    return {
        (system or f"{source.__tablename__} {row_id}", contact_id or ""): ListenedContact(
            advisor_id, moment.date() if isinstance(moment, datetime) else moment, *drawn_for
        )
        for row_id, system, contact_id, advisor_id, moment, *drawn_for in _read(session, statement)
    }


def _find_evaluated(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    conditions = [Evaluation.kind.in_(EVALUATOR_KINDS)]
    if before:
        earlier = sa.select(DrawnContact.id).where(DrawnContact.draw_id < before.draw_id)
        conditions += [
            sa.or_(Evaluation.drawn_id.is_(None), Evaluation.drawn_id.in_(earlier)),
            sa.or_(Evaluation.started_at.is_(None), Evaluation.started_at <= before.moment),
        ]
    return _find_contacts(session, Evaluation, period, *conditions, day=Evaluation.local_day)


def _find_drawn(
    session: Session, period: Period, before: DrawCutoff | None, is_replaced: bool = False
) -> dict[Key, ListenedContact]:
    state = DrawnContact.state == "replaced" if is_replaced else DrawnContact.state != "replaced"
    conditions = [Draw.id == DrawnContact.draw_id, state]
    conditions += [Draw.id < before.draw_id] if before else []
    return _find_contacts(session, DrawnContact, period, *conditions, plan_id=Draw.plan_id)


def _find_calibrated(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    earlier = before and sa.select(Calibration.id).where(Calibration.opened_at <= before.moment)
    conditions = [CalibrationContact.calibration_id.in_(earlier)] if before else []
    return _find_contacts(session, CalibrationContact, period, *conditions)


def _find_played(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    conditions = [Recording.id == Playback.recording_id, Playback.purpose != "own"]
    conditions += [Playback.played_at <= before.moment] if before else []
    return _find_contacts(session, Playback, period, *conditions, day=Recording.local_day)


def _within(day: sa.ColumnElement[Any], period: Period) -> sa.ColumnElement[bool]:
    if isinstance(day.type, sa.Date):
        return day.between(period.first_day, period.last_day)
    start, end = (
        datetime.combine(edge, datetime.min.time())
        for edge in (period.first_day, period.last_day + timedelta(days=1))
    )
    return sa.and_(day >= start, day < end)
