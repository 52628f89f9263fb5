"""Decisions on which names mean the same: advisors, queues, reasons, campaigns.

Similar names are only suggested; a person decides, and every decision can be undone
exactly.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal, build_unknown, require_known
from qa_core.base.i18n import N_
from qa_core.centre.rules import name_suggestions
from qa_core.storage import audit_log, name_merges
from qa_core.storage.records import due_work, store
from qa_core.storage.records.base import now
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.records.people import Advisor


def merge(viewer: Viewer, kind: str, spelling: str, kept_name: str) -> int:
    """Decide that two names mean the same, so that `spelling` counts as `kept_name` (for
    advisors: ids). Returns the number of the decision. Needs MANAGE_ADVISORS.

    Requests that stored contacts and evaluations follow (`ingest.rules`); later ones
    follow at import. Raises Refusal when the two are one already, or when an advisor is
    not known.
    """
    viewer.require(Permission.MANAGE_ADVISORS)
    require_kind(kind)
    store.require_ready()
    with store.writing() as session:
        _require_known(session, kind, spelling, kept_name)
        steps = name_merges.find_kept_names(session)[kind]
        target = name_merges.follow(steps, kept_name)
        if target == name_merges.follow(steps, spelling):
            raise Refusal(
                "same_already",
                "{spelling} and {kept} are already merged.",
                spelling=spelling,
                kept=kept_name,
            )
        if spelling in steps:
            raise Refusal(
                "merged_already",
                "{spelling} already counts as {kept}. Undo that decision first.",
                spelling=spelling,
                kept=steps[spelling],
            )
        number = _decide(session, viewer, kind, spelling, target, is_same=True)
        what, kept = _describe(kind, spelling), _describe(kind, target)
        audit_log.record(session, viewer.username, "names_merged", what, reason=f"as {kept}")
        due_work.request(session, CENTRE_RULES)
    return number


def keep_apart(viewer: Viewer, kind: str, name: str, other: str) -> int:
    """Decide that two names differ, so that they are no longer suggested. Returns the
    number of the decision. Needs MANAGE_ADVISORS.
    """
    viewer.require(Permission.MANAGE_ADVISORS)
    require_kind(kind)
    store.require_ready()
    with store.writing() as session:
        _require_known(session, kind, name, other)
        name, other = sorted((name, other))
        number = _decide(session, viewer, kind, name, other, is_same=False)
        what, than = _describe(kind, name), _describe(kind, other)
        audit_log.record(session, viewer.username, "names_kept_apart", what, reason=f"not {than}")
    return number


def undo(viewer: Viewer, number: int) -> None:
    """Undo a decision; all contacts and evaluations follow their source again. Needs
    MANAGE_ADVISORS.

    Raises Refusal when there is no such decision in force.
    """
    viewer.require(Permission.MANAGE_ADVISORS)
    store.require_ready()
    with store.writing() as session:
        decision = session.get(NameDecision, number)
        if decision is None or decision.undone_at is not None:
            raise Refusal(
                "no_decision",
                "No decision {number} is in force. It may have been undone.",
                number=number,
            )
        decision.undone_by, decision.undone_at = viewer.username, now()
        what, kept = (_describe(decision.kind, name) for name in (decision.spelling, decision.kept))
        audit_log.record(session, viewer.username, "names_undone", what, reason=kept)
        due_work.request(session, CENTRE_RULES)


def find_decisions(viewer: Viewer) -> list[dict[str, Any]]:
    """List every decision, newest first: id, kind, spelling, kept, is_same, decided_by,
    decided_at, undone_by, undone_at. Needs MANAGE_ADVISORS.
    """
    viewer.require(Permission.MANAGE_ADVISORS)
    store.require_ready()
    with store.reading() as session:
        rows = session.execute(
            sa.select(*NameDecision.__table__.columns).order_by(NameDecision.id.desc())
        )
        return [dict(row) for row in rows.mappings()]


def find_names(viewer: Viewer, kind: str) -> dict[str, str]:
    """Find every name of that kind that advisors or contacts have, with its title (an
    advisor's name, else itself). Needs MANAGE_ADVISORS.
    """
    viewer.require(Permission.MANAGE_ADVISORS)
    require_kind(kind)
    if kind == "advisor":
        with store.reading() as session:
            return dict(
                session.execute(
                    sa.select(Advisor.advisor_id, Advisor.name).order_by(
                        Advisor.name, Advisor.advisor_id
                    )
                ).all()
            )
    return {name: name for name in sorted(name_suggestions.find_uses(kind))}


def _decide(
    session: Session, viewer: Viewer, kind: str, spelling: str, kept_name: str, is_same: bool
) -> int:
    decision = NameDecision(
        kind=kind, spelling=spelling, kept=kept_name, is_same=is_same, decided_by=viewer.username
    )
    session.add(decision)
    session.flush()
    return decision.id


def _describe(kind: str, name: str) -> str:
    return audit_log.name_advisor(name) if kind == "advisor" else f"{kind}: {name}"


def require_kind(kind: str) -> None:
    """Raise Misuse unless names of that kind may be merged."""
    require_known(kind, name_merges.KINDS, "unknown_kind")


def _require_known(session: Session, kind: str, *names: str) -> None:
    """Raise Refusal for the id of an advisor that there is not."""
    for name in names if kind == "advisor" else ():
        if session.get(Advisor, name) is None:
            raise build_unknown("unknown_advisor", N_("Advisor"), name)
