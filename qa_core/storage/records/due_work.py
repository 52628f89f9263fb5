"""Due work, noted in the transaction of the decision or import that asks for it."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import DueWork


def request(session: Session, *names: str) -> None:
    """Note that this work is due, now anew where it was due already."""
    for name in names:
        session.merge(DueWork(name=name, asked_at=now()))


def find(name: str) -> datetime | None:
    """Find since when this work is due; None where it is not."""
    with store.reading() as session:
        row = session.get(DueWork, name)
        return row and row.asked_at


def is_due(name: str) -> bool:
    return find(name) is not None


def settle(name: str, asked_at: datetime) -> None:
    """Note that the work asked for at that moment is done; what was asked for since stays."""
    with store.writing() as session:
        session.execute(
            sa.delete(DueWork).where(DueWork.name == name, DueWork.asked_at <= asked_at)
        )
