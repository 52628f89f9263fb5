"""Inputs of a plan's frame besides the contacts: notices, recordings, evaluations,
earlier draws, and each advisor's maximum.

Whatever came after a moment can be left out, so that a draw can be reproduced.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from qa_core.compliance.conditions import gates, listened, notices
from qa_core.compliance.conditions.listened import DrawCutoff, Key
from qa_core.compliance.recordings import law
from qa_core.metrics.kpis import periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.law import sampling_frame
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.listening import QUALITY, ListeningPlan, Recording
from qa_core.storage.records.store import Session


@dataclass(frozen=True)
class FrameInputs:
    """Inputs of a frame. `frame_query`: query of the frame; `listened_counts`: advisor
    → contacts of the months of the plan listened to, up to `maximum`; `month_counts`:
    advisor → contacts listened to this month, up to the centre's `ceiling`;
    `drawn_counts`: advisor → drawn for this plan.
    """

    frame_query: sampling_frame.FrameQuery
    maximum: int
    ceiling: int
    listened_counts: Mapping[str, int] = field(default_factory=dict)
    month_counts: Mapping[str, int] = field(default_factory=dict)
    drawn_counts: Mapping[str, int] = field(default_factory=dict)

    def remaining(self, advisor_id: str) -> int:
        """Return how many more of that advisor's contacts may be listened to."""
        of_plan = self.maximum - self.listened_counts.get(advisor_id, 0)
        return max(0, min(of_plan, self.ceiling - self.month_counts.get(advisor_id, 0)))


def gather(session: Session, plan: ListeningPlan, before: DrawCutoff | None = None) -> FrameInputs:
    """Read the inputs of a frame, current or at an earlier moment."""
    period = Period(plan.starts_on, plan.ends_on)
    contacts = listened.find_listened(session, period, before)
    counts, this_month = contacts.count(), listened.find_month(session, before).count()
    ceiling, maximum = listened.find_ceiling(session), plan.maximum_per_advisor
    touched = dict.fromkeys(contacts.replaced_keys, "replaced") | dict.fromkeys(
        [*contacts.drawn_contacts, *contacts.calibrated_keys], "already_drawn"
    )
    touched |= dict.fromkeys(
        (key for key in contacts.evaluated_keys if key[1]), "already_evaluated"
    )
    purpose = gates.COUNTS_AS.get(plan.purpose, plan.purpose)
    audio, keeps_audio = _audio(session, period, purpose, before)
    months = [f"{day:%Y-%m}" for day in periods.starts_of("month", period)]
    full = {
        (advisor, month)
        for advisor in {*counts, *this_month}
        if counts[advisor] >= maximum or this_month[advisor] >= ceiling
        for month in months
    }
    moment = before.moment if before else None
    legal = law.load(session, moment, notices.find_information_days(session, moment))
    frame_query = sampling_frame.FrameQuery(
        period,
        plan.filters,
        tuple(plan.strata),
        legal,
        audio,
        keeps_audio,
        touched,
        frozenset(full),
    )
    drawn = contacts.count_drawn(plan.id)
    return FrameInputs(frame_query, maximum, ceiling, counts, this_month, drawn)


def _read(session: Session, statement: sa.Select) -> sa.Result:
    return session.execute(
        Unscoped(
            statement,
            "The limits of a draw count everything listened to, recorded or drawn by anybody. "
            "Only keys and days are read, and only contacts in the drawer's scope are drawn.",
        )
    )


def _audio(
    session: Session, period: Period, purpose: str, before: DrawCutoff | None
) -> tuple[frozenset[Key], bool]:
    stands = sa.and_(QUALITY, Recording.deleted_at.is_(None))
    if before:
        stands = sa.and_(
            QUALITY,
            Recording.stored_at <= before.moment,
            sa.or_(Recording.deleted_at.is_(None), Recording.deleted_at > before.moment),
        )
    within = Recording.local_day.between(period.first_day, period.last_day)
    is_for_it = sa.literal(",").concat(Recording.purpose).concat(",").contains(f",{purpose},")
    playable = sa.select(Recording.source_system, Recording.contact_id).where(
        stands, within, is_for_it
    )
    any_recording = sa.select(Recording.id).where(stands).limit(1)
    return (
        frozenset(map(tuple, _read(session, playable))),
        _read(session, any_recording).first() is not None,
    )
