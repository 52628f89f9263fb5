"""Recovery of killed imports: those in the lake are finished, others rolled back. Then
changed rules and objections are applied.
"""

import contextlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import sqlalchemy as sa

from qa_core.base.errors import Refusal
from qa_core.centre.rules.active_rules import source_value
from qa_core.compliance import restrictions
from qa_core.ingest.load import batches, rollback
from qa_core.ingest.matching import late_joins
from qa_core.ingest.rules import apply, rectified
from qa_core.ingest.staging.tally import ImportTally
from qa_core.quality.evaluations import withdrawal
from qa_core.storage import lake, replay_list
from qa_core.storage.lake.tables import quote
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES, ImportBatch

LAKE_KINDS = frozenset({"contacts", "tracking", "surveys", "spend", "intervals"})
"""Kinds whose rows are in the lake; the others are complete once the records are."""


def finish_interrupted() -> list[str]:
    """Finish interrupted batches, and apply changed rules that are due. Returns the ids
    of the batches. The caller holds the lock of imports.
    """
    batch_ids = finish_batches()
    apply_rules()
    return batch_ids


def finish_batches() -> list[str]:
    """Finish or roll back every batch that was started or being undone. The caller
    holds the lock of imports, so that none of them is still running.
    """
    with store.reading() as session:
        open_batches = sa.select(ImportBatch.id, ImportBatch.state).where(
            ImportBatch.state.in_(("started", "undoing"))
        )
        unfinished = session.execute(open_batches.order_by(ImportBatch.started_at)).all()
    for batch_id, state in unfinished:
        if state == "undoing":
            # A refused undo restores the batch, and is no failure of the import that
            # calls this.
            with contextlib.suppress(Refusal):
                rollback.rollback(batch_id, "system")
        else:
            _finish_or_fail(batch_id)
    if unfinished:
        keep_objections("system")
        rectified.keep()
        apply_objections("system")
    return [batch_id for batch_id, _state in unfinished]


def _finish_or_fail(batch_id: str) -> None:
    with store.reading() as session:
        batch = session.get_one(ImportBatch, batch_id)
        kind, counts = batch.kind, dict(batch.counts)
    result = lake.commit_result(batch_id) if kind in LAKE_KINDS else None
    if kind in LAKE_KINDS and ImportTally.from_counts(counts).pending and result is None:
        with store.writing() as session:
            batches.fail(session, session.get_one(ImportBatch, batch_id))
        return
    if kind == "contacts":
        keep_objections("system")  # before evaluations that wait for these contacts are judged
        apply_objections("system")
        late_joins.join_arrived(batch_id)
    if result is not None:
        counts |= {"new": result.new, "updated": result.updated, "unchanged": result.unchanged}
    with store.writing() as session:
        batches.finish(
            session,
            batch_id,
            counts,
            (result.first_day, result.last_day) if result else (None, None),
        )


def apply_due_rules() -> int:
    """Finish interrupted imports, then apply requested rules: after a change of a rule,
    and at each start. Returns contacts changed.
    """
    store.require_ready()
    if not due_work.is_due(CENTRE_RULES):
        return 0
    with store.one_import_at_a_time():
        finish_batches()
        return apply_rules()


def apply_rules() -> int:
    """Apply requested rules, then objections, as rules can name customers again. Returns
    contacts changed; the caller holds the lock of imports.
    """
    changed = apply.apply_if_due()
    if changed:
        apply_objections("system")
    return changed


def keep_objections(actor: str, batch_id: str = "", path: Path | None = None) -> None:
    """Enter an objection for every contact that objects in a file of contacts (Parquet), or
    in the lake, so that neither an undo nor a later file lifts it (docs/compliance.md, R3).
    The caller holds the lock of imports.
    """
    if path and "customer_objected" not in pq.read_schema(path).names:
        return
    with store.reading() as session:
        customers, _contacts = restrictions.find_objecting(session)
    with lake.working() as connection:
        rows = f"read_parquet({quote(str(path))})" if path else "contacts"
        objecting = f"SELECT source_system, contact_id FROM {rows} c WHERE customer_objected"
        if not path:  # there, objections of customers have marked their contacts, old ones too
            key = source_value("customer_key")
            objecting += f" AND had_customer IS NOT TRUE AND ({key} IS NULL OR "
            objecting += f"NOT list_contains(?, {key}))"
        contacts = connection.execute(objecting, [] if path else [customers]).fetchall()
    if contacts:
        with store.writing() as session:
            keys = restrictions.add_objections(session, actor, contacts, batch_id)
        replay_list.add("objection", *keys)


def find_objecting(batch_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Find the contacts of these batches that object."""
    with lake.working() as connection:
        keys = "SELECT source_system, contact_id FROM contacts WHERE customer_objected"
        theirs = connection.execute(f"{keys} AND list_contains(?, batch_id)", [batch_ids])
        return set(theirs.fetchall())


def apply_objections(
    actor: str,
    batch_id: str = "",
    days: tuple[date, date] = (date.min, date.max),
    among: Path | None = None,
) -> int:
    """Mark stored contacts by the objections, and withdraw what is forbidden. With a batch: mark
    its contacts alone, which are of these days. `among` and the result: of `withdraw_forbidden`.
    The caller holds the lock of imports.
    """
    with store.reading() as session:
        customers, contacts = restrictions.find_objecting(session)
    lake.mark("customer_objected", customers, contacts, batch_id=batch_id, days=days)
    return withdrawal.withdraw_forbidden(actor, among)
