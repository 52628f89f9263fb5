"""Late joins: pending rows after a batch of contacts."""

import logging

import sqlalchemy as sa

from qa_core.centre import settings
from qa_core.ingest.matching import evaluation_rows, pending_rows
from qa_core.ingest.rules import apply
from qa_core.ingest.staging.staged import unscoped_import_rows
from qa_core.storage import lake, system_errors
from qa_core.storage.records import store
from qa_core.storage.records.imports import WaitingRow

LOG = logging.getLogger("qa_core")


def join_arrived(batch_id: str) -> dict[str, int]:
    """Join pending rows to the contacts of this batch. Returns their number by kind. A
    defect is logged: the contacts are in, and the rows wait on.
    """
    try:
        return _join_arrived(batch_id)
    except Exception as error:
        if system_errors.find_refusal(error):
            raise  # the batch is finished when the system can
        system_errors.log_failure(LOG, "the matching of waiting rows", error)
        return {}


def _join_arrived(batch_id: str) -> dict[str, int]:
    with store.reading() as session:
        tolerance = settings.current(session).tracking_tolerance_seconds
        query = sa.select(WaitingRow.id).where(
            WaitingRow.kind == "evaluations", WaitingRow.joined_by.is_(None)
        )
        pending_evaluation = session.scalar(unscoped_import_rows(query.limit(1)))
    joined = pending_rows.join_arrived(batch_id, tolerance)
    if pending_evaluation is not None:
        with lake.working() as connection, store.writing() as session:
            count = evaluation_rows.join_arrived(session, connection, batch_id)
            apply.apply_to_evaluations(session)
        joined |= {"evaluations": count} if count else {}
    return joined


def join_accredited() -> None:
    """Write the evaluations whose evaluators are accredited for their day by now."""
    with lake.working() as connection, store.writing() as session:
        if evaluation_rows.join_arrived(session, connection, None):
            apply.apply_to_evaluations(session)
