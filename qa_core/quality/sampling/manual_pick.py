"""Contacts picked by hand: under the same exclusions, never part of a score."""

from dataclasses import replace
from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.base.i18n import N_, _, uncapitalise
from qa_core.compliance.conditions import accreditations, gates
from qa_core.metrics.kpis import periods
from qa_core.metrics.law import sampling_frame
from qa_core.quality import scorecards
from qa_core.quality.sampling import assignment, draws, frame_inputs, plans
from qa_core.quality.sampling.labels import PICK_REASONS
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.listening import Draw, ListeningPlan

DEFAULT_MAXIMUM = 6
"""Maximum per advisor and month, unless a plan of that month sets one."""


def find_evaluators(viewer: Viewer) -> list[tuple[str, str]]:
    """Return the evaluators accredited today for picked contacts, as username and name."""
    viewer.require(Permission.MANAGE_LISTENING)
    people = plans.find_choices(viewer)["evaluators"]
    with store.reading() as session:
        return [
            entry
            for entry in people
            if accreditations.is_accredited(session, entry[0], plans.TARGETED)
        ]


def pick(
    viewer: Viewer,
    source_system: str,
    contact_id: str,
    reason: str,
    evaluator: str,
    scorecard: str | None = None,
) -> int:
    """Assign a contact to an evaluator, in the month's plan of picked contacts (created
    with the first). `scorecard`: default the first published one by title.

    Raise Refusal `not_listenable` with the reason of exclusion; `unknown_reason`,
    `no_grid`, `no_evaluator`, a closed gate; AccessDenied.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    require_known(reason, PICK_REASONS, "unknown_reason")
    published = {version.key: version for version in scorecards.find_published(Viewer.SYSTEM)}
    key = scorecard or next(iter(published), None)
    if key not in published:
        raise Refusal("no_grid", scorecards.NOT_PUBLISHED)
    with store.writing() as session:
        gates.require_open(session, plans.TARGETED)
        start = sampling_frame.find_start(viewer, (source_system, contact_id))
        if start is None:
            raise AccessDenied()
        plan = _get_or_create_plan(session, viewer, start.date().replace(day=1), key)
        frame_query = frame_inputs.gather(session, plan).frame_query
        judged = sampling_frame.judge(viewer, frame_query, (source_system, contact_id))
        if judged is None:
            raise AccessDenied()
        outside, row = judged
        if outside is not None:
            message = N_("This contact cannot be listened to: {reason}.")
            raise Refusal(
                "not_listenable",
                message,
                reason=uncapitalise(_(sampling_frame.REASONS[outside])),
                outside=outside,
            )
        theirs = ListeningPlan(name=plan.name, purpose=plan.purpose, evaluators=[evaluator])
        listeners = assignment.find_listeners(session, theirs)
        if row["advisor_id"] in listeners[evaluator]:
            raise Refusal(
                "own_call", "Nobody listens to their own calls; choose another evaluator."
            )
        entry = draws.build_entry(row, evaluator)
        entry = replace(entry, stratum={**entry.stratum, "because": reason})
        stored = session.scalars(sa.select(Draw).where(Draw.plan_id == plan.id).limit(1)).one()
        position = 1 + max((contact.position for contact in stored.contacts), default=0)
        drawn_row = draws.build_drawn_row(
            stored.id, position, entry, environment.today() + timedelta(days=7)
        )
        session.add(drawn_row)
        what = f"{source_system}/{contact_id}"
        audit_log.record(session, viewer.username, "contact_picked", what, reason=reason)
        session.flush()
        return drawn_row.id


def _get_or_create_plan(
    session: Session, viewer: Viewer, month: date, scorecard: str
) -> ListeningPlan:
    last = periods.end_of("month", month)
    name = f"{plans.TARGETED}-{month:%Y-%m}-{scorecard}"
    existing = session.scalar(sa.select(ListeningPlan).where(ListeningPlan.name == name))
    if existing is not None:
        return existing
    overlaps = sa.and_(ListeningPlan.starts_on <= last, ListeningPlan.ends_on >= month)
    plan = ListeningPlan(
        name=name,
        purpose=plans.TARGETED,
        starts_on=month,
        ends_on=last,
        grid_key=scorecard,
        per_advisor=0,
        maximum_per_advisor=session.scalar(
            sa.select(sa.func.max(ListeningPlan.maximum_per_advisor)).where(overlaps)
        )
        or DEFAULT_MAXIMUM,
        created_by=viewer.username,
    )
    session.add(plan)
    session.flush()
    nothing = {"lake_version": "", "frame": 0, "frame_digest": ""}
    nothing |= {"excluded": {}, "short": {}, "frame_shares": {}}
    session.add(Draw(plan_id=plan.id, seed=0, drawn_by=viewer.username, **nothing))
    session.flush()
    return plan
