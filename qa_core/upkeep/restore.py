"""Restore of a backup into a home without stores: unpacked into a separate folder, purged
of everything that was to be deleted since, then moved into place (docs/backup.md).
"""

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import sqlalchemy as sa

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.base.row_values import read_fields
from qa_core.centre import members, settings
from qa_core.compliance import recordings, restrictions, retention
from qa_core.compliance.conditions import gates
from qa_core.ingest.staging.pseudonyms import KEY_LENGTH
from qa_core.storage import audit_log, replay_list
from qa_core.storage.facts import schema
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.personal_data import (
    ADVISOR,
    CUSTOMER,
    PERSONS,
    ColumnContent,
    find_columns,
)
from qa_core.storage.lake import tables
from qa_core.storage.records import data_map, store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.deliveries import MailChoice, Webhook
from qa_core.storage.records.imports import BeforeImage, WaitingRow
from qa_core.storage.records.listening import Accreditation
from qa_core.storage.records.people import Account, Advisor, LoginSession, ServiceToken
from qa_core.storage.replay_list import ReplayEntry
from qa_core.upkeep import backup, erasure, purge, subjects

READY = "ready.json"
"""Made when all is unpacked and cleared: from then on only moving is left."""


@dataclass(frozen=True)
class Restored:
    """Restoration: the moment of its stores, what was erased again, `deleted` by kind, and the
    corrections since, whose values are in no backup: `contact: field` to enter again.
    `withdrawn`: what was closed or ended again, since it changed after that moment, by kind, and
    the settings and gates that have an earlier value.
    """

    made_at: datetime
    customers: int = 0
    advisors: int = 0
    objections: int = 0
    deleted: Mapping[str, int] = field(default_factory=dict)
    lost_corrections: Sequence[str] = ()
    words: int = 0
    withdrawn: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Build the document of `restore --json` (docs/contract.md, section 3)."""
        return {
            "made_at": self.made_at.isoformat(),
            "replayed": read_fields(self, ("customers", "advisors", "objections", "words")),
            "deleted": dict(self.deleted),
            "lost_corrections": list(self.lost_corrections),
            "withdrawn": dict(self.withdrawn),
        }


def restore(viewer: Viewer, path: Path, accept_gaps: bool = False) -> Restored:
    """Restore a backup, and repeat in it the erasures and purges since. Only
    `Viewer.SYSTEM` may.

    Atomic: stores appear only when complete. An interrupted restore is resumed or
    restarted by the next call. Raises Refusal for stores that exist, other secrets, a
    damaged file, and a gap in the list of erasures, unless `accept_gaps`.
    """
    if not viewer.is_system:
        raise AccessDenied()
    here = environment.current()
    _require_own_folder(here)
    with store.one_import_at_a_time():
        staging = store.restoring_folder()
        if (staging / READY).exists():
            return _finish(staging)
        _require_bare(here)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700, parents=True)
        try:
            with backup.opening(path) as (made, archive):
                _require_list(made.made_at, made.number, accept_gaps)
                for entry in backup.iterate(archive):
                    backup.extract(archive, entry, staging)
            with _using(here, staging):
                backup.require_whole_lake()
                store.migrate()
                result = replay(viewer, made.made_at, path.name, accept_gaps=True)
                store.close()
            os.sync()
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        environment.write_private(staging / READY, json.dumps(result.as_json()).encode())
        return _finish(staging)


def replay(viewer: Viewer, since: datetime, name: str, accept_gaps: bool = False) -> Restored:
    """Delete in stores that were brought back from `since` what was erased or fell due later,
    and begin the noted end of the audit log anew. `name` says in it where they came from.
    """
    if not viewer.is_system:
        raise AccessDenied()
    with store.reading() as session:
        if audit_log.is_foreign(session):
            raise backup.build_missing(["journal"])
    _require_list(max(since, _find_beginning() or since), 0, accept_gaps)
    known = replay_list.ensure()
    by_kind: dict[str, list[ReplayEntry]] = {}
    for entry in known.entries:
        if entry.at >= since:
            by_kind.setdefault(entry.kind, []).append(entry)
    erased = {kind: _find_erased(kind, by_kind) for kind in PERSONS}
    for kind, identifiers in erased.items():
        for identifier in identifiers:
            subjects.erase(viewer, **{kind: identifier})
    words = _find_words(by_kind.get("words", ()))
    for text in words:
        erasure.erase_words(viewer, text, is_known=True)
    withdrawn = _withdraw(viewer, by_kind)
    _ensure_advisors(by_kind)
    objections = [restrictions.read_key(entry.key) for entry in by_kind.get("objection", ())]
    subjects.object_to(
        viewer,
        [what["customer_key"] for what in objections if what["customer_key"]],
        [(what["source_system"], what["contact_id"]) for what in objections if what["contact_id"]],
        [what["advisor_id"] for what in objections if what.get("advisor_id")],
    )
    _leave_out(viewer, by_kind)
    _delete_audio(viewer, by_kind.get("audio", ()))
    _shorten_periods(viewer, by_kind.get("period", ()))
    days = [date.fromisoformat(entry.key) for entry in by_kind.get("purge", ())]
    deleted = purge.purge(viewer, max([environment.today(), *days])).deleted
    # What was repeated keeps its moment: a later backup may hold new contacts of a customer.
    replay_list.write(known)
    with store.writing() as session:
        audit_log.record(session, viewer.username, "backup_restored", name, since.isoformat())
        audit_log.anchor(session, viewer.username, f"restored as of {since.isoformat()}")
    counts = (len(erased[kind]) for kind in (CUSTOMER, ADVISOR))
    corrected = (json.loads(entry.key) for entry in by_kind.get("rectification", ()))
    lost = [f"{contact}: {column}" for _system, contact, column in corrected]
    return Restored(since, *counts, len(objections), deleted, lost, len(words), withdrawn)


def _withdraw(viewer: Viewer, by_kind: dict[str, list[ReplayEntry]]) -> dict[str, list[str]]:
    """Close the accounts that were changed since, and end what was ended: nothing tells their
    present roles and passwords. Returns names by kind, and of changed settings.
    """

    with store.writing() as session:

        def find(kind: str, column: Any, *tests: Any) -> list[Any]:
            rows = session.scalars(_whole(sa.select(column.class_).where(*tests))).all()
            names = {getattr(row, column.key) for row in rows} - {None}
            named = replay_list.find_named(kind, by_kind.get(kind, ()), names)
            return [row for row in rows if getattr(row, column.key) in named]

        closed = find("accounts", Account.username)
        tokens = find("tokens", ServiceToken.name, ServiceToken.revoked_at.is_(None))
        listeners = find("accreditations", Accreditation.username, Accreditation.ended_at.is_(None))
        mails = find("mails", MailChoice.username)
        hooks = session.scalars(sa.select(Webhook)).all() if "webhooks" in by_kind else []
        session.execute(sa.delete(LoginSession))  # some were ended since
        for account in closed:
            accounts.close(session, account)
        for token in tokens:
            token.revoked_at, token.revoked_by = environment.now(), viewer.username
        for accreditation in listeners:
            accreditation.ended_at, accreditation.ended_by = environment.now(), viewer.username
        for row in (*mails, *hooks):
            session.delete(row)
    named = {
        "accounts": [row.username for row in closed],
        "tokens": [row.name for row in tokens],
        "accreditations": [row.username for row in listeners],
        "mails": [row.username for row in mails],
        "webhooks": [row.host for row in hooks],
        "settings": replay_list.find_named(
            "settings", by_kind.get("settings", ()), (*settings.BY_NAME, *gates.BY_NAME)
        ),
    }
    return {kind: sorted(set(names)) for kind, names in named.items() if names}


def _find_words(entries: Sequence[ReplayEntry]) -> list[str]:
    """Find the words that were erased since, as they are written in the texts of the stores."""
    lengths = {int(entry.value) for entry in entries}
    candidates: set[str] = set()
    for text in _read_texts() if lengths else ():
        spans = [match.span() for match in re.finditer(r"\w+", text)]
        for length in lengths:
            ends = spans[length - 1 :]
            candidates.update(
                text[start:end].lower() for (start, _), (_, end) in zip(spans, ends, strict=False)
            )
    return replay_list.find_named("words", entries, candidates)


def _read_texts() -> Iterator[str]:
    kinds = (ColumnContent.TEXT, ColumnContent.RECORD, ColumnContent.WORDING)
    lake_columns = [name for kind in kinds for name in find_columns(schema.CONTACTS, kind)]
    yield from map(str, _read_columns(*lake_columns))
    with store.reading() as session:
        for entry in data_map.find_records().values():
            for column, _datum in (found for kind in kinds for found in entry.find(kind)):
                for value in session.scalars(_whole(sa.select(column).where(column.is_not(None)))):
                    yield from _find_strings(value)
    for path in (environment.current().folder / "quarantine").glob("*.csv"):
        yield path.read_text(encoding="utf-8")


def _find_strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            yield from _find_strings([*value, *value.values()])
        case list():
            for item in value:
                yield from _find_strings(item)


def _ensure_advisors(by_kind: dict[str, list[ReplayEntry]]) -> None:
    """Add the advisors whom only files after the backup named, and for whom something was
    entered since.
    """
    kinds = ("objection", "exclusion", "restriction")
    acts = (restrictions.read_key(entry.key) for kind in kinds for entry in by_kind.get(kind, ()))
    named = {what.get("advisor_id") for what in acts} - {None}
    with store.writing() as session:
        new = [name for name in sorted(named) if not members.is_known(session, name)]
        session.add_all(Advisor(advisor_id=name, name=name) for name in new)


def _leave_out(viewer: Viewer, by_kind: dict[str, list[ReplayEntry]]) -> None:
    for entry in by_kind.get("exclusion", ()):
        what = json.loads(entry.key)
        contacts = [(what["source_system"], what["contact_id"])] if "contact_id" in what else []
        excluded = (what.get("number"), what.get("advisor_id"), contacts)
        subjects.exclude(viewer, entry.value, *excluded, must_exist=False)
    for entry in by_kind.get("restriction", ()):
        what = json.loads(entry.key)
        contact = (what["source_system"], what["contact_id"]) if what["contact_id"] else None
        subjects.restrict(viewer, what["customer_key"], what["advisor_id"], contact)


def _require_own_folder(here: environment.Environment) -> None:
    usual = f"sqlite:///{here.folder / backup.RECORDS}", here.folder / "lake"
    if (here.database_url, Path(here.lake_url)) != usual:
        raise Refusal(
            "restore_elsewhere",
            "Backups are restored into QA_HOME. Unset QA_DATABASE_URL and QA_LAKE_URL first, "
            "and move the lake afterwards. For PostgreSQL, see docs/backup.md, section 4.",
        )


def _require_bare(here: environment.Environment) -> None:
    for name in backup.PARTS:
        path = here.folder / name
        files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
        if any(not item.name.startswith(".") for item in files):
            raise Refusal(
                "stores_exist",
                "There are already stores in {folder} ({path}). Move them away, but leave the "
                "folder secrets. Then restore again.",
                folder=str(here.folder),
                path=str(path),
            )


def _find_beginning() -> datetime | None:
    """Find when the stores were made: a list that begins earlier has no gap for them. None
    when the first row of the audit log was purged.
    """
    with store.reading() as session:
        asked = sa.select(JournalRow.at).where(JournalRow.seq == 1)
        first = session.scalar(
            Unscoped(asked, "A row tells when the stores were made. Only its moment is read.")
        )
    return first and datetime.fromisoformat(first)


def _require_list(made_at: datetime, number: int, accept_gaps: bool) -> None:
    known = replay_list.find()
    if accept_gaps or (known and known.number >= number and known.complete_since <= made_at):
        return
    raise Misuse(
        "erasures_unknown",
        "It is unknown who was erased since {day}. {file} is missing, older than the backup, "
        "or does not reach back far enough. Put back its newest copy, or accept the gap and "
        "erase these people again.",
        options=("--accept-gaps",),
        day=environment.to_local(made_at).date().isoformat(),
        file=str(environment.current().secrets_folder / replay_list.FILE),
    )


@contextmanager
def _using(here: environment.Environment, staging: Path) -> Iterator[None]:
    (staging / "secrets").symlink_to(here.secrets_folder, target_is_directory=True)
    unpacked = replace(
        here,
        folder=staging,
        database_url=f"sqlite:///{staging / backup.RECORDS}",
        lake_url=str(staging / "lake"),
    )
    with environment.use_environment(unpacked):
        yield


def _finish(staging: Path) -> Restored:
    """Move what is ready into place; goes on where an earlier one stopped."""
    document = json.loads((staging / READY).read_text(encoding="utf-8"))
    home = staging.parent
    for name in backup.PARTS:
        if (staging / name).exists():
            shutil.rmtree(home / name, ignore_errors=True)  # without files, as was checked
            (staging / name).rename(home / name)
    environment.sync(home)
    shutil.rmtree(staging)
    made_at = datetime.fromisoformat(document["made_at"])
    more = {name: document[name] for name in ("deleted", "lost_corrections", "withdrawn")}
    return Restored(made_at, **document["replayed"], **more)


def _find_erased(kind: str, by_kind: Mapping[str, list[ReplayEntry]]) -> list[str]:
    return replay_list.find_named(kind, by_kind.get(kind, ()), _find_present(kind))


def _find_present(kind: str) -> Iterator[str]:
    """Find the identifiers of all persons of a kind, wherever the map says they may be."""
    contacts = data_map.LAKE["contacts"].find_identifiers(kind)
    yield from _read_columns(*(column.name for column, _datum in contacts))
    with store.reading() as session:
        for entry in data_map.find_records().values():
            for column, _datum in entry.find_identifiers(kind):
                named = sa.select(column).where(column.is_not(None)).distinct()
                yield from session.scalars(_whole(named))
        if kind == CUSTOMER:
            for content in session.scalars(_whole(sa.select(WaitingRow.content))):
                yield from re.findall(rf"\b[0-9a-f]{{{KEY_LENGTH}}}\b", json.dumps(content))
        if kind == ADVISOR:
            images = sa.select(BeforeImage.key).where(BeforeImage.object == "advisor")
            yield from session.scalars(_whole(images))


def _read_columns(*names: str) -> set[str]:
    values: set[str] = set()
    folders = tables.lake_folder(), environment.current().folder / "watching"
    for path in (path for folder in folders for path in folder.rglob("*.parquet")):
        with pq.ParquetFile(path) as file:
            present = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(columns=present) if present else ():
                for column in batch.columns:
                    values.update(column.unique().drop_null().to_pylist())
    return values


def _delete_audio(viewer: Viewer, entries: Iterable[ReplayEntry]) -> None:
    reasons = {tuple(json.loads(entry.key)): entry.value for entry in entries}
    with store.one_import_at_a_time(), store.writing() as session:
        for reason in sorted(set(reasons.values())):
            keys = [key for key, other in reasons.items() if other == reason]
            recordings.delete_of(session, keys, reason, viewer.username)


def _shorten_periods(viewer: Viewer, entries: Iterable[ReplayEntry]) -> None:
    shorter: dict[str, str] = {}
    with store.reading() as session:
        for entry in entries:
            name = retention.BY_KIND[entry.key].setting
            if name and int(entry.value) < retention.find_period(session, entry.key):
                shorter[name] = entry.value
    for name, value in shorter.items():
        if name in gates.BY_NAME:
            gates.set_gate(viewer, name, value)
        else:
            with store.writing() as session:
                settings.set_value(session, viewer, name, value)


def _whole(statement: Any) -> Unscoped:
    return Unscoped(
        statement, "People erased since the backup are searched in the whole centre, by key."
    )
