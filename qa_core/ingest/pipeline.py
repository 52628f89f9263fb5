"""Import of files into the stores, and its undo. Each file is one batch, loaded whole
or not at all, and every row of it is accounted for.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Misuse, Refusal, build_unknown
from qa_core.base.i18n import N_, _
from qa_core.base.progress import Progress, ignore_progress
from qa_core.compliance import recordings
from qa_core.files import uploads
from qa_core.files.archives import refuse_special
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions, require_kind
from qa_core.ingest.confirmation import Confirmation
from qa_core.ingest.load import batches, load, recovery, rollback
from qa_core.ingest.reading import file_names, plausibility, table_reader
from qa_core.ingest.reading.reading import Reading
from qa_core.ingest.reading.report import UNCONFIRMED, FileReport
from qa_core.ingest.staging.duckdb_session import one_database, open_session
from qa_core.ingest.staging.staged import Staged
from qa_core.storage import lake, system_errors
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch


def run(
    viewer: Viewer,
    kind: str,
    paths: Iterable[Path | str],
    options: ImportOptions | None = None,
    progress: Progress = ignore_progress,
) -> list[FileReport]:
    """Import files of one kind and report on each; a refused file does not stop the next.
    What follows is due work (`upkeep.after_import`). Needs MANAGE_IMPORTS.

    With `options.dry_run` nothing is written, not even a folder. Raises Misuse for an
    unknown kind.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    require_kind(kind)
    options = options or ImportOptions()
    return [run_upload(viewer, kind, Path(path), str(path), options, progress) for path in paths]


def run_upload(
    viewer: Viewer,
    kind: str,
    path: Path,
    name: str,
    options: ImportOptions,
    progress: Progress = ignore_progress,
) -> FileReport:
    """Import one uploaded file as `run` does. It is stored at `path`, and called
    `name`.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    reading = Reading(kind=kind)
    report = _report_refusals(
        name,
        options,
        reading,
        lambda: _load_file(viewer, kind, path, name, options, reading, progress),
    )
    if report.is_refused and options.dry_run:
        columns = table_reader.find_columns(path, kind, options)
        report.headers, report.mapping = columns.headers, columns.mapping
    return report


def _report_refusals(
    name: str, options: ImportOptions, reading: Reading, work: Callable[[], FileReport]
) -> FileReport:
    """Return the report of that work; where it is refused, or the system fails it, a
    report with the refusal.
    """
    try:
        return work()
    except (AccessDenied, Misuse):
        raise
    except Exception as error:
        refusal = system_errors.find_refusal(error)
        if refusal is None:
            raise
        is_open = refusal.code in (UNCONFIRMED, plausibility.IMPLAUSIBLE)
        reading.is_refused = not (is_open or refusal.answers)
        reading.must_confirm |= refusal.code == plausibility.IMPLAUSIBLE
        return FileReport(file=name, dry_run=options.dry_run, refusal=refusal, reading=reading)


def _load_file(
    viewer: Viewer,
    kind: str,
    path: Path,
    name: str,
    options: ImportOptions,
    reading: Reading,
    progress: Progress,
) -> FileReport:
    if not options.dry_run:
        store.require_ready()
    if kind == "recordings" and path.exists() and not file_names.is_manifest(path):
        staged = file_names.stage_files(path, options)
        confirmation = Confirmation(reading, options)
        return _load_staged(viewer, staged, name, options, progress, confirmation)
    refuse_special(path)
    if not path.exists():
        raise Refusal("no_file", "There is no file or folder {path}.", path=name)
    digest = table_reader.compute_digest(path)
    with store.reading_or_empty() as session:
        known = _find_known_report(session, kind, digest, options, name)
        saved = batches.find_mapping(session, options.profile, kind) if options.profile else None
    if known is not None:
        _save_mapping(viewer, known, options)
        return known
    completed = options.with_defaults(saved) if saved else options
    profile = options.profile if saved else None
    if saved:
        completed = replace(completed, profile=saved.profile, is_stated=True)
    confirmation = Confirmation(reading, completed, path, profile)

    def stage(options: ImportOptions) -> Staged:
        return table_reader.stage(
            path, kind, options, progress, system=profile, digest=digest, name=name
        )

    staged = confirmation.read(stage)
    return _load_staged(viewer, staged, name, options, progress, confirmation)


def run_staged(viewer: Viewer, staged: Staged, name: str, options: ImportOptions) -> FileReport:
    """Import a file that was read already, such as the next piece of a log, and remove
    its temporary files. Needs MANAGE_IMPORTS.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    reading = Reading(kind=staged.kind)
    confirmation = Confirmation(reading, options)
    return _report_refusals(
        name,
        options,
        reading,
        lambda: _load_staged(viewer, staged, name, options, ignore_progress, confirmation),
    )


def _load_staged(
    viewer: Viewer,
    staged: Staged,
    name: str,
    options: ImportOptions,
    progress: Progress,
    confirmation: Confirmation,
) -> FileReport:
    try:
        report = FileReport(
            file=name,
            kind=staged.kind,
            system=staged.system,
            profile=confirmation.profile or staged.profile,
            mapping=dict(staged.mapping),
            tally=staged.tally,
            decisions=list(staged.decisions),
            dry_run=options.dry_run,
            dropped=staged.dropped,
            headers=staged.headers,
        )
        report.reading = confirmation.reading
        with ExitStack() as stack:
            if staged.kind == "contacts":
                stack.enter_context(one_database(staged))
            plausibility.require_few_rejected(staged)
            report.plausibility = confirmation.build(staged)
            if not options.dry_run:
                report.confirmed_options = confirmation.require()
            _require_plausible(viewer, staged, options, report)
            if not options.dry_run:
                stack.enter_context(store.one_import_at_a_time())
                recovery.finish_interrupted()
                # Somebody may have brought the same file while we read it.
                with store.reading() as session:
                    known = _find_known_report(session, staged.kind, staged.digest, options, name)
                if known is not None:
                    return known
            # A dry run goes on as if the likeliest answers were given.
            answered = confirmation.options
            given = answered if options.dry_run else options
            system = answered.system or confirmation.profile
            job = batches.LoadJob(viewer, staged, given, report, progress, answered, system)
            load.load(job)
            if options.dry_run:
                # Only here: it asks the questions of the pages, whose libraries take
                # longer to load than a known file to recognise.
                from qa_core.ingest import dry_run

                with open_session(staged) as connection:
                    report.examination = dry_run.examine(connection, staged, job.trial)
        report.tally.require_identity(name)
        return report
    finally:
        staged.discard()


def _require_plausible(
    viewer: Viewer, staged: Staged, options: ImportOptions, report: FileReport
) -> None:
    """Raise Refusal where what looks odd must be accepted first."""
    accepted = plausibility.require_accepted(staged, report.plausibility, options)
    if accepted:
        codes = ", ".join(oddity.code for oddity in accepted)
        message = N_("accepted although it looks odd: {codes}")
        report.decisions.append(Decision.of("file", message, viewer.username, codes=codes))


def _find_known_report(
    session: Session, kind: str, digest: str, options: ImportOptions, name: str
) -> FileReport | None:
    if kind == "recordings":
        # The audio beside a manifest that is known may be another, or have come since;
        # row by row tells.
        return None
    batch = batches.find_done(session, kind, digest, options.as_reading_options())
    if batch is None:
        return None
    report = batches.build_known_report(session, batch, name)
    report.dry_run = options.dry_run
    return report


def _save_mapping(viewer: Viewer, known: FileReport, options: ImportOptions) -> None:
    if options.save_mapping and not options.dry_run:
        with store.writing() as session:
            batches.save_mapping(
                session, viewer, session.get_one(ImportBatch, known.batch_id), options
            )


def resume() -> list[str]:
    """Finish or roll back what a killed import left. Safe at every start. Returns the
    batches concerned.
    """
    store.require_ready()
    uploads.remove_leftovers()
    with store.one_import_at_a_time():
        finished = recovery.finish_interrupted()
        recordings.delete_orphans()
    lake.remove_dead_folders()
    return finished


def undo(viewer: Viewer, batch_id: str) -> dict[str, Any]:
    """Restore exactly what was there before that import, pending rows and evaluations
    included. Needs MANAGE_IMPORTS.

    Raises Refusal when the batch is unknown or not done, or when a later import changed
    the same rows.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        with store.reading() as session:
            batch = session.get(ImportBatch, batch_id)
            if batch is None:
                raise build_unknown(
                    "unknown_batch", N_("Import"), batch_id, "python -m qa_core batches list"
                )
            if batch.state != "done":
                raise Refusal(
                    "not_standing",
                    "Import {batch} is {state}. There is nothing to undo.",
                    batch=batch_id,
                    state=_(batches.STATES[batch.state]),
                )
            rollback.require_last(session, batch)
        recovery.keep_objections(viewer.username)
        with store.writing() as session:
            session.get_one(ImportBatch, batch_id).state = "undoing"
        rollback.rollback(batch_id, viewer.username)
        recovery.apply_objections(viewer.username)
    return {"batch": batch_id, "state": "undone"}
