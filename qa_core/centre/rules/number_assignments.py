"""Campaigns of tracking numbers by day, from files that assign them."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import Session

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
    spans: list[tuple[Any, ...]] = []
    next_start: tuple[str | None, date] = (None, date.max)
    number = lambda row: spell_number.get(row.tracking_number, row.tracking_number)  # noqa: E731
    for row in sorted(
        rows, key=lambda row: (number(row), row.starts_on or date.min, row.id), reverse=True
    ):
        limit = next_start[1] if next_start[0] == number(row) else date.max
        starts_on, ends_on = row.starts_on or date.min, min(row.ends_on or date.max, limit)
        if starts_on < ends_on:
            spans.append(
                (number(row), *(getattr(row, name) for name in VALUES), starts_on, ends_on)
            )
            next_start = (number(row), starts_on)
    columns = zip(*spans, strict=True) if spans else [[]] * len(ASSIGNMENTS)
    return pa.table([list(column) for column in columns], schema=ASSIGNMENTS)
