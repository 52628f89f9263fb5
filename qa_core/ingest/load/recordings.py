"""Loading of audio: each row of a manifest, or each file, is checked against its
contact and the rules before any of it is stored.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import mask_contact_details
from qa_core.compliance import recordings
from qa_core.compliance.conditions import gates, recording_classes
from qa_core.compliance.conditions.recording_classes import RecordingClass
from qa_core.compliance.recordings import audio, deletion, vault
from qa_core.files.archives import stay_inside
from qa_core.files.header_text import simplify
from qa_core.ingest.load.batches import LoadJob
from qa_core.ingest.staging.quarantine import RejectedRow
from qa_core.ingest.staging.staged import Staged
from qa_core.ingest.words.tables import index_words
from qa_core.metrics.query import RecordedContact
from qa_core.storage.erased_people import ErasedPeople
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Recording

PURPOSE_WORDS = index_words("purposes", str)

RecordingKey = tuple[str, str, bool]
"""Key of a recording: system and id of its contact, and whether it is sealed. One
recording is stored for each key.
"""


@dataclass
class IncomingRecording:
    """One row of a manifest, and what was found for it. `result`: the reason why it is
    rejected, or UNCHANGED, DUPLICATE or UNMATCHED.
    """

    line: int
    row: dict[str, Any]
    purpose: str = ""
    kept_as: RecordingClass | None = None
    contact: RecordedContact | None = None
    result: str | None = None
    audio: audio.Audio | None = None
    stored: deletion.StoredAudio | None = None

    @property
    def key(self) -> RecordingKey:
        return self.contact.source_system, self.contact.contact_id, self.kept_as is not None

    @property
    def recorded_at(self) -> datetime | None:
        moment = self.row.get("recorded_at")
        return moment.replace(tzinfo=UTC) if moment else None


UNCHANGED, DUPLICATE, UNMATCHED = "unchanged", "duplicate", "unmatched"
"""Results of a row that are no rejection."""


@dataclass
class RecordingRules:
    """Rules of the centre as of `moment`: purposes, months of retention, classes."""

    purposes: tuple[str, ...]
    months: int
    classes: Mapping[str, RecordingClass]
    moment: datetime = field(default_factory=now)


def load(job: LoadJob) -> None:
    """Store the audio of a manifest or a folder; fills in the report. Raises Refusal
    while a legal gate is closed.
    """
    staged, tally = job.staged, job.tally
    with store.reading_or_empty() as session:
        gates.require_open(session)
        rules = RecordingRules(
            tuple(gates.find_purposes(session)),
            gates.retention_months(session, "recording"),
            recording_classes.find_all(session),
        )
    rows = [
        IncomingRecording(row["line"], row)
        for row in pq.read_table(staged.rows).sort_by("line").to_pylist()
    ]
    _find_contacts(rows, job.system)
    for item in rows:
        item.result = _check_row(item, rules, job.options.purpose)
    _find_duplicates(rows)
    contact_ids = {item.contact.contact_id for item in rows if item.contact}
    with store.reading_or_empty() as session:
        known_recordings = {
            _build_key(recording): recording
            for recording in deletion.find_live(session, contact_ids)
        }
        deleted, erased = deletion.find_deleted(session, contact_ids), ErasedPeople.load()
    for item in rows:
        if item.result is None:
            key = item.contact.source_system, item.contact.contact_id
            is_gone = key in deleted or erased.names_contact(*key)
            is_refused = is_gone and not deletion.is_bound(item, "erased")
            item.result = "deleted_before" if is_refused else None
    if not job.options.dry_run:
        recordings.delete_orphans()
    stored_rows: list[IncomingRecording] = []
    try:
        for number, item in enumerate(rows):
            if item.result is None:
                known = known_recordings.get(item.key)
                _store_audio(item, staged.file, known, is_real=not job.options.dry_run)
                stored_rows += [item] if item.result is None else []
            job.progress(N_("Writing"), (number + 1) / len(rows))
        results = Counter(item.result for item in rows if item.result)
        tally.unchanged += results.pop(UNCHANGED, 0)
        tally.duplicates += results.pop(DUPLICATE, 0)
        unmatched = results.pop(UNMATCHED, 0)
        tally.skip(UNMATCHED, unmatched)
        tally.reject(results)
        _describe(job, stored_rows, unmatched)
        tally.new += len(stored_rows)
        if job.options.dry_run:
            return

        def write(session: Session, batch_id: str) -> None:
            for item in stored_rows:
                deletion.add(
                    session,
                    item.stored,
                    item.contact,
                    item.purpose,
                    item.recorded_at,
                    batch_id,
                    item.kept_as,
                )

        rejected = (item for item in rows if item.result in results)
        job.start(0, write, [_show_rejected(staged, item) for item in rejected])
    except BaseException:
        if job.report.batch_id is None:  # else the rows are stored, with these files
            for item in stored_rows:
                if item.stored:
                    vault.remove(item.stored.file_name)
        raise
    job.finish()


def _find_contacts(rows: list[IncomingRecording], system: str | None) -> None:
    # Imported here, since files of rows need no libraries of the pages.
    from qa_core.compliance.recordings import law
    from qa_core.metrics.law.legal_obstacles import LegalAct

    contacts_by_id: dict[str, list[RecordedContact]] = {}
    with store.reading_or_empty() as session:
        contacts = law.judge(
            session, Viewer.SYSTEM, LegalAct.STORE, {item.row["contact_id"] for item in rows}
        )
    for contact in contacts:
        contacts_by_id.setdefault(contact.contact_id, []).append(contact)
    for item in rows:
        item_system = item.row.get("source_system") or system
        matches = [
            contact
            for contact in contacts_by_id.get(item.row["contact_id"], ())
            if item_system in (None, contact.source_system)
        ]
        if len(matches) == 1:
            item.contact = matches[0]
        item.result = None if len(matches) == 1 else "ambiguous_contact" if matches else UNMATCHED


def _check_row(item: IncomingRecording, rules: RecordingRules, purpose: str | None) -> str | None:
    """Find the reason why that row may not be stored, or its earlier result; None where
    contact, purpose and retention allow it.
    """
    words = re.split("[,;/|+]", item.row.get("class") or item.row.get("purpose") or purpose or "")
    names = {PURPOSE_WORDS.get(text, text) for word in words if (text := simplify(word))}
    if not names:
        return "no_purpose"
    if names & {*rules.classes, recording_classes.PROOF} or item.row.get("class"):
        item.kept_as = rules.classes.get("".join(names))
        if item.kept_as is None:
            return "class_not_entered"
    elif not names <= set(gates.PURPOSES):
        return "unknown_purpose"
    elif not names <= set(rules.purposes):
        return "purpose_not_entered"
    item.purpose = ",".join(name for name in gates.PURPOSES if name in names)
    if item.result:
        return item.result
    against = item.contact.against
    if against and not deletion.is_bound(item, against):
        return against
    notice = item.row.get("notice_played")
    if notice is False or not (notice or item.contact.has_notice):
        return "no_notice"
    days = [item.contact.local_start.date()]
    if item.recorded_at:
        days.append(environment.to_local(item.recorded_at).date())
    months = item.kept_as.months if item.kept_as else rules.months
    return "expired" if rules.moment > deletion.find_end(min(days), months) else None


def _find_duplicates(rows: list[IncomingRecording]) -> None:
    """Mark all but the newest of several rows for one place: the newest by recording
    time, or the last row where times are missing.
    """
    rows_by_key: dict[RecordingKey, list[IncomingRecording]] = {}
    for item in rows:
        if item.result is None:
            rows_by_key.setdefault(item.key, []).append(item)
    for rows_of_key in rows_by_key.values():
        newest = rows_of_key[-1]
        if all(item.recorded_at for item in rows_of_key):
            newest = max(rows_of_key, key=lambda item: (item.recorded_at, item.line))
        for item in rows_of_key:
            item.result = None if item is newest else DUPLICATE


def _store_audio(
    item: IncomingRecording, source: Path, stored_recording: Recording | None, is_real: bool
) -> None:
    """Check the audio of a row and, unless it is known or unfit, store it."""
    base = source if source.is_dir() else source.parent
    path = _find_file(base, item.row["file"])
    if isinstance(path, str):
        item.result = path
        return
    try:
        with stay_inside(base):
            _read_audio(item, path, stored_recording, is_real)
    except audio.Unfit as unfit:
        item.result = unfit.reason
    except Refusal as refusal:
        if refusal.code != "no_regular_file":  # it became a link meanwhile
            raise
        item.result = "outside_folder"
    except PermissionError:
        item.result = "no_file"


def _read_audio(
    item: IncomingRecording, path: Path, stored_recording: Recording | None, is_real: bool
) -> None:
    if stored_recording is not None:
        kept_for = item.kept_as.name if item.kept_as else item.purpose
        is_same = stored_recording.purpose == kept_for and (
            stored_recording.digest == vault.find_digest(path)
            or vault.holds(stored_recording.file_name, audio.read(audio.examine(path)))
        )
        item.result = UNCHANGED if is_same else "stored_otherwise"
        return
    item.audio = audio.examine(path)
    if is_real:
        item.stored = deletion.store_audio(path, item.audio)


def _find_file(base: Path, name: str) -> Path | str:
    """Find the audio file that a row names in its folder; else the reason code."""
    name = name.strip().replace("\\", "/")
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or re.match(r"[A-Za-z]:", name) or ".." in parts:
        return "outside_folder"
    path = base / name
    try:
        return "outside_folder" if path.is_symlink() else path if path.is_file() else "no_file"
    except OSError:  # a name that is too long
        return "no_file"


def _build_key(recording: Recording) -> RecordingKey:
    return recording.source_system, recording.contact_id, recording.kept_as is not None


def _describe(job: LoadJob, stored_rows: list[IncomingRecording], unmatched: int) -> None:
    converted = sum(item.audio.frames is not None for item in stored_rows)
    if converted:
        job.decide("file", "kept as WAV, sound only", converted)
    if unmatched:
        job.decide(
            "contact_id",
            "not kept: their contact is not imported yet. Import the contact, then this file again",
            unmatched,
        )


def _show_rejected(staged: Staged, item: IncomingRecording) -> RejectedRow:
    values = (item.row.get(name) for name in staged.mapping)
    texts = pa.array(["" if value is None else str(value) for value in values], pa.string())
    masked = mask_contact_details(texts).to_pylist()
    return item.line, item.result, dict(zip(staged.mapping.values(), masked, strict=True))
