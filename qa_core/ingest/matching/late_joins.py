"""Late joins: pending rows after a batch of contacts, teams after one of advisors."""

import logging

import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import doors
from qa_core.centre import advisors, settings
from qa_core.centre.rules.active_rules import source_value
from qa_core.ingest.matching import evaluation_rows, pending_rows
from qa_core.ingest.rules import apply
from qa_core.ingest.staging.duckdb_session import write_rows
from qa_core.ingest.staging.staged import unscoped_import_rows
from qa_core.storage import lake, system_errors
from qa_core.storage.facts.schema import AS_GIVEN
from qa_core.storage.records import store
from qa_core.storage.records.imports import BeforeImage, WaitingRow

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


@doors.writes("contacts")
def fill_teams(batch_id: str) -> None:
    """Fill in teams of contacts without one, now that this batch names advisors' teams."""
    if lake.version("contacts") < 0 or lake.has_commit(batch_id):
        return
    with store.reading() as session:
        keys = sa.select(BeforeImage.key).where(
            BeforeImage.batch_id == batch_id, BeforeImage.object == "advisor"
        )
        advisor_ids = list(session.scalars(unscoped_import_rows(keys)))
        memberships = advisors.find_memberships(session)
    day = "CAST(c.local_start AS DATE)"
    with lake.scratch_folder() as folder:
        path = folder / "teams.parquet"
        with lake.working(spill_folder=folder / "spill") as connection:
            connection.register("memberships", memberships)
            connection.register(
                "concerned", pa.table({"advisor_id": pa.array(advisor_ids, pa.string())})
            )
            rows = write_rows(
                connection,
                "SELECT c.source_system, c.contact_id, m.team, CAST(NULL AS VARCHAR) AS "
                f"{AS_GIVEN['team']} FROM contacts c "
                f"JOIN memberships m ON m.advisor_id = {source_value('advisor_id')} AND {day} >= "
                f"m.starts_on AND {day} < m.ends_on "
                f"WHERE {source_value('team')} IS NULL AND m.advisor_id IN (SELECT advisor_id FROM "
                "concerned)",
                path,
            )
        if rows:
            lake.merge_contacts(path, ("team", AS_GIVEN["team"]), batch_id, create=False)
