"""Contacts listened to, in whatever way, and the centre's ceiling per advisor and month
(docs/compliance.md, R2): draws, picks, playbacks, calibrations and evaluations together.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.base.errors import Refusal
from qa_core.centre import settings
from qa_core.metrics.kpis import periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.storage import name_merges
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.evaluations import EVALUATOR_KINDS, Evaluation
from qa_core.storage.records.listening import (
    Calibration,
    CalibrationContact,
    Draw,
    DrawnContact,
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

    @property
    def month(self) -> str:
        return f"{self.day:%Y-%m}"


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
        """Count the contacts of each advisor."""
        return Counter(self._advisor_of(item) for item in self.contacts.values())

    def count_months(self) -> Counter[tuple[str, str]]:
        """Count the contacts of each advisor and month."""
        return Counter((self._advisor_of(item), item.month) for item in self.contacts.values())

    def count_drawn(self, plan_id: int) -> Counter[str]:
        """Count the contacts of each advisor that were drawn for a plan."""
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


def find_ceiling(session: Session) -> int:
    """Return how many contacts of an advisor may be listened to in a month."""
    return settings.current(session).listening_ceiling


def require_room(session: Session, key: Key, advisor_id: str | None, day: date) -> None:
    """Refuse one contact more of an advisor whose month is full; one that was listened to
    already is no more.
    """
    listened_contacts = find_listened(session, Period(day, day))
    advisor = listened_contacts.kept_ids.get(advisor_id, advisor_id) if advisor_id else None
    if advisor is None or key in listened_contacts.contacts:
        return
    ceiling = find_ceiling(session)
    if listened_contacts.count_months()[advisor, f"{day:%Y-%m}"] >= ceiling:
        raise Refusal(
            "advisor_at_maximum",
            "{count} contacts of this advisor were listened to in that month: the centre's "
            "monthly maximum. Choose another advisor or month.",
            count=ceiling,
        )


def whole_months(period: Period) -> Period:
    """Extend a period to whole months: maxima are counted over them, so that short
    plans limit each other within a month (docs/compliance.md, R2).
    """
    last_month = period.last_day.replace(day=1)
    return Period(period.first_day.replace(day=1), periods.end_of("month", last_month))


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
