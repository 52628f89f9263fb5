"""The audit log as the data protection officer reads it, and the check of its seals."""

import logging
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace
from datetime import datetime

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, format_options, ngettext
from qa_core.base.row_values import build_from_row
from qa_core.centre import members
from qa_core.metrics import downloads, spreadsheets
from qa_core.metrics.spreadsheets import Sheet, make_file
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.personal_data import PERSONS
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow

DELETIONS = ("purged", *(f"{kind}_erased" for kind in PERSONS))
ADVISOR = re.compile(r"advisor [0-9a-f]{16}\b")


@dataclass(frozen=True)
class AuditEntry:
    seq: int
    at: datetime
    actor: str
    action: str
    object: str
    reason: str
    seal: str


def find_entries(
    viewer: Viewer, actor: str = "", action: str = "", limit: int | None = 200
) -> list[AuditEntry]:
    """List the acts of that actor and kind (empty: of all), newest first, with the ids
    of known advisors instead of their pseudonyms.
    """
    entries = _read_entries(viewer, actor, action, limit)
    ids: dict[str, str] = {}
    if any(ADVISOR.search(f"{entry.object} {entry.reason}") for entry in entries):
        with store.reading() as session:
            ids = audit_log.find_advisors(members.find_names(session))

    def name(text: str) -> str:
        return ADVISOR.sub(lambda found: ids.get(found[0], found[0]), text)

    return [
        replace(entry, object=name(entry.object), reason=name(entry.reason)) for entry in entries
    ]


def _read_entries(viewer: Viewer, actor: str, action: str, limit: int | None) -> list[AuditEntry]:
    viewer.require(Permission.SEE_JOURNAL)
    statement = sa.select(JournalRow).order_by(JournalRow.seq.desc()).limit(limit)
    if actor:
        statement = statement.where(JournalRow.actor == actor)
    if action:
        statement = statement.where(JournalRow.action == action)
    with store.reading() as session:
        return [
            build_from_row(AuditEntry, row, at=datetime.fromisoformat(row.at), seal=row.mac)
            for row in session.scalars(_whole(statement))
        ]


def find_values(viewer: Viewer, column: str) -> list[str]:
    """List the values of the column `actor` or `action`, to filter by."""
    viewer.require(Permission.SEE_JOURNAL)
    values = {"actor": JournalRow.actor, "action": JournalRow.action}[column]
    with store.reading() as session:
        return list(session.scalars(_whole(sa.select(values).distinct().order_by(values))))


def _whole(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "A reader of the journal sees the acts of everybody. It holds no score and no content.",
    )


WARNINGS = {
    "end_beside_log": N_(
        "Its end is noted beside it alone: who cuts the log can cut the note. Name a file "
        "elsewhere in QA_ANCHOR."
    ),
}
"""Warnings of a verification, by code."""


def verify_journal(viewer: Viewer) -> audit_log.Verification:
    """Recompute every seal of the audit log, and log that it was done."""
    viewer.require(Permission.SEE_JOURNAL)
    with store.reading() as session:
        verification = audit_log.verify(session)
    with store.writing() as session:
        what = f"{verification.rows} rows"
        result = "ok" if verification.ok else f"broken at {verification.first_bad or 'the end'}"
        audit_log.record(session, viewer.username, "journal_verified", what, reason=result)
    return verification


def note_from_now_on() -> None:
    """Note the end of the journal in the server's log and, if new, in QA_ANCHOR; say so."""
    audit_log.LOG.setLevel(logging.INFO)
    audit_log.LOG.addHandler(logging.StreamHandler())
    with store.writing() as session:
        anchor = audit_log.anchor_once(session, "system")
    if anchor is not None:
        print(_("The end of the audit log is noted in {file} from now on.", file=anchor))


def find_last(actions: Iterable[str] | None = None) -> int:
    """Return the number of the newest row, or of the newest of one of these acts; 0 where there
    is none.
    """
    newest = sa.select(sa.func.max(JournalRow.seq))
    newest = newest if actions is None else newest.where(JournalRow.action.in_(actions))
    with store.reading() as session:
        return session.scalar(_whole(newest)) or 0


def describe_for_operator(verification: audit_log.Verification) -> str:
    """Describe the result for the command line, with the command that notes a missing end."""
    is_unnoted = not verification.ok and verification.first_bad is None
    commands = ("python -m qa_core journal anchor --reason TEXT",) if is_unnoted else ()
    return describe(verification) + format_options(commands)


def describe(verification: audit_log.Verification) -> str:
    if verification.ok:
        said = ngettext("{n} row, chain intact.", "{n} rows, chain intact.", verification.rows)
        return " ".join([said, *(_(WARNINGS[code]) for code in verification.warnings)])
    if verification.first_bad is None:
        return _(
            "The end of the audit log is not noted: {file} is missing. Rows may have been cut "
            "off. Compare with the server's log and a backup, then note the end again.",
            file=verification.missing_note,
        )
    if verification.is_cut:
        return _(
            "The end is cut off: row {seq} was written but is missing. Compare with a backup.",
            seq=verification.first_bad,
        )
    return _(
        "Row {seq} was changed, was moved, or follows a missing row. Compare with your last noted "
        "end and a backup.",
        seq=verification.first_bad,
    )


def build_file(
    viewer: Viewer, actor: str = "", action: str = "", form: str = "csv"
) -> downloads.Download:
    """Export the audit log with its seals, oldest first, columns named as in the store."""
    entries = reversed(_read_entries(viewer, actor, action, limit=None))
    header = tuple(field.name for field in fields(AuditEntry))
    rows = (astuple(replace(entry, at=entry.at.isoformat())) for entry in entries)
    about = [] if form == "csv" else [spreadsheets.describe_exporter(viewer)]
    return make_file(Sheet("journal", header, rows, about), form)


downloads.declare("journal", Permission.SEE_JOURNAL, build_file)
