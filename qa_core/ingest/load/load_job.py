"""One staged file on its way into the stores, with its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions, Progress
from qa_core.ingest.load import batches, quarantine
from qa_core.ingest.load.duckdb_session import RowComparison
from qa_core.ingest.load.quarantine import Rejected
from qa_core.ingest.load.staged import Staged
from qa_core.ingest.report import AccountingError, FileReport
from qa_core.storage import lake
from qa_core.storage.records import store


@dataclass
class LoadJob:
    """One file on its way in. `system`: the system that was named for it, so that its
    contacts are looked for in no other.
    """

    viewer: Viewer
    staged: Staged
    options: ImportOptions
    report: FileReport
    progress: Progress
    system: str | None = None
    trial: Callable[[], lake.MergeResult] | None = None
    """In a dry run: what the import would do to the lake, for whoever tries it on a
    copy.
    """

    def start(
        self, merged: int, write: Callable[[Session, str], None], late: list[Rejected] | None = None
    ) -> str:
        """Check that every row is accounted for, enter the batch as started and write
        its quarantine. Returns its id.
        """
        report = self.report
        accounted = merged + report.duplicates + report.rejected + report.folded + report.skipped
        if accounted != report.read:
            raise AccountingError(
                f"{report.file}: {report.read} rows read, {accounted} accounted for"
            )
        batch = batches.start(self.viewer, self.staged, self.options, report, write)
        report.quarantine = quarantine.write(batch.id, self.staged, late or ())
        return batch.id

    def finish(self, result: lake.MergeResult | RowComparison | None = None) -> None:
        """Take over what the merge did, and enter the batch as done."""
        take_result(self.report, result)
        self.report.require_identity()
        days = (
            (result.first_day, result.last_day)
            if isinstance(result, lake.MergeResult)
            else (None, None)
        )
        with store.writing() as session:
            batches.finish(session, self.report.batch_id, self.report.as_counts(), days)

    def decide(self, field: str, decision: str, evidence: str, **params: Any) -> None:
        self.report.decisions.append(Decision(field, decision, evidence, tuple(params.items())))

    def reject(self, reasons: dict[str, int]) -> None:
        self.report.reasons = dict(
            sorted((Counter(self.report.reasons) + Counter(reasons)).items())
        )
        self.report.rejected += sum(reasons.values())

    def skip(self, kind: str, rows: int) -> None:
        if rows:
            self.report.skipped_kinds[kind] = self.report.skipped_kinds.get(kind, 0) + rows

    def fold(self, kind: str, rows: int) -> None:
        if rows:
            self.report.folded_kinds[kind] = self.report.folded_kinds.get(kind, 0) + rows

    def say_writing(self, share: float) -> None:
        self.progress(N_("Writing"), share)


def take_result(report: FileReport, result: Any) -> None:
    """Count what a merge found new, changed or the same."""
    if result is not None:
        report.new, report.updated, report.unchanged = (
            report.new + result.new,
            report.updated + result.updated,
            report.unchanged + result.unchanged,
        )
