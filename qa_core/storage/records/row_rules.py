"""Row rules: which rows of people's data a viewer sees, by table; every statement obeys."""

import functools
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.sql import visitors

from qa_core.storage.facts.guard import Reader, Scoped, Unscoped
from qa_core.storage.facts.personal_data import ADVISOR, CUSTOMER, ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import data_map
from qa_core.storage.records.base import Base
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import (
    CalibrationContact,
    CoachingPlan,
    DrawnContact,
    Playback,
    Recording,
)
from qa_core.storage.records.retention import MonthlyFigure, Restriction

BY_SCOPE: tuple[type[Base], ...] = (
    Evaluation, DrawnContact, CalibrationContact, Recording, Playback, CoachingPlan, MonthlyFigure,
)  # fmt: skip
"""Tables scoped by their own columns."""

OPTION = "rows_are_those_of"
"""Execution option: the tables that a statement may name."""

OWNERS = ("qa_core.storage.", "qa_core.access.", "qa_core.centre.")
"""Rooms below those that read for a person."""

_SCOPED_TABLES: dict[str, tuple[str, type[Base]] | None] = {
    table.__tablename__: None for table in BY_SCOPE
}
_SCOPED_TABLES |= {
    name: (entry.stored.part_of, whole.model)
    for name, entry in data_map.find_records().items()
    if (whole := entry.find_whole()) and whole.model in BY_SCOPE and entry.model not in BY_SCOPE
}
"""Tables scoped by themselves, and through the row that the map says they are a part of."""
PERSONAL = frozenset(
    name
    for name, entry in data_map.find_records().items()
    if name in _SCOPED_TABLES or (entry.stored.whose and entry.stored.needs_reason)
)
"""Tables of people's data. Of those without a scope, only `centre` and `access` read their
own without a reason.
"""
_TABLE_NAME = re.compile(rf"(?:\bFROM|\bJOIN|,)[\s(]+\"?({'|'.join(sorted(PERSONAL))})\b(?!\"?\.)")
_BETWEEN = ("qa_core.storage.records.store", __name__)


CUSTOMERS = "restricted customers"
"""In a session's `info`: what it read of them, since it sees one state."""
Keys = Sequence[tuple[str, str]]
"""Contacts: the system and the id of each."""


def prepare(statement: Any, session: orm.Session) -> Any:
    """Prepare a statement for a session: a scoped one finds only the viewer's rows
    under the names of the personal tables, an unscoped one all of them.
    """
    if isinstance(statement, Unscoped):
        return statement.statement.execution_options(**{OPTION: PERSONAL})
    if not isinstance(statement, Scoped):
        return statement
    names = {
        element.name
        for element in visitors.iterate(statement.statement)
        if isinstance(element, sa.Table) and element.name in _SCOPED_TABLES
    }
    names |= {_SCOPED_TABLES[name][1].__tablename__ for name in names if _SCOPED_TABLES[name]}
    dialect, hidden = session.get_bind().dialect.name, _find_restricted(session)
    scoped_rows = [
        rows
        for name in sorted(names, key=lambda name: _SCOPED_TABLES[name] is not None)
        if (rows := _narrow(name, statement.viewer, dialect, hidden)) is not None
    ]
    allowed = frozenset({*names, Restriction.__tablename__})
    return statement.statement.add_cte(*scoped_rows).execution_options(**{OPTION: allowed})


def _find_restricted(session: orm.Session) -> Keys:
    """Find the contacts of restricted customers: rows name no customer, only the lake does."""
    customers = session.info.get(CUSTOMERS)
    if customers is None:
        named = sa.select(Restriction.customer_key).where(
            Restriction.lifted_at.is_(None), Restriction.customer_key.is_not(None)
        )
        asked = Unscoped(named, "Whose contacts are in no list is read once, before the lists.")
        customers = session.info[CUSTOMERS] = frozenset(session.scalars(asked))
    if not customers:
        return ()
    from qa_core.storage.lake import tables  # only here: it takes time at every start

    return _find_contacts(customers, tables.lake_folder(), tables.version("contacts"))


@functools.lru_cache(maxsize=4)
def _find_contacts(customers: frozenset[str], _folder: Path, _version: int) -> Keys:
    from qa_core.storage import lake

    keys = find_columns(CONTACTS, ColumnContent.IDENTIFIER, CUSTOMER)
    listed = ", ".join(map(lake.tables.quote, sorted(customers)))
    is_theirs = " OR ".join(f"{name} IN ({listed})" for name in keys)
    with lake.working() as connection:
        return connection.execute(
            f"SELECT DISTINCT source_system, contact_id FROM contacts WHERE {is_theirs}"
        ).fetchall()


def _narrow(name: str, viewer: Reader, dialect: str, hidden: Keys) -> sa.CTE | None:
    """Narrow a table to the viewer's rows under its own name; None: all of them."""
    table, part = _own_table(name, dialect), _SCOPED_TABLES[name]
    scope = viewer.scope(Base.metadata.tables[part[1].__tablename__] if part else table)
    if isinstance(scope, sa.True_):
        return None
    if part:
        whole = sa.table(part[1].__tablename__, sa.column("id"))
        scope = table.c[part[0]].in_(sa.select(whole.c.id))
    elif "advisor_id" in table.c:
        scope = sa.and_(scope, sa.not_(_is_restricted(table, dialect, hidden)))
    rows = sa.select(sa.text("*")).select_from(table).where(scope)
    return rows.cte(name).prefix_with("NOT MATERIALIZED")


def _is_restricted(table: sa.FromClause, dialect: str, hidden: Keys) -> sa.ColumnElement[bool]:
    """Build the predicate of the rows of a restricted advisor or contact, or of the contacts
    of restricted customers.
    """
    entry = _own_table(Restriction.__tablename__, dialect)
    stored = data_map.find_records()[table.name]
    tests = [
        entry.c.advisor_id == table.c[column.name]
        for column, _datum in stored.find_identifiers(ADVISOR)
    ]
    of_customer = sa.false()
    if any(stored.find(ColumnContent.CONTACT)):
        if hidden:
            # An evaluation may be of no contact.
            key = sa.tuple_(table.c.source_system, table.c.contact_id)
            of_customer = sa.func.coalesce(key.in_(hidden), sa.false())
        system = sa.func.coalesce(entry.c.source_system, table.c.source_system)
        tests.append(
            sa.and_(entry.c.contact_id == table.c.contact_id, system == table.c.source_system)
        )
    in_force = sa.and_(entry.c.lifted_at.is_(None), sa.or_(*tests))
    return sa.or_(sa.exists(sa.select(entry.c.id).where(in_force).correlate(table)), of_customer)


@functools.cache
def _own_table(name: str, dialect: str) -> sa.FromClause:
    """Name the table itself within the rows that take its name: SQLite needs its schema
    to distinguish them, PostgreSQL looks outside by itself.
    """
    table = Base.metadata.tables[name]
    columns = [sa.column(column.name, column.type) for column in table.columns]
    return sa.table(name, *columns, schema="main" if dialect == "sqlite" else None)


def require_scope(text: str, options: dict[str, Any]) -> None:
    """Refuse a SELECT of personal tables that neither says whose rows it reads nor
    comes from a room that owns them. Raises TypeError: a programming error.
    """
    unscoped_names = _find_named(text) - options.get(OPTION, frozenset())
    if unscoped_names and not _is_owner(sys._getframe(1)):
        raise TypeError(f"run Scoped or Unscoped what reads {', '.join(sorted(unscoped_names))}")


@functools.lru_cache(maxsize=4096)
def _find_named(text: str) -> frozenset[str]:
    """Find the personal tables that a SELECT reads from."""
    is_read = text.lstrip().upper().startswith(("SELECT", "WITH"))
    return frozenset(_TABLE_NAME.findall(text)) if is_read else frozenset()


def _is_owner(frame: FrameType | None) -> bool:
    """Return whether the running code belongs to a room that owns people's data; others pass."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("qa_core.") and module not in _BETWEEN:
            return module.startswith(OWNERS)
        frame = frame.f_back
    return True
