"""Personal data that is kept longer than allowed (docs/compliance.md, R5, R5b, R6): how
much, and since when. It deletes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _
from qa_core.compliance import gates
from qa_core.compliance.recordings import deletion
from qa_core.metrics import formatting
from qa_core.metrics.dimensions import add_months
from qa_core.metrics.query.identified import count_identified
from qa_core.storage.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Calibration, CoachingPlan, Recording
from qa_core.storage.records.store import Session

CONTACT_MONTHS = 13
"""How long a contact may name its customer and its advisor."""

ANALYSES = (
    ("evaluations", Evaluation.evaluated_at),
    ("calibrations", Calibration.opened_at),
    ("coaching", CoachingPlan.opened_at),
)
"""What belongs to them (answers, comments, disputes, notes) is younger, and goes with
them.
"""

TITLES = {
    "recordings": N_("Recordings"),
    "evaluations": N_("Evaluations with their answers, comments and disputes"),
    "calibrations": N_("Calibration sessions"),
    "coaching": N_("Coaching plans with their notes"),
    "contacts": N_("Contacts with a customer key or an advisor"),
}


@dataclass(frozen=True)
class Overdue:
    """Data of one kind (a key of `TITLES`) kept too long; `since`: the first day of
    that.
    """

    kind: str
    count: int
    since: date


def find(viewer: Viewer) -> list[Overdue]:
    """Count what is overdue today in the whole centre, kind by kind; kinds of which
    nothing is are left out.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        in_records = [*_find_recordings(session), *_find_analyses(session)]
    return [*in_records, *_find_contacts(viewer)]


def describe(item: Overdue) -> str:
    """Say what is overdue, how much, and since when, in the reader's language."""
    count, day = formatting.number(item.count), formatting.day(item.since, year=True)
    return _(
        "{what}: {count}, overdue since {day}", what=_(TITLES[item.kind]), count=count, day=day
    )


def _find_recordings(session: Session) -> list[Overdue]:
    counted = sa.select(
        sa.func.count(), sa.func.min(Recording.delete_after), sa.func.min(Recording.local_day)
    ).where(deletion.is_expired(session))
    count, end, first_day = _read(session, counted)
    if not count:
        return []
    end = min(end, deletion.find_end(first_day, gates.retention_months(session, "recording")))
    return [Overdue("recordings", count, environment.to_local(end).date() + timedelta(days=1))]


def _find_analyses(session: Session) -> list[Overdue]:
    months = gates.retention_months(session, "analysis")
    before = datetime.combine(
        deletion.find_oldest_day(environment.today(), months), time(), environment.current().zone
    ).astimezone(UTC)
    found = []
    for kind, moment in ANALYSES:
        counted = sa.select(sa.func.count(), sa.func.min(moment)).where(moment < before)
        count, first = _read(session, counted)
        if count:
            found.append(
                Overdue(kind, count, _day_after(environment.to_local(first).date(), months))
            )
    return found


def _read(session: Session, counted: sa.Select) -> sa.Row:
    return session.execute(
        Unscoped(
            counted,
            "What is kept too long is counted in the whole centre: a number and days are read.",
        )
    ).one()


def _find_contacts(viewer: Viewer) -> list[Overdue]:
    count, first = count_identified(
        viewer, deletion.find_oldest_day(environment.today(), CONTACT_MONTHS)
    )
    return [] if first is None else [Overdue("contacts", count, _day_after(first, CONTACT_MONTHS))]


def _day_after(day: date, months: int) -> date:
    return add_months(day, months) + timedelta(days=1)
