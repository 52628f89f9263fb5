"""Evaluations in progress: opened, saved and submitted by one person."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core import scoring
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import doors, environment, masking
from qa_core.base.errors import AccessDenied, Refusal, require_version
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.compliance.conditions import accreditations, evaluators, gates, listened
from qa_core.compliance.recordings import law
from qa_core.metrics.law import evaluator_contact
from qa_core.quality import scorecards
from qa_core.quality.evaluations import finalise, publication, withdrawal
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import (
    CALIBRATION,
    SCORED,
    SELF,
    TARGETED,
    Evaluation,
    ScorecardVersion,
)
from qa_core.storage.records.listening import Calibration, DrawnContact
from qa_core.storage.records.store import Session

CONTACT = ("source_system", "contact_id", "advisor_id", "team")
"""Fields that an evaluation takes over from its contact."""
OCCASIONS = ("drawn_id", "calibration_id", "answered_evaluation_id")
"""Occasions of an evaluation, one at most: a draw, a session, another evaluation."""
CHANGED_MEANWHILE = "changed_meanwhile"


@dataclass(frozen=True)
class Draft:
    """Evaluation for its evaluator, without the advisor. `answers`: criterion → points or "na"."""

    id: int
    kind: str
    state: str
    version: int
    scorecard: scoring.Scorecard
    scorecard_version: int
    answers: dict[str, Any]
    comments: dict[str, str]
    comment: str
    purpose: str
    source_system: str | None
    contact_id: str | None
    contact: evaluator_contact.AssignedContact | None
    local_day: date
    drawn_id: int | None
    calibration_id: int | None
    answered_evaluation_id: int | None
    seconds_spent: float
    saved_at: datetime
    due_on: date | None = None
    publish_on: date | None = None
    result: scoring.Result | None = field(default=None, compare=False)
    """Set once it is submitted."""


@doors.writes("evaluation")
def open_draft(
    session: Session,
    viewer: Viewer,
    *,
    kind: str,
    grid_id: int,
    evaluator: str,
    purpose: str,
    local_day: date,
    **about: Any,
) -> Evaluation:
    """Return this person's evaluation for that contact and occasion, in whatever state,
    or create a draft. `about`: fields of `CONTACT`, and the id of the occasion.

    The caller checks permissions; every later call on the draft checks them again.
    Flush, so that it has its id.
    """
    same = {"kind": kind, "evaluator": evaluator}
    same |= {name: about.get(name) for name in ("source_system", "contact_id", *OCCASIONS)}
    existing = (
        sa.select(Evaluation)
        .filter_by(**same)
        .where(Evaluation.draft.is_not(None) | Evaluation.submitted_at.is_not(None))
    )
    earlier = session.scalar(Scoped(existing.order_by(Evaluation.id).limit(1), viewer))
    if earlier is not None:
        return earlier
    scorecard_row = require_published(session.get(ScorecardVersion, grid_id))
    if kind != SELF:
        key = about.get("source_system") or "", about.get("contact_id") or ""
        listened.require_room(session, key, about.get("advisor_id"))
    evaluation = Evaluation(
        **(about | same),
        grid_id=scorecard_row.id,
        grid_name=scorecard_row.title,
        purpose=purpose,
        local_day=local_day,
        state="draft",
        draft={"answers": {}, "comments": {}},
        evaluated_at=now(),
        started_at=now(),
    )
    session.add(evaluation)
    session.flush()
    audit_log.record(session, evaluator, "evaluation_started", str(evaluation.id))
    return evaluation


def start(viewer: Viewer, drawn_id: int) -> int:
    """Start or resume (once) the evaluation of a contact drawn for the viewer; return its id."""
    _require_evaluator(viewer)
    with store.writing() as session:
        drawn = store.get_in_scope(session, viewer, DrawnContact, drawn_id)
        if drawn.evaluator != viewer.username:
            raise AccessDenied()
        plan, day = drawn.draw.plan, drawn.local_start.date()
        _require_may_listen(session, viewer, plan.purpose, drawn.advisor_id, drawn)
        contact = evaluator_contact.find_assigned(
            session, viewer, drawn.source_system, drawn.contact_id, day, law.load(session)
        )
        if contact is None or not contact.is_withdrawn:
            newest = scorecards.find_newest_published(session, plan.grid_key)
            evaluation = open_draft(
                session,
                viewer,
                kind=TARGETED if plan.purpose == TARGETED else SCORED,
                grid_id=require_published(newest).id,
                evaluator=viewer.username,
                purpose=plan.purpose,
                local_day=day,
                drawn_id=drawn.id,
                **read_fields(drawn, CONTACT),
            )
            if drawn.state == "waiting":
                drawn.state = "started"
            return evaluation.id
        withdrawal.remove_from_list(session, "system", drawn)
    raise build_withdrawn()


def get_draft(viewer: Viewer, evaluation_id: int) -> Draft:
    """Return the viewer's draft or submitted evaluation. Raise AccessDenied for anybody
    else's, Refusal when they may not continue it.
    """
    with store.reading() as session:
        evaluation = get_own(session, viewer, evaluation_id)
        contact = _find_contact(session, viewer, evaluation)
        if not _is_withdrawn(evaluation, contact):
            return _build_draft(session, viewer, evaluation, contact)
    with changing(viewer, evaluation_id):  # withdraws it
        raise build_withdrawn()


def _build_draft(
    session: Session,
    viewer: Viewer,
    evaluation: Evaluation,
    contact: evaluator_contact.AssignedContact | None,
) -> Draft:
    drawn = _find_drawn(session, evaluation)
    if evaluation.state == "draft":
        require_may_continue(session, viewer, evaluation)
        answers = evaluation.draft["answers"]
        comments = evaluation.draft["comments"]
        result = None
    else:
        answers = finalise.read_answers(evaluation)
        comments = finalise.read_comments(evaluation)
        result = scoring.score(get_scorecard(session, evaluation), answers)
    return build_from_row(
        Draft,
        evaluation,
        scorecard=get_scorecard(session, evaluation),
        scorecard_version=session.get_one(ScorecardVersion, evaluation.grid_id).version,
        answers=dict(answers),
        comments=dict(comments),
        comment=evaluation.comment or "",
        contact=contact,
        seconds_spent=evaluation.seconds_spent or 0.0,
        saved_at=evaluation.changed_at,
        due_on=drawn.due_on if drawn else None,
        result=result,
    )


def save(
    viewer: Viewer,
    evaluation_id: int,
    version: int,
    answers: Mapping[str, Any],
    comments: Mapping[str, str],
    comment: str | None = None,
    seconds: float | None = None,
) -> int:
    """Save the answers, complete or not, and return the new version. Contact details in
    comments are masked.

    Raise Refusal `changed_meanwhile` when the stored draft has another version and
    other content; it is left unchanged. `seconds`: total time spent so far.
    """
    with changing(viewer, evaluation_id) as (session, evaluation):
        if evaluation.state != "draft":
            raise Refusal(
                "already_submitted",
                "This evaluation is already submitted. Correct it on its own page, with a reason.",
            )
        require_may_continue(session, viewer, evaluation)
        answered = {key: value for key, value in answers.items() if value is not None}
        scoring.check_answers(get_scorecard(session, evaluation), answered)
        content = {"answers": answered, "comments": mask_comments(comments)}
        words = masking.mask(comment or "").strip() or None
        evaluation.seconds_spent = max(evaluation.seconds_spent or 0.0, seconds or 0.0) or None
        if (evaluation.draft, evaluation.comment) == (content, words):
            return evaluation.version
        require_version(evaluation.version, version)
        evaluation.draft, evaluation.comment = content, words
        evaluation.version += 1
        return evaluation.version


def submit(
    viewer: Viewer, evaluation_id: int, version: int, keeps_personal_data: bool = False
) -> None:
    """Submit a draft: score it, and publish it now or after the plan's delay.
    Submitting twice changes nothing.

    Raise Refusal for missing answers (`unanswered`), another version
    (`changed_meanwhile`), and unconfirmed personal data in the comments
    (`personal_data`).
    """
    with changing(viewer, evaluation_id) as (session, evaluation):
        if evaluation.state != "draft":
            return
        require_may_continue(session, viewer, evaluation)
        require_version(evaluation.version, version)
        answers, comments = evaluation.draft["answers"], evaluation.draft["comments"]
        scorecard = get_scorecard(session, evaluation)
        finalise.require_complete(scorecard, answers)
        require_no_personal_data(
            scorecard, answers, comments, evaluation.comment, keeps_personal_data
        )
        finalise.apply_scores(evaluation, scorecard, answers, comments)
        evaluation.draft, evaluation.state = None, "submitted"
        evaluation.submitted_at = evaluation.evaluated_at = now()
        evaluation.version += 1
        audit_log.record(session, viewer.username, "evaluation_submitted", str(evaluation.id))
        drawn = _find_drawn(session, evaluation)
        if drawn is not None:
            drawn.state = "done"
        if evaluation.kind == CALIBRATION:  # never published
            return
        if drawn is not None and (days := drawn.draw.plan.publish_after_days):
            evaluation.publish_on = environment.today() + timedelta(days=days)
        else:
            publication.publish(session, evaluation, viewer.username)


@dataclass(frozen=True)
class SubmittedEvaluation:
    """Submitted evaluation; `submitted_at` None: imported; `published_at` None: not published
    (yet).
    """

    id: int
    kind: str
    local_day: date
    evaluated_at: datetime
    submitted_at: datetime | None
    scorecard: str
    score: float | None
    outcome: str | None
    published_at: datetime | None
    publish_on: date | None


def find_submitted(viewer: Viewer, limit: int = 10) -> list[SubmittedEvaluation]:
    """Return the evaluations that the viewer submitted last, here or elsewhere, newest first."""
    viewer.require(Permission.FILL_SCORECARDS)
    statement = sa.select(Evaluation).where(
        Evaluation.evaluator == viewer.username, Evaluation.state != "draft"
    )
    moment = sa.func.coalesce(Evaluation.submitted_at, Evaluation.evaluated_at)
    newest = statement.order_by(moment.desc(), Evaluation.id.desc())
    with store.reading() as session:
        return [
            build_from_row(SubmittedEvaluation, row, scorecard=row.grid_name)
            for row in session.scalars(Scoped(newest.limit(limit), viewer))
        ]


def get_scorecard(session: Session, evaluation: Evaluation) -> scoring.Scorecard:
    """Return the scorecard version of an evaluation. Raise AccessDenied where it has none."""
    scorecard_row = scorecards.find_version(session, evaluation.grid_id)
    if scorecard_row is None:
        raise AccessDenied()
    return scoring.parse_scorecard(scorecard_row.content)


def require_no_personal_data(
    scorecard: scoring.Scorecard,
    answers: Mapping[str, Any],
    comments: Mapping[str, str],
    comment: str | None,
    is_kept: bool,
) -> None:
    """Refuse unconfirmed personal data in the comments."""
    texts = [text for key, text in comments.items() if key in answers] + [comment or ""]
    if not is_kept and any(masking.find_personal_data(text) for text in texts):
        message = N_(
            "The comments seem to contain personal data. Remove them, or confirm that the "
            "evaluation needs them. Then submit."
        )
        raise Refusal("personal_data", message)


def get_own(session: Session, viewer: Viewer, evaluation_id: int) -> Evaluation:
    """Return an evaluation that the viewer made, here or elsewhere. Raise AccessDenied."""
    viewer.require(Permission.FILL_SCORECARDS)
    evaluation = store.get_in_scope(session, viewer, Evaluation, evaluation_id)
    if evaluation.evaluator != viewer.username:
        raise AccessDenied()
    if evaluation.kind == SELF:
        if not viewer.advisor_id or viewer.advisor_id != evaluation.advisor_id:
            raise AccessDenied()
    else:
        _require_evaluator(viewer)
    return evaluation


def require_session_open(calibration: Calibration | None) -> None:
    """Refuse scoring in a closed calibration session; None: it is in no session."""
    if calibration is not None and calibration.closed_at is not None:
        raise Refusal("round_closed", "This calibration session is closed. Scoring has ended.")


def require_may_continue(session: Session, viewer: Viewer, evaluation: Evaluation) -> None:
    """Refuse an evaluator who may not listen to the contact today, and a closed
    calibration. A self-evaluation needs no accreditation.
    """
    if evaluation.kind != SELF:
        drawn = _find_drawn(session, evaluation)
        purpose = CALIBRATION if evaluation.kind == CALIBRATION else evaluation.purpose
        _require_may_listen(session, viewer, purpose, evaluation.advisor_id, drawn)
    if evaluation.calibration_id:
        require_session_open(session.get(Calibration, evaluation.calibration_id))


@contextmanager
def changing(viewer: Viewer, evaluation_id: int) -> Iterator[tuple[Session, Evaluation]]:
    """Open an evaluation that the viewer made for a change, in one transaction.

    Where nobody may listen to the contact of a draft any more, delete the draft instead
    and raise Refusal `contact_withdrawn`.
    """
    with store.writing() as session:
        evaluation = get_own(session, viewer, evaluation_id)
        if not _is_withdrawn(evaluation, _find_contact(session, viewer, evaluation)):
            yield session, evaluation
            return
        drawn = _find_drawn(session, evaluation)
        # Logged as the system: the evaluator only opened the draft.
        withdrawal.delete_draft(session, "system", evaluation)
        withdrawal.remove_from_list(session, "system", drawn)
    raise build_withdrawn()


def _find_contact(
    session: Session, viewer: Viewer, evaluation: Evaluation
) -> evaluator_contact.AssignedContact | None:
    """Return the contact; None where the evaluation names none or the lake has it no more."""
    system, contact_id = evaluation.source_system, evaluation.contact_id
    if system is None or contact_id is None:
        return None
    return evaluator_contact.find_assigned(
        session, viewer, system, contact_id, evaluation.local_day, law.load(session)
    )


def _is_withdrawn(
    evaluation: Evaluation, contact: evaluator_contact.AssignedContact | None
) -> bool:
    is_open = evaluation.state == "draft" and evaluation.kind != SELF
    return is_open and contact is not None and contact.is_withdrawn


def mask_comments(comments: Mapping[str, str]) -> dict[str, str]:
    """Mask contact details in the comments and drop empty ones."""
    masked = {key: masking.mask(text or "").strip() for key, text in comments.items()}
    return {key: text for key, text in masked.items() if text}


def require_not_own(session: Session, viewer: Viewer, advisor_id: str | None) -> None:
    """Refuse an evaluator who is that advisor."""
    if advisor_id in evaluators.find_own_ids(session, advisor_id).get(viewer.username, ()):
        raise Refusal(
            "own_contact",
            "This is one of your own contacts, and nobody evaluates themselves. Ask for "
            "another one.",
        )


def require_published(row: ScorecardVersion | None) -> ScorecardVersion:
    """Refuse a scorecard that nobody has published, or that there is not."""
    if row is None or row.published_at is None:
        raise Refusal("grid_not_published", scorecards.NOT_PUBLISHED)
    return row


def _find_drawn(session: Session, evaluation: Evaluation) -> DrawnContact | None:
    """Return the drawn contact of an evaluation, assigned to anybody."""
    if evaluation.drawn_id is None:
        return None
    return session.scalar(
        Unscoped(
            sa.select(DrawnContact).where(DrawnContact.id == evaluation.drawn_id),
            "An evaluator learns that the contact of their own evaluation went to somebody else. "
            "That takes the contact out of their scope.",
        )
    )


def _require_evaluator(viewer: Viewer) -> None:
    viewer.require(Permission.FILL_SCORECARDS)
    if viewer.role != Role.EVALUATOR:
        raise AccessDenied()


def _require_may_listen(
    session: Session,
    viewer: Viewer,
    purpose: str,
    advisor_id: str | None,
    drawn: DrawnContact | None,
) -> None:
    gates.require_open(session, "quality" if purpose == CALIBRATION else purpose)
    accreditations.require(session, viewer, purpose)
    require_not_own(session, viewer, advisor_id)
    if drawn is not None and (drawn.evaluator != viewer.username or drawn.state == "replaced"):
        raise Refusal(
            "no_longer_assigned",
            "This contact is no longer assigned to you. Continue with the next one in your list.",
        )


def build_withdrawn() -> Refusal:
    """Build the refusal of a contact that nobody may listen to any more."""
    message = N_(
        "This contact may no longer be listened to: the customer objected, or it is private. It "
        "was removed from your list."
    )
    return Refusal("contact_withdrawn", message)
