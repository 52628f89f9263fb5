"""Missed callers: who waits for a call-back now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.metrics.kpis import ANSWERED, COUNTED_DIRECTION, MISSED
from qa_core.metrics.rows.contacts import shown_customer
from qa_core.storage import engine, lake
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS, EVERY_CONTACT, on_every_contact
from qa_core.storage.records.call_backs import build_key

CALL_BACK_DAYS = 7
"""Days before the newest contact in which a missed caller is still to be called back."""
QUEUE_DAYS = 28
"""Days before the newest contact whose answered contacts say which queues a team answers."""


@dataclass(frozen=True)
class MissedCaller:
    """Caller who was missed and not reached since. `tries`: digests of their missed contacts,
    the newest first. `started_at` (UTC), `local_start`, and `queue` are of the newest, and
    `first_start` of the oldest (local). `customer` is masked. `elsewhere`: digests of what they
    missed in queues of others.
    """

    tries: tuple[str, ...]
    started_at: datetime
    local_start: datetime
    first_start: datetime
    queue: str | None
    customer: str | None
    elsewhere: tuple[str, ...] = ()


def find_own_queues(viewer: Viewer) -> tuple[str | None, ...]:
    """Find the queues that the viewer's teams answered lately; None for contacts of no queue."""
    viewer.require(Permission.HANDLE_CALLBACKS)
    if (span := lake.span()) is None:
        return ()
    queue = CONTACTS.c.queue
    since = CONTACTS.c.started_at >= span[1] - timedelta(days=QUEUE_DAYS)
    statement = sa.select(queue).distinct().where(COUNTED_DIRECTION, ANSWERED, since)
    queues = engine.current().run(Scoped(statement, viewer))["queue"].tolist()
    return tuple(sorted(value for value in queues if isinstance(value, str))) + (
        (None,) if any(not isinstance(value, str) for value in queues) else ()
    )


def find_missed_callers(viewer: Viewer) -> tuple[MissedCaller, ...]:
    """Find the callers to call back in the queues of the viewer's teams, with or without a
    team of their own, the longest waiting first. Callers without a number are not among them.
    """
    queues = find_own_queues(viewer)
    if not queues:
        return ()
    every = EVERY_CONTACT.c
    names = ("source_system", "contact_id", "started_at", "local_start", "queue", "customer_key")
    missed = (
        sa.select(*(every[name] for name in names))
        .where(
            on_every_contact(sa.and_(COUNTED_DIRECTION, MISSED)),
            every.has_customer,
            every.seconds_to_reached.is_(None),
            every.started_at >= lake.span()[1] - timedelta(days=CALL_BACK_DAYS),
            every.started_at <= environment.now().replace(tzinfo=None),
        )
        .order_by(every.started_at.desc(), every.source_system, every.contact_id)
    )
    rows = engine.current().run(
        Scoped(
            missed,
            viewer,
            beyond="Missed calls have no team. Who answers a queue calls back its missed callers; "
            "moment, queue and a mask are shown. Of other queues, who has taken the same caller.",
        )
    )
    tries: dict[str, list[Any]] = {}
    elsewhere: dict[str, list[Any]] = {}
    for row in rows.itertuples(index=False):
        is_own = (row.queue if isinstance(row.queue, str) else None) in queues
        (tries if is_own else elsewhere).setdefault(row.customer_key, []).append(row)
    callers = [
        _build_caller(viewer, found, elsewhere.get(customer, ()))
        for customer, found in tries.items()
    ]
    return tuple(sorted(callers, key=lambda caller: (caller.first_start, caller.tries)))


def _build_caller(viewer: Viewer, rows: Sequence[Any], others: Sequence[Any]) -> MissedCaller:
    newest = rows[0]
    tries, elsewhere = (
        tuple(build_key(row.source_system, row.contact_id) for row in some)
        for some in (rows, others)
    )
    return MissedCaller(
        tries,
        newest.started_at.to_pydatetime(),
        newest.local_start.to_pydatetime(),
        rows[-1].local_start.to_pydatetime(),
        newest.queue if isinstance(newest.queue, str) else None,
        shown_customer(viewer, newest.customer_key),
        elsewhere,
    )
