"""Health checks of this centre, each with its remedy."""

import os
import shutil
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from qa_core.access import identity, people
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import audit_report, key_rotation, requests, retention
from qa_core.compliance.conditions import gates
from qa_core.compliance.rules import catalogue
from qa_core.compliance.rules.findings import RuleState
from qa_core.delivery import ledger
from qa_core.metrics import engine_check
from qa_core.sources import ledger as source_ledger
from qa_core.storage import audit_log, lake, permissions, system_errors
from qa_core.storage.records import due_work, store
from qa_core.storage.records.alerts import AlertRule
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import AFTER_IMPORT, ImportBatch
from qa_core.upkeep import integrity, purge

OK, WARN, BAD = "ok", "warn", "bad"
LOW_DISK_BYTES = 2 * 1024**3
FORGOTTEN = timedelta(hours=1)
OLD_BACKUP, OLD_SECRET, OLD_FAILURE, OLD_PULL = (timedelta(days=days) for days in (7, 366, 7, 1))
SHOWN = 6
LISTED_FILES = 5


@dataclass(frozen=True)
class Check:
    """Result of a check: `ok`, `warn` or `bad`, and what was seen or should be done."""

    name: str
    state: str
    detail: str


def examine(deep: bool = False) -> list[Check]:
    """Run every check; one that fails itself is bad, never an exception.

    `deep`: read every file of the lake, and every recording.
    """
    checks = [
        _guarded(name, partial(check, deep) if check in (_lake, _stores) else check, needs_records)
        for name, check, needs_records in _CHECKS
    ]
    is_ready = next(check for check in checks if check.name == "records").state == OK
    return [*checks, *(_rules() if is_ready else ())]


def _rules() -> list[Check]:
    """Check the rules of the law; where the records cannot be read, nothing is judged."""
    states = {RuleState.IN_ORDER: OK, RuleState.TO_DO: WARN}
    checks = []
    for verdict in purge.judge_rules(Viewer.SYSTEM):
        row = catalogue.describe(verdict)
        detail = " · ".join(row[name] for name in ("evidence", "missing", "actor") if row[name])
        state = states.get(verdict.state, BAD)
        checks.append(Check(f"rule_{row['rule'].lower()}", state, f"{row['title']}: {detail}"))
    return checks


def is_well(checks: list[Check]) -> bool:
    """Return whether nothing is bad; warnings do not count."""
    return all(check.state != BAD for check in checks)


def _guarded(name: str, check: Callable[[], tuple[str, str]], needs_records: bool) -> Check:
    try:
        if needs_records:
            store.require_ready()
        return Check(name, *check())
    except Exception as error:
        if refusal := system_errors.find_refusal(error):
            return Check(name, BAD, i18n.format_for_operator(refusal))
        text = _(
            "The check failed: {kind}: {detail}", kind=type(error).__name__, detail=str(error)[:200]
        )
        return Check(name, BAD, text)


def _folder() -> tuple[str, str]:
    folder = environment.current().folder
    if not folder.exists():
        return BAD, _("{folder} does not exist. Run: python -m qa_core init", folder=folder)
    free = shutil.disk_usage(folder).free
    if free < LOW_DISK_BYTES:
        return WARN, _("Only {free} MB are free in {folder}.", free=free // 1024**2, folder=folder)
    return OK, str(folder)


def _secrets() -> tuple[str, str]:
    missing = [name for name in environment.SECRETS if not environment.has_secret(name)]
    present = [name for name in environment.SECRETS if name not in missing]
    for name in present:
        environment.secret(name)
    if "pseudonyms" in missing and lake.version("contacts") >= 0:
        return BAD, _(
            "The pseudonym key is missing. Callers in new files can no longer be linked to known "
            "customers. Put back the copy that you keep in a safe place."
        )
    if store.is_ready() and (left := len(key_rotation.find_under_old_key())):
        return WARN, ngettext(
            "{n} recording is still under an old key. The app, watch and purge encrypt it again.",
            "{n} recordings are still under an old key. The app, watch and purge encrypt them "
            "again.",
            left,
        )
    old = [
        key.name
        for key in key_rotation.find_key_files()
        if key.writes and key.name != "pseudonyms" and key.since < now() - OLD_SECRET
    ]
    if old:
        return WARN, _(
            "{names}: older than a year. For each, run: python -m qa_core secrets rotate NAME",
            names=", ".join(old),
        )
    return OK, ", ".join(present) or _("created on first use")


def _records() -> tuple[str, str]:
    with store.reading() as session:
        if session.get_bind().dialect.name == "sqlite":
            verdict = session.execute(sa.text("PRAGMA quick_check")).scalar()
            if verdict != "ok":
                return BAD, _(
                    "The database is damaged ({found}). Restore it from a backup.", found=verdict
                )
    return OK, store.engine_for(environment.current().database_url).dialect.name


def _privacy() -> tuple[str, str]:
    readable = permissions.find_open()
    if not readable:
        return OK, _("readable by their owner only")
    return BAD, _(
        "Other users of this machine can read {paths}. Run: python -m qa_core init",
        paths=", ".join(f"{path} ({stat.S_IMODE(path.stat().st_mode):o})" for path in readable),
    )


def _providers() -> tuple[str, str]:
    providers, silent = identity.find_providers(), []
    for provider in providers.values():
        try:
            identity.require_answer(provider)
        except Refusal as refusal:
            silent.append(f"{provider.name}: {i18n.format_refusal(refusal)}")
    if silent:
        return BAD, " · ".join(silent)
    return OK, ", ".join(providers) or _("none")


def _administrator() -> tuple[str, str]:
    with store.reading() as session:
        count = sum(
            person.role == Role.ADMIN and person.is_active
            for person in people.find_people(session).values()
        )
    if not count:
        return WARN, _("There is no active administrator. Run: python -m qa_core init --admin NAME")
    return OK, str(count)


def _journal() -> tuple[str, str]:
    with store.reading() as session:
        verification = audit_log.verify(session)
    state = BAD if not verification.ok else WARN if verification.warnings else OK
    return state, audit_report.describe_for_operator(verification)


def _lake(deep: bool = False) -> tuple[str, str]:
    if damaged := lake.find_damage(deep):
        listed = (f"{file.month} ({file.table}/{file.path})" for file in damaged[:LISTED_FILES])
        return BAD, ngettext(
            "{n} file is missing or damaged: {files}. Restore the lake from a backup.",
            "{n} files are missing or damaged, including {files}. Restore the lake from a backup.",
            len(damaged),
            files=", ".join(listed),
        )
    versions = {name: lake.version(name) for name in ("contacts", "intervals", "spend")}
    span = lake.span()
    known = " · ".join(f"{name} v{version}" for name, version in versions.items() if version >= 0)
    return OK, known + (f" · {span[0]:%Y-%m-%d} – {span[1]:%Y-%m-%d}" if span else _("empty"))


def _stores(deep: bool = False) -> tuple[str, str]:
    found = integrity.check() if deep else integrity.find_last()
    if found is None:
        return WARN, _("Not read to the end yet. The served app does it each day.")
    at = f"{environment.to_local(found.at):%Y-%m-%d %H:%M}"
    if not found.is_well:
        return BAD, _(
            "Damaged or missing on {at}: {files} files of the lake, {recordings} recordings. "
            "Restore them from a backup.",
            at=at,
            files=found.lake_files,
            recordings=found.recordings,
        )
    if found.strays:
        listed = ", ".join(map(str, integrity.find_strays()[:LISTED_FILES]))
        return BAD, _(
            "Files or rows that belong to nothing on {at}: {n}. Remove the files: {files}.",
            at=at,
            n=found.strays,
            files=listed or "–",
        )
    return WARN if found.is_old else OK, _("every file read, {at}", at=at)


def _imports() -> tuple[str, str]:
    from qa_core.ingest.load import layouts

    with store.reading() as session:
        forgotten = session.scalar(
            sa.select(sa.func.count()).where(
                ImportBatch.state == "started", ImportBatch.started_at < now() - FORGOTTEN
            )
        )
        count = session.scalar(sa.select(sa.func.count()).where(ImportBatch.state == "done"))
    if forgotten:
        return WARN, _(
            "{count} imports are unfinished. The next import finishes or undoes them.",
            count=forgotten,
        )
    if waiting := layouts.find_waiting(Viewer.SYSTEM):
        return WARN, _(
            "Files wait until somebody confirms how they are read: {commands}",
            commands=" · ".join(
                f"python -m qa_core import {row.kind} {row.waiting}" for row in waiting
            ),
        )
    return OK, str(count)


def _alerts() -> tuple[str, str]:
    with store.reading() as session:
        count = session.scalar(sa.select(sa.func.count()).where(AlertRule.ended_at.is_(None)))
    return OK, str(count)


def _due_work() -> tuple[str, str]:
    waiting = [(name, since) for name in AFTER_IMPORT if (since := due_work.find(name))]
    if not waiting:
        return OK, _("nothing waits")
    return WARN, _(
        "Waiting since {day}: {names}. The served app or watch does it, or run: "
        "python -m qa_core alerts evaluate",
        day=f"{min(since for _name, since in waiting):%Y-%m-%d %H:%M}",
        names=", ".join(name for name, _since in waiting),
    )


def _hosts() -> tuple[str, str]:
    config = (environment.PROJECT / ".streamlit" / "config.toml").read_text(encoding="utf-8")
    shipped = ", ".join(tomllib.loads(config)["server"]["allowedHosts"])
    return OK, _(
        "{hosts}; to allow others, set STREAMLIT_SERVER_ALLOWED_HOSTS",
        hosts=os.environ.get("STREAMLIT_SERVER_ALLOWED_HOSTS") or shipped,
    )


def _retention() -> tuple[str, str]:
    overdue = purge.find_overdue(Viewer.SYSTEM)
    if not overdue:
        return OK, _("nothing is overdue")
    detail = _(
        "Kept longer than allowed. {items}. Run: python -m qa_core purge",
        items=" · ".join(map(retention.describe, overdue)),
    )
    return BAD if any(item.is_late for item in overdue) else WARN, detail


def _backup() -> tuple[str, str]:
    if store.file_of(environment.current().database_url) is None:
        return OK, _("PostgreSQL, with its own tools")
    last = next(iter(audit_report.find_entries(Viewer.SYSTEM, action="backup_made", limit=1)), None)
    if last is None:
        return WARN, _("There is no backup yet. Run: python -m qa_core backup FILE")
    day = environment.to_local(last.at).date().isoformat()
    if last.at < now() - OLD_BACKUP:
        return WARN, _("The last backup is from {day}. Run: python -m qa_core backup FILE", day=day)
    return OK, day


def _requests() -> tuple[str, str]:
    entered = requests.find_all(Viewer.SYSTEM)
    late = [item for item in entered if item.is_late]
    pressing = late or [item for item in entered if item.is_pressing]
    if not pressing:
        return OK, str(sum(item.is_open for item in entered))
    detail = ngettext(
        "{n} request must be answered by {day}. See: python -m qa_core requests list",
        "{n} requests must be answered, the first by {day}. See: python -m qa_core requests list",
        len(pressing),
        day=min(item.due_on for item in pressing).isoformat(),
    )
    return BAD if late else WARN, detail


def _deliveries() -> tuple[str, str]:
    with store.reading() as session:
        if gates.find_delivery_start(session) is None:
            return OK, _("off: no day is entered for delivery_since")
    if environment.find_mail_server() is None:
        return WARN, _("Mail is switched on, and no server is set. Set QA_SMTP_URL.")
    entries = ledger.find_all(Viewer.SYSTEM)
    since = now() - OLD_FAILURE
    failed = sum(item.state == ledger.FAILED and item.due_at > since for item in entries)
    if not failed:
        return OK, str(sum(item.state == ledger.DUE for item in entries))
    return WARN, ngettext(
        "{n} delivery failed lately. See: python -m qa_core deliveries list",
        "{n} deliveries failed lately. See: python -m qa_core deliveries list",
        failed,
    )


def _sources() -> tuple[str, str]:
    counts = source_ledger.count_states()
    missing = sorted(
        f"{name} ({n})" for (name, state), n in counts.items() if state in source_ledger.MISSING
    )
    if missing:
        return WARN, _(
            "Days that are not complete: {sources}. See the page Sources of data, or run: "
            "python -m qa_core pull",
            sources=", ".join(missing),
        )
    ages = source_ledger.find_ages()
    late = sorted(name for name, at in ages.items() if at is None or at < now() - OLD_PULL)
    if late:
        return WARN, _(
            "Not read for a day: {sources}. Start: python -m qa_core pull --follow",
            sources=", ".join(late),
        )
    return OK, str(len(ages))


def _leftovers() -> tuple[str, str]:
    folder = environment.current().temporary_folder
    left = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    old = [path for path in left if path.stat().st_mtime < (now() - FORGOTTEN).timestamp()]
    if not old:
        return OK, str(len(left))
    return WARN, _(
        "{count} old temporary files in {folder}. Run: python -m qa_core purge",
        count=len(old),
        folder=folder,
    )


_CHECKS: tuple[tuple[str, Callable[[], tuple[str, str]], bool], ...] = (
    ("folder", _folder, False),
    ("secrets", _secrets, False),
    ("records", _records, True),
    ("stores closed to others", _privacy, False),
    ("administrator", _administrator, True),
    ("journal", _journal, True),
    ("lake", _lake, False),
    ("deep check", _stores, True),
    ("engine", lambda: (OK, engine_check.describe_engine()), False),
    ("imports", _imports, True),
    ("alert rules", _alerts, True),
    ("work after imports", _due_work, True),
    ("host names", _hosts, False),
    ("identity providers", _providers, False),
    ("retention", _retention, True),
    ("backup", _backup, True),
    ("requests of persons", _requests, True),
    ("deliveries", _deliveries, True),
    ("sources of data", _sources, True),
    ("temporary files", _leftovers, False),
)
"""Name, check, and whether it reads the records."""
