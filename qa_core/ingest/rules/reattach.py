"""Advisor and team of recordings, playbacks, draws and evaluations, in line with their
contact after advisors were merged, parted or changed their team. Coaching plans have no
contact: they follow the decision itself, and remember for whom they were opened.
"""

from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.centre import advisors, members
from qa_core.storage import lake, name_merges
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    CalibrationContact,
    CoachingPlan,
    DrawnContact,
    Playback,
    Recording,
)
from qa_core.storage.records.store import Session

OF_CONTACTS = (Recording, Playback, DrawnContact, CalibrationContact)
Key = tuple[str, str]


def update_listening(session: Session) -> None:
    """Update what was listened to, evaluations made here and coaching plans to the merges."""
    decisions = sa.select(NameDecision.spelling, NameDecision.kept).where(
        NameDecision.kind == "advisor", NameDecision.is_same
    )
    advisor_ids = {advisor_id for pair in session.execute(decisions) for advisor_id in pair}
    if not advisor_ids:
        return
    update_contact_rows(session, advisor_ids)
    kept = name_merges.find_kept_names(session)["advisor"]
    may_differ = sa.or_(
        CoachingPlan.given_advisor_id.is_not(None), CoachingPlan.advisor_id.in_(kept)
    )
    for plan in session.scalars(_exempt_merged(sa.select(CoachingPlan).where(may_differ))).all():
        source_advisor = plan.given_advisor_id or plan.advisor_id
        plan.advisor_id = kept.get(source_advisor, source_advisor)
        plan.given_advisor_id = source_advisor if plan.advisor_id != source_advisor else None


def update_contact_rows(session: Session, advisor_ids: set[str]) -> None:
    """Update what names one of these advisors to the advisor and team of its contact."""
    # Imported evaluations name an advisor themselves, and were updated with the rules.
    made_here = sa.and_(
        Evaluation.batch_id.is_(None),
        Evaluation.given_advisor_id.is_(None),
        Evaluation.contact_id.is_not(None),
    )
    rows: list[Any] = []
    for table in (*OF_CONTACTS, Evaluation):
        theirs = sa.select(table).where(table.advisor_id.in_(advisor_ids))
        theirs = theirs.where(made_here) if table is Evaluation else theirs
        rows += session.scalars(_exempt_merged(theirs))
    people_by_contact = _find_contacts({(row.source_system, row.contact_id) for row in rows})
    advisor_names = members.find_names(session)
    for row in rows:
        advisor_id, team = people_by_contact.get((row.source_system, row.contact_id), (None, None))
        if advisor_id in advisor_names and advisor_id != row.advisor_id:
            row.advisor_id = advisor_id
            if not isinstance(row, Playback):
                row.team = team


def update_teams(session: Session, advisor_ids: set[str]) -> None:
    """Update what is stored of these advisors to the team of its contact, which follows their
    memberships; evaluations without a contact to the team of their day.
    """
    tables = [table for table in (*OF_CONTACTS, Evaluation) if table is not Playback]
    rows = [
        row
        for table in tables
        for row in session.scalars(
            _exempt_merged(sa.select(table).where(table.advisor_id.in_(advisor_ids)))
        )
    ]
    contacts = _find_contacts({(row.source_system, row.contact_id) for row in rows})
    spans = advisors.group_spans(advisors.find_memberships(session))
    for row in rows:
        advisor_id, team = contacts.get((row.source_system, row.contact_id), (None, None))
        if advisor_id == row.advisor_id:
            row.team = team
        elif row.contact_id is None:
            row.team = advisors.find_team(spans, row.advisor_id, row.local_day) or row.team


def _exempt_merged(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "When advisors are merged, separated or of another team, all data about their contacts "
        "follows, in all teams. None is shown.",
    )


def _find_contacts(keys: set[Key]) -> dict[Key, tuple[str | None, str | None]]:
    if not keys:
        return {}
    with lake.working() as connection:
        columns = [pa.array(list(values), pa.string()) for values in zip(*keys, strict=True)]
        connection.register("keys", pa.table(columns, names=["source_system", "contact_id"]))
        found = connection.execute(
            "SELECT source_system, contact_id, advisor_id, team FROM contacts SEMI JOIN keys "
            "USING (source_system, contact_id)"
        )
        return {
            (system, contact): (advisor_id, team)
            for system, contact, advisor_id, team in found.fetchall()
        }
