"""Restrictions in force (GDPR art. 18): what no figure and no list holds until lifted."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.storage import name_merges
from qa_core.storage.facts.personal_data import ADVISOR, CUSTOMER, ColumnContent, find_columns
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.lake.tables import quote
from qa_core.storage.records import store
from qa_core.storage.records.retention import Restriction

CONTACT_COLUMNS = frozenset({"source_system", "contact_id", "advisor_id"})
"""Columns of tables of facts whose rows belong to a contact."""


@dataclass(frozen=True)
class Restrictions:
    """Everything that is restricted: pseudonyms, ids of advisors, contacts (system or None, id)."""

    customers: frozenset[str] = frozenset()
    advisors: frozenset[str] = frozenset()
    contacts: frozenset[tuple[str | None, str]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.customers or self.advisors or self.contacts)

    def write_test(self) -> str:
        """Write the predicate of the restricted contacts as SQL: a view takes no parameters."""
        tests = [
            f"{column} IN ({_list(names)})"
            for kind, names in ((CUSTOMER, self.customers), (ADVISOR, self.advisors))
            for column in find_columns(CONTACTS, ColumnContent.IDENTIFIER, kind)
            if names
        ]
        for system, contact_id in sorted(self.contacts, key=str):
            of_system = f" AND source_system = {quote(system)}" if system else ""
            tests.append(f"(contact_id = {quote(contact_id)}{of_system})")
        return " OR ".join(tests)

    def build_test(self) -> sa.ColumnElement[bool]:
        """Build the predicate of the restricted contacts."""
        return sa.literal_column(f"(({self.write_test() or 'false'}) IS TRUE)", sa.Boolean)

    def leave_out(self, rows: str) -> str:
        """Write a SELECT of contacts without the restricted ones."""
        return f"SELECT * FROM ({rows}) WHERE ({self.write_test()}) IS NOT TRUE"

    def leave_out_parts(self, rows: str, contacts: str) -> str:
        """Write a SELECT of rows of contacts, without the rows of restricted contacts."""
        keys = f"SELECT source_system, contact_id FROM ({contacts}) WHERE {self.write_test()}"
        is_theirs = f"advisor_id IN ({_list(self.advisors)})" if self.advisors else "false"
        return (
            f"SELECT * FROM ({rows}) WHERE ({is_theirs}) IS NOT TRUE AND "
            f"((source_system, contact_id) IN ({keys})) IS NOT TRUE"
        )


def find_current() -> Restrictions:
    """Read what is restricted now, under the ids that advisors have now."""
    if not store.is_ready():
        return Restrictions()
    with store.reading() as session:
        return find_in_force(session)


def find_in_force(session: Session) -> Restrictions:
    """Read what is restricted, likewise."""
    return store.remember(session, "restrictions", _read_current)


def _read_current(session: Session) -> Restrictions:
    in_force = sa.select(Restriction).where(Restriction.lifted_at.is_(None))
    rows = session.scalars(in_force).all()
    kept_ids = name_merges.find_kept_names(session)["advisor"] if rows else {}
    return Restrictions(
        frozenset(row.customer_key for row in rows if row.customer_key),
        frozenset(kept_ids.get(row.advisor_id, row.advisor_id) for row in rows if row.advisor_id),
        frozenset((row.source_system, row.contact_id) for row in rows if row.contact_id),
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(quote, sorted(names)))
