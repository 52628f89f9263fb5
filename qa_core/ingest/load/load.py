"""Bringing one staged file into the stores, by kind: into the records as started, into
the lake in one commit, then done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import duckdb
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from qa_core.base.i18n import N_
from qa_core.centre import advisors, settings
from qa_core.centre.rules import number_assignments
from qa_core.centre.rules.active_rules import ActiveRules
from qa_core.compliance.recordings import delete_forbidden
from qa_core.ingest.load import batches, contacts, intervals, recordings
from qa_core.ingest.load.duckdb_session import RowComparison, compare, open_session, write_rows
from qa_core.ingest.load.load_job import LoadJob
from qa_core.ingest.load.quarantine import Rejected
from qa_core.ingest.load.staged import Staged
from qa_core.ingest.matching import attach, evaluation_rows, late_joins, pending_rows
from qa_core.ingest.profiles import tracking
from qa_core.ingest.rules import apply
from qa_core.quality import evaluations
from qa_core.storage import lake, name_merges
from qa_core.storage.lake.tables import quoted
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.schema import INTERVAL_KEY, RESTRAINTS, SPEND_KEY

SHOWN_NAMES = 20


def load(landing: LoadJob) -> None:
    """Bring the file in, or say what would happen in a dry run; fills in the report."""
    LANDERS[landing.staged.kind](landing)


def load_contacts(landing: LoadJob) -> None:
    staged, tally = landing.staged, landing.tally
    with open_session(staged) as bench:
        tally.duplicates = contacts.number_rows(bench, staged)
        with store.reading_or_empty() as session:
            naming = advisors.plan_names(
                session,
                contacts.find_pairs(bench, staged),
                contacts.find_teams(bench, staged).items(),
            )
            memberships, conventions = advisors.find_memberships(session), ActiveRules.load(session)
        _describe_created(landing, naming)
        conventions = conventions.with_teams(naming.teams)
        others_follow = contacts.find_shared(bench, staged, conventions) or (
            conventions.has_assignments and "tracking_number" in staged.columns
        )
        prepared = contacts.prepare(bench, staged, naming, memberships, conventions)
        _describe_changed(landing, bench, prepared)
        if landing.options.dry_run:
            rows = f"read_parquet({quoted(str(prepared.path))})"
            tally.add(
                compare(
                    bench,
                    "contacts",
                    rows,
                    carried=("started_at", "local_start", *prepared.carried),
                ),
            )
            landing.trial = lambda: lake.merge_contacts(
                prepared.path, prepared.carried, batches.REHEARSAL, for_new=prepared.for_new
            )
            return

    def write(session: Session, batch_id: str) -> None:
        advisors.write_names(session, naming, batch_id)
        pending_rows.keep(session, batch_id, staged.legs)
        if others_follow:
            due_work.request(session, CENTRE_RULES)

    batch_id = landing.start(prepared.rows, write)
    result = lake.merge_contacts(
        prepared.path,
        prepared.carried,
        batch_id,
        progress=landing.progress,
        for_new=prepared.for_new,
    )
    joined = late_joins.join_arrived(batch_id) if result.new or result.updated else {}
    if joined:
        landing.decide(
            "file",
            N_("rows that had waited for these contacts joined them"),
            N_("{joined}"),
            joined=_list_counts(joined),
        )
    landing.finish(result)
    apply.apply_if_due()
    if set(prepared.carried) & set(RESTRAINTS):
        delete_forbidden(landing.viewer.username)


def load_tracking(landing: LoadJob) -> None:
    """Calls with their campaign, or numbers with theirs."""
    if tracking.are_assignments(landing.staged.columns):
        load_assignments(landing)
    else:
        load_attachments(landing)


def load_assignments(landing: LoadJob) -> None:
    tally = landing.tally
    rows = pq.read_table(landing.staged.rows).sort_by("line").to_pylist()
    with store.reading_or_empty() as session:
        known = number_assignments.find_known(session)
    told = {number_assignments.identity(row): row for row in rows}
    fresh = [row for identity, row in told.items() if identity not in known]
    tally.duplicates = len(rows) - len(told)
    tally.add(RowComparison(len(fresh), 0, len(told) - len(fresh)))
    numbers = len({row["tracking_number"] for row in rows})
    landing.decide(
        "tracking_number",
        N_("numbers assigned to campaigns by day; contacts follow their number"),
        N_("{count} numbers"),
        count=numbers,
    )
    if landing.options.dry_run:
        return

    def write(session: Session, batch_id: str) -> None:
        number_assignments.write(session, batch_id, fresh)
        due_work.request(session, CENTRE_RULES)

    landing.start(0, write)
    changed = apply.apply_if_due()
    landing.decide(
        "campaign",
        N_("taken from the number and the day of the contact"),
        N_("{count} contacts"),
        count=changed,
    )
    landing.finish()


def load_attachments(landing: LoadJob) -> None:
    staged, tally = landing.staged, landing.tally
    with open_session(staged) as bench:
        with store.reading_or_empty() as session:
            tolerance = settings.current(session).tracking_tolerance_seconds
            kept = name_merges.find_kept(session)
        attached = attach.attach(bench, staged, tolerance, landing.system, kept["campaign"])
        tally.duplicates = attached.duplicates
        tally.reject(attached.doubtful)
        late = attach.find_doubtful(bench, staged)
        waits = attach.find_waiting(bench, staged, landing.system)
        tally.skip("unmatched", len(waits))
        if landing.options.dry_run:
            tally.add(
                compare(
                    bench,
                    "contacts",
                    f"read_parquet({quoted(str(attached.path))})",
                    carried=attached.carried,
                ),
            )
            if attached.rows:
                landing.trial = lambda: lake.merge_contacts(
                    attached.path, attached.carried, batches.REHEARSAL, create=False
                )
            return

    batch_id = landing.start(
        attached.rows, lambda session, batch_id: pending_rows.keep(session, batch_id, waits), late
    )
    result = (
        lake.merge_contacts(
            attached.path, attached.carried, batch_id, create=False, progress=landing.progress
        )
        if attached.rows
        else None
    )
    landing.finish(result)


def load_spend(landing: LoadJob) -> None:
    staged, tally = landing.staged, landing.tally
    with open_session(staged) as bench:
        key = {
            name: f'"{name}"' if name in staged.columns else "CAST(NULL AS VARCHAR)"
            for name in SPEND_KEY
        }
        listed = ", ".join(f'{expression} AS "{name}"' for name, expression in key.items())
        path = staged.folder / "spend.parquet"
        rows = write_rows(
            bench,
            f"SELECT {listed}, strftime(day, '%Y-%m') AS month, sum(amount) AS amount FROM "
            "staged GROUP BY ALL",
            path,
        )
        if rows < staged.accepted:
            tally.fold("same_day_and_campaign", staged.accepted - rows)
            landing.decide(
                "amount",
                N_("amounts of the same day and campaign are added up"),
                N_("{count} rows"),
                count=staged.accepted - rows,
            )
        if landing.options.dry_run:
            tally.add(
                compare(
                    bench, "spend", f"read_parquet({quoted(str(path))})", SPEND_KEY, ("amount",)
                ),
            )
            return
    batch_id = landing.start(rows, lambda session, batch_id: None)
    landing.finish(lake.merge_spend(path, batch_id, progress=landing.progress))


def load_intervals(landing: LoadJob) -> None:
    staged, tally = landing.staged, landing.tally
    with open_session(staged) as bench:
        with store.reading_or_empty() as session:
            naming = advisors.plan_names(session, (), contacts.find_teams(bench, staged).items())
        _describe_created(landing, naming)
        prepared = intervals.prepare(bench, staged)
        tally.duplicates = prepared.duplicates
        if prepared.minutes:
            landing.decide(
                "length_minutes",
                N_("{minutes} minutes"),
                N_("the smallest step between two starts"),
                minutes=prepared.minutes,
            )
        if landing.options.dry_run:
            tally.add(
                compare(
                    bench,
                    "intervals",
                    f"read_parquet({quoted(str(prepared.path))})",
                    INTERVAL_KEY,
                    ("local_start", *prepared.carried),
                ),
            )
            landing.trial = lambda: lake.merge_intervals(
                prepared.path, prepared.carried, batches.REHEARSAL
            )
            return
    batch_id = landing.start(
        prepared.rows, lambda session, batch_id: advisors.write_names(session, naming, batch_id)
    )
    landing.finish(
        lake.merge_intervals(prepared.path, prepared.carried, batch_id, progress=landing.progress)
    )


def load_advisors(landing: LoadJob) -> None:
    rows = pq.read_table(landing.staged.rows).sort_by("line").to_pylist()

    def write(session: Session, batch_id: str) -> None:
        directory = advisors.Directory.load(session)
        counts = Counter(advisors.write_row(session, batch_id, directory, row) for row in rows)
        landing.tally.add(RowComparison(counts["new"], counts["updated"], counts["unchanged"]))
        landing.tally.require_identity(landing.report.file)
        conventions = ActiveRules.load(session)
        if conventions.hours or conventions.kept["advisor"]:
            due_work.request(session, CENTRE_RULES)

    if landing.options.dry_run:
        with batches.rehearsing(landing.staged.kind) as session:
            write(session, batches.REHEARSAL)
        return
    batch_id = landing.start(len(rows), write)
    late_joins.fill_teams(batch_id)
    landing.finish()
    apply.apply_if_due()


def load_evaluations(landing: LoadJob) -> None:
    staged, tally = landing.staged, landing.tally
    with open_session(staged) as bench:
        gathered = evaluation_rows.gather(bench, staged, landing.system)
        tally.duplicates = gathered.duplicates
        with store.reading_or_empty() as session:
            naming = advisors.plan_names(
                session, {(draft.first.get("advisor"), None) for draft in gathered.drafts}
            )
            spans = advisors.spans_of(advisors.find_memberships(session))
        _describe_created(landing, naming)
        for draft in gathered.drafts:
            tally.fold("criterion", 0 if draft.reason else len(draft.lines) - 1)
        tally.skip("unmatched", sum(draft.is_waiting for draft in gathered.drafts))
        refused: list[evaluation_rows.EvaluationRow] = [
            draft for draft in gathered.drafts if draft.reason
        ]
        tally.reject(Counter(draft.reason for draft in refused for _line in draft.lines))
        cells = _cells_of(bench, staged, refused)
    drafts = [draft for draft in gathered.drafts if draft.reason is None]

    def write(session: Session, batch_id: str) -> None:
        advisors.write_names(session, naming, batch_id)
        items = [(draft, evaluation_rows.build(draft, naming.ids, spans)) for draft in drafts]
        intake = evaluations.Intake(
            session, batch_id, [item.external_key for _draft, item in items]
        )
        counts = Counter(intake.take(item) for draft, item in items if not draft.is_waiting)
        session.flush()
        apply.apply_to_evaluations(session)
        pending_rows.keep(
            session,
            batch_id,
            [
                evaluation_rows.waiting_row(item, landing.system)
                for draft, item in items
                if draft.is_waiting
            ],
        )
        tally.add(RowComparison(counts["new"], counts["updated"], counts["unchanged"]))
        tally.require_identity(landing.report.file)

    if landing.options.dry_run:
        with batches.rehearsing(staged.kind) as session:
            write(session, batches.REHEARSAL)
        return
    landing.start(len([draft for draft in drafts if not draft.is_waiting]), write, cells)
    landing.finish()


LANDERS: dict[str, Callable[[LoadJob], None]] = {
    "contacts": load_contacts,
    "tracking": load_tracking,
    "surveys": load_attachments,
    "spend": load_spend,
    "intervals": load_intervals,
    "advisors": load_advisors,
    "evaluations": load_evaluations,
    "recordings": recordings.load,
}


def _describe_created(landing: LoadJob, naming: advisors.Naming) -> None:
    for field, created in (
        ("advisor", [name for _id, name in naming.created]),
        ("team", [team for team, _site in naming.teams]),
    ):
        if created:
            shown = ", ".join(created[:SHOWN_NAMES]) + (" …" if len(created) > SHOWN_NAMES else "")
            landing.decide(
                field,
                N_("created, because nobody of that name was known")
                if field == "advisor"
                else N_("created, because no team of that name was known"),
                N_("{count}: {names}"),
                count=len(created),
                names=shown,
            )


CHANGED: dict[str, tuple[str, str]] = {
    "given_queue": ("queue", N_("spelled as the centre keeps it")),
    "given_reason": ("reason", N_("spelled as the centre keeps it")),
    "given_campaign": ("campaign", N_("spelled as the centre keeps it")),
    "given_advisor_id": ("advisor", N_("counted with the advisor whom they were merged into")),
    "given_outcome": ("outcome", N_("closed: nobody answered, outside the opening hours")),
    "given_customer_key": (
        "customer",
        N_(
            "shared numbers identify nobody: more contacts on one day than the setting "
            "shared_number_contacts_a_day"
        ),
    ),
}
"""What an import says of the contacts that the centre's conventions changed, by the
column that keeps what was given.
"""


def _describe_changed(
    landing: LoadJob, bench: duckdb.DuckDBPyConnection, prepared: contacts.PreparedContacts
) -> None:
    rows = f"read_parquet({quoted(str(prepared.path))})"
    for column, (field, decision) in CHANGED.items():
        if column in prepared.carried:
            count, distinct = bench.execute(
                f"SELECT count({column}), count(DISTINCT {column}) FROM {rows}"
            ).fetchone()
            if count:
                evidence = (
                    N_("{count} contacts of {distinct} numbers")
                    if field == "customer"
                    else N_("{count} contacts")
                )
                landing.decide(field, decision, evidence, count=count, distinct=distinct)


def _list_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _cells_of(
    bench: duckdb.DuckDBPyConnection, staged: Staged, refused: list[evaluation_rows.EvaluationRow]
) -> list[Rejected]:
    lines = {line: draft.reason for draft in refused for line in draft.lines}
    if not lines:
        return []
    bench.execute(
        "CREATE OR REPLACE TEMP TABLE doubtful AS SELECT unnest(?) AS line, unnest(?) AS reason",
        [list(lines), list(lines.values())],
    )
    return attach.find_doubtful(bench, staged)
