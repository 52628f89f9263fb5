"""What a batch that has landed means for others: rows that waited for its contacts join
them, contacts without a team get theirs.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from qa_core.centre import advisors, settings
from qa_core.centre.rules.active_rules import as_given
from qa_core.ingest.load.duckdb_session import open_session, write_rows
from qa_core.ingest.matching import evaluation_rows, pending_rows
from qa_core.ingest.own_rows import of_files
from qa_core.ingest.rules import apply
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.imports import BeforeImage, WaitingRow
from qa_core.storage.schema import AS_GIVEN


def join_arrived(batch_id: str, folder: Path) -> dict[str, int]:
    """Join all that waited for the contacts of this batch; returns how many rows of
    each kind.
    """
    with store.reading() as session:
        tolerance = settings.current(session).tracking_tolerance_seconds
        waiting = sa.select(WaitingRow.id).where(
            WaitingRow.kind == "evaluations", WaitingRow.joined_by.is_(None)
        )
        marks = session.scalar(of_files(waiting.limit(1)))
    joined = pending_rows.join_arrived(batch_id, folder, tolerance)
    if marks is not None:
        with open_session(folder) as bench, store.writing() as session:
            count = evaluation_rows.join_arrived(
                session, bench, batch_id, advisors.spans_of(advisors.find_memberships(session))
            )
            apply.apply_to_evaluations(session)
        joined |= {"evaluations": count} if count else {}
    return joined


def fill_teams(batch_id: str, folder: Path) -> None:
    """Give contacts that came without a team the one in which their advisor was, now
    that this batch tells it.
    """
    if lake.version("contacts") < 0 or lake.has_commit(batch_id):
        return
    with store.reading() as session:
        keys = sa.select(BeforeImage.key).where(
            BeforeImage.batch_id == batch_id, BeforeImage.object == "advisor"
        )
        concerned = list(session.scalars(of_files(keys)))
        memberships = advisors.find_memberships(session)
    path = folder / "teams.parquet"
    with open_session(folder) as bench:
        bench.register("memberships", memberships)
        bench.register("concerned", pa.table({"advisor_id": pa.array(concerned, pa.string())}))
        day = "CAST(c.local_start AS DATE)"
        rows = write_rows(
            bench,
            "SELECT c.source_system, c.contact_id, m.team, CAST(NULL AS VARCHAR) AS "
            f"{AS_GIVEN['team']} FROM contacts c "
            f"JOIN memberships m ON m.advisor_id = {as_given('advisor_id')} AND {day} >= "
            f"m.starts_on AND {day} < m.ends_on "
            f"WHERE {as_given('team')} IS NULL AND m.advisor_id IN (SELECT advisor_id FROM "
            "concerned)",
            path,
        )
    if rows:
        lake.merge_contacts(path, ("team", AS_GIVEN["team"]), batch_id, create=False)
