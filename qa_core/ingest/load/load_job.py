"""Job that loads one staged file into the stores, with its report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.base.progress import Progress
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import batches
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.staging import quarantine
from qa_core.ingest.staging.duckdb_session import RowComparison
from qa_core.ingest.staging.quarantine import RejectedRow
from qa_core.ingest.staging.staged import Staged
from qa_core.ingest.staging.tally import ImportTally
from qa_core.storage import lake
from qa_core.storage.records import store


@dataclass
class LoadJob:
    """Loading of one file. `system`: the one that was named for it; its contacts are
    then looked for in no other.
    """

    viewer: Viewer
    staged: Staged
    options: ImportOptions
    report: FileReport
    progress: Progress
    system: str | None = None
    trial: Callable[[], lake.MergeResult] | None = None
    """In a dry run, the merge that the import would do, to be tried on a copy of the
    lake.
    """

    @property
    def tally(self) -> ImportTally:
        return self.report.tally

    def start(
        self,
        pending: int,
        write: Callable[[Session, str], None],
        rejected_rows: list[RejectedRow] | None = None,
    ) -> str:
        """Check that every row is accounted for, create the batch as started, and write
        its quarantine. Returns the id of the batch.
        """
        report = self.report
        self.tally.require_identity(report.file, pending)
        batch = batches.start(self.viewer, self.staged, self.options, report, write)
        report.quarantine = quarantine.write(batch.id, self.staged, rejected_rows or ())
        return batch.id

    def finish(self, result: lake.MergeResult | RowComparison | None = None) -> None:
        """Add the counts of the merge, and mark the batch as done."""
        if result is not None:
            self.tally.add(result)
        self.tally.require_identity(self.report.file)
        days = (getattr(result, "first_day", None), getattr(result, "last_day", None))
        with store.writing() as session:
            batches.finish(session, self.report.batch_id, self.tally.as_counts(), days)

    def decide(self, field: str, decision: str, seen: object = "", **params: Any) -> None:
        self.report.decisions.append(Decision.of(field, decision, seen, **params))
