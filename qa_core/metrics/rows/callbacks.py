"""Missed callers: how they were reached, and who waits for a call-back now."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql, month_sums, populations
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import (
    DAYS_AROUND,
    MetricQuery,
    misses_of,
    recovery_window,
    select_groups,
)
from qa_core.metrics.kpis import ANSWERED, COUNTED_DIRECTION, MISSED, OUTGOING, FactTable, get_kpi
from qa_core.metrics.kpis.dimensions import Filters
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
class Recovery:
    """Missed callers, one per caller and recovery window. The first four have known
    callers and add up to the denominator of `recovered_rate`; the first two to its
    numerator. `withheld`: missed contacts of nobody known. `open`: of the known ones
    not reached, those whose window is not over.
    """

    by_call_back: int
    by_new_try: int
    called_back_in_vain: int
    not_called_back: int
    withheld: int
    open: int

    @property
    def known_callers(self) -> int:
        return self.reached_callers + self.called_back_in_vain + self.not_called_back

    @property
    def reached_callers(self) -> int:
        return self.by_call_back + self.by_new_try

    @property
    def missed_contacts(self) -> int:
        return self.known_callers + self.withheld


NONE = dict.fromkeys((field.name for field in fields(Recovery)), 0)


def find_recovery(viewer: Viewer, where: Filters = Filters()) -> Recovery:
    """Find how the callers missed in the viewer's scope were recovered within the
    recovery window of their day.

    A call-back counts also by an advisor out of scope, as for `seconds_to_reached`; only
    that it happened is shown. Nothing is counted where the viewer sees too few of the
    missed callers (`populations`). Raises AccessDenied where the viewer may not see call
    statistics or use a filter, or sees published cells only.
    """
    viewer.require(Permission.SEE_CALL_STATISTICS)
    dimension_sql.require_filters(viewer, where)
    if viewer.needs_suppression:
        raise AccessDenied()
    if lake.span() is None:
        return Recovery(**NONE)
    question = build_query(viewer, (), where)
    if not populations.sees_missed(question, get_kpi("recovered_rate")):
        return Recovery(**NONE)
    around = DAYS_AROUND[FactTable.MISSED]
    records = month_sums.collect(question, _count_misses, around=around)
    if not records:
        return Recovery(**NONE)
    return Recovery(**{name: int(records[0][f"n_{name}"]) for name in NONE})


def _count_misses(question: MetricQuery) -> Scoped:
    """Count the missed callers by what became of them, in the groups of the question."""
    span = question.current_inputs(question.pieces[-1][1]).span
    miss = misses_of(question, with_call_backs=True).c
    window = recovery_window(question, miss.local_start).label("window_seconds")
    key = [
        miss[name]
        for name in (
            "source_system",
            "contact_id",
            "customer_number",
            "started_at",
            "seconds_to_reached",
            "seconds_to_call_back",
        )
    ]
    misses = (
        sa.select(*key, window, *question.groups(miss))
        .where(*dimension_sql.within(question.where.period, miss), *question.filters(miss))
        .cte("missed")
    )
    calls = EVERY_CONTACT.c
    after = sa.extract("epoch", calls.started_at - misses.c.started_at)
    answered_calls = sa.and_(
        calls.customer_number == misses.c.customer_number,
        on_every_contact(sa.and_(OUTGOING, ANSWERED)),
        after.between(sa.literal_column("0"), misses.c.window_seconds),
    )
    remaining_seconds = sa.extract("epoch", sa.literal(span[1], sa.DateTime) - misses.c.started_at)
    each = (
        sa.select(
            *(misses.c[f"by_{name}"] for name in question.by),
            misses.c.customer_number.is_not(None).label("is_known"),
            sa.func.coalesce(
                misses.c.seconds_to_reached <= misses.c.window_seconds, sa.false()
            ).label("is_reached"),
            # Whatever answered contact came first is what reached them: their own, or
            # one of these calls.
            sa.func.coalesce(sa.func.min(after) <= misses.c.seconds_to_reached, sa.false()).label(
                "is_by_call"
            ),
            sa.func.coalesce(
                misses.c.seconds_to_call_back <= misses.c.window_seconds, sa.false()
            ).label("is_called"),
            (remaining_seconds < misses.c.window_seconds).label("is_open"),
        )
        .select_from(misses.outerjoin(EVERY_CONTACT, answered_calls))
        .group_by(*misses.c)
        .cte("each_miss")
        .c
    )
    kinds = {
        "by_call_back": (each.is_known, each.is_reached, each.is_by_call),
        "by_new_try": (each.is_known, each.is_reached, sa.not_(each.is_by_call)),
        "called_back_in_vain": (each.is_known, sa.not_(each.is_reached), each.is_called),
        "not_called_back": (each.is_known, sa.not_(each.is_reached), sa.not_(each.is_called)),
        "withheld": (sa.not_(each.is_known),),
        "open": (each.is_known, sa.not_(each.is_reached), each.is_open),
    }
    counts = [
        sa.func.count().filter(sa.and_(*tests)).label(f"n_{name}") for name, tests in kinds.items()
    ]
    groups = [each[f"by_{name}"] for name in question.by]
    return Scoped(
        select_groups(groups, counts),
        question.viewer,
        beyond="A missed caller counts as reached by any advisor's call. Only the times of those "
        "calls are used.",
    )


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
