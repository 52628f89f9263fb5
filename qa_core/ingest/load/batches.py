"""States of a batch in the records: `started` before the lake is touched, `done` after,
else `failed` or `undone`. One import runs at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import declared, environment
from qa_core.base.i18n import N_
from qa_core.base.progress import Progress
from qa_core.base.row_values import read_fields
from qa_core.centre import advisors
from qa_core.centre.rules.active_rules import source_value
from qa_core.compliance import recordings
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import layouts
from qa_core.ingest.matching import attach
from qa_core.ingest.reading import registry
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.rules import rectified
from qa_core.ingest.staging import quarantine
from qa_core.ingest.staging.quarantine import RejectedRow
from qa_core.ingest.staging.staged import Staged, create_batch_id, unscoped_import_rows
from qa_core.ingest.staging.tally import ImportTally
from qa_core.quality import evaluations
from qa_core.storage import audit_log, lake
from qa_core.storage.records import due_work, store
from qa_core.storage.records.base import now
from qa_core.storage.records.centre_rules import TrackingAssignment
from qa_core.storage.records.imports import (
    AFTER_IMPORT,
    BeforeImage,
    ConfirmedReading,
    ImportBatch,
    SavedMapping,
    WaitingRow,
)
from qa_core.storage.records.store import Session

DRY_RUN_BATCH = "rehearsal"
SHOWN_FIELDS = (
    "system", "profile", "state", "counts", "mapping", "quarantine", "first_day", "last_day",
    "actor", "started_at", "finished_at",
)  # fmt: skip
"""Columns of a batch in the list of imports."""

CONTACT_KINDS = {"contacts", *attach.VALUES}
"""Kinds that write to the rows of contacts."""

STATES: dict[str, str] = declared.read(__file__)["states"]

MAPPING_OPTIONS = (
    "system", "columns", "ignored", "timezone", "date_order", "sheet", "encoding",
    "delimiter", "decimal", "units", "scales", "words", "only",
)  # fmt: skip

MATCHED = ("tracking", "surveys", "evaluations")
"""Kinds of rows that are rejected for what the stores hold, too."""


@contextmanager
def open_dry_run(kind: str) -> Iterator[Session]:
    """Open a session in which a dry run may write under the batch `DRY_RUN_BATCH`; it
    is rolled back at the end.
    """
    with store.rehearsing() as session:
        unsaid = dict.fromkeys(("file_name", "digest", "system", "profile", "actor"), "")
        session.add(ImportBatch(id=DRY_RUN_BATCH, kind=kind, options={}, **unsaid))
        session.flush()
        yield session


def _find_start(session: Session) -> datetime:
    """Return the present moment; after the newest start where the clock was set back, since
    the order of imports decides what may be undone.
    """
    newest = session.scalar(sa.select(sa.func.max(ImportBatch.started_at)))
    return max(now(), newest + timedelta(microseconds=1)) if newest else now()


def find_done(
    session: Session, kind: str, digest: str, reading: dict[str, Any]
) -> ImportBatch | None:
    """Find the batch that imported the same content with the same options, if it is
    done, no later import may have changed its rows, and none waits for what is entered
    elsewhere, such as the day on which an advisor was informed.
    """
    same_content = (
        sa.select(ImportBatch)
        .filter_by(kind=kind, digest=digest, state="done")
        .order_by(ImportBatch.started_at.desc())
    )
    same_reading = (batch for batch in session.scalars(same_content) if batch.options == reading)
    batch = next(same_reading, None)
    if batch is None or (kind in MATCHED and batch.counts.get("rejected")):
        return None
    return None if _may_be_overwritten(session, batch) else batch


def _may_be_overwritten(session: Session, batch: ImportBatch) -> bool:
    """Return whether a later import may have changed rows of these days and fields. In
    doubt the answer is yes: reading the file again costs only time.
    """
    changed = ImportBatch.counts["updated"].as_integer() > 0
    later = sa.select(ImportBatch).where(
        ImportBatch.state == "done", ImportBatch.started_at > batch.started_at, changed
    )
    own_fields = _find_written_fields(batch.kind, batch.mapping)
    for other in session.scalars(later):
        kinds = {other.kind, batch.kind}
        if len(kinds) > 1 and not (
            kinds <= CONTACT_KINDS and own_fields & _find_written_fields(other.kind, other.mapping)
        ):
            continue
        is_other_system = (
            kinds == {"contacts"}
            and other.system != batch.system
            and "source_system" not in {*other.mapping, *batch.mapping}
        )
        is_apart = None not in (other.first_day, batch.first_day) and (
            other.first_day > batch.last_day or other.last_day < batch.first_day
        )
        if not is_other_system and not is_apart:
            return True
    return False


def _find_written_fields(kind: str, mapping: dict[str, str]) -> set[str]:
    """List the fields of a contact that such a file shares with other kinds."""
    shared = {name for values in attach.VALUES.values() for name in values}
    return {
        attach.FIELD_NAMES.get(name, name) if kind == "surveys" else name for name in mapping
    } & shared


def build_known_report(session: Session, batch: ImportBatch, file: str) -> FileReport:
    """Build the report of a file that was imported before: its rows are unchanged,
    including those that found their contact since.
    """
    report = FileReport(
        file=file,
        kind=batch.kind,
        system=batch.system,
        profile=batch.profile,
        mapping=dict(batch.mapping),
        batch_id=batch.id,
        recognised=True,
        tally=ImportTally.from_counts(batch.counts),
    )
    tally = report.tally
    awaited = WaitingRow.content["awaits"].as_string()
    joined = (
        sa.select(awaited, sa.func.count())
        .where(WaitingRow.batch_id == batch.id, WaitingRow.joined_by.is_not(None))
        .group_by(awaited)
    )
    tally.unchanged += tally.new + tally.updated
    for reason, count in session.execute(unscoped_import_rows(joined)):
        tally.skip(reason or "unmatched", -count)
        tally.unchanged += count
    tally.new = tally.updated = 0
    report.quarantine = Path(batch.quarantine) if batch.quarantine else None
    known = Decision.of("file", N_("the same file is already imported: {batch}"), batch=batch.id)
    report.decisions = [known, *load_decisions(batch)]
    tally.require_identity(file)
    return report


def start(
    viewer: Viewer,
    staged: Staged,
    options: ImportOptions,
    report: FileReport,
    write: Callable[[Session, str], None],
) -> ImportBatch:
    """Create the batch as started, with what `write` adds to the records."""
    batch = ImportBatch(
        kind=staged.kind,
        file_name=Path(report.file).name,
        digest=staged.digest,
        system=report.system,
        profile=report.profile,
        options=options.as_reading_options(),
        counts=report.tally.as_counts(),
        mapping=report.mapping,
        decisions=[asdict(item) for item in report.decisions],
        actor=viewer.username,
    )
    with store.writing() as session:
        batch.started_at = _find_start(session)
        batch.id = create_batch_id(batch.started_at)
        session.add(batch)
        session.flush()
        write(session, batch.id)
        batch.counts = report.tally.as_counts()
        save_mapping(session, viewer, batch, options)
        if report.confirmed_options is not None:
            layouts.record(
                session, viewer, report.reading, staged, report.confirmed_options, batch.id
            )
    report.batch_id = batch.id
    return batch


def finish(
    session: Session, batch_id: str, counts: dict[str, Any], days: tuple[Any, Any] = (None, None)
) -> None:
    """Mark the batch as done, with its figures, and record it in the audit log."""
    batch = session.get_one(ImportBatch, batch_id)
    batch.state, batch.counts, batch.finished_at = "done", counts, now()
    batch.first_day, batch.last_day = days
    path = quarantine.build_path(batch_id)
    batch.quarantine = str(path) if path.exists() else None
    if counts["new"] or counts["updated"]:
        due_work.request(session, *AFTER_IMPORT)
    log(session, batch.actor, "import", batch)


def fail(session: Session, batch: ImportBatch) -> None:
    """Undo in the records a batch that was interrupted before the lake."""
    rollback_records(session, batch.id)
    batch.state, batch.finished_at = "failed", now()
    log(session, batch.actor, "import_failed", batch)


def log(session: Session, actor: str, act: str, batch: ImportBatch) -> None:
    """Record an act on a batch in the audit log, with the name of its file."""
    audit_log.record(session, actor, act, batch.id, reason=f"{batch.kind}: {batch.file_name}")


def rollback_records(session: Session, batch_id: str) -> None:
    """Remove from the records what the batch added, and restore what it had replaced."""
    evaluations.restore(session, batch_id)
    recordings.take_back(session, batch_id)
    advisors.restore(session, batch_id, find_names_in_lake(session, batch_id))
    for table in (TrackingAssignment, WaitingRow, BeforeImage, ConfirmedReading):
        session.execute(sa.delete(table).filter_by(batch_id=batch_id))
    quarantine.build_path(batch_id).unlink(missing_ok=True)


def find_names_in_lake(session: Session, batch_id: str) -> tuple[set[str], set[str]]:
    """Find the advisors and the teams that the batch created and contacts carry."""
    created = sa.select(BeforeImage.object, BeforeImage.key).where(
        BeforeImage.batch_id == batch_id, BeforeImage.object.in_(("advisor", "team"))
    )
    images = session.execute(unscoped_import_rows(created)).all()
    names_in_lake: tuple[set[str], set[str]] = (set(), set())
    if not images:
        return names_in_lake
    with lake.working() as connection:
        for kind, column, names in (
            ("advisor", "advisor_id", names_in_lake[0]),
            ("advisor", "given_advisor_id", names_in_lake[0]),
            ("team", source_value("team"), names_in_lake[1]),
        ):
            keys = [key for object, key in images if object == kind]
            carried = (
                f"SELECT DISTINCT {column} FROM contacts c WHERE {column} IN (SELECT unnest(?))"
            )
            if keys:
                names.update(name for (name,) in connection.execute(carried, [keys]).fetchall())
    return names_in_lake


@dataclass(frozen=True)
class BatchFilter:
    """Filter of imports by kind, by the day of their start in the centre's time, and by
    trouble: rejected rows, or not finished.
    """

    kind: str | None = None
    day: date | None = None
    has_problems: bool = False

    def build_conditions(self) -> list[sa.ColumnElement[bool]]:
        conditions = [ImportBatch.kind == self.kind] if self.kind else []
        if self.day is not None:
            begins, ends = (
                datetime.combine(day, time(), environment.current().zone)
                for day in (self.day, self.day + timedelta(days=1))
            )
            conditions += [ImportBatch.started_at >= begins, ImportBatch.started_at < ends]
        if self.has_problems:
            has_rejected = ImportBatch.counts["rejected"].as_integer() > 0
            is_finished = ImportBatch.state.in_(("done", "undone"))
            conditions.append(sa.or_(has_rejected, sa.not_(is_finished)))
        return conditions


def count_batches(viewer: Viewer, batch_filter: BatchFilter = BatchFilter()) -> int:
    """Count the imports that pass the filter. Needs MANAGE_IMPORTS."""
    viewer.require(Permission.MANAGE_IMPORTS)
    count = sa.select(sa.func.count()).select_from(ImportBatch)
    with store.reading() as session:
        return session.scalar(count.where(*batch_filter.build_conditions())) or 0


def find_batches(
    viewer: Viewer,
    batch_filter: BatchFilter = BatchFilter(),
    limit: int | None = None,
    offset: int = 0,
) -> list[dict[str, Any]]:
    """Find the imports that pass the filter, newest first. Needs MANAGE_IMPORTS."""
    viewer.require(Permission.MANAGE_IMPORTS)
    newest_first = (
        sa.select(ImportBatch)
        .where(*batch_filter.build_conditions())
        .order_by(ImportBatch.started_at.desc(), ImportBatch.id.desc())
    )
    with store.reading() as session:
        batches = session.scalars(newest_first.limit(limit).offset(offset)).all()
        return [
            {"id": batch.id, "kind": batch.kind, "file": batch.file_name}
            | read_fields(batch, SHOWN_FIELDS)
            | {"decisions": [decision.as_json() for decision in load_decisions(batch)]}
            for batch in batches
        ]


def load_decisions(batch: ImportBatch) -> list[Decision]:
    """Load the decisions of a batch; a text that an earlier version wrote stays English."""
    return [
        Decision(
            item["field"],
            item["decision"],
            item["evidence"],
            tuple((name, value) for name, value in item["params"]),
        )
        for item in batch.decisions
    ]


def find_mapping(session: Session, name: str, kind: str) -> ImportOptions | None:
    """Find the options saved under that name for that kind of file."""
    saved = session.get(SavedMapping, name)
    if saved is None or saved.kind != kind:
        return None
    return ImportOptions.load(saved.content)


def find_mappings(viewer: Viewer, kind: str) -> list[str]:
    """Find the names of the mappings saved for that kind. Needs MANAGE_IMPORTS."""
    viewer.require(Permission.MANAGE_IMPORTS)
    names = sa.select(SavedMapping.name).filter_by(kind=kind).order_by(SavedMapping.name)
    with store.reading() as session:
        return list(session.scalars(names))


def save_mapping(
    session: Session, viewer: Viewer, batch: ImportBatch, options: ImportOptions
) -> None:
    """Save the mapping of a batch with its reading options, where the options name it."""
    if options.save_mapping:
        options_set = options.as_reading_options().items()
        reading_options = {name: value for name, value in options_set if name in MAPPING_OPTIONS}
        if registry.is_platform(batch.profile):
            # The columns of a platform are known: they are no mapping.
            content = {**reading_options, "profile": batch.profile}
        else:
            content = {**reading_options, "columns": {**batch.mapping, **options.columns}}
            if options.profile in {profile.name for profile in registry.find_profiles()}:
                content["profile"] = options.profile
        session.merge(
            SavedMapping(
                name=options.save_mapping,
                kind=batch.kind,
                content=content,
                saved_by=viewer.username,
                saved_at=now(),
            )
        )


@dataclass
class LoadJob:
    """Loading of one file. `answered`: its options with the answers that are kept with its
    layout. `system`: the one that was named for it; its contacts are then looked for in no
    other.
    """

    viewer: Viewer
    staged: Staged
    options: ImportOptions
    report: FileReport
    progress: Progress
    answered: ImportOptions
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
        batch = start(self.viewer, self.staged, self.options, report, write)
        report.quarantine = quarantine.write(batch.id, self.staged, rejected_rows or ())
        return batch.id

    def finish(self, result: lake.MergeResult = lake.MergeResult()) -> None:
        """Add the counts of the merge, and mark the batch as done."""
        self.tally.add(result)
        rectified.keep()
        self.tally.require_identity(self.report.file)
        days = (result.first_day, result.last_day)
        with store.writing() as session:
            finish(session, self.report.batch_id, self.tally.as_counts(), days)

    def decide(self, field: str, decision: str, seen: object = "", **params: Any) -> None:
        self.report.decisions.append(Decision.of(field, decision, seen, **params))
