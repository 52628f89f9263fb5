"""Due work on the lake, noted in the transaction of the decision that asks for it."""

from sqlalchemy.orm import Session

from qa_core.storage.records import store
from qa_core.storage.records.imports import DueWork


def request(session: Session, name: str) -> None:
    """Note that this work is due."""
    session.merge(DueWork(name=name))


def is_due(name: str) -> bool:
    """Tell whether this work is due."""
    with store.reading() as session:
        return session.get(DueWork, name) is not None
