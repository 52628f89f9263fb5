"""Purge of personal data past its retention, in every store (docs/compliance.md, section 3)."""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.centre import settings
from qa_core.compliance import certificates, key_rotation, recordings, retention
from qa_core.compliance.certificates import Certificate
from qa_core.compliance.retention import Overdue
from qa_core.compliance.rules import catalogue, history
from qa_core.compliance.rules.catalogue import RuleVerdict
from qa_core.files import uploads
from qa_core.ingest.load import recovery
from qa_core.metrics.kpi import closed_months, month_closing
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.quality import retention as quality_retention
from qa_core.quality.evaluations import publication, withdrawal
from qa_core.storage import audit_log, lake, replay_list, signatures, system_errors
from qa_core.storage.records import due_work, store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import PURGE
from qa_core.storage.records.retention import Purge
from qa_core.storage.retention import DueData, Keeper
from qa_core.upkeep import retention as import_retention

LOG = logging.getLogger("qa_core")
_OWN: tuple[Keeper, ...] = (*quality_retention.KEEPERS, *retention.KEEPERS)
_BY_AGE = (
    retention.RowKeeper(kind, moments)
    for kind in retention.BY_KIND
    if (moments := retention.find_moments(kind))
    and kind not in {keeper.kind for keeper in (*_OWN, *import_retention.KEEPERS)}
)
KEEPERS: tuple[Keeper, ...] = (*_OWN, *_BY_AGE, *import_retention.KEEPERS)
"""Every kind of personal data that goes by age: by a keeper of its room, else by the map."""

CLOSES = {
    "evaluations": closed_months.ANALYSES,
    "playbacks": closed_months.ANALYSES,
    "contacts": closed_months.IDENTITIES,
}
"""Kinds whose monthly totals are computed before they go, and the group of these."""


@dataclass(frozen=True)
class PurgeResult:
    """Counts deleted, or to be deleted, by kind; `certificate` is None if nothing was."""

    as_of: date
    is_dry_run: bool
    deleted: Mapping[str, int]
    certificate: Certificate | None = None

    def as_json(self) -> dict[str, Any]:
        """Build the document of `purge --json` (docs/contract.md, section 3)."""
        return {
            "as_of": self.as_of.isoformat(),
            "dry_run": self.is_dry_run,
            "deleted": dict(self.deleted),
            "certificate": self.certificate.as_json() if self.certificate else None,
        }


def purge(viewer: Viewer, as_of: date | None = None, dry_run: bool = False) -> PurgeResult:
    """Delete what is past its retention at the start of that day (default: today). One
    purge runs at a time; an interrupted one is finished first. Needs MANAGE_COMPLIANCE.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    as_of = as_of or environment.today()
    if dry_run:
        due_kinds = (keeper.find_due(as_of) for keeper in KEEPERS)
        return PurgeResult(as_of, True, {due.kind: due.count for due in due_kinds if due})
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        recovery.keep_objections(viewer.username)
        withdrawal.withdraw_forbidden(viewer.username)  # of periods and conditions of today
        asked_at = due_work.find(PURGE)
        open_ones = sa.select(Purge.id).where(Purge.finished_at.is_(None)).order_by(Purge.id)
        with store.reading() as session:
            unfinished = session.scalars(open_ones).all()
        for number in unfinished:
            _finish(number)
        retention.JournalKeeper().rehearse(as_of)
        _note_for_backups(as_of)
        if not any(keeper.find_due(as_of) for keeper in KEEPERS):
            _clear_leftovers()
            result = PurgeResult(as_of, False, {})
        else:
            with store.writing() as session:
                started = Purge(as_of=as_of, actor=viewer.username)
                session.add(started)
                session.flush()
                number = started.id
            certificate = _finish(number)
            deleted = {kind: due.count for kind, due in certificate.kinds.items()}
            result = PurgeResult(as_of, False, deleted, certificate)
        if asked_at and as_of >= environment.today():
            due_work.settle(PURGE, asked_at)
    return result


def find_overdue(viewer: Viewer) -> list[Overdue]:
    """Count what is past its retention today in the whole centre, by kind."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        return store.remember(session, "overdue", _find_overdue)


def _find_overdue(_session: store.Session) -> list[Overdue]:
    today, order = environment.today(), list(retention.BY_KIND)
    due_kinds = (due for keeper in KEEPERS if (due := keeper.find_due(today)))
    return [
        Overdue(due.kind, due.count, due.since)
        for due in sorted(due_kinds, key=lambda due: order.index(due.kind))
    ]


def judge_rules(viewer: Viewer) -> list[RuleVerdict]:
    """Judge the rules of the law on the stores as they stand. Needs SEE_RULES."""
    return catalogue.judge_all(viewer, lambda: find_overdue(Viewer.SYSTEM))


def note_rules() -> None:
    """Note for the history how the rules stand today; the last states of a day hold."""
    verdicts = judge_rules(Viewer.SYSTEM)
    history.note({verdict.rule.number: verdict.state for verdict in verdicts})


def find_certificates(viewer: Viewer, limit: int | None = 50) -> list[Certificate]:
    """List the certificates of finished purges, newest first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    finished = sa.select(Purge).where(Purge.finished_at.is_not(None)).order_by(Purge.id.desc())
    with store.reading() as session:
        return [certificates.certify(row) for row in session.scalars(finished.limit(limit))]


_purged_through: dict[str, date] = {}


def purge_today() -> None:
    """Purge, note for the history how the rules stand, and publish evaluations that are due."""
    purge(Viewer.SYSTEM)
    note_rules()
    publication.publish_due()


def purge_daily(work: Callable[[], None] = purge_today) -> None:
    """Do the work of the day, once a day in this process and when an import or a shorter
    period asks for a purge. Never fails: what stays overdue is tried again.
    """
    here, today = environment.current().database_url, environment.today()
    if not store.is_ready():
        return
    try:
        key_rotation.finish()
    except Exception:
        LOG.exception("the rotation of a secret is not finished")
    if _purged_through.get(here) == today and not due_work.is_due(PURGE):
        return
    try:
        work()
    except Exception as error:
        system_errors.log_failure(LOG, "the daily purge and publication", error)
    else:
        _purged_through[here] = today


def _note_for_backups(as_of: date) -> None:
    """Note for restored backups: the key day if it lies ahead, and the periods entered."""
    if as_of > environment.today():
        replay_list.add("purge", as_of.isoformat())
    noted = {item.key: item.value for item in replay_list.ensure().entries if item.kind == "period"}
    with store.reading() as session:
        for kind, entry in retention.BY_KIND.items():
            period = str(retention.find_period(session, kind))
            if entry.setting and period != noted.get(kind, str(entry.period)):
                replay_list.add("period", kind, value=period)
        months = settings.current(session).backup_retention_months
        # Files of that time would bring erased people again.
        longest = max(months, retention.find_period(session, "contacts"))
    days = [add_months(environment.today(), -number) for number in (months, longest)]
    replay_list.forget_before(*map(retention.start_of, days))


def _finish(number: int) -> Certificate:
    """Delete kind by kind; what is due is noted first, so a killed purge still certifies it."""
    for keeper in KEEPERS:
        with store.reading() as session:
            row = session.get_one(Purge, number)
            as_of, note = row.as_of, row.kinds.get(keeper.kind)
        if note and note["done"]:
            continue
        due = keeper.find_due(as_of)
        if note is None and due:
            _save(number, keeper.kind, {**certificates.note(due), "done": False})
        if due:
            if keeper.kind in CLOSES:
                _close_months(keeper.kind, as_of)
            keeper.delete_due(as_of)
        if note or due:
            _save(number, keeper.kind, {"done": True})
    lake.vacuum(at_once=True)
    certificate = close_certificate(number)
    _clear_leftovers()
    return certificate


def _close_months(kind: str, as_of: date) -> None:
    with store.reading() as session:
        last_due_day = retention.find_oldest_day(session, kind, as_of) - timedelta(days=1)
    month_closing.close(CLOSES[kind], last_due_day)


def _clear_leftovers() -> None:
    """Remove what killed processes left behind. The caller holds the lock of imports."""
    recordings.delete_orphans()
    uploads.remove_leftovers()
    lake.remove_dead_folders()
    store.empty_log()
    shutil.rmtree(store.restoring_folder(), ignore_errors=True)


def begin_certificate(
    session: store.Session, viewer: Viewer, kind: str, days: Sequence[date]
) -> int:
    """Note, in the transaction that deletes it, data of these days that went before its time;
    the next purge closes the certificate if this process does not.
    """
    today = environment.today()
    due = DueData(kind, len(days), min(days), max(days), today)
    row = Purge(
        as_of=today, actor=viewer.username, kinds={kind: {**certificates.note(due), "done": True}}
    )
    session.add(row)
    session.flush()
    return row.id


def close_certificate(number: int, why: str = "") -> Certificate:
    """Record a deletion in the audit log, and sign its certificate."""
    with store.writing() as session:
        row = session.get_one(Purge, number)
        reason = ", ".join(f"{kind}: {note['count']}" for kind, note in row.kinds.items())
        reason = f"{reason} · {why}" if why else reason
        audit_log.record(session, row.actor, "purged", str(number), reason=reason)
        end = audit_log.find_end(session)
        row.seq, row.mac, row.finished_at = end.seq, end.mac, now()
        row.signature = ""
        row.signature = signatures.sign(*certificates.name_content(certificates.certify(row)))
        return certificates.certify(row)


def _save(number: int, kind: str, note: Mapping[str, Any]) -> None:
    with store.writing() as session:
        row = session.get_one(Purge, number)
        row.kinds = {**row.kinds, kind: {**row.kinds.get(kind, {}), **note}}
