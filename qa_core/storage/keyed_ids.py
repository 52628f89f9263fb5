"""Takeover of stores in which ids of contacts hold telephone numbers, as earlier versions left
them: afterwards every store has the ids that an import makes of them (docs/upgrade.md).
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from qa_core.base import environment, masking
from qa_core.storage import audit_log, lake, replay_list
from qa_core.storage.facts.personal_data import CONTACT, CUSTOMER, RECORD, TEXT
from qa_core.storage.records import data_map
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.call_backs import CallBack, build_key
from qa_core.storage.records.data_map import StoredTable
from qa_core.storage.records.retention import JournalRewording, Purge

KIND = "contact_ids"
"""Kind of data that the certificate of the takeover names."""
ROWS = 5_000
IDS, JOINED = ("contact_id", "ticket"), ("external_key", "row_key", "key")
"""Names of columns, and keys of JSON values, that hold an id, alone or behind others and `:`."""


def take_over(connection: sa.Connection) -> None:
    """Key the ids in every store. Part of the migration that every door waits for: what lies in
    files first, which can be repeated, then the records with the migration itself. An open purge
    stays, which the next one certifies.
    """
    # Noted where the purge deletes it: once the lake is keyed, no mark says whose it was.
    note = environment.current().temporary_folder / "moved_call_backs.json"
    moved = json.loads(note.read_bytes()) if note.exists() else {}
    if moved := moved | _find_moved(connection):
        environment.write_private(note, json.dumps(moved).encode(), overwrite=True)
    contacts = lake.key_ids()
    if contacts:
        lake.vacuum(at_once=True)
    if known := replay_list.find():
        replay_list.write(replace(known, number=known.number + 1))
    _mask_quarantine()
    for before, key in moved.items():
        mark = sa.update(CallBack.__table__).where(CallBack.key == before)
        connection.execute(mark.values(key=key))
    rows = _key_records(connection) + _key_log(connection)
    if contacts or rows:
        today = environment.today()
        days = (contacts.oldest, contacts.newest) if contacts else (today, today)
        names = ("oldest", "newest", "since")
        due = dict(zip(names, map(str, (*days, today)), strict=True))
        due |= {"count": contacts.count if contacts else rows, "done": True}
        opened = {"as_of": today, "actor": "system", "started_at": now(), "kinds": {KIND: due}}
        connection.execute(sa.insert(Purge).values(opened))


def _find_moved(connection: sa.Connection) -> dict[str, str]:
    """Find the keys that marks of call-backs have, and get with the ids of their contacts."""
    marks = set(connection.scalars(sa.select(CallBack.__table__.c.key)))
    if not marks:
        return {}
    number = masking.NUMBER_INSIDE.replace("'", "''")
    with lake.working() as facts:
        ids = facts.execute(
            "SELECT source_system, contact_id FROM contacts "
            f"WHERE regexp_matches(contact_id, '{number}')"
        ).fetchall()
    return {
        before: build_key(system, masking.key_number(text))
        for system, text in ids
        if (before := build_key(system, text)) in marks
    }


def _mask_quarantine() -> None:
    for path in (environment.current().folder / "quarantine").glob("*.csv"):
        text = path.read_text(encoding="utf-8")
        if masking.has_number(text):
            age = path.stat()
            environment.write_private(path, masking.mask_inside(text).encode(), overwrite=True)
            os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))


def _key_records(connection: sa.Connection) -> int:
    """Key the ids in every column that the map says may hold some. Returns the number of rows."""
    count, present = 0, sa.inspect(connection)
    for entry in data_map.find_records().values():
        if not present.has_table(entry.name) or not (names := _find_names(entry)):
            continue
        known = {column["name"] for column in present.get_columns(entry.name)}
        columns = [entry.table.c[name] for name in names if name in known]
        [number] = entry.table.primary_key.columns
        for rows in _read_pages(connection, number, *columns):
            for row in rows:
                values = {
                    column: fresh
                    for column, value in zip(columns, row[1:], strict=True)
                    if (fresh := _key(column.name, value)) != value
                }
                if values:
                    _write(connection, sa.update(entry.table).where(number == row[0]), values)
                    count += 1
    return count


def _find_names(entry: StoredTable) -> list[str]:
    """Find the columns that may hold ids: of contacts, and in copies of rows about customers."""
    if CUSTOMER not in entry.persons:
        return []
    return [
        name
        for name, datum in entry.columns.items()
        if datum.what == CONTACT
        or name in JOINED
        or (datum.what in (RECORD, TEXT) and isinstance(entry.table.c[name].type, sa.JSON))
    ]


def _write(connection: sa.Connection, update: sa.Update, values: dict[sa.Column, Any]) -> None:
    """Change a row; remove it where there is one with the keyed id already, which is newer."""
    try:
        with connection.begin_nested():
            connection.execute(update.values(values))
    except sa.exc.IntegrityError:
        connection.execute(sa.delete(update.table).where(update.whereclause))


def _key(name: str, value: Any) -> Any:
    match value:
        case str() if name in IDS:
            return masking.key_number(value)
        case str() if name in JOINED:
            return ":".join(map(masking.key_number, value.split(":")))
        case dict():
            return {key: _key(key, item) for key, item in value.items()}
        case list():
            return [_key(name, item) for item in value]
    return value


def _key_log(connection: sa.Connection) -> int:
    """Key the ids that rows of the audit log name. Returns the number of rows."""
    log, count = JournalRow.__table__, 0
    for rows in _read_pages(connection, *log.c):
        for row in rows:
            words = {**row._asdict(), "object": _key_named(row.object)}
            if words != row._asdict():
                update = sa.update(log).where(log.c.seq == row.seq)
                connection.execute(update.values(object=words["object"]))
                signed = {"seq": row.seq, "signature": audit_log.sign_words(words)}
                connection.execute(sa.insert(JournalRewording).values(signed))
                count += 1
    return count


def _key_named(text: str) -> str:
    """Key the ids in what a row of the log names: `SYSTEM/ID`, several, or with fields."""
    if not masking.has_number(text):
        return text
    parts = (part.partition("/") for part in re.split("(, |: )", text))
    text = "".join(
        f"{system}{slash}{masking.key_number(number)}" for system, slash, number in parts
    )
    system, slash, number = text.partition("/")
    return f"{system}{slash}{masking.key_number(number)}"


def _read_pages(
    connection: sa.Connection, number: sa.Column[Any], *columns: sa.Column[Any]
) -> Iterator[list[sa.Row]]:
    """Read rows by their number, some at a time; what is read may be changed meanwhile."""
    page = sa.select(number, *columns).order_by(number).limit(ROWS)
    rows = connection.execute(page).all()
    while rows:
        yield rows
        rows = connection.execute(page.where(number > rows[-1][0])).all()
