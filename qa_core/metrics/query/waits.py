"""Distribution of waits: how many waited how many seconds, and what the
service level would be with another threshold.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa

from qa_core import stats
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import ABANDONED, ANSWERED, COUNTED_DIRECTION, get_kpi
from qa_core.metrics.query import dimension_sql
from qa_core.metrics.query.measure import build_query
from qa_core.metrics.query.statements import parts_of
from qa_core.storage import engine
from qa_core.storage.guard import Scoped
from qa_core.storage.schema import CONTACTS

UNHAPPY_BANDS = (0, 30, 60, 180, 300, 600)
"""Where each band of waits starts, in seconds; the last has no end."""
LONGEST_WAIT = 1800
"""Longer waits are counted with those of so many seconds."""


def find_waits(viewer: Viewer, where: Filters = Filters()) -> pd.DataFrame:
    """Count contacts by how long they waited: `second` (rounded up, so that a wait of
    20.0 s counts with those within a threshold of 20; at most `LONGEST_WAIT`),
    `answered`, `abandoned`, sorted; seconds that nobody waited are absent. Only single
    contacts with a known wait.

    Raises AccessDenied for whoever may not see call statistics, for what the viewer may
    not filter by, and for those who see large cells alone.
    """
    conditions = _conditions(viewer, where)
    second = sa.func.least(
        sa.cast(sa.func.ceil(CONTACTS.c.wait_seconds), sa.Integer),
        sa.literal_column(str(LONGEST_WAIT)),
    ).label("second")
    counts = [
        sa.func.count().filter(rows).label(name)
        for name, rows in (("answered", ANSWERED), ("abandoned", ABANDONED))
    ]
    statement = sa.select(second, *counts).where(
        *conditions, CONTACTS.c.wait_seconds.is_not(None), sa.or_(ANSWERED, ABANDONED)
    )
    return engine.current().run(
        Scoped(statement.group_by(second).order_by(second), viewer),
        **dimension_sql.months(where.period),
    )


def find_service_levels(
    viewer: Viewer, thresholds: Sequence[float], where: Filters = Filters()
) -> pd.DataFrame:
    """Find the service level as it would be with each threshold in seconds, by the
    formula in force: `threshold`, `value`, `low`, `high`, `n`.

    Of single contacts alone: totals by interval know no threshold but their own. Raises
    AccessDenied as `find_waits` does.
    """
    conditions, kpi, columns = _conditions(viewer, where), get_kpi("service_level"), []
    for position, threshold in enumerate(thresholds):
        parts = parts_of(
            build_query(viewer, (), where, {"service_level_seconds": str(threshold)}),
            kpi,
            CONTACTS.c,
        )
        columns += [
            sa.func.count().filter(rows).label(f"{name}_{position}")
            for name, rows in (("n", parts.denominator), ("hits", parts.hits))
        ]
        if not position:
            columns.append(sa.func.count().filter(parts.required_rows).label("required_rows"))
    statement = Scoped(sa.select(*columns).where(*conditions), viewer)
    counts = engine.current().run(statement, **dimension_sql.months(where.period)).iloc[0]
    rows = []
    for position, threshold in enumerate(thresholds):
        n, hits = int(counts[f"n_{position}"]), int(counts[f"hits_{position}"])
        low, high = (stats.wilson(hits, n) if n and counts["required_rows"] else None) or (
            None,
            None,
        )
        rows.append((threshold, None if low is None else hits / n, low, high, n))
    return pd.DataFrame(rows, columns=["threshold", "value", "low", "high", "n"]).astype(float)


def find_unhappy_by_wait(viewer: Viewer, where: Filters = Filters()) -> pd.DataFrame:
    """Count unhappy customers (`unhappy_rate`) among those answered, by how long they
    had waited: `from_seconds` (a start of `UNHAPPY_BANDS`), `n`, `hits`, sorted; bands
    that nobody rated are absent. Raises AccessDenied as `find_waits` does.
    """
    viewer.require(Permission.SEE_SATISFACTION)
    conditions = _conditions(viewer, where)
    parts = parts_of(build_query(viewer, (), where), get_kpi("unhappy_rate"), CONTACTS.c)
    starts = [sa.literal_column(str(start)) for start in UNHAPPY_BANDS]
    band = sa.case(
        *((CONTACTS.c.wait_seconds >= start, start) for start in reversed(starts[1:])),
        else_=starts[0],
    ).label("from_seconds")
    counts = [
        sa.func.count().filter(rows).label(name)
        for name, rows in (
            ("n", parts.denominator),
            ("hits", sa.and_(parts.denominator, parts.hits)),
        )
    ]
    statement = sa.select(band, *counts).where(
        *conditions, ANSWERED, parts.denominator, CONTACTS.c.wait_seconds.is_not(None)
    )
    return engine.current().run(
        Scoped(statement.group_by(band).order_by(band), viewer),
        **dimension_sql.months(where.period),
    )


def _conditions(viewer: Viewer, where: Filters) -> list[sa.ColumnElement[bool]]:
    viewer.require(Permission.SEE_CALL_STATISTICS)
    dimension_sql.require_filters(viewer, where)
    if viewer.needs_suppression:
        # A distribution is a cut finer than any that large cells allow.
        raise AccessDenied()
    question = build_query(viewer, (), where)
    return [
        COUNTED_DIRECTION,
        *dimension_sql.within(where.period, CONTACTS.c),
        *question.filters(CONTACTS.c),
    ]
