"""The one way to change a convention: decided in one transaction, then all that is stored follows, while no import is under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from qa_core.ingest.load import batches, recovery
from qa_core.ingest.rules import apply
from qa_core.storage.records import store


@dataclass
class Change:
    """One change under way. `contacts`, afterwards: how many contacts read otherwise for it."""

    session: Session
    contacts: int = 0


@contextmanager
def changing() -> Iterator[Change]:
    """Decide in `change.session`; when the block ends, contacts and evaluations follow. Killed in between, the next start finishes it."""
    store.require_ready()
    with batches.one_at_a_time():
        recovery.finish_interrupted()
        with store.writing() as session:
            change = Change(session)
            yield change
            apply.ask(session)
        change.contacts = apply.apply_if_due()


def follow() -> int:
    """Do what a change elsewhere asked for, such as that of a setting. Returns how many contacts read otherwise for it."""
    store.require_ready()
    if not apply.is_due():
        return 0
    with batches.one_at_a_time():
        return apply.apply_if_due()
