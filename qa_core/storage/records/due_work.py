"""Work on the lake that a decision in the records asks for, noted in the decision's own
transaction.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from qa_core.storage.records import store
from qa_core.storage.records.imports import DueWork


def request(session: Session, name: str) -> None:
    """Note that this work is due."""
    session.merge(DueWork(name=name))


def is_due(name: str) -> bool:
    """Tell whether this work was requested and is not done yet."""
    with store.reading() as session:
        return session.get(DueWork, name) is not None
