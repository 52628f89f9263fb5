"""Arrow table of listened-to contacts, registered with DuckDB beside the
lake, remade only when something was played or evaluated.
"""

import threading
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.metrics.kpi import evaluation_table
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import changes
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation
from qa_core.storage.records.listening import Playback
from qa_core.storage.records.store import Session

OWN = "own"
"""An advisor who hears their own call is no listener to it."""
_lock = threading.Lock()
_tables: dict[str, tuple[tuple[Any, ...], pa.Table]] = {}
_CONDITIONS = (*PUBLISHED, Evaluation.contact_id.is_not(None))


def change_counter(session: Session) -> tuple[Any, ...]:
    """Return a value that differs after a published evaluation changed, and after anything was
    drawn, heard, disputed, calibrated or coached. Drafts, which are saved at every answer,
    change nothing.
    """
    heard = changes.find_marks(session).get("listening")
    return (*evaluation_table.change_counter(session), heard)


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
    keys = Unscoped(
        sa.union(playbacks, evaluations),
        "Keys of contacts listened to are cached once for all viewers. They count only for "
        "contacts in the viewer's scope.",
    )
    rows = session.execute(keys).all()
    names = ("source_system", "contact_id")
    return pa.table(
        {
            name: pa.array([row[position] for row in rows], pa.string())
            for position, name in enumerate(names)
        }
    )
