"""Reasons why a contact has no recording to play, each a sentence that reveals no more."""

from datetime import datetime

import sqlalchemy as sa

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, format_refusal
from qa_core.compliance.conditions import accreditations, gates
from qa_core.metrics.kpis import formatting
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import DrawnContact, Recording
from qa_core.storage.records.store import Session


def explain(viewer: Viewer, source_system: str, contact_id: str) -> str:
    """Explain why `find_playable` returned None, as far as the viewer may know."""
    viewer.require(Permission.LISTEN)
    with store.reading() as session:
        try:
            gates.require_open(session)
            if viewer.role != Role.ADVISOR:
                accreditations.require(session, viewer)
        except Refusal as refusal:
            return format_refusal(refusal)
        if viewer.role == Role.ADVISOR:
            return _(
                "You can listen to your own recorded and evaluated calls while their recording is "
                "kept."
            )
        deleted_at = _find_deletion(session, viewer, source_system, contact_id)
    if deleted_at is not None:
        return _(
            "The recording was deleted on {day}.",
            day=formatting.full_day(environment.to_local(deleted_at).date()),
        )
    return _("This contact has no recording that you may listen to.")


def _find_deletion(
    session: Session, viewer: Viewer, source_system: str, contact_id: str
) -> datetime | None:
    """Find when the recording was deleted, for its teams and the drawn evaluator."""
    deletion = (
        sa.select(Recording.deleted_at)
        .where(
            Recording.source_system == source_system,
            Recording.contact_id == contact_id,
            Recording.deleted_at.is_not(None),
        )
        .order_by(Recording.id.desc())
        .limit(1)
    )
    if viewer.role != Role.EVALUATOR:
        return session.scalar(Scoped(deletion, viewer))
    draws = sa.select(DrawnContact.id).where(
        DrawnContact.source_system == source_system, DrawnContact.contact_id == contact_id
    )
    if session.scalar(Scoped(draws.limit(1), viewer)) is None:
        return None
    return session.scalar(
        Unscoped(
            deletion,
            "An evaluator has no recordings in scope. The contact was drawn for them, which is "
            "checked just before. Only the day of the deletion is read.",
        )
    )
