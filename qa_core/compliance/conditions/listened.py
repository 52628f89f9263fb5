"""Contacts listened to, in whatever way, and the centre's ceiling per advisor and month
(docs/compliance.md, R2): draws, picks, playbacks, calibrations and evaluations together.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

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
    """A contact listened to: whose, of which day, and drawn for which plan."""

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
    replacements = _find_replaced(session, months, before)
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


def _read_contacts(session: Session, statement: sa.Select) -> dict[Key, ListenedContact]:
    """Read contacts by key: system, id, advisor, day or start, and the plan if drawn."""
    return {
        (system, contact_id): ListenedContact(
            advisor_id, day.date() if isinstance(day, datetime) else day, *plan_id
        )
        for system, contact_id, advisor_id, day, *plan_id in _read(session, statement)
    }


def _find_evaluated(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    statement = sa.select(
        Evaluation.id,
        Evaluation.source_system,
        Evaluation.contact_id,
        Evaluation.advisor_id,
        Evaluation.local_day,
    ).where(
        Evaluation.kind.in_(EVALUATOR_KINDS),
        Evaluation.local_day.between(period.first_day, period.last_day),
    )
    if before:
        statement = statement.outerjoin(DrawnContact, DrawnContact.id == Evaluation.drawn_id)
        statement = statement.where(
            sa.or_(Evaluation.drawn_id.is_(None), DrawnContact.draw_id < before.draw_id),
            sa.or_(Evaluation.started_at.is_(None), Evaluation.started_at <= before.moment),
        )
    # One of no known contact still was a listening to its advisor.
    return {
        (row.source_system or f"evaluation {row.id}", row.contact_id or ""): ListenedContact(
            row.advisor_id, row.local_day
        )
        for row in _read(session, statement)
    }


def _find_drawn(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    statement = (
        sa.select(
            DrawnContact.source_system,
            DrawnContact.contact_id,
            DrawnContact.advisor_id,
            DrawnContact.local_start,
            Draw.plan_id,
        )
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .where(_within(DrawnContact.local_start, period), DrawnContact.state != "replaced")
    )
    if before:
        statement = statement.where(Draw.id < before.draw_id)
    return _read_contacts(session, statement)


def _find_replaced(session: Session, period: Period, before: DrawCutoff | None) -> set[Key]:
    statement = sa.select(DrawnContact.source_system, DrawnContact.contact_id).where(
        _within(DrawnContact.local_start, period), DrawnContact.state == "replaced"
    )
    if before:
        statement = statement.where(DrawnContact.draw_id < before.draw_id)
    return set(map(tuple, _read(session, statement)))


def _find_calibrated(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    statement = sa.select(
        CalibrationContact.source_system,
        CalibrationContact.contact_id,
        CalibrationContact.advisor_id,
        CalibrationContact.local_start,
    )
    statement = statement.where(_within(CalibrationContact.local_start, period))
    if before:
        statement = statement.join(
            Calibration, Calibration.id == CalibrationContact.calibration_id
        ).where(Calibration.opened_at <= before.moment)
    return _read_contacts(session, statement)


def _find_played(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, ListenedContact]:
    statement = (
        sa.select(
            Playback.source_system, Playback.contact_id, Playback.advisor_id, Recording.local_day
        )
        .join(Recording, Recording.id == Playback.recording_id)
        .where(
            Playback.purpose != "own",
            Recording.local_day.between(period.first_day, period.last_day),
        )
    )
    if before:
        statement = statement.where(Playback.played_at <= before.moment)
    return _read_contacts(session, statement)


def _within(column: sa.ColumnElement[datetime], period: Period) -> sa.ColumnElement[bool]:
    start, end = (
        datetime.combine(day, datetime.min.time())
        for day in (period.first_day, period.last_day + timedelta(days=1))
    )
    return sa.and_(column >= start, column < end)
