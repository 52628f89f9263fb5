"""Inputs of a plan's frame besides the contacts: notices, recordings, evaluations,
earlier draws, and each advisor's maximum.

Whatever came after a moment can be left out, so that a draw can be reproduced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.compliance import gates
from qa_core.compliance.recordings.deletion import find_oldest_day
from qa_core.metrics.dimensions import Period, add_months
from qa_core.metrics.query import sampling_frame
from qa_core.storage import name_merges
from qa_core.storage.guard import Unscoped
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    AdvisorNotice,
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
LISTENED = ("scored", "targeted")
"""Kinds of evaluations that required listening."""


@dataclass(frozen=True)
class DrawCutoff:
    """Earlier state: without that draw's contacts, and without what came later."""

    draw_id: int
    moment: datetime


@dataclass(frozen=True)
class FrameInputs:
    """Inputs of a frame. `frame_query`: query of the frame; `listened_counts`: advisor
    → contacts listened to; `drawn_counts`: advisor → drawn for this plan.
    """

    frame_query: sampling_frame.FrameQuery
    maximum: int
    listened_counts: Mapping[str, int] = field(default_factory=dict)
    drawn_counts: Mapping[str, int] = field(default_factory=dict)

    def remaining(self, advisor_id: str) -> int:
        """Return how many more contacts of that advisor may be listened to in the
        months of the period, over all plans.
        """
        return max(0, self.maximum - self.listened_counts.get(advisor_id, 0))


def gather(session: Session, plan: ListeningPlan, before: DrawCutoff | None = None) -> FrameInputs:
    """Read the inputs of a frame, current or at an earlier moment."""
    period = Period(plan.starts_on, plan.ends_on)
    kept = name_merges.find_kept(session)["advisor"]
    counted = whole_months(period)
    evaluated, drawn, replaced = (
        _evaluated(session, counted, before),
        _drawn(session, counted, before),
        _replaced(session, counted, before),
    )
    calibrated = _calibrated(session, counted, before)
    listened = {key: advisor for key, (advisor, _plan) in drawn.items()} | calibrated
    # What was replaced was tried, not listened to: the one in its place counts.
    listened |= {
        key: advisor
        for key, advisor in _played(session, counted, before).items()
        if key not in replaced
    } | evaluated
    listened_counts = Counter(
        kept.get(advisor, advisor) for advisor in listened.values() if advisor is not None
    )
    drawn_counts = Counter(
        kept.get(advisor, advisor)
        for advisor, plan_id in drawn.values()
        if plan_id == plan.id and advisor is not None
    )
    touched = dict.fromkeys(replaced, "replaced") | dict.fromkeys(
        [*drawn, *calibrated], "already_drawn"
    )
    touched |= dict.fromkeys((key for key in evaluated if key[1]), "already_evaluated")
    audio, keeps_audio = _audio(session, period, before)
    as_of = environment.to_local(before.moment).date() if before else environment.today()
    frame_query = sampling_frame.FrameQuery(
        period,
        plan.filters,
        tuple(plan.strata),
        find_oldest_day(as_of, gates.retention_months(session, "recording")),
        _informed(session, kept, before),
        audio,
        keeps_audio,
        touched,
        frozenset(
            advisor
            for advisor, count in listened_counts.items()
            if count >= plan.maximum_per_advisor
        ),
    )
    return FrameInputs(frame_query, plan.maximum_per_advisor, listened_counts, drawn_counts)


def whole_months(period: Period) -> Period:
    """Extend a period to whole months: maxima are counted over them, so that short
    plans limit each other within a month (docs/compliance.md, R2).
    """
    return Period(
        period.first_day.replace(day=1),
        add_months(period.last_day.replace(day=1), 1) - timedelta(days=1),
    )


def _read(session: Session, statement: sa.Select) -> sa.Result:
    return session.execute(
        Unscoped(
            statement,
            "Whether a contact may be drawn, and how much more of its advisor, depends on what "
            "anybody listened to, recorded or drew: keys and days are read, and only contacts in "
            "the scope of whoever draws are drawn.",
        )
    )


def _informed(
    session: Session, kept: Mapping[str, str], before: DrawCutoff | None
) -> dict[str, date]:
    statement = sa.select(AdvisorNotice.advisor_id, AdvisorNotice.informed_on)
    if before:
        statement = statement.where(AdvisorNotice.entered_at <= before.moment)
    known: dict[str, date] = {}
    for advisor_id, day in _read(session, statement):
        advisor = kept.get(advisor_id, advisor_id)
        known[advisor] = min(day, known.get(advisor, day))
    return known


def _audio(
    session: Session, period: Period, before: DrawCutoff | None
) -> tuple[frozenset[Key], bool]:
    stands = Recording.deleted_at.is_(None)
    if before:
        stands = sa.and_(
            Recording.stored_at <= before.moment,
            sa.or_(stands, Recording.deleted_at > before.moment),
        )
    within = Recording.local_day.between(period.first_day, period.last_day)
    playable = sa.select(Recording.source_system, Recording.contact_id).where(
        stands, within, Recording.purpose != "proof"
    )
    any_recording = sa.select(Recording.id).where(stands).limit(1)
    return (
        frozenset(map(tuple, _read(session, playable))),
        _read(session, any_recording).first() is not None,
    )


def _evaluated(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, str | None]:
    statement = sa.select(
        Evaluation.id, Evaluation.source_system, Evaluation.contact_id, Evaluation.advisor_id
    ).where(
        Evaluation.kind.in_(LISTENED),
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
        (row.source_system or f"evaluation {row.id}", row.contact_id or ""): row.advisor_id
        for row in _read(session, statement)
    }


def _drawn(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, tuple[str | None, int]]:
    statement = (
        sa.select(
            DrawnContact.source_system,
            DrawnContact.contact_id,
            DrawnContact.advisor_id,
            Draw.plan_id,
        )
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .where(_within(DrawnContact.local_start, period), DrawnContact.state != "replaced")
    )
    if before:
        statement = statement.where(Draw.id < before.draw_id)
    return {
        (row.source_system, row.contact_id): (row.advisor_id, row.plan_id)
        for row in _read(session, statement)
    }


def _replaced(session: Session, period: Period, before: DrawCutoff | None) -> set[Key]:
    statement = sa.select(DrawnContact.source_system, DrawnContact.contact_id).where(
        _within(DrawnContact.local_start, period), DrawnContact.state == "replaced"
    )
    if before:
        statement = statement.where(DrawnContact.draw_id < before.draw_id)
    return set(map(tuple, _read(session, statement)))


def _calibrated(
    session: Session, period: Period, before: DrawCutoff | None
) -> dict[Key, str | None]:
    statement = sa.select(
        CalibrationContact.source_system,
        CalibrationContact.contact_id,
        CalibrationContact.advisor_id,
    )
    statement = statement.where(_within(CalibrationContact.local_start, period))
    if before:
        statement = statement.join(
            Calibration, Calibration.id == CalibrationContact.calibration_id
        ).where(Calibration.opened_at <= before.moment)
    return {
        (row.source_system, row.contact_id): row.advisor_id for row in _read(session, statement)
    }


def _played(session: Session, period: Period, before: DrawCutoff | None) -> dict[Key, str | None]:
    statement = (
        sa.select(Playback.source_system, Playback.contact_id, Playback.advisor_id)
        .join(Recording, Recording.id == Playback.recording_id)
        .where(
            Playback.purpose != "own",
            Recording.local_day.between(period.first_day, period.last_day),
        )
    )
    if before:
        statement = statement.where(Playback.played_at <= before.moment)
    return {
        (row.source_system, row.contact_id): row.advisor_id for row in _read(session, statement)
    }


def _within(column: sa.ColumnElement[datetime], period: Period) -> sa.ColumnElement[bool]:
    start, end = (
        datetime.combine(day, datetime.min.time())
        for day in (period.first_day, period.last_day + timedelta(days=1))
    )
    return sa.and_(column >= start, column < end)
