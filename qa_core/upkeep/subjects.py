"""Rights of persons (docs/compliance.md, section 5): the stored data of a customer or
an advisor, their erasure, and objections, which apply to later imports too.
"""

import csv
import html
import io
import itertools
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.base.i18n import _
from qa_core.centre import advisors
from qa_core.compliance import recordings, requests, restrictions
from qa_core.compliance.conditions import exclusions, notices
from qa_core.compliance.recordings import vault
from qa_core.files import uploads
from qa_core.ingest.load import recovery
from qa_core.ingest.staging.pseudonyms import KEY_LENGTH, Pseudonyms, normalise_numbers
from qa_core.metrics import downloads
from qa_core.storage import audit_log, lake, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import Base
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer
from qa_core.storage.records.imports import BeforeImage, ImportBatch, WaitingRow
from qa_core.storage.records.listening import (
    CoachingNote,
    CoachingPlan,
    Dispute,
    Draw,
    Playback,
    Recording,
    TimedComment,
)
from qa_core.storage.records.people import Account, Advisor, AdvisorAlias, SavedView
from qa_core.storage.records.retention import ListeningExclusion, Objection, Restriction
from qa_core.storage.records.store import Session
from qa_core.upkeep import erasure

Rows = list[dict[str, Any]]
INTERNAL = ("batch_id", "digest", "peaks", "file_name", "draft", "external_key", "password_hash")
"""Columns that say nothing of the person."""
PARTS = (
    (EvaluationAnswer, EvaluationAnswer.evaluation_id, Evaluation),
    (TimedComment, TimedComment.evaluation_id, Evaluation),
    (Dispute, Dispute.evaluation_id, Evaluation),
    (CoachingNote, CoachingNote.plan_id, CoachingPlan),
)
"""Tables whose rows belong to a row that names the advisor."""


def find_customer(text: str) -> str:
    """Find a customer's pseudonym from a number or itself. Raises Misuse for neither."""
    if re.fullmatch(rf"[0-9a-f]{{{KEY_LENGTH}}}", text):
        return text
    key = Pseudonyms.current().find_key(text)
    if key is None:
        raise Misuse("no_customer", "{text} is not a customer's number.", text=text)
    return key


def find_advisor(text: str) -> str:
    """Find an advisor's id. Raises AccessDenied for an unknown one, Refusal for a shared name."""
    with store.reading() as session:
        return notices.get_advisor(advisors.Directory.load(session), text)


def export(viewer: Viewer, customer: str | None = None, advisor: str | None = None) -> bytes:
    """Build the zip that a person is entitled to: JSON, CSV and a page, without audio,
    shown to nobody here. Needs MANAGE_COMPLIANCE.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if (customer is None) == (advisor is None):
        raise Misuse("one_subject", "Name exactly one person, line or contact.")
    return _export(viewer, "customer" if customer else "advisor", customer or advisor or "")


def export_for(viewer: Viewer, number: int) -> bytes:
    """Build the zip for a request, with the audio that is still kept once a second person
    has agreed. Needs MANAGE_COMPLIANCE. Raises AccessDenied for a request there is not.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    asked = next((item for item in requests.find_all(viewer) if item.id == number), None)
    if asked is None:
        raise AccessDenied()
    agreed = asked.audio_confirmed_by not in (None, viewer.username)
    return _export(viewer, asked.subject_kind, asked.subject, agreed)


def build_file(viewer: Viewer, number: int, form: str) -> downloads.Download:
    """Build the copy for a request as a download; `form` is always `zip`."""
    content = export_for(viewer, number)
    return downloads.Download(f"request-{number}.{form}", "application/zip", content)


downloads.declare("copy_of_person", Permission.MANAGE_COMPLIANCE, build_file)


def _export(viewer: Viewer, kind: str, subject: str, with_audio: bool = False) -> bytes:
    tables = _find_of_customer(subject) if kind == "customer" else _find_of_advisor(subject)
    audio = _find_audio(tables) if with_audio else []
    with store.writing() as session:
        reason = f"{kind}, {len(audio)} recordings" if with_audio else kind
        audit_log.record(session, viewer.username, "subject_exported", reason)
    return _write_zip(tables, audio)


def _find_audio(tables: Mapping[str, Rows]) -> list[Recording]:
    ids = [row["id"] for name in ("recordings", "recording") for row in tables.get(name, [])]
    stored = sa.select(Recording).where(Recording.id.in_(ids), Recording.file_name.is_not(None))
    with store.reading() as session:
        return session.scalars(_exempt(stored)).all()


def erase(
    viewer: Viewer, customer: str | None = None, advisor: str | None = None
) -> Mapping[str, int]:
    """Erase a customer or an advisor from every store at once; can be repeated. Returns
    items by kind. Needs MANAGE_COMPLIANCE. Of an advisor these stay: figures without a
    name, the certificates of deletion, and the acts in the audit log, under a pseudonym
    that nothing resolves any more.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if (customer is None) == (advisor is None):
        raise Misuse("one_subject", "Name exactly one person, line or contact.")
    if customer:
        counts = erasure.erase_customer(Viewer.SYSTEM, customer)
        return {"contacts": counts.contacts, "rows": counts.pending_rows, "events": counts.events}
    return _erase_advisor(viewer, advisor)


def object_to(
    viewer: Viewer, customers: Sequence[str] = (), contacts: Sequence[tuple[str | None, str]] = ()
) -> int:
    """Enter objections of customers (pseudonyms) and to contacts (system or None, id),
    for what is stored and comes later. Returns the number of recordings deleted.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        against = [[key, None, None] for key in customers]
        against += [[None, system, number] for system, number in contacts]
        replay_list.add("objection", *map(json.dumps, against))
        with store.writing() as session:
            session.add_all(
                Objection(customer_key=key, entered_by=viewer.username) for key in customers
            )
            session.add_all(
                Objection(source_system=system, contact_id=number, entered_by=viewer.username)
                for system, number in contacts
            )
            for _entry in (*customers, *contacts):
                audit_log.record(session, viewer.username, "objection_entered")
        return recovery.apply_objections(viewer.username)


def exclude(
    viewer: Viewer,
    reason: str,
    line: str | None = None,
    advisor: str | None = None,
    contacts: Sequence[tuple[str | None, str]] = (),
) -> int:
    """Exclude a line (the number dialled), an advisor or contacts (system or None, id)
    from recording and listening. Returns the number of stored recordings deleted.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    entries: list[dict[str, str | None]] = [
        {"source_system": system, "contact_id": number} for system, number in contacts
    ]
    if line:
        entries.append({"number": normalise_numbers(pa.array([line.strip()]))[0].as_py()})
    if advisor:
        entries.append({"advisor_id": advisor})
    if not entries:
        raise Misuse("one_exclusion", "Name exactly one person, line or contact.")
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        replay_list.add("exclusion", *map(json.dumps, entries), value=reason)
        with store.writing() as session:
            for entry in entries:
                exclusions.add(session, viewer, reason, **entry)
        return recordings.delete_forbidden(viewer.username)


def restrict(
    viewer: Viewer,
    customer: str | None = None,
    advisor: str | None = None,
    contact: tuple[str | None, str] | None = None,
) -> None:
    """Leave a customer (pseudonym), an advisor or a contact out of figures, lists, draws and
    exports until it is lifted. Their data stay, and are still deleted by age.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    system, contact_id = contact or (None, None)
    what = {"customer_key": customer, "advisor_id": advisor}
    what |= {"source_system": system, "contact_id": contact_id}
    with store.one_import_at_a_time():
        with store.writing() as session:
            restrictions.add(session, viewer, **what)
        replay_list.add("restriction", restrictions.write_key(**what))
        lake.touch()


def lift(viewer: Viewer, number: int) -> None:
    """Lift a restriction: everything counts and is listed again."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.one_import_at_a_time():
        with store.writing() as session:
            what = restrictions.lift(session, viewer, number)
        replay_list.drop("restriction", restrictions.write_key(**what))
        lake.touch()


def grant_exclusion(viewer: Viewer, number: int) -> int:
    """Exclude the contact that an advisor's request names. Returns the recordings deleted."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    asked = next((item for item in requests.find_all(viewer) if item.id == number), None)
    if asked is None or asked.kind != requests.EXCLUSION or not asked.is_open:
        raise AccessDenied()
    return exclude(viewer, "requested", contacts=[(asked.source_system, asked.contact_id)])


def _find_of_customer(key: str) -> dict[str, Rows]:
    contacts = _read_contacts("customer_key = ? OR given_customer_key = ?", [key, key])
    keys = {(row["source_system"], row["contact_id"]) for row in contacts}
    for row in contacts:
        for name in ("advisor_id", "given_advisor_id"):
            row.pop(name)  # another person's
    with store.reading() as session:
        stored = _read_rows(session, Recording)
        waiting = [row["content"] for row in _read_rows(session, WaitingRow)]
    recordings_of_customer = [
        row for row in stored if (row["source_system"], row["contact_id"]) in keys
    ]
    pending_rows = [content for content in waiting if key in json.dumps(content)]
    for row in recordings_of_customer:
        row.pop("advisor_id")
    return {"contacts": contacts, "recordings": recordings_of_customer, "waiting": pending_rows}


def _find_of_advisor(advisor_id: str) -> dict[str, Rows]:
    contacts = _read_contacts("advisor_id = ? OR given_advisor_id = ?", [advisor_id] * 2)
    for row in contacts:
        for name in ("customer_key", "given_customer_key", "survey_comment"):
            row.pop(name)  # another person's
    rows_by_table: dict[str, Rows] = {"contacts": contacts}
    with store.reading() as session:
        for mapper in Base.registry.mappers:
            table = mapper.class_
            if "advisor_id" in mapper.columns and (
                rows := _read_rows(session, table, table.advisor_id == advisor_id)
            ):
                rows_by_table[table.__tablename__] = rows
        for part, column, owner in PARTS:
            ids_of_advisor = sa.select(owner.id).where(owner.advisor_id == advisor_id)
            if rows := _read_rows(session, part, column.in_(ids_of_advisor)):
                rows_by_table[part.__tablename__] = rows
        accounts = sa.select(Account.username).where(Account.advisor_id == advisor_id)
        if rows := _read_rows(session, SavedView, SavedView.username.in_(accounts)):
            rows_by_table[SavedView.__tablename__] = rows
    return rows_by_table


def _read_contacts(condition: str, parameters: list[str]) -> Rows:
    with lake.working() as connection:
        query = f"SELECT * EXCLUDE (batch_id) FROM contacts WHERE {condition} ORDER BY started_at"
        return connection.sql(query, params=parameters).to_arrow_table().to_pylist()


def _read_rows(session: Session, table: type[Any], *conditions: Any) -> Rows:
    columns = [column for column in table.__table__.columns if column.name not in INTERNAL]
    statement = Unscoped(
        sa.select(*columns).where(*conditions),
        "A person's own data is read from every table into a file for them. Nobody else sees it.",
    )
    return [dict(row) for row in session.execute(statement).mappings()]


def _write_zip(tables: Mapping[str, Rows], audio: Sequence[Recording] = ()) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        plain = {name: [_convert_row(row) for row in rows] for name, rows in tables.items()}
        archive.writestr("data.json", json.dumps(plain, ensure_ascii=False, indent=1))
        for name, rows in plain.items():
            archive.writestr(f"{name}.csv", _write_csv(rows))
        archive.writestr("index.html", _write_page(plain))
        for recording in audio:
            ending = {"audio/mpeg": "mp3", "audio/ogg": "ogg"}.get(recording.media_type, "wav")
            name = f"audio/{recording.recorded_at:%Y-%m-%d-%H%M}-{recording.id}.{ending}"
            archive.writestr(name, b"".join(vault.read(recording.file_name)))
    return content.getvalue()


def _convert_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, date | datetime) else value
        for name, value in row.items()
        if value is not None
    }


def _list_columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _write_csv(rows: Rows) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _list_columns(rows) or ["nothing"])
    writer.writeheader()
    writer.writerows({name: _escape(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _escape(value: Any) -> Any:
    starts_formula = isinstance(value, str) and value.startswith(tuple("=+-@\t\r\n"))
    return f"'{value}" if starts_formula else value


def _write_page(tables: Mapping[str, Rows]) -> str:
    title = html.escape(_("Personal data"))
    parts = [f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>"]
    for name, rows in tables.items():
        columns = _list_columns(rows)
        head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
        body = "".join(
            "<tr>" + "".join(_write_cell(row.get(column)) for column in columns) + "</tr>"
            for row in rows
        )
        parts.append(f"<h2>{html.escape(name)} ({len(rows)})</h2>")
        parts.append(f"<table border='1'><tr>{head}</tr>{body}</table>")
    return "".join(parts)


def _write_cell(value: Any) -> str:
    return f"<td>{'' if value is None else html.escape(str(value))}</td>"


def _erase_advisor(viewer: Viewer, advisor_id: str) -> Mapping[str, int]:
    with store.one_import_at_a_time():
        recovery.finish_interrupted()
        replay_list.add("advisor", replay_list.digest("advisor", advisor_id))
        replay_list.drop("exclusion", json.dumps({"advisor_id": advisor_id}))
        replay_list.drop("restriction", restrictions.write_key(advisor_id=advisor_id))
        counts: dict[str, int] = {}
        with store.writing() as session:
            stored = sa.select(Recording).where(Recording.file_name.is_not(None))
            theirs = Unscoped(
                stored.where(Recording.advisor_id == advisor_id),
                "Erasing an advisor deletes the audio of their calls.",
            )
            for recording in session.scalars(theirs).all():
                recordings.drop(session, recording, "erased")
            _forget_in_json(session, advisor_id)
            for table in (Evaluation, CoachingPlan, Playback):
                is_theirs = table.advisor_id == advisor_id
                counted = sa.select(sa.func.count()).select_from(table).where(is_theirs)
                counts[table.__tablename__] = session.scalar(_exempt(counted))
                session.execute(sa.delete(table).where(is_theirs))
            for table in (Account, Restriction, ListeningExclusion):
                session.execute(sa.delete(table).where(table.advisor_id == advisor_id))
            # Memberships, aliases and notices go with it; draws keep a contact without it.
            session.execute(sa.delete(Advisor).where(Advisor.advisor_id == advisor_id))
            audit_log.record(session, viewer.username, "advisor_erased")
        lake.remove_advisor(advisor_id)
        recordings.delete_orphans()
    store.empty_log()
    uploads.remove_leftovers()
    lake.remove_dead_folders()
    lake.vacuum(at_once=True)
    return counts


def _forget_in_json(session: Session, advisor_id: str) -> None:
    for table in (BeforeImage, WaitingRow):
        rows = session.scalars(_exempt(sa.select(table))).all()
        for row in rows:
            named = (getattr(row, "key", None), (row.content or {}).get("advisor_id"))
            if advisor_id in named or advisor_id in json.dumps(row.content):
                session.delete(row)
    for draw in session.scalars(sa.select(Draw)):
        if advisor_id in draw.short:
            draw.short = {who: n for who, n in draw.short.items() if who != advisor_id}
    spelled = _find_spellings(session, advisor_id)
    for view in session.scalars(_exempt(sa.select(SavedView))).all():
        values = itertools.chain.from_iterable(view.parameters.values())
        if spelled.search(view.name) or any(map(spelled.fullmatch, values)):
            session.delete(view)
    _forget_in_reports(session, spelled)
    mentions = sa.or_(NameDecision.spelling == advisor_id, NameDecision.kept == advisor_id)
    session.execute(sa.delete(NameDecision).where(NameDecision.kind == "advisor", mentions))


def _find_spellings(session: Session, advisor_id: str) -> re.Pattern[str]:
    """Find the id, the name and the aliases of an advisor, as a pattern of whole words."""
    names = [advisor_id]
    for column in (Advisor.name, AdvisorAlias.alias):
        of_advisor = sa.select(column).where(column.class_.advisor_id == advisor_id)
        names += session.scalars(_exempt(of_advisor)).all()
    return re.compile("|".join(rf"\b{re.escape(name)}\b" for name in names))


def _forget_in_reports(session: Session, spelled: re.Pattern[str]) -> None:
    def clear(decision: dict[str, Any]) -> dict[str, Any]:
        if decision["field"] != "advisor":
            return decision
        params = [
            (key, spelled.sub("…", value) if isinstance(value, str) else value)
            for key, value in decision.get("params", ())
        ]
        return {**decision, "params": params}

    for batch in session.scalars(_exempt(sa.select(ImportBatch))).all():
        batch.decisions = [clear(decision) for decision in batch.decisions]


def _exempt(statement: Any) -> Unscoped:
    return Unscoped(
        statement, "An erased person is searched in all data kept by imports, by id only."
    )


def read_contacts(texts: Iterable[str]) -> list[tuple[str | None, str]]:
    """Parse contacts written `ID` or `SYSTEM/ID`."""
    return [tuple(text.split("/", 1)) if "/" in text else (None, text) for text in texts]
