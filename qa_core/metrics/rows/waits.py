"""Distribution of waits in seconds, and the service level by another threshold."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa

from qa_core import stats
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi import dimension_sql, month_sums, populations
from qa_core.metrics.kpi.measure import build_query
from qa_core.metrics.kpi.statements import MetricQuery, conditions_on, parts_of, select_groups
from qa_core.metrics.kpis import ABANDONED, ANSWERED, COUNTED_DIRECTION, get_kpi
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS

MAX_WAIT = 1800
"""Longer waits, in seconds, are counted as this one."""


def find_waits(viewer: Viewer, where: Filters = Filters()) -> pd.DataFrame:
    """Count contacts by wait: `second` (rounded up, so that a wait of 20.0 s is within a
    threshold of 20; at most `MAX_WAIT`), `answered`, `abandoned`, sorted, without empty
    seconds. Only single contacts with a known wait.

    Raises AccessDenied where the viewer may not see call statistics or use a filter, or
    sees published cells only.
    """
    question = _ask(viewer, where)
    second = sa.func.least(
        sa.cast(sa.func.ceil(CONTACTS.c.wait_seconds), sa.Integer),
        sa.literal_column(str(MAX_WAIT)),
    )
    rows = {"answered": ANSWERED, "abandoned": ABANDONED}
    known = (CONTACTS.c.wait_seconds.is_not(None), sa.or_(*rows.values()))
    frame = _count(question, rows, known, second)
    return frame.rename(columns={"by_group": "second"})


def find_service_levels(
    viewer: Viewer, thresholds: Sequence[float], where: Filters = Filters()
) -> pd.DataFrame:
    """Find the service level as it would be with each threshold in seconds, by the
    formula in force: `threshold`, `value`, `low`, `high`, `n`.

    Of single contacts alone: totals by interval know no threshold but their own. Without
    numbers where the viewer does not see the abandoned ones (`populations`). Raises
    AccessDenied as `find_waits` does.
    """
    question, kpi, counts = _ask(viewer, where), get_kpi("service_level"), {}
    for position, threshold in enumerate(thresholds):
        parts = parts_of(
            build_query(viewer, (), where, {"service_level_seconds": str(threshold)}),
            kpi,
            CONTACTS.c,
        )
        counts |= {f"n_{position}": parts.denominator, f"hits_{position}": parts.hits}
        counts.setdefault("required_rows", parts.required_rows)
    is_seen = populations.sees_missed(question, kpi)
    sums = _count(question, counts).sum()
    rows: list[tuple[float | None, ...]] = []
    for position, threshold in enumerate(thresholds):
        if not is_seen:
            rows.append((threshold, None, None, None, None))
            continue
        n, hits = int(sums[f"n_{position}"]), int(sums[f"hits_{position}"])
        low, high = (stats.wilson(hits, n) if n and sums["required_rows"] else None) or (None, None)
        rows.append((threshold, None if low is None else hits / n, low, high, n))
    return pd.DataFrame(rows, columns=["threshold", "value", "low", "high", "n"]).astype(float)


def _ask(viewer: Viewer, where: Filters) -> MetricQuery:
    viewer.require(Permission.SEE_CALL_STATISTICS)
    dimension_sql.require_filters(viewer, where)
    if viewer.needs_suppression:
        # A distribution is a cut finer than any that large cells allow.
        raise AccessDenied()
    return build_query(viewer, (), where)


def _count(
    question: MetricQuery,
    rows: Mapping[str, sa.ColumnElement[bool]],
    conditions: Sequence[sa.ColumnElement[bool]] = (),
    group: sa.ColumnElement[Any] | None = None,
) -> pd.DataFrame:
    """Count the contacts of each kind, by a group if there is one (`by_group`), sorted."""
    groups = [] if group is None else [group.label("by_group")]
    counts = [sa.func.count().filter(test).label(name) for name, test in rows.items()]

    def build(part: MetricQuery) -> Scoped:
        statement = select_groups([*groups, *part.groups(CONTACTS.c)], counts)
        every = (COUNTED_DIRECTION, *conditions_on(part), *conditions)
        return Scoped(statement.where(*every), part.viewer)

    names = [column.name for column in (*groups, *counts)]
    frame = pd.DataFrame(month_sums.collect(question, build, is_of_teams=True), columns=names)
    return frame.sort_values(names[0], ignore_index=True)
