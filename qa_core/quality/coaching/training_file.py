"""Training file: plans, sessions, remarks, evaluations; for the advisor and their leads."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core.access import people
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_, _
from qa_core.metrics import downloads, query, spreadsheets
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts, find_scorecard_texts
from qa_core.metrics.spreadsheets import Sheet, make_file
from qa_core.quality.coaching import plans
from qa_core.quality.coaching.plans import CoachingPlanView, find_names
from qa_core.quality.coaching.texts import describe_criteria, describe_state
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.store import Session

KIND = "training_file"
COLUMNS = {
    "day": N_("Day"), "entry": N_("Entry"), "text": N_("Text"), "state": N_("State"),
    "due": N_("Due"), "minutes": N_("Minutes"), "criterion": N_("Criterion"),
    "points": N_("Points"), "possible": N_("Possible"), "score": N_("Score"), "by": N_("By"),
}  # fmt: skip
KINDS = {
    "scored": N_("Evaluation"),
    "targeted": N_("Targeted evaluation"),
    "self": N_("Self-evaluation"),
}
OUTCOMES = {"pass": N_("Passed"), "fail": N_("Not passed")}


def build_file(viewer: Viewer, advisor_id: str, form: str = "csv") -> downloads.Download:
    """Build the file within the viewer's scope: a lead's covers the time in the team,
    an advisor gets their own with evaluators' names. Raise AccessDenied for anybody
    else's.
    """
    viewer.require(Permission.SEE_COACHING)
    texts, coaching_plans = find_scorecard_texts(viewer), plans.find_plans(viewer, advisor_id)
    if viewer.role != Role.ADVISOR:
        query.get_advisor(viewer, advisor_id)
    elif advisor_id != viewer.advisor_id:
        raise AccessDenied()
    with store.reading() as session:
        name = find_names(session).get(advisor_id, advisor_id)
        evaluations = _find_evaluations(session, viewer, advisor_id)
        rows = [
            *(row for plan in reversed(coaching_plans) for row in _build_plan_rows(plan, texts)),
            *_build_evaluation_rows(viewer, session, evaluations, texts),
        ]
    header = [_(title) for title in COLUMNS.values()]
    listened_count = sum(evaluation.kind != "self" for evaluation in evaluations)
    about = [
        [_("Training file"), name],
        [_("Coaching plans"), len(coaching_plans)],
        [_("Sessions"), sum(len(plan.sessions) for plan in coaching_plans)],
        [_("Minutes"), sum(plan.minutes for plan in coaching_plans)],
        [_("Evaluations"), listened_count],
        spreadsheets.describe_exporter(viewer),
    ]
    return make_file(Sheet(f"ecoute-training-{advisor_id}", header, rows, about), form)


def _build_plan_rows(plan: CoachingPlanView, texts: ScorecardTexts) -> Iterator[list[Any]]:
    criteria = describe_criteria(plan, texts)
    details = {"state": describe_state(plan), "due": plan.due_on, "criterion": criteria}
    yield _build_row(plan.starts_on, _("Coaching plan"), plan.goal, plan.opened_by, **details)
    for note in plan.notes:
        day = environment.to_local(note.written_at).date()
        entry = _("Remark") if note.minutes is None else _("Session")
        yield _build_row(day, entry, note.text, note.author, minutes=note.minutes)


def _build_row(
    day: date, entry: str, text: str | None, by: str | None, **details: Any
) -> list[Any]:
    """Build a row by `COLUMNS`; `details`: other cells that it has."""
    cells = {"day": day, "entry": entry, "text": text, "by": by, **details}
    return [cells.get(name) for name in COLUMNS]


def _find_evaluations(session: Session, viewer: Viewer, advisor_id: str) -> list[Evaluation]:
    statement = (
        sa.select(Evaluation)
        .options(selectinload(Evaluation.answers))
        .where(Evaluation.advisor_id == advisor_id)
        .where(Evaluation.state == "published", Evaluation.kind.in_(KINDS))
        .order_by(Evaluation.local_day, Evaluation.id)
    )
    return list(session.scalars(Scoped(statement, viewer)))


def _build_evaluation_rows(
    viewer: Viewer, session: Session, evaluations: list[Evaluation], texts: ScorecardTexts
) -> Iterator[list[Any]]:
    """Yield a row per evaluation and per criterion."""
    titles = dict(session.execute(sa.select(ScorecardVersion.id, ScorecardVersion.title)).all())
    accounts = people.find_names(session)
    knows = viewer.can(Permission.SEE_EVALUATORS) or viewer.role == Role.ADVISOR
    for evaluation in evaluations:
        by = (
            accounts.get(evaluation.evaluator, evaluation.evaluator)
            if knows or evaluation.kind == "self"
            else None
        )
        scorecard_title = titles.get(evaluation.grid_id) or evaluation.grid_name
        day, entry = evaluation.local_day, _(KINDS[evaluation.kind])
        outcome = _(OUTCOMES[evaluation.outcome]) if evaluation.outcome in OUTCOMES else None
        shown = texts.name("grid", scorecard_title) if scorecard_title else None
        texted = " – ".join(filter(None, (shown, evaluation.comment)))
        yield _build_row(day, entry, texted, by, state=outcome, score=evaluation.score)
        for answer in sorted(
            evaluation.answers, key=lambda answer: (answer.section or "", answer.criterion)
        ):
            points = answer.earned if answer.applicable else _("Not applicable")
            details = {"points": points, "possible": answer.possible}
            details["criterion"] = texts.name("criterion", answer.criterion)
            yield _build_row(day, entry, answer.comment, by, **details)


downloads.declare(KIND, Permission.SEE_COACHING, build_file)
