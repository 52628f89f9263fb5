"""Layouts whose reading somebody has confirmed, and readings that wait for it."""

import difflib
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal, require_known
from qa_core.base.row_values import read_fields
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading import registry
from qa_core.ingest.reading.reading import Reading
from qa_core.ingest.staging.staged import Staged
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ConfirmedReading, SavedMapping
from qa_core.storage.records.store import Session

SHOWN = ("layout", "kind", "system", "confirmed_by", "confirmed_at", "batch_id", "waiting")
MAX_PRINTED = 60
MIN_KEPT = 0.5
"""Share of a layout's columns from which on a file is a changed file of that layout."""


def find_layout(
    session: Session, kind: str, system: str, headers: Collection[str]
) -> tuple[ConfirmedReading | None, dict[str, str]]:
    """Find the confirmed layout that a file belongs to, and the fields whose column is
    missing; a layout with missing columns only where most of them are there. A list of
    advisors with other columns is another list, whose teams are read.
    """
    confirmed = sa.select(ConfirmedReading).where(
        ConfirmedReading.kind == kind,
        ConfirmedReading.system == system,
        ConfirmedReading.confirmed_at.is_not(None),
    )
    best, best_rank = None, (MIN_KEPT, False, 0)
    for row in session.scalars(confirmed.order_by(ConfirmedReading.confirmed_at)):
        used = set(row.mapping.values())
        is_same = row.headers == list(headers)
        if kind == "advisors" and not is_same:
            continue
        kept = 1.0 if is_same else len(used & set(headers)) / max(1, len(used))
        rank = (kept, is_same, len(used))
        if rank >= best_rank:
            best, best_rank = row, rank
    if best is None or best_rank[1]:
        return best, {}
    return best, {name: column for name, column in best.mapping.items() if column not in headers}


def apply_layout(
    row: ConfirmedReading,
    options: ImportOptions,
    headers: Collection[str],
    used: Collection[str] = (),
) -> ImportOptions:
    """Complete options with the answers of a layout; columns that it did not have are left out,
    but those `used`.
    """
    present, stored = set(headers), ImportOptions.load(row.options)
    renamed = {
        text: options.columns[name]
        for name, text in row.mapping.items()
        if text not in present and name in options.columns
    }
    words = ((*key.rpartition(":")[::2], meaning) for key, meaning in stored.words.items())
    stored = replace(
        stored,
        columns={name: text for name, text in stored.columns.items() if text in present},
        ignored=tuple(text for text in stored.ignored if text in present),
        # A total beside its criteria was read on no scale.
        scales={k: v for k, v in stored.scales.items() if k != "score" or k in row.mapping},
        words={
            f"{renamed.get(column, column)}:{word}": meaning
            for column, word, meaning in words
            # The headers of a platform's layout are only some of its columns.
            if renamed.get(column, column) in present or column not in row.headers
        },
        profile=stored.profile if registry.is_known(stored.profile) else None,
    )
    completed = options.with_defaults(stored)
    known = {*row.headers, *used, *completed.columns.values()}
    new = tuple(name for name in headers if name and row.headers and name not in known)
    is_stated = completed.is_stated or completed.profile is None
    return replace(completed, ignored=(*completed.ignored, *new), is_stated=is_stated)


def find_similar(missing: str, columns: Collection[str]) -> list[str]:
    """List columns by how much their name is like the missing one's."""

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, missing.casefold(), name.casefold()).ratio()

    return sorted(columns, key=likeness, reverse=True)


def record(
    session: Session,
    viewer: Viewer,
    reading: Reading,
    staged: Staged,
    options: ImportOptions,
    batch_id: str,
) -> None:
    """Keep the confirmed reading of the file of a batch."""
    row = session.get(ConfirmedReading, reading.layout)
    if row is None:
        row = ConfirmedReading(layout=reading.layout, printed=[], words={})
        session.add(row)
    own = options.as_reading_options()
    settled = {
        name: {**value, **own.get(name, {})} if isinstance(value, dict) else own.get(name, value)
        for name, value in staged.settled.items()
    }
    row.kind, row.system = staged.kind, staged.system
    row.mapping, row.headers = dict(staged.mapping), list(staged.headers)
    row.options = {**own, **settled}
    row.words = {
        column: sorted({*words, *row.words.get(column, ())})
        for column, words in {**row.words, **staged.words}.items()
    }
    row.facts = {fact.fact: fact.as_json()["counts"] for fact in reading.facts}
    row.batch_id = row.batch_id if row.confirmed_at else batch_id
    row.confirmed_by, row.confirmed_at, row.updated_at = viewer.username, now(), now()
    row.printed, row.waiting = [], None
    audit_log.record(session, viewer.username, "confirm_reading", row.layout, reason=batch_id)


def note_printed(reading: Reading, waiting: str | None = None) -> None:
    """Remember the counts that were printed for a reading that nobody has confirmed yet, and
    the watched file that waits for it.
    """
    with store.writing() as session:
        row = session.get(ConfirmedReading, reading.layout)
        if row is None:
            names = ("mapping", "options", "words", "facts")
            nothing: dict[str, Any] = {name: {} for name in names}
            named = {"layout": reading.layout, "kind": reading.kind, "system": reading.system}
            row = ConfirmedReading(**named, **nothing, headers=[], printed=[])
            session.add(row)
        new = [counts for counts in reading.printed_counts if counts not in row.printed]
        row.printed = [*row.printed, *new][-MAX_PRINTED:]
        row.waiting, row.updated_at = waiting or row.waiting, now()


def was_printed(session: Session, reading: Reading) -> bool:
    row = session.get(ConfirmedReading, reading.layout)
    return row is not None and reading.headline in row.printed


def find_layouts(viewer: Viewer) -> list[dict[str, Any]]:
    """Find the confirmed layouts, saved mappings, and the layouts that wait, newest first.
    Needs MANAGE_IMPORTS.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    shown = sa.or_(
        ConfirmedReading.confirmed_at.is_not(None), ConfirmedReading.waiting.is_not(None)
    )
    rows = sa.select(ConfirmedReading).where(shown).order_by(ConfirmedReading.updated_at.desc())
    with store.reading() as session:
        saved = session.scalars(sa.select(SavedMapping).order_by(SavedMapping.name))
        return [*map(_describe, session.scalars(rows)), *map(_describe_mapping, saved)]


def get_layout(viewer: Viewer, layout: str) -> dict[str, Any]:
    """Get a layout with its facts. Raises Misuse for one that there is not."""
    layouts = {row["layout"]: row for row in find_layouts(viewer)}
    require_known(layout, layouts, "unknown_layout")
    return layouts[layout]


def find_waiting(viewer: Viewer) -> list[ConfirmedReading]:
    """Find the readings of watched files that wait for a confirmation. Needs MANAGE_IMPORTS."""
    viewer.require(Permission.MANAGE_IMPORTS)
    waiting = ConfirmedReading.waiting.is_not(None), ConfirmedReading.confirmed_at.is_(None)
    with store.reading() as session:
        return list(session.scalars(sa.select(ConfirmedReading).where(*waiting)))


def forget(viewer: Viewer, layout: str) -> None:
    """Forget a layout: the next file of it asks again. Needs MANAGE_IMPORTS."""
    get_layout(viewer, layout)
    with store.writing() as session:
        row = session.get(ConfirmedReading, layout) or session.get_one(SavedMapping, layout)
        session.delete(row)
        audit_log.record(session, viewer.username, "forget_reading", layout)


def _describe(row: ConfirmedReading) -> dict[str, Any]:
    basis = "before" if row.confirmed_at and row.batch_id is None else "confirmed"
    return {
        **read_fields(row, SHOWN),
        "basis": basis if row.confirmed_at else "waiting",
        "columns": row.mapping,
        "options": row.options,
        "facts": row.facts,
    }


def _describe_mapping(row: SavedMapping) -> dict[str, Any]:
    known = {"layout": row.name, "kind": row.kind, "system": row.content.get("system") or row.name}
    nothing: dict[str, Any] = {"batch_id": None, "waiting": None, "basis": "before", "facts": {}}
    options = {name: value for name, value in row.content.items() if name != "columns"}
    by = {"confirmed_by": row.saved_by, "confirmed_at": row.saved_at}
    columns = row.content.get("columns", {})
    return {**known, **by, **nothing, "columns": columns, "options": options}


def refuse_missing(field: str, column: str, columns: Collection[str]) -> Refusal:
    """Build the question about a column that a file of a layout no longer has."""
    return Refusal(
        "missing_column",
        "Files of this layout had the column {column} for {field}; this one does not. Name the "
        "column that replaces it, or confirm that {field} is missing from now on.",
        options=tuple(f"--map {field}={other}" for other in find_similar(column, columns)),
        column=column,
        field=field,
    )


def refuse_new_word(column: str, word: str) -> Refusal:
    """Build the question about a word that no confirmation of the layout covers."""
    meanings = ("answered", "abandoned", "unanswered")
    return Refusal(
        "new_word",
        "{word} is new in the column {column}. Confirm how it is read, or say what it means.",
        options=tuple(f"--word {column}:{word}={meaning}" for meaning in meanings),
        column=column,
        word=word,
    )
