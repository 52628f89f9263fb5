"""Campaigns of tracking numbers by day, from files that assign them."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.base.row_values import read_fields
from qa_core.centre.advisors import cut_overlaps
from qa_core.storage.records.centre_rules import TrackingAssignment

VALUES = ("source", "medium", "campaign")
BY_NUMBER = "number"
"""Value of `tracking_match` for a contact whose campaign follows from number and day alone."""
ASSIGNMENTS = pa.schema(
    [
        ("tracking_number", pa.string()),
        *((name, pa.string()) for name in VALUES),
        ("starts_on", pa.date32()),
        ("ends_on", pa.date32()),
    ]
)


def write(session: Session, batch_id: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the assignments of that batch; days are inclusive in the file."""
    session.add_all(
        TrackingAssignment(
            batch_id=batch_id,
            tracking_number=row["tracking_number"],
            **{name: row.get(name) for name in VALUES},
            starts_on=row.get("from"),
            ends_on=row["to"] + timedelta(days=1) if row.get("to") else None,
        )
        for row in rows
    )


def find_known(session: Session) -> set[tuple[Any, ...]]:
    """List the assignments: number, source, medium, campaign, first day, day after."""
    columns = (
        TrackingAssignment.tracking_number,
        *(getattr(TrackingAssignment, name) for name in VALUES),
    )
    return {
        tuple(row)
        for row in session.execute(
            sa.select(*columns, TrackingAssignment.starts_on, TrackingAssignment.ends_on)
        )
    }


def build_key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Build the tuple of `find_known` from a row of a file."""
    ends_on = row["to"] + timedelta(days=1) if row.get("to") else None
    return (row["tracking_number"], *(row.get(name) for name in VALUES), row.get("from"), ends_on)


def build_table(session: Session, spell_number: Mapping[str, str] = {}) -> pa.Table:
    """Build the assignments as (tracking_number, source, medium, campaign, starts_on,
    ends_on exclusive), never two for one number and day: the later start wins, then the
    later row.

    `spell_number`: normalises a number.
    """
    rows = session.scalars(sa.select(TrackingAssignment)).all()
    number = lambda row: spell_number.get(row.tracking_number, row.tracking_number)  # noqa: E731
    spans = [
        {"tracking_number": number(row), "starts_on": first, "ends_on": end}
        | read_fields(row, VALUES)
        for row, first, end in cut_overlaps(rows, number)
    ]
    return pa.Table.from_pylist(spans, ASSIGNMENTS)
