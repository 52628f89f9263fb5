"""Loading of a staged file, by kind: create the batch, merge into the lake in one
commit, mark the batch as done.
"""

from collections import Counter
from collections.abc import Callable

import duckdb
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from qa_core.base import declared, doors, memory
from qa_core.base.i18n import N_
from qa_core.centre import advisors, members, settings
from qa_core.centre.rules import number_assignments
from qa_core.centre.rules.active_rules import ActiveRules
from qa_core.compliance.conditions import gates
from qa_core.compliance.conditions.evaluators import (
    BEFORE_ACCREDITATION,
    UNKNOWN,
    refuse_emotions,
)
from qa_core.ingest.load import (
    batches,
    contacts,
    intervals,
    recordings,
    recovery,
    reused_ids,
)
from qa_core.ingest.load.batches import LoadJob
from qa_core.ingest.matching import (
    attach,
    evaluation_rows,
    late_joins,
    machines,
    pending_rows,
    teams,
)
from qa_core.ingest.profiles import tracking
from qa_core.ingest.reading import plausibility
from qa_core.ingest.rules import apply
from qa_core.ingest.staging.duckdb_session import (
    PreparedRows,
    compare,
    open_session,
    write_rows,
)
from qa_core.ingest.staging.quarantine import RejectedRow
from qa_core.ingest.staging.staged import Staged
from qa_core.quality import evaluations
from qa_core.quality.evaluations import withdrawal
from qa_core.storage import erased_people, lake, name_merges
from qa_core.storage.facts.schema import EXCLUDED_BY, INTERVAL_KEY, RESTRAINTS, SPEND_KEY
from qa_core.storage.lake.tables import quote
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES

SHOWN_NAMES = 20
OF_THE_FILE = (evaluation_rows.NO_DATE, evaluation_rows.NO_EVALUATOR, UNKNOWN)
"""Why evaluations are rejected for what the file lacks; anything else is the law."""


def load(job: LoadJob) -> None:
    """Load the file; in a dry run, count what would change. Fills in the report."""
    memory.give_back()  # what the reading took
    LOADERS[job.staged.kind](job)


@doors.writes("contacts")
def load_contacts(job: LoadJob) -> None:
    staged, tally = job.staged, job.tally
    version = lake.version("contacts")
    with open_session(staged) as connection:
        scope, decision = reused_ids.find_key_scope(connection, staged, job.answered)
        if decision:
            job.report.decisions.append(decision)
        tally.duplicates = contacts.deduplicate_keys(connection, staged, scope)
        with store.reading_or_empty() as session:
            answers = machines.settle(connection, staged, job.options, session)
            resolved_names = advisors.resolve_names(
                session,
                contacts.find_advisors(connection, staged),
                teams.find_teams(connection, staged, session).items(),
                contacts.find_forgotten(connection, staged),
            )
            memberships, rules = advisors.find_memberships(session), ActiveRules.load(session)
        _describe_created(job, resolved_names)
        kinds = answers.find_kinds(resolved_names.ids)
        rules = rules.with_teams(resolved_names.teams).with_kinds(kinds)
        must_apply_rules = (
            contacts.register_shared_numbers(connection, staged, rules)
            or (rules.has_assignments and "tracking_number" in staged.columns)
            or contacts.have_moved(connection)
        )
        prepared = contacts.prepare_contacts(connection, staged, resolved_names, memberships, rules)
        is_known = connection.execute("SELECT 1 FROM known LIMIT 1").fetchone() is not None
        _describe_changed(job, connection, prepared)
        if job.options.dry_run:
            carried = ("started_at", "local_start", *prepared.carried)
            tally.add(compare(connection, "contacts", prepared.path, carried=carried))
            job.trial = lambda: lake.merge_contacts(
                prepared.path, prepared.carried, batches.DRY_RUN_BATCH, for_new=prepared.for_new
            )
            return

    def write(session: Session, batch_id: str) -> None:
        advisors.create_names(session, resolved_names, batch_id)
        pending_rows.store_rows(session, batch_id, staged.legs)
        if advisors.save_kinds(session, batch_id, kinds) or must_apply_rules:
            due_work.request(session, CENTRE_RULES)

    batch_id = job.start(prepared.rows, write)
    erased_people.forget(prepared.path, is_import=True)
    result = lake.merge_contacts(
        prepared.path,
        prepared.carried,
        batch_id,
        progress=job.progress,
        for_new=prepared.for_new,
        keys_absent_at_version=None if is_known else version,
    )
    # Before the batch is done: what is killed until then is made up for. Before rows that wait
    # join these contacts: evaluations are judged then, and joined contacts are of another batch.
    recovery.keep_objections(job.viewer.username, batch_id, prepared.path)
    if result.first_day and result.last_day:
        days = (result.first_day, result.last_day)
        recovery.apply_objections(job.viewer.username, batch_id, days, prepared.path)
    joined_rows = late_joins.join_arrived(batch_id) if result.new or result.updated else {}
    if joined_rows:
        joined = ", ".join(f"{count} {kind}" for kind, count in sorted(joined_rows.items()))
        job.decide("file", "waiting rows were matched to these contacts", joined, joined=joined)
    recovery.apply_rules()
    if joined_rows:  # some may be of another line now
        withdrawal.withdraw_forbidden(job.viewer.username, prepared.path)
    job.finish(result)


def load_tracking(job: LoadJob) -> None:
    """Load either contacts with their campaign, or numbers with theirs."""
    if tracking.are_assignments(job.staged.columns):
        load_assignments(job)
    else:
        load_attachments(job)


def load_assignments(job: LoadJob) -> None:
    tally = job.tally
    rows = pq.read_table(job.staged.rows).sort_by("line").to_pylist()
    with store.reading_or_empty() as session:
        known_keys = number_assignments.find_known(session)
    rows_by_key = {number_assignments.build_key(row): row for row in rows}
    new_rows = [row for key, row in rows_by_key.items() if key not in known_keys]
    tally.duplicates = len(rows) - len(rows_by_key)
    tally.add(lake.MergeResult(len(new_rows), 0, len(rows_by_key) - len(new_rows)))
    numbers = len({row["tracking_number"] for row in rows})
    message = N_("numbers assigned to campaigns by day; contacts follow their number")
    job.decide("tracking_number", message, str(numbers))
    if job.options.dry_run:
        return

    def write(session: Session, batch_id: str) -> None:
        number_assignments.write(session, batch_id, new_rows)
        due_work.request(session, CENTRE_RULES)

    job.start(0, write)
    changed = apply.apply_if_due()
    job.decide("campaign", "taken from the number and the day of the contact", changed)
    job.finish()


@doors.writes("contacts")
def load_attachments(job: LoadJob) -> None:
    staged, tally = job.staged, job.tally
    with open_session(staged) as connection:
        with store.reading_or_empty() as session:
            tolerance = settings.current(session).tracking_tolerance_seconds
            kept_names = name_merges.find_kept_names(session)
        attached = attach.attach(connection, staged, tolerance, job.system, kept_names["campaign"])
        tally.duplicates = attached.duplicates
        ambiguous_rows = attach.find_ambiguous_rows(connection, staged)
        tally.reject(Counter(reason for _line, reason, _cells in ambiguous_rows))
        pending = attach.find_pending_rows(connection, staged, job.system)
        tally.skip("unmatched", len(pending))
        if job.options.dry_run:
            tally.add(compare(connection, "contacts", attached.path, carried=attached.carried))
            if attached.rows:
                job.trial = lambda: lake.merge_contacts(
                    attached.path, attached.carried, batches.DRY_RUN_BATCH, create=False
                )
            return

    def write(session: Session, batch_id: str) -> None:
        pending_rows.store_rows(session, batch_id, pending)

    batch_id, result = job.start(attached.rows, write, ambiguous_rows), lake.MergeResult()
    if attached.rows:
        erased_people.forget(attached.path)
        result = lake.merge_contacts(
            attached.path, attached.carried, batch_id, create=False, progress=job.progress
        )
        if set(attached.carried) & {*RESTRAINTS, *EXCLUDED_BY}:
            withdrawal.withdraw_forbidden(job.viewer.username, attached.path)
    job.finish(result)


def load_spend(job: LoadJob) -> None:
    staged, tally = job.staged, job.tally
    with open_session(staged) as connection:
        key_list = ", ".join(f'{staged.select_column(name)} AS "{name}"' for name in SPEND_KEY)
        path = staged.folder / "spend.parquet"
        rows = write_rows(
            connection,
            f"SELECT {key_list}, strftime(day, '%Y-%m') AS month, sum(amount) AS amount FROM "
            "staged GROUP BY ALL",
            path,
        )
        if folded := staged.accepted - rows:
            tally.fold("same_day_and_campaign", folded)
            job.decide("amount", "amounts of the same day and campaign are added up", folded)
        if job.options.dry_run:
            tally.add(compare(connection, "spend", path, SPEND_KEY, ("amount",)))
            return
    batch_id = job.start(rows, lambda session, batch_id: None)
    job.finish(lake.merge_spend(path, batch_id, progress=job.progress))


def load_intervals(job: LoadJob) -> None:
    staged, tally = job.staged, job.tally
    with open_session(staged) as connection:
        with store.reading_or_empty() as session:
            resolved_names = advisors.resolve_names(
                session, (), teams.find_teams(connection, staged, session).items()
            )
        _describe_created(job, resolved_names)
        prepared, minutes = intervals.prepare_intervals(connection, staged)
        tally.duplicates = prepared.duplicates
        if minutes:
            job.decide("length_minutes", "each row is {minutes} minutes", minutes=minutes)
        if job.options.dry_run:
            carried = ("local_start", *prepared.carried)
            tally.add(compare(connection, "intervals", prepared.path, INTERVAL_KEY, carried))
            job.trial = lambda: lake.merge_intervals(
                prepared.path, prepared.carried, batches.DRY_RUN_BATCH
            )
            return
    batch_id = job.start(
        prepared.rows,
        lambda session, batch_id: advisors.create_names(session, resolved_names, batch_id),
    )
    job.finish(
        lake.merge_intervals(prepared.path, prepared.carried, batch_id, progress=job.progress)
    )


def load_advisors(job: LoadJob) -> None:
    rows = pq.read_table(job.staged.rows).sort_by("line").to_pylist()

    def write(session: Session, batch_id: str) -> None:
        directory, before = advisors.Directory.load(session), members.find_machines(session)
        counts = Counter(advisors.import_row(session, batch_id, directory, row) for row in rows)
        job.tally.add(lake.MergeResult(counts["new"], counts["updated"], counts["unchanged"]))
        job.tally.require_identity(job.report.file)
        if counts["updated"] or before != members.find_machines(session):
            due_work.request(session, CENTRE_RULES)

    if job.options.dry_run:
        with batches.open_dry_run(job.staged.kind) as session:
            write(session, batches.DRY_RUN_BATCH)
        return
    job.start(len(rows), write)
    job.finish()
    apply.apply_if_due()


def load_evaluations(job: LoadJob) -> None:
    """Load evaluations. They count as listening, so the legal gates and rules apply as
    to one made here. Raises Refusal while a gate is closed.
    """
    staged, tally = job.staged, job.tally
    with store.reading_or_empty() as session:
        gates.require_open(session, "evaluation")
    with open_session(staged) as connection:
        drafts, tally.duplicates = evaluation_rows.group_rows(connection, staged, job.system)
        refuse_emotions(
            row["criterion"]
            for draft in drafts
            for row in draft.rows
            if row.get("criterion") is not None
        )
        with store.reading_or_empty() as session:
            resolved_names = advisors.resolve_names(
                session,
                {(draft.first.get("advisor"), None) for draft in drafts},
                forgotten=contacts.find_forgotten(connection, staged, "evaluated_at"),
            )
            spans = advisors.group_spans(advisors.find_memberships(session))
            evaluation_rows.reject_unlawful(session, drafts, resolved_names.ids)
        _describe_created(job, resolved_names)
        for draft in drafts:
            tally.fold("criterion", 0 if draft.reason else len(draft.lines) - 1)
        pending = Counter(draft.lacks_contact for draft in drafts if draft.is_pending)
        tally.skip("unmatched", pending[True])
        tally.skip(BEFORE_ACCREDITATION, pending[False])
        rejected = [draft for draft in drafts if draft.reason]
        tally.reject(Counter(draft.reason for draft in rejected for _line in draft.lines))
        plausibility.require_few_rejected(
            staged,
            by_law=sum(len(draft.lines) for draft in rejected if draft.reason not in OF_THE_FILE),
        )
        rejected_rows = _find_rejected_rows(connection, staged, rejected)
    drafts = [draft for draft in drafts if draft.reason is None]

    def write(session: Session, batch_id: str) -> None:
        advisors.create_names(session, resolved_names, batch_id)
        items = [
            (draft, evaluation_rows.build(draft, resolved_names.ids, spans)) for draft in drafts
        ]
        importer = evaluations.EvaluationImporter(session, batch_id, [item for _, item in items])
        counts = Counter(importer.import_one(item) for draft, item in items if not draft.is_pending)
        session.flush()
        apply.apply_to_evaluations(session)
        rows = [
            evaluation_rows.build_pending_row(item, job.system, not draft.lacks_contact)
            for draft, item in items
            if draft.is_pending
        ]
        pending_rows.store_rows(session, batch_id, rows)
        tally.add(lake.MergeResult(counts["new"], counts["updated"], counts["unchanged"]))
        tally.require_identity(job.report.file)

    if job.options.dry_run:
        with batches.open_dry_run(staged.kind) as session:
            write(session, batches.DRY_RUN_BATCH)
        return
    job.start(len([draft for draft in drafts if not draft.is_pending]), write, rejected_rows)
    job.finish()


LOADERS: dict[str, Callable[[LoadJob], None]] = {
    "contacts": load_contacts,
    "tracking": load_tracking,
    "surveys": load_attachments,
    "spend": load_spend,
    "intervals": load_intervals,
    "advisors": load_advisors,
    "evaluations": load_evaluations,
    "recordings": recordings.load,
}


def _describe_created(job: LoadJob, resolved_names: advisors.ResolvedNames) -> None:
    for field, created in (
        ("advisor", [name for _id, name in resolved_names.new_advisors]),
        ("team", [team for team, _site in resolved_names.teams]),
    ):
        if created:
            shown = ", ".join(created[:SHOWN_NAMES]) + (" …" if len(created) > SHOWN_NAMES else "")
            message = N_("created, because no such name was known")
            job.decide(field, message, f"{len(created)}: {shown}", names=shown)


CHANGES: dict[str, dict[str, str]] = declared.read(__file__)["changes"]
"""Decisions about contacts that the centre's rules changed, by the column that keeps
the source's value.
"""


def _describe_changed(
    job: LoadJob, connection: duckdb.DuckDBPyConnection, prepared: PreparedRows
) -> None:
    rows = f"read_parquet({quote(str(prepared.path))})"
    for column, change in CHANGES.items():
        if column in prepared.carried:
            # A machine is no advisor: that is said of `handled_by`.
            kept = "WHERE advisor_id IS NOT NULL" if change["field"] == "advisor" else ""
            count, distinct = connection.execute(
                f"SELECT count({column}), count(DISTINCT {column}) FROM {rows} {kept}"
            ).fetchone()
            if count:
                job.decide(change["field"], change["decision"], count, distinct=distinct)


def _find_rejected_rows(
    connection: duckdb.DuckDBPyConnection,
    staged: Staged,
    rejected: list[evaluation_rows.EvaluationRow],
) -> list[RejectedRow]:
    lines = {line: draft.reason for draft in rejected for line in draft.lines}
    if not lines:
        return []
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE doubtful AS SELECT unnest(?) AS line, unnest(?) AS reason",
        [list(lines), list(lines.values())],
    )
    return attach.find_ambiguous_rows(connection, staged)
