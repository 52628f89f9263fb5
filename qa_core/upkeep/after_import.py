"""Work that follows an import: noted in the transaction that loads or undoes the rows,
done by the command after its report, by the served app, and by a watched folder.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.storage import audit_log, system_errors
from qa_core.storage.records import due_work, store
from qa_core.storage.records.imports import ACCREDITED, ALERTS, PUBLICATIONS, PURGE

LOG = logging.getLogger("qa_core")


def _evaluate_alerts() -> None:
    from qa_core.analysis import alerts  # its libraries take longer to load than most imports

    alerts.evaluate(Viewer.SYSTEM)


def _publish_evaluations() -> None:
    from qa_core.quality.evaluations import publication

    publication.publish_due()


def _join_accredited() -> None:
    from qa_core.ingest.matching import late_joins

    late_joins.join_accredited()


def _purge() -> None:
    from qa_core.upkeep import purge

    purge.purge(Viewer.SYSTEM)


WORK: Mapping[str, Callable[[], None]] = {
    ACCREDITED: _join_accredited,
    PUBLICATIONS: _publish_evaluations,
    ALERTS: _evaluate_alerts,
    PURGE: _purge,
}

QUICK = tuple(name for name in WORK if name != PURGE)
"""Work that the served app does at once; it purges in a process beside it."""

_is_wanted = threading.Event()


def wake() -> None:
    """Have the served app do what is due now."""
    _is_wanted.set()


def wait(seconds: float) -> None:
    """Wait until work is wanted in this process, for at most that many seconds."""
    _is_wanted.wait(seconds)
    _is_wanted.clear()


def do_due(names: Iterable[str] = tuple(WORK)) -> None:
    """Do what the last imports made due, in order. Never fails: the rows are in, and work
    that failed stays due.
    """
    if not store.is_ready():
        return
    for name in names:
        asked_at = due_work.find(name)
        if asked_at is None:
            continue
        try:
            WORK[name]()
            due_work.settle(name, asked_at)
        except Exception as error:
            system_errors.log_failure(LOG, f"the work after an import ({name})", error)
            # Records that stopped it may stop its note as well.
            with suppress(sa.exc.OperationalError), store.writing() as session:
                audit_log.record(session, "system", f"{name}_failed", type(error).__name__)
