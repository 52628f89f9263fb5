"""Loading of the simulated centre: one batch per tool, through the stages of any import."""

import hashlib
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_
from qa_core.base.progress import ignore_progress
from qa_core.cli.demo import campaigns, contacts, evaluations, seasons, surveys
from qa_core.cli.demo.extracts import SYSTEMS, Extracts
from qa_core.cli.demo.staff import Staff
from qa_core.cli.demo.story import STORY, DemoPlan
from qa_core.compliance.conditions import gates
from qa_core.compliance.recordings import deletion
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import batches, load, recovery
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.staging.staged import SCHEMAS, Staged
from qa_core.ingest.staging.tally import ImportTally
from qa_core.storage.records import store

PROFILE = "demo"
"""Profile of the demo's batches; finds them for removal."""

_FIRST_LINE = 2


def stage_advisors(plan: DemoPlan, staff: Staff) -> Staged:
    """Stage the file of the advisors, which comes first: contacts find their team in it."""
    return _stage(plan, "advisors", "annuaire", staff.as_rows())


def stage_all(plan: DemoPlan, calendar: seasons.Calendar, staff: Staff) -> Iterator[Staged]:
    """Stage every other file, in the order in which they join; each is made on demand."""
    with store.reading() as session:
        months = gates.retention_months(session, "analysis")
    extracts = Extracts(plan, staff, contacts.Simulation(plan, calendar, staff).run())
    tracking = campaigns.Tracking(plan, calendar, extracts)
    called = tracking.called_numbers()
    for system in SYSTEMS:
        yield _stage(plan, "contacts", system, extracts.export(system, called))
    yield _stage(plan, "tracking", "call_tracking", tracking.by_number())
    yield _stage(plan, "tracking", "web", tracking.by_contact())
    yield _stage(plan, "surveys", "enquetes", surveys.send(plan, calendar, extracts))
    yield _stage(plan, "spend", "marketing", tracking.spend())
    # Older evaluations may not be kept, and an import of them is refused.
    oldest = deletion.find_oldest_day(environment.today(), months)
    scored = evaluations.evaluate(plan, calendar, extracts, oldest)
    yield _stage(plan, "evaluations", "ecoutes", scored)


def load_staged(viewer: Viewer, staged: Staged) -> None:
    """Load one of these files as the pipeline loads a file it has read."""
    report = FileReport(
        file=str(staged.file),
        system=staged.system,
        profile=staged.profile,
        mapping=staged.mapping,
        tally=staged.tally,
        decisions=list(staged.decisions),
        headers=staged.headers,
    )
    try:
        options = ImportOptions(system=staged.system)
        job = batches.LoadJob(viewer, staged, options, report, ignore_progress, options)
        with store.one_import_at_a_time():
            recovery.finish_interrupted()
            load.load(job)
    finally:
        staged.discard()


def _stage(
    plan: DemoPlan, kind: str, system: str, content: pa.Table | Iterator[pa.Table]
) -> Staged:
    """Stage the export of one system as if its file had been read."""
    parent = environment.current().temporary_folder
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"staged-{environment.name_process()}-", dir=parent))
    rows, rejected = folder / "rows.parquet", folder / "rejected.parquet"
    tables = iter([content]) if isinstance(content, pa.Table) else content
    first = next(tables)
    columns = tuple(column for column in SCHEMAS[kind] if column in first.column_names)
    types = [(column, SCHEMAS[kind][column]) for column in columns]
    schema = pa.schema([("line", pa.int64()), *types])
    read = 0
    with pq.ParquetWriter(rows, schema) as writer:
        for table in chain([first], tables):
            if "line" not in table.column_names:
                start = read + _FIRST_LINE
                lines = pa.array(range(start, start + table.num_rows), pa.int64())
                table = table.append_column("line", lines)
            read += len(table["line"].unique())
            writer.write_table(table.select(["line", *columns]).cast(schema))
    reasons = [("line", pa.int64()), ("reason", pa.string()), ("cells", pa.list_(pa.string()))]
    pq.write_table(pa.schema(reasons).empty_table(), rejected)
    with rows.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    message = N_("demo centre, seed {seed}; all people are invented")
    return Staged(
        kind=kind,
        system=system,
        profile=PROFILE,
        file=Path(STORY.files[system]),
        digest=digest,
        folder=folder,
        rows=rows,
        rejected_rows=rejected,
        headers=columns,
        columns=columns,
        mapping={column: column for column in columns},
        dropped=(),
        defaults={},
        decisions=[Decision.of("file", message, seed=plan.seed)],
        tally=ImportTally(read),
        accepted=read,
    )
