"""Publication of submitted evaluations, at once or after the plan's delay. Only
submitted ones are published (docs/compliance.md, R18).
"""

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.store import Session


def publish(session: Session, evaluation: Evaluation, actor: str) -> None:
    """Publish one evaluation. Raise Refusal when it was not submitted."""
    if evaluation.evaluator is None or evaluation.submitted_at is None:
        raise Refusal("unsigned", "Not published: the evaluator has not submitted this evaluation.")
    evaluation.state, evaluation.published_at = "published", now()
    audit_log.record(session, actor, "evaluation_published", str(evaluation.id))


def publish_due() -> int:
    """Publish every evaluation whose day has come; return how many."""
    due = Unscoped(
        sa.select(Evaluation)
        .where(Evaluation.state == "submitted", Evaluation.publish_on <= environment.today())
        .order_by(Evaluation.id),
        "The daily job publishes all evaluations that are due. None is shown.",
    )
    with store.reading() as session:
        if session.scalars(due).first() is None:
            return 0
    with store.writing() as session:
        evaluations = session.scalars(due).all()
        for evaluation in evaluations:
            publish(session, evaluation, Viewer.SYSTEM.username)
    return len(evaluations)
