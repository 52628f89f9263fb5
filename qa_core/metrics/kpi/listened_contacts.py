"""Arrow table of listened-to contacts, registered with DuckDB beside the
lake, remade only when something was played or evaluated.
"""

import threading
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation
from qa_core.storage.records.listening import Playback
from qa_core.storage.records.store import Session

OWN = "own"
"""An advisor who hears their own call is no listener to it."""
_lock = threading.Lock()
_tables: dict[str, tuple[tuple[Any, ...], pa.Table]] = {}
_CONDITIONS = (*PUBLISHED, Evaluation.contact_id.is_not(None))


def change_counter(session: Session) -> tuple[Any, ...]:
    """Return a value that differs after anything was played, or an evaluation changed."""
    playbacks = sa.select(sa.func.count(), sa.func.max(Playback.id), sa.func.sum(Playback.id))
    evaluations = sa.select(
        sa.func.count(), sa.func.max(Evaluation.changed_at), sa.func.sum(Evaluation.id)
    ).where(*_CONDITIONS)
    return (*_execute(session, playbacks).one(), *_execute(session, evaluations).one())


def load(session: Session) -> pa.Table:
    """`source_system` and `contact_id` of every contact listened to, each once. Whose
    they are, and who may count them, the statement that reads it asks.
    """
    address, counter = str(session.get_bind().url), change_counter(session)
    with _lock:
        cached = _tables.get(address)
        if cached is None or cached[0] != counter:
            cached = _tables[address] = (counter, _read(session))
        return cached[1]


def _read(session: Session) -> pa.Table:
    playbacks = sa.select(Playback.source_system, Playback.contact_id).where(
        Playback.purpose != OWN
    )
    evaluations = sa.select(Evaluation.source_system, Evaluation.contact_id).where(*_CONDITIONS)
    rows = _execute(session, sa.union(playbacks, evaluations)).all()
    names = ("source_system", "contact_id")
    return pa.table(
        {
            name: pa.array([row[position] for row in rows], pa.string())
            for position, name in enumerate(names)
        }
    )


def _execute(session: Session, statement: sa.Executable) -> sa.Result:
    return session.execute(
        Unscoped(
            statement,
            "Keys of contacts listened to are cached once for all viewers. They count only for "
            "contacts in the viewer's scope.",
        )
    )
