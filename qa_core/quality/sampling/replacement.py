"""Replacement of a drawn contact by the next of the same random order."""

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.compliance.conditions import gates
from qa_core.metrics.law import sampling_frame
from qa_core.quality.evaluations import withdrawal
from qa_core.quality.sampling import allocation, assignment, draws, frame_inputs, plans
from qa_core.quality.sampling.labels import REPLACEMENT_REASONS
from qa_core.storage import audit_log, name_merges
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import OPEN, DrawnContact


def replace(viewer: Viewer, drawn_id: int, reason: str) -> int | None:
    """Replace a contact that cannot be evaluated by the next of the same advisor, in
    the same stratum where one is left. Return the new id; None: none is left.

    For its evaluator and for managers with it in scope. Deletes its draft evaluation.
    Raise Refusal `unknown_reason`, `not_replaceable` (evaluated, replaced or picked by
    hand); AccessDenied.
    """
    require_known(reason, REPLACEMENT_REASONS, "unknown_reason")
    with store.writing() as session:
        old = store.get_in_scope(session, viewer, DrawnContact, drawn_id)
        is_theirs = viewer.can(Permission.FILL_SCORECARDS) and old.evaluator == viewer.username
        if not (is_theirs or viewer.can(Permission.MANAGE_LISTENING)):
            raise AccessDenied()
        stored, plan = old.draw, old.draw.plan
        if old.state not in OPEN or plan.purpose == plans.TARGETED:
            raise Refusal(
                "not_replaceable", "Only drawn contacts that are not evaluated yet can be replaced."
            )
        gates.require_open(session, plan.purpose)
        old.state, old.replaced_because = "replaced", reason
        session.execute(
            sa.delete(Evaluation).where(Evaluation.drawn_id == old.id, Evaluation.state == "draft")
        )
        session.flush()
        new = None
        if old.advisor_id is not None:
            drawer = draws.find_drawer(session, stored.drawn_by)
            frame_query = frame_inputs.gather(session, plan).frame_query
            cell = sampling_frame.cell_of(
                {f"by_{name}": value for name, value in old.stratum.items()}, plan.strata
            )
            advisor = name_merges.find_kept_names(session)["advisor"].get(
                old.advisor_id, old.advisor_id
            )
            row = sampling_frame.find_next(
                drawer, frame_query, advisor, cell, allocation.build_prefix(stored.seed, plan.name)
            )
            if row is not None:
                evaluator = old.evaluator
                if evaluator not in assignment.find_listeners(session, plan):
                    [evaluator] = assignment.assign(session, plan, [row["advisor_id"]])
                entry = draws.build_entry(row, evaluator)
                position = 1 + max(contact.position for contact in stored.contacts)
                new = draws.build_drawn_row(stored.id, position, entry, old.due_on)
                session.add(new)
                session.flush()
                old.replaced_by = new.id
            else:
                withdrawal.note_missing(session, old)
        audit_log.record(
            session, viewer.username, "drawn_replaced", f"{plan.name}/{old.id}", reason=reason
        )
        return new.id if new is not None else None
