"""Corrected values of contacts (GDPR art. 16), kept against what later files say."""

from collections.abc import Mapping

import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import doors, environment
from qa_core.base.errors import Misuse, require_known
from qa_core.base.i18n import N_
from qa_core.centre.rules.active_rules import source_value
from qa_core.compliance import restrictions, retention
from qa_core.ingest.rules import apply, reattach
from qa_core.ingest.staging.staged import create_batch_id
from qa_core.storage import audit_log, lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.schema import AS_GIVEN, CONTACTS, IDENTITY, Direction, Outcome
from qa_core.storage.lake.tables import sql_type
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.records.people import Team
from qa_core.storage.records.retention import Rectification
from qa_core.storage.records.store import Session

FIELDS = {
    "advisor": "advisor_id",
    "customer": "customer_key",
    **{
        name: name
        for name in (
            *("team", "queue", "reason", "channel", "direction", "outcome", "wait_seconds"),
            *("talk_seconds", "hold_seconds", "wrap_seconds", "declared_resolved"),
            *("survey_comment", "private_line"),
        )
    },
}
"""Field as people name it → column of the contact."""
CHOICES = {
    "direction": tuple(Direction),
    "outcome": tuple(Outcome),
    "declared_resolved": ("true", "false"),
    "private_line": ("true", "false"),
}
Key = tuple[str, str]


def find_contact(system: str | None, contact_id: str) -> Key:
    """Find one stored contact. Raises Misuse where none, or more than one, has that id."""
    with lake.working() as connection:
        rows = connection.execute(
            "SELECT source_system FROM contacts WHERE contact_id = ? AND "
            "source_system = coalesce(?, source_system)",
            [contact_id, system],
        ).fetchall()
    if len(rows) != 1:
        message = N_("Contacts with the id {id}: {count}. Give one as SYSTEM/ID.")
        raise Misuse("no_contact", message, count=len(rows), id=contact_id)
    return rows[0][0], contact_id


def enter(
    session: Session,
    viewer: Viewer,
    contact: Key,
    values: Mapping[str, str],
    reason: str,
    request: int | None = None,
) -> None:
    """Enter corrected values: column → value, an advisor's id, a pseudonym, or an empty text.
    The caller applies them.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    for column, text in values.items():
        of_person = column if column in IDENTITY else "value"
        entry = Rectification(
            source_system=contact[0],
            contact_id=contact[1],
            field=column,
            reason=reason,
            request_id=request,
            entered_by=viewer.username,
            **{of_person: _check(session, column, text.strip()) or None},
        )
        session.add(entry)
    what = f"{'/'.join(contact)}: {', '.join(values)}"
    audit_log.record(session, viewer.username, "contact_rectified", what, reason)


def _check(session: Session, column: str, text: str) -> str:
    """Return a value in its stored form. Raises Misuse for one that cannot be."""
    known = CHOICES.get(column, ())
    if column == "team":
        known = tuple(session.scalars(sa.select(Team.name).order_by(Team.name)))
    if known and text:
        require_known(text, known, "bad_value")
    if isinstance(CONTACTS.c[column].type, sa.Double) and text:
        try:
            if float(text) < 0:
                raise ValueError
        except ValueError as error:
            message = N_("{name} must be {expected}.")
            raise Misuse("bad_value", message, name=column, expected="≥ 0 s") from error
    return text


@doors.writes("contacts")
def keep() -> int:
    """Give contacts their corrected values again. Returns how many had others; the caller
    holds the lock of imports. The keys of contacts past their period are not given back.
    """
    with store.reading() as session:
        entries = session.scalars(_of_anybody(sa.select(Rectification).order_by(Rectification.id)))
        wanted: dict[str, dict[Key, str | None]] = {}
        for item in entries:
            value = item.advisor_id or item.customer_key or item.value
            wanted.setdefault(item.field, {})[item.source_system, item.contact_id] = value
        if not wanted:
            return 0
        oldest_day = retention.find_oldest_day(session, "contacts", environment.today())
    changed = 0
    for column, values in wanted.items():
        rows = _find_changes(column, values, f"DATE '{oldest_day}'")
        if not rows.num_rows:
            continue
        changed += rows.num_rows
        columns, batch = rows.column_names[2:-1], f"rectified-{create_batch_id()}"
        lake.merge_contacts(rows.drop("old"), columns, batch, create=False, is_derived=True)
        if column == "advisor_id":
            with store.writing() as session:
                people = {*rows["old"].to_pylist(), *rows[column].to_pylist()} - {None}
                reattach.update_contact_rows(session, people)
    if changed:
        with store.writing() as session:
            due_work.request(session, CENTRE_RULES)
            objecting, _contacts = restrictions.find_objecting(session)
        apply.apply_if_due()
        lake.mark("customer_objected", objecting)
    return changed


def _find_changes(column: str, values: Mapping[Key, str | None], oldest_day: str) -> pa.Table:
    """Find the contacts whose source value differs: key, new values, and the `old` one."""
    given = f', CAST(NULL AS VARCHAR) AS "{AS_GIVEN[column]}"' if column in AS_GIVEN else ""
    value = f"CAST(w.value AS {sql_type(CONTACTS.c[column])})"
    is_kept = f"c.local_start >= {oldest_day}" if column in IDENTITY else "true"
    systems, ids = zip(*values, strict=True)
    table = pa.table(
        {
            "source_system": pa.array(systems, pa.string()),
            "contact_id": pa.array(ids, pa.string()),
            "value": pa.array(list(values.values()), pa.string()),
        }
    )
    with lake.working() as connection:
        connection.register("wanted", table)
        return connection.execute(
            f'SELECT source_system, contact_id, {value} AS "{column}"{given}, '
            f'c."{column}" AS old FROM wanted w JOIN contacts c USING (source_system, contact_id) '
            f"WHERE {is_kept} AND {value} IS DISTINCT FROM {source_value(column)}"
        ).to_arrow_table()


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(statement, "Corrected values hold for all teams. None is shown.")
