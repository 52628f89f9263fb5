"""Copy of a person's data (GDPR art. 15 and 20), as the map of personal data says: JSON, CSV,
and pages in French and English with what art. 15(1) asks for.
"""

import html
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.base import declared, i18n
from qa_core.base.i18n import _
from qa_core.compliance.documents import facts
from qa_core.compliance.documents.blocks import (
    Block,
    Bullets,
    Grid,
    Heading,
    Paragraph,
    split_blanks,
)
from qa_core.compliance.documents.drafting import draft
from qa_core.compliance.recordings import vault
from qa_core.compliance.recordings.deletion import is_over
from qa_core.metrics import downloads
from qa_core.storage import audit_log, lake
from qa_core.storage.facts.personal_data import ACCOUNT, ADVISOR, CUSTOMER, ROW, ColumnContent
from qa_core.storage.records import data_map, store
from qa_core.storage.records.base import UtcDateTime
from qa_core.storage.records.data_map import StoredTable
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.people import Account
from qa_core.storage.records.store import Session
from qa_core.upkeep import erasure
from qa_core.upkeep.erasure import StoredPerson, exempt

Rows = list[dict[str, Any]]
HIDDEN = (ColumnContent.SECRET, ColumnContent.AUDIO)
"""Audio is handed out as files, once a second person has agreed."""
HEADINGS: dict[str, dict[str, str]] = declared.read(__file__)
"""Translated headings by language, without those that pages have too."""
ENDINGS = {"audio/mpeg": "mp3", "audio/ogg": "ogg"}


def collect(kind: str, identifier: str, is_copied: bool = True) -> dict[str, Rows]:
    """Collect what the stores hold of a person, by table; names of others are left out, and in
    a copy the contacts of a number that several people share (GDPR art. 15(4)).
    """
    with store.reading() as session:
        ids = erasure.find_identifiers(session, kind, identifier)
        people = [erasure.find_person(session, kind, name, is_copied) for name in ids]
        tables = {"contacts": _read_contacts(kind, ids, is_copied)} if kind != ACCOUNT else {}
        if kind == ADVISOR:
            theirs = sa.select(Account.username).where(Account.advisor_id.in_(ids))
            accounts = session.scalars(exempt(theirs)).all()
            people += [erasure.find_person(session, ACCOUNT, name) for name in accounts]
        for person in people:
            for entry in data_map.find_records().values():
                if rows := _read_rows(session, entry, person):
                    known = tables.setdefault(entry.name, [])
                    known += [row for row in rows if row not in known]
        return _hide_others(session, {name for one in people for name in one.names}, tables)


def find_audio(tables: Mapping[str, Rows]) -> list[Recording]:
    """Find the recordings in a copy whose audio may still be kept."""
    ids = [row["id"] for row in tables.get("recording", [])]
    stored = sa.select(Recording).where(Recording.id.in_(ids), Recording.file_name.is_not(None))
    with store.reading() as session:
        found = session.scalars(exempt(stored)).all()
        return [recording for recording in found if not is_over(session, recording)]


def find_shown(entry: StoredTable, kind: str) -> list[str]:
    """List the columns of a table that a copy shows. Of a table that is about nobody: who did
    something, when, and in which words.
    """
    if not entry.stored.whose:
        return [
            name
            for name, datum in entry.columns.items()
            if kind in datum.whose
            or isinstance(entry.table.c[name].type, sa.Date | UtcDateTime)
            or datum.what == ColumnContent.TEXT
        ]
    return [
        name
        for name, datum in entry.columns.items()
        if entry.table.c[name].primary_key
        or (datum.what not in HIDDEN and (kind in datum.whose or not datum.whose))
    ]


def _read_contacts(kind: str, ids: Sequence[str], is_copied: bool) -> Rows:
    entry = data_map.LAKE["contacts"]
    columns = ", ".join(find_shown(entry, kind))
    keys = [column.name for column, _datum in entry.find(ColumnContent.IDENTIFIER, kind)]
    keys = [key for key in keys if not (is_copied and key == erasure.SHARED_KEY)]
    condition = " OR ".join(f"list_contains(?, {key})" for key in keys)
    query = f"SELECT {columns} FROM contacts WHERE {condition} ORDER BY started_at"
    with lake.working() as connection:
        return connection.sql(query, params=[ids] * len(keys)).to_arrow_table().to_pylist()


def _read_rows(session: Session, entry: StoredTable, person: StoredPerson) -> Rows:
    is_theirs, of_names = _find_rows(entry, person), []
    if is_theirs is None:
        # Rows of files and throttles have no column of a person: a name stands in them.
        of_names = [
            column
            for column, datum in entry.find(ColumnContent.RECORD)
            if datum.if_named == ROW and person.kind in entry.stored.whose
        ]
        if not of_names:
            return []
        is_theirs = erasure.names_any(of_names, person)
    shown = [entry.table.c[name] for name in find_shown(entry, person.kind)]
    rows = session.execute(exempt(sa.select(*shown, *of_names).where(is_theirs)))
    return [
        dict(zip((column.name for column in shown), row, strict=False))
        for row in rows
        # A name within a longer word is somebody else's.
        if not of_names or any(person.forget(cell) != cell for cell in row[len(shown) :])
    ]


def _find_rows(entry: StoredTable, person: StoredPerson) -> sa.ColumnElement[bool] | None:
    """Build the predicate of a person's rows: those that name them or one of their
    contacts, and the parts of these.
    """
    tests = [person.holds(column, datum) for column, datum in entry.find_identifiers(person.kind)]
    if person.kind == CUSTOMER and (owned := person.owns(entry)) is not None:
        tests.append(owned)
    if person.kind == ADVISOR and not tests and ADVISOR in (entry.stored.whose or (ADVISOR,)):
        return entry.find_parts(lambda whole: _find_rows(whole, person))
    return sa.or_(*tests) if tests else None


def _hide_others(session: Session, own_names: set[str], tables: dict[str, Rows]) -> dict[str, Rows]:
    """Replace the names of the centre's other people in texts and lists."""
    names = erasure.find_names(session) - own_names
    others = StoredPerson(ADVISOR, "", tuple(filter(audit_log.is_telling, names)))
    who = {
        column.name: others.in_full if what == ColumnContent.WORDING else others
        for what in (ColumnContent.WORDING, ColumnContent.TEXT, ColumnContent.RECORD)
        for entry in (*data_map.find_records().values(), *data_map.LAKE.values())
        for column, _datum in entry.find(what)
    }
    return {
        table: [
            {name: who[name].forget(value) if name in who else value for name, value in row.items()}
            for row in rows
        ]
        for table, rows in tables.items()
    }


def write_zip(
    tables: Mapping[str, Rows], audio: Sequence[Recording] = (), is_shared: bool = False
) -> bytes:
    """Write the copy as a zip. `is_shared`: it says what of a shared number is left out."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        plain = {name: [_convert_row(row) for row in rows] for name, rows in tables.items()}
        archive.writestr("data.json", json.dumps(plain, ensure_ascii=False, indent=1))
        for name, rows in plain.items():
            columns = _list_columns(rows)
            lines = ([row.get(column) for column in columns] for row in rows)
            archive.writestr(f"{name}.csv", downloads.to_csv(columns, lines))
        for language, name in (("fr", "index.html"), ("en", "index.en.html")):
            with i18n.in_language(language):
                archive.writestr(name, _write_page(plain, is_shared))
        for recording in audio:
            ending = ENDINGS.get(recording.media_type, "wav")
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


def name_column(name: str) -> str:
    """Return the name of a column in words."""
    return name.replace("grid", "scorecard").replace("_", " ").capitalize()


def name_table(name: str) -> str:
    """Return the name of a table in words, in the plural."""
    for singular, plural in (("ch", "ches"), ("as", "ases"), ("s", "s"), ("y", "ies")):
        if name.endswith(singular):
            return name_column(name.removesuffix(singular) + plural)
    return name_column(f"{name}s")


def translate(heading: str) -> str:
    """Translate a heading: those that no page has stand beside this module."""
    return HEADINGS.get(i18n.language(), {}).get(heading) or _(heading)


def _write_page(tables: Mapping[str, Rows], is_shared: bool) -> str:
    blocks = draft("person_copy", facts.read())
    filled = {name: rows for name, rows in tables.items() if rows}
    if is_shared:
        text = _(
            "Several people use this number. Its contacts are left out, because they may be "
            "somebody else's (GDPR art. 15(4)). Name a customer number or an e-mail address of "
            "yours, and we look again."
        )
        blocks.insert(1, Paragraph(text))
    elif not filled:
        blocks[0] = Paragraph(_("We hold no data about you (GDPR art. 15)."))
    for name, rows in filled.items():
        columns = _list_columns(rows)
        cells = (tuple(str(row.get(column, "")) for column in columns) for row in rows)
        blocks.append(Heading(f"{translate(name_table(name))} ({len(rows)})"))
        header = tuple(translate(name_column(column)) for column in columns)
        blocks.append(Grid(header, tuple(cells), ()))
    title = html.escape(_("Personal data"))
    start = f"<!doctype html><meta charset='utf-8'><title>{title}</title><h1>{title}</h1>"
    return start + "".join(map(_write_block, blocks))


def _write_block(block: Block) -> str:
    match block:
        case Heading():
            return f"<h2>{_write(block.text)}</h2>"
        case Bullets():
            return f"<ul>{''.join(f'<li>{_write(item)}</li>' for item in block.items)}</ul>"
        case Grid():
            head = "".join(f"<th>{_write(cell)}</th>" for cell in block.header)
            rows = ("".join(f"<td>{_write(cell)}</td>" for cell in row) for row in block.rows)
            body = "".join(f"<tr>{row}</tr>" for row in rows)
            return f"<table border='1'><tr>{head}</tr>{body}</table>"
    return f"<p>{_write(block.text)}</p>"


def _write(text: str) -> str:
    return "".join(html.escape(piece) for piece, _is_blank in split_blanks(text))
