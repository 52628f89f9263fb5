"""Withdrawal of contacts that nobody may evaluate any more: their drafts are deleted, and they
leave the lists of evaluators.
"""

from collections.abc import Collection
from pathlib import Path

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.compliance import recordings
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import SELF, TARGETED, Evaluation
from qa_core.storage.records.listening import OPEN, Draw, DrawnContact
from qa_core.storage.records.store import Session

ContactKey = tuple[str, str]
_DRAFTS = (Evaluation.state == "draft", Evaluation.kind != SELF, Evaluation.contact_id.is_not(None))


def withdraw_forbidden(actor: str, among: Path | None = None) -> int:
    """Take what the law forbids by now from everybody: drafts of evaluations, drawn contacts,
    and audio (`among` the ids of a Parquet file). After everything that changes contacts or
    what is excluded. Returns the number of recordings deleted.
    """
    if forbidden := _find_forbidden():
        _withdraw(actor, forbidden)
    return recordings.delete_forbidden(actor, among)


def _find_forbidden() -> set[ContactKey]:
    """Find the contacts on the lists of evaluators that nobody may evaluate any more."""
    drafts = sa.select(Evaluation.source_system, Evaluation.contact_id).where(*_DRAFTS)
    listed = sa.select(DrawnContact.source_system, DrawnContact.contact_id)
    listed = listed.where(DrawnContact.state.in_(OPEN))
    with store.reading() as session:
        contacts = {
            tuple(row) for rows in (drafts, listed) for row in session.execute(_of_anybody(rows))
        }
        if not contacts:
            return contacts
        # Only here: it loads the libraries of the pages, which most imports do without.
        from qa_core.compliance.recordings import law
        from qa_core.metrics.law.legal_obstacles import LegalAct

        ids = {contact_id for _system, contact_id in contacts}
        judged = law.judge(session, Viewer.SYSTEM, LegalAct.EVALUATE, ids)
    against = {(item.source_system, item.contact_id) for item in judged if item.against}
    return contacts & against


def _withdraw(actor: str, contacts: Collection[ContactKey]) -> None:
    ids = {contact_id for _system, contact_id in contacts}
    drafts = sa.select(Evaluation).where(*_DRAFTS, Evaluation.contact_id.in_(ids))
    listed = sa.select(DrawnContact).where(DrawnContact.contact_id.in_(ids))
    with store.writing() as session:
        for draft in session.scalars(_of_anybody(drafts)).all():
            if (draft.source_system, draft.contact_id) in contacts:
                delete_draft(session, actor, draft)
        for drawn in session.scalars(_of_anybody(listed)).all():
            if (drawn.source_system, drawn.contact_id) in contacts:
                remove_from_list(session, actor, drawn)


def delete_draft(session: Session, actor: str, evaluation: Evaluation) -> None:
    session.delete(evaluation)
    audit_log.record(session, actor, "evaluation_withdrawn", str(evaluation.id))


def remove_from_list(session: Session, actor: str, drawn: DrawnContact | None) -> None:
    """Remove a drawn contact that is not evaluated yet; the plan lacks it from now on."""
    if drawn is None or drawn.state not in OPEN:
        return
    plan = drawn.draw.plan
    drawn.state, drawn.replaced_because = "replaced", "private"
    if plan.purpose != TARGETED:
        note_missing(session, drawn)
    what = f"{plan.name}/{drawn.id}"
    audit_log.record(session, actor, "drawn_replaced", what, reason="private")


def note_missing(session: Session, drawn: DrawnContact) -> None:
    """Count a drawn contact without a replacement as missing in the newest draw of its plan,
    from which plans say what they lack.
    """
    if drawn.advisor_id is None:
        return
    draws = sa.select(Draw).where(Draw.plan_id == drawn.draw.plan_id)
    newest = session.scalars(draws.order_by(Draw.id.desc()).limit(1)).one()
    missing = newest.short.get(drawn.advisor_id, 0)
    newest.short = {**newest.short, drawn.advisor_id: missing + 1}


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "A contact that may not be evaluated any more is taken from every evaluator. Nothing "
        "is shown.",
    )
