"""Rollback of a batch: all stores are as before it, or the undo is refused."""

from datetime import timedelta

import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.centre import advisors
from qa_core.ingest.load import batches
from qa_core.ingest.matching import evaluation_rows, late_joins, pending_rows
from qa_core.ingest.rules import apply, rectified
from qa_core.quality import evaluations
from qa_core.quality.evaluations import withdrawal
from qa_core.storage import lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.lake.maintenance import IMAGE_DAYS
from qa_core.storage.lake.tables import quote
from qa_core.storage.records import due_work, store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.imports import AFTER_IMPORT, CENTRE_RULES, ImportBatch, WaitingRow
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.store import Session


def require_last(session: Session, batch: ImportBatch) -> None:
    """Raise Refusal when a later import changed or used in the records what this one
    added. For the lake, `lake.undo` checks it.
    """
    last_day = environment.to_local(batch.started_at).date() + timedelta(days=IMAGE_DAYS)
    if last_day < environment.today():
        message = N_("Import {batch} cannot be undone: the data before it is no longer kept.")
        raise Refusal("too_old_to_undo", message, batch=batch.id)
    later = evaluations.find_later_batch(session, batch.id) or _find_later_users(session, batch)
    if batch.kind == "advisors":
        later = later or advisors.find_later_batch(session, batch.id)
    if later:
        message = N_("Import {later} changed or used data of import {batch}. Undo {later} first.")
        raise Refusal("changed_since", message, later=later, batch=batch.id)


def rollback(batch_id: str, actor: str) -> None:
    """Undo a batch that is marked as being undone. Can be repeated."""
    with store.reading() as session:
        parts = pending_rows.find_parts(session, batch_id)
    try:
        for part in (*parts, batch_id):
            if lake.has_commit(part):
                lake.undo(part)
    except Refusal as refusal:
        _reinstate(batch_id)
        if "later" in refusal.params:
            # The lake names the commit that prevents the undo; a person undoes the batch
            # of that commit.
            refusal.params["later"] = next(
                (name for name in refusal.params["later"].split("+") if name != batch_id), batch_id
            )
            refusal.params["batch"] = batch_id
        raise
    with store.writing() as session:
        batch = session.get_one(ImportBatch, batch_id)
        evaluation_rows.release(session, batch_id)
        pending_rows.release(session, batch_id)
        batches.rollback_records(session, batch_id)
        # Restored values were written under the rules of their time.
        due_work.request(session, CENTRE_RULES, *AFTER_IMPORT)
        batch.state, batch.finished_at, batch.quarantine = "undone", now(), None
        batches.log(session, actor, "import_undone", batch)
    apply.apply_if_due()
    rectified.keep()
    withdrawal.withdraw_forbidden(actor)


def _reinstate(batch_id: str) -> None:
    """Restore the batch after its undo was refused half-way: rows that were taken off
    their contacts join them again.
    """
    with store.writing() as session:
        session.get_one(ImportBatch, batch_id).state = "done"
        affected = {batch_id, *pending_rows.find_joined(session, batch_id)}
        is_theirs = sa.or_(WaitingRow.joined_by == batch_id, WaitingRow.batch_id == batch_id)
        values = sa.update(WaitingRow).where(WaitingRow.kind != "evaluations", is_theirs)
        session.execute(values.values(joined_by=None))
    for arrived in sorted(affected):
        late_joins.join_arrived(arrived)


def _find_later_users(session: Session, batch: ImportBatch) -> str | None:
    """Find a later import of evaluations or recordings of this batch's contacts, other
    than evaluations that had waited for them.
    """
    if batch.kind != "contacts":
        return None
    rows = []
    for table, is_stored in (
        (Evaluation, Evaluation.source_system.is_not(None)),
        (Recording, Recording.file_name.is_not(None)),
    ):
        query = sa.select(table.source_system, table.contact_id, table.batch_id).join(
            ImportBatch, ImportBatch.id == table.batch_id
        )
        later = Unscoped(
            query.where(is_stored, ImportBatch.started_at > batch.started_at),
            "Contacts that a later import evaluated or recorded cannot be undone before it. Only "
            "keys and names of imports are read.",
        )
        rows += session.execute(later).all()
    if not rows:
        return None
    with lake.working() as connection:
        table = pa.table(
            [list(column) for column in zip(*rows, strict=True)],
            names=["source_system", "contact_id", "later"],
        )
        connection.register("evaluated", table)
        row = connection.execute(
            "SELECT min(e.later) FROM evaluated e JOIN contacts c ON c.source_system = "
            "e.source_system AND c.contact_id = e.contact_id "
            f"WHERE c.batch_id = {quote(batch.id)}"
        ).fetchone()
    return row[0]
